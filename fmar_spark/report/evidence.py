"""What a user checks an answer by: one meter's history in a few small series, and what was derived from it."""

from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from fmar_spark import clock
from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.domain.words import SEASONS, Direction
from fmar_spark.engine.lake_sql import LakeRows, Row
from fmar_spark.kernels.annual_energy import AnnualEnergy, GapPattern, estimate_annual_energy
from fmar_spark.kernels.assembly import build_calendar
from fmar_spark.kernels.window import Bools, Floats, Ints
from fmar_spark.profiling.public_holidays import find_holidays, holiday_region
from fmar_spark.report.frame import count_day, round_values
from fmar_spark.report.histories import History, Place
from fmar_spark.units import HOURS_PER_SLOT, SLOT_MINUTES

SATURDAY: Final = 6
BASE_QUANTILE: Final = 0.25
"""Quantile of these imports that is the base load."""


class EvidenceRules(NamedTuple):
    """What a user may wish to change."""

    midday_from_slot: int = 20
    """Start of the hours whose net power is set against the sun, local clock slot."""
    midday_to_slot: int = 30
    """End, exclusive."""
    heating_below_c: float = 15.5
    """The heating slope is fitted on days colder than this."""
    least_heating_days: int = 20
    """With fewer such days none is fitted."""
    base_share: float = 0.1
    """Imports below this share of their mean are left out of the base load: a battery or solar may be covering it."""
    near_zero_share: float = 0.25
    """Net power up to this share of the base load counts as held near zero."""
    flat_slots: int = 4
    """Least half-hours in a row near zero that are a flat run."""
    baseline_days: int = 7
    """Last local days with predictions that are shown."""


def derive_evidence(history: History, place: Place, rules: EvidenceRules) -> dict[str, Any]:
    """Daily totals, typical days, net power at midday, heating slope and flat runs."""
    offset = (history.first_date - place.first_date).days
    days = len(history.import_kw)
    temp_c = place.temp_c[offset : offset + days]
    midday = slice(rules.midday_from_slot, rules.midday_to_slot)
    import_kwh = _sum_days(history.import_kw)
    annual = estimate_annual_energy(history.import_kw * HOURS_PER_SLOT, history.first_date)
    is_scaled = annual.pattern is not GapPattern.TIME_OF_DAY
    load_kwh = _scale_to_whole_days(history.import_kw, import_kwh) if is_scaled else import_kwh
    return {
        "start": count_day(history.first_date),
        "import_kwh": round_values(import_kwh, 2),
        "export_kwh": round_values(_sum_days(history.export_kw), 2),
        "unread": [int(count) for count in np.isnan(history.import_kw).sum(axis=1)],
        "annual": describe_annual(annual),
        "is_load_scaled": is_scaled,
        "typical": typical_days(history),
        "midday_kw": round_values(_mean(history.net_kw[:, midday], 1), 3),
        "heating": fit_heating(load_kwh, _mean(temp_c, 1), rules),
        "flat": find_flat_share(history, rules),
    }


def describe_annual(annual: AnnualEnergy) -> dict[str, Any]:
    """Import of a year and of a day, kWh, what is missing, and the share of days with readings by clock slot."""
    kwh, per_day = round_values((annual.kwh, annual.kwh_per_day), 1)
    return {
        "kwh": None if kwh is None else round(kwh),
        "kwh_per_day": per_day,
        "reason": annual.reason,
        "share_by_slot": round_values(annual.share_by_slot, 3),
    }


def describe_place(place: Place, rules: EvidenceRules) -> dict[str, Any]:
    """Mean temperature of each local day and mean irradiance of its midday hours."""
    midday = slice(rules.midday_from_slot, rules.midday_to_slot)
    return {
        "start": count_day(place.first_date),
        "temp_c": round_values(_mean(place.temp_c, 1), 1),
        "sun_w_m2": round_values(_mean(place.sun_w_m2[:, midday], 1), 0),
        "is_sun_measured": place.is_measured,
    }


def typical_days(history: History) -> list[list[list[float | int | None]]]:
    """Mean net power, kW, by season (``SEASONS``), working days then others, and clock slot; null where nothing was read."""
    season, is_working = _find_day_kinds(history)
    return [
        [round_values(_mean(history.net_kw[(season == code) & (is_working == wanted)], 0), 3) for wanted in (True, False)]
        for code in range(len(SEASONS))
    ]


