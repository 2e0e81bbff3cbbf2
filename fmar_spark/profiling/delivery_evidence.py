"""Adds up the checked events of whole meters: rows of ``gold.delivery_evidence``."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.contracts.deliveries import DELIVERY_EVIDENCE
from fmar_spark.domain.deliveries import ASSET_RULES
from fmar_spark.domain.figures import write_count, write_number, write_odds
from fmar_spark.engine.arrow_columns import Values, build_column, number_keys
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.kernels.delivery.checks import EventChecks
from fmar_spark.kernels.delivery.dispatches import Dispatches
from fmar_spark.kernels.delivery.evidence import NO_EVENT
from fmar_spark.kernels.delivery.signals import combine_signals
from fmar_spark.kernels.delivery.verdicts import (
    ONE_OF_SEVERAL,
    REASONS,
    SUSPECT,
    VERDICTS,
    AssetVerdicts,
    VerdictRules,
    conclude_assets,
)
from fmar_spark.kernels.window import Ints

MICROSECONDS_A_SLOT: Final = 1_800_000_000
SIGNS: Final = ("raised_before_z", "rinse_z", "rebound_z", "enrolment_step_z")
"""Added up over the events of an asset; the last is one and the same step, seen from several events."""
READ: Final = (
    "mpan_id",
    "amsid",
    "fsp_id",
    "event_date",
    "start_at",
    "end_at",
    "dispatch_direction",
    "declared_kwh",
    "declared_others_kwh",
    "baseline_kwh",
    "net_kwh",
    "observed_kwh",
    "spread_kwh",
    "p_value",
    "meter_p_value",
    "is_assessable",
    "is_shared",
    *SIGNS,
)
"""Columns of ``gold.delivery_checks`` that evidence is made of."""


@dataclass(frozen=True)
class EvidencePass:
    """Turns all checks of whole meters into one row for each asset and FSP."""

    rules: VerdictRules
    false_discovery_rate: float
    run_id: str
    as_of_date: date

    def __call__(self, chunk: pa.Table) -> Iterator[pa.RecordBatch]:
        """One record batch; ``chunk`` has the columns ``READ``."""
        named = pc.binary_join_element_wise(chunk["mpan_id"], chunk["amsid"], chunk["fsp_id"], "\x1f")
        keys, asset = number_keys(named)
        events = _read_events(chunk, asset)
        checks = _read_checks(chunk, events)
        found = conclude_assets(events, checks, len(keys), rules=self.rules)
        yield self._build_rows(chunk, keys, (events, checks), found)

    def _build_rows(
        self, chunk: pa.Table, keys: list[str], checked: tuple[Dispatches, EventChecks], found: AssetVerdicts
    ) -> pa.RecordBatch:
        events, checks = checked
        assets = len(keys)
        counted = checks.is_assessable
        sums = [
            np.bincount(events.asset[counted], np.nan_to_num(kwh[counted]), minlength=assets).astype(np.float64)
            for kwh in (checks.declared_kwh, checks.observed_kwh)
        ]
        assessable = np.bincount(events.asset[counted], minlength=assets)
        is_known = assessable > 0
        is_by_meter = ~found.evidence.is_suspect & np.isin(found.verdict, (SUSPECT, ONE_OF_SEVERAL))
        e_value = np.where(is_by_meter, found.meter_evidence.e_value, found.evidence.e_value)
        dates = np.asarray(chunk["event_date"].combine_chunks().cast(pa.int32()), dtype=np.int64).astype("datetime64[D]")
        since = np.where(found.suspect_event == NO_EVENT, np.datetime64("NaT"), dates[np.maximum(found.suspect_event, 0)])
        rule: list[str | None] = [REASONS[code] or None for code in found.reason.tolist()]
        parts = [key.split("\x1f") for key in keys]
        columns: dict[str, Values] = {
            **{name: [part[place] for part in parts] for place, name in enumerate(("mpan_id", "amsid", "fsp_id"))},
            "events": np.bincount(events.asset, minlength=assets).astype(np.int32),
            "assessable_events": assessable.astype(np.int32),
            "declared_kwh": np.where(is_known, sums[0], np.nan),
            "observed_kwh": np.where(is_known, sums[1], np.nan),
            "share_delivered": found.shares.share,
            "share_lower": found.shares.lower,
            "share_upper": found.shares.upper,
            "e_value": e_value,
            "verdict": [VERDICTS[code] for code in found.verdict.tolist()],
            "size_spreads": found.declared_spreads,
            **_combine_signs(chunk, events.asset, assets),
            "suspect_since_date": since,
            "suspect_with": _list_companions(events, found, [part[1] for part in parts]),
            "false_discovery_rate": np.full(assets, self.false_discovery_rate),
            "rule": rule,
            "reason": [_describe(rule[at], found, at, sums, int(assessable[at])) for at in range(assets)],
            "run_id": pa.repeat(self.run_id, assets),
            "as_of_date": pa.repeat(pa.scalar(self.as_of_date), assets),
        }
        schema = arrow_schema(DELIVERY_EVIDENCE)
        return pa.RecordBatch.from_arrays([build_column(columns[field.name], field.type) for field in schema], schema=schema)


def _read_events(chunk: pa.Table, asset: Ints) -> Dispatches:
    """The checked events, in UTC half-hours since 1970."""
    start, end = (
        np.asarray(chunk[name].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()), dtype=np.int64) for name in ("start_at", "end_at")
    )
    first, last = start // MICROSECONDS_A_SLOT, (end - 1) // MICROSECONDS_A_SLOT + 1
    return Dispatches(
        meter=number_keys(chunk["mpan_id"])[1],
        asset=asset,
        start_slot=first,
        end_slot=last,
        notice_slot=first,
        is_down=np.asarray(pc.equal(chunk["dispatch_direction"], "down")),
        declared_kwh=_read_floats(chunk, "declared_kwh"),
    )


def _read_checks(chunk: pa.Table, events: Dispatches) -> EventChecks:
    """The checks as the kernels made them, as far as evidence needs them."""
    read = {name: _read_floats(chunk, name) for name in READ if name.endswith(("_kwh", "_value"))}
    sign = np.where(events.is_down, 1.0, -1.0)
    blank = np.full(len(events.asset), np.nan)
    none = np.zeros(len(events.asset), dtype=np.int64)
    return EventChecks(
        declared_kwh=read["declared_kwh"],
        observed_kwh=read["observed_kwh"],
        lower80_kwh=blank,
        upper80_kwh=blank,
        lower95_kwh=blank,
        upper95_kwh=blank,
        spread_kwh=read["spread_kwh"],
        meter_observed_kwh=sign * (read["baseline_kwh"] - read["net_kwh"]),
        others_kwh=read["declared_others_kwh"],
        p_value=read["p_value"],
        meter_p_value=read["meter_p_value"],
        is_shared=np.asarray(chunk["is_shared"], dtype=np.bool_),
        is_assessable=np.asarray(chunk["is_assessable"], dtype=np.bool_),
        verdict=none,
        reason=none,
    )


def _read_floats(chunk: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(chunk[name].cast(pa.float64()).fill_null(float("nan")), dtype=np.float64)


def _combine_signs(chunk: pa.Table, asset: Ints, assets: int) -> dict[str, Values]:
    """How far each sign shows over all events of each asset; NaN where none was measured."""
    found: dict[str, Values] = {name: combine_signals(_read_floats(chunk, name), asset, assets) for name in SIGNS[:-1]}
    step = _read_floats(chunk, SIGNS[-1])
    is_known = np.isfinite(step)
    count = np.bincount(asset[is_known], minlength=assets)
    found[SIGNS[-1]] = np.bincount(asset[is_known], step[is_known], minlength=assets) / np.where(count > 0, count, np.nan)
    return found


def _list_companions(events: Dispatches, found: AssetVerdicts, amsids: list[str]) -> list[list[str]]:
    """For each asset that is one of several suspect, the AMSIDs among which at least one is; empty for the others."""
    meter = np.full(len(amsids), NO_EVENT, dtype=np.int64)
    meter[events.asset] = events.meter
    suspects: dict[int, list[str]] = {}
    several = np.flatnonzero(found.verdict == ONE_OF_SEVERAL).tolist()
    for asset in several:
        suspects.setdefault(int(meter[asset]), []).append(amsids[asset])
    listed: list[list[str]] = [[] for _ in amsids]
    for asset in several:
        listed[asset] = sorted(suspects[int(meter[asset])])
    return listed


def _describe(rule: str | None, found: AssetVerdicts, at: int, sums: list[NDArray[np.float64]], assessable: int) -> str:
    """The reason as a sentence with the numbers."""
    if not assessable:
        return ASSET_RULES["no_assessable_event"]
    shares = found.shares
    numbers = (
        f"{write_number(sums[0][at])} kWh declared and {write_number(sums[1][at])} kWh observed over {write_count(assessable, 'event')}"
    )
    excluded = "" if shares.upper[at] >= 1.0 else ": full delivery lies outside"
    delivered = (
        f"; share delivered, precise events weighing most, {shares.share[at]:.2f} "
        f"(95 % interval {shares.lower[at]:.2f} to {shares.upper[at]:.2f}{excluded})"
    )
    together = f"; the meter's evidence against all its assets together is {write_odds(found.meter_evidence.e_value[at])}"
    said = {
        "asset_too_small": f"; the declarations are {found.declared_spreads[at]:.2f} of the expectation's error, 0.5 wanted",
        "sustained_shortfall": delivered + f"; evidence {write_odds(found.evidence.e_value[at])}",
        "shortfall_of_the_meter": delivered + together,
        "events_never_differ": together + ", and their events never differ in time",
    }
    return numbers + said.get(rule or "", delivered)