def fit_heating(import_kwh: Floats, temp_c: Floats, rules: EvidenceRules) -> dict[str, float] | None:
    """Straight line through the cold days: more kWh a day for each degree colder; none where too few days are known.

    Args:
        import_kwh: of each day, NaN where unread.
        temp_c: mean of each day, NaN where unknown.
        rules: where cold begins.
    """
    cold = (temp_c < rules.heating_below_c) & ~np.isnan(import_kwh)
    if cold.sum() < rules.least_heating_days or np.ptp(temp_c[cold]) == 0:
        return None
    slope, level = np.polyfit(temp_c[cold], import_kwh[cold], 1)
    kept = float(np.corrcoef(temp_c[cold], import_kwh[cold])[0, 1]) if np.ptp(import_kwh[cold]) else 0.0
    return {
        "kwh_per_degree": round(-float(slope), 3),
        "kwh_at_zero": round(float(level), 3),
        "r_squared": round(kept**2, 3),
        "days": int(cold.sum()),
        "below_c": rules.heating_below_c,
    }


def find_flat_share(history: History, rules: EvidenceRules) -> dict[str, Any]:
    """How often each clock slot lies in a run of net power held near zero, in the dark and in the light half of the year."""
    net_kw = history.net_kw
    read = ~np.isnan(net_kw)
    imports = history.import_kw[~np.isnan(history.import_kw)]
    base_imports = imports[imports > rules.base_share * imports.mean()] if imports.size else imports
    threshold_kw = rules.near_zero_share * float(np.quantile(base_imports, BASE_QUANTILE)) if base_imports.size else 0.0
    runs = _keep_long_runs((np.abs(np.where(read, net_kw, np.inf)) <= threshold_kw).reshape(-1), rules.flat_slots).reshape(net_kw.shape)
    season, _ = _find_day_kinds(history)
    is_dark = (season == SEASONS.index("autumn")) | (season == SEASONS.index("winter"))
    shares = [_divide(runs[wanted].sum(axis=0), read[wanted].sum(axis=0)) for wanted in (is_dark, ~is_dark)]
    return {"threshold_kw": round(threshold_kw, 3), "dark": round_values(shares[0], 3), "light": round_values(shares[1], 3)}


def _find_day_kinds(history: History) -> tuple[Ints, Bools]:
    """Season of each local day, and whether it is a working day."""
    zone = history.meter["time_zone"] or clock.LONDON
    region = holiday_region(zone, history.meter["gsp_group_id"])
    return _classify_days(history.first_date, len(history.import_kw), region, (history.meter["latitude"] or 0.0) < 0)


@lru_cache(maxsize=256)
def _classify_days(first_date: date, days: int, region: str, southern: bool) -> tuple[Ints, Bools]:
    calendar = build_calendar(first_date, days, find_holidays(region), southern)
    return calendar.season, (calendar.weekday < SATURDAY) & ~calendar.is_holiday


def _keep_long_runs(marks: Bools, least: int) -> Bools:
    """The marks that stand in a run of at least so many."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marks, [False]]).astype(np.int8)))
    kept = np.zeros(len(marks), dtype=bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        kept[start:end] = end - start >= least
    return kept


def _sum_days(power_kw: Floats) -> Floats:
    """Energy of the read half-hours of each day, NaN where none was read."""
    read = ~np.isnan(power_kw)
    return np.where(read.any(axis=1), np.nansum(power_kw, axis=1) * HOURS_PER_SLOT, np.nan)


def _scale_to_whole_days(power_kw: Floats, energy_kwh: Floats) -> Floats:
    """Energy of the day with unread half-hours at the mean of the read ones; NaN where less than half was read."""
    share = (~np.isnan(power_kw)).mean(axis=1)
    return np.where(share >= 0.5, energy_kwh / np.maximum(share, 0.5), np.nan)


def _mean(values: Floats, axis: int) -> Floats:
    """Mean of what is known, NaN where nothing is."""
    known = ~np.isnan(values)
    return _divide(np.nansum(values, axis=axis), known.sum(axis=axis))


def _divide(total: Floats, count: Floats) -> Floats:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


_CLASS_NAMES: Final = [asset.value for asset in ASSET_CLASSES]
_DIRECTION_NAMES: Final = [direction.value for direction in Direction]
_SEASON_NAMES: Final = [season.value for season in SEASONS]
_UTC_SLOT: Final = f"CAST(epoch_us({{}}) // {SLOT_MINUTES * 60_000_000} AS BIGINT)"
"""Half-hours since 1970."""


class Derived:
    """The rows of the meters that ``read_histories`` made known as ``chosen``, read once and handed out by meter."""

    def __init__(self, lake: LakeRows, meters: int, baseline_days: int) -> None:
        """Reads the three tables."""
        started, ended = _UTC_SLOT.format("started_at"), _UTC_SLOT.format("ended_at")
        self._events = _Bounded(
            lake.read(
                f"""SELECT meter, asset_class, {started} AS slot, {ended} - {started} AS slots, peak_kw, energy_kwh, is_import
                FROM silver.asset_events JOIN chosen USING (mpan_id) ORDER BY meter, started_at, asset_class"""
            ),
            meters,
        )
        self._predictions = _Bounded(
            lake.read(
                f"""SELECT meter, {_UTC_SLOT.format("slot_start_at")} AS slot, predicted_kwh, p10_kwh, p90_kwh, model, trained_to_date
                FROM gold.baseline_predictions JOIN chosen USING (mpan_id)
                QUALIFY slot_start_at > max(slot_start_at) OVER (PARTITION BY meter) - to_days($days) ORDER BY meter, slot_start_at""",
                days=baseline_days,
            ),
            meters,
        )
        self._availability = _Bounded(
            lake.read(
                """SELECT meter, asset_class, direction, season, list(weeks_observed ORDER BY weekday, slot) AS weeks,
                    list(CASE WHEN NOT isnan(probability) THEN round(100 * probability)::INTEGER END ORDER BY weekday, slot) AS percent
                FROM gold.availability JOIN chosen USING (mpan_id) GROUP BY ALL ORDER BY meter, asset_class, direction, season"""
            ),
            meters,
        )

    def describe(self, place: int, history: History) -> dict[str, Any]:
        """Episodes, availability and predictions of the meter at that place of the chosen."""
        return {
            "events": _describe_events(self._events.of(place), history),
            "availability": [_describe_availability(row) for row in self._availability.of(place).to_pylist()],
            "baseline": _describe_predictions(self._predictions.of(place), history),
        }


class _Bounded:
    """Rows ordered by meter."""

    def __init__(self, rows: pa.Table, meters: int) -> None:
        self._rows = rows
        self._bounds = np.searchsorted(rows["meter"].to_numpy(), np.arange(meters + 1))

    def of(self, place: int) -> pa.Table:
        """The rows of one meter."""
        return self._rows.slice(self._bounds[place], self._bounds[place + 1] - self._bounds[place])


def _describe_events(rows: pa.Table, history: History) -> dict[str, list[Any]]:
    """Parallel columns; slots count from local midnight of the history's first day, and an episode that goes on has no length."""
    slot = _to_local(rows["slot"].to_numpy(), history)
    inside = np.flatnonzero(slot >= 0)
    kept = rows.take(pa.array(inside))
    return {
        "class": [_CLASS_NAMES.index(name) for name in kept["asset_class"].to_pylist()],
        "slot": slot[inside].tolist(),
        "slots": kept["slots"].to_pylist(),
        "peak_kw": round_values(kept["peak_kw"].to_numpy(), 2),
        "energy_kwh": round_values(kept["energy_kwh"].to_numpy(), 1),
        "is_import": [int(value) for value in kept["is_import"].to_pylist()],
    }


def _describe_availability(row: Row) -> list[Any]:
    """Class, direction, season, weeks observed by weekday, and percent by weekday and slot."""
    return [
        _CLASS_NAMES.index(row["asset_class"]),
        _DIRECTION_NAMES.index(row["direction"]),
        _SEASON_NAMES.index(row["season"]),
        row["weeks"][:: clock.SLOTS_PER_DAY],
        row["percent"],
    ]


def _describe_predictions(rows: pa.Table, history: History) -> dict[str, Any] | None:
    """Expected and read net energy of each half-hour, kWh; none where nothing was predicted."""
    if rows.num_rows == 0:
        return None
    utc_slot = rows["slot"].to_numpy()
    place = utc_slot - (count_day(history.first_date) or 0) * clock.SLOTS_PER_DAY
    read = (place >= 0) & (place < len(history.net_kwh))
    actual = np.where(read, history.net_kwh[np.where(read, place, 0)], np.nan)
    return {
        "slot": _to_local(utc_slot, history).tolist(),
        "predicted_kwh": round_values(rows["predicted_kwh"].to_numpy(), 3),
        "p10_kwh": round_values(rows["p10_kwh"].to_numpy(), 3),
        "p90_kwh": round_values(rows["p90_kwh"].to_numpy(), 3),
        "actual_kwh": round_values(actual, 3),
        "model": rows["model"][-1].as_py(),
        "trained_to": str(rows["trained_to_date"][-1].as_py()),
    }


def _to_local(utc_slot: Ints, history: History) -> Ints:
    """Local slots counted from midnight of the history's first day, from half-hours since 1970; negative outside of it."""
    days = len(history.import_kw)
    local = clock.local_slot_of_utc(history.first_date, days + 1, history.meter["time_zone"] or clock.LONDON)
    place = utc_slot - (count_day(history.first_date) or 0) * clock.SLOTS_PER_DAY
    inside = (place >= 0) & (place < len(local))
    return np.where(inside, local[np.where(inside, place, 0)], -1)
