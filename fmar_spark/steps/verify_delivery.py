"""What the boundary meters show of declared deliveries: gold.delivery_checks event by event, gold.delivery_evidence asset by asset."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.deliveries import ASSET_VOLUMES, DELIVERY_CHECKS, DELIVERY_EVIDENCE, DISPATCH_EVENTS
from fmar_spark.contracts.network import CONNECTIONS
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, WEATHER
from fmar_spark.contracts.register import AGREEMENTS
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.consent import METER_ATTRIBUTES, Purpose
from fmar_spark.domain.deliveries import EVENT_RULES, NO_EVENT
from fmar_spark.domain.figures import write_odds
from fmar_spark.engine.bridge import map_whole_keys
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.kernels.delivery.checks import CheckRules
from fmar_spark.kernels.delivery.evidence import EvidenceRules, control_false_discoveries
from fmar_spark.kernels.delivery.verdicts import VerdictRules
from fmar_spark.kernels.delivery.verification import VerificationRules
from fmar_spark.profiling.baselines import read_rules
from fmar_spark.profiling.deliveries import VerificationPass
from fmar_spark.profiling.delivery_evidence import READ, EvidencePass
from fmar_spark.profiling.windows import WeatherBook, empty_weather
from fmar_spark.settings.sections import DeliverySettings, Settings
from fmar_spark.steps.lake_inputs import choose_days, collect_weather
from fmar_spark.transforms.deliveries import (
    join_limits,
    join_rights,
    join_volumes,
    list_dispatches,
    list_unasked,
    list_volumes,
    mark_unmeasured,
)
from fmar_spark.transforms.eligibility import RunDays, check_meters, eligible_meter_days, eligible_meters

READS: Final = (DISPATCH_EVENTS, ASSET_VOLUMES, READINGS, METER_POINTS, LEGAL_BASES, WEATHER, AGREEMENTS, CONNECTIONS)
WRITES: Final = (DELIVERY_CHECKS, DELIVERY_EVIDENCE)
NEAR_DAYS: Final = 8
"""Events so near a wanted one may overlap with it: none is longer than a week."""
WHOLE_WINDOW_DAYS: Final = 1000
"""More than any window has."""
CHECKS_PER_CHUNK: Final = 4096
"""Meters whose checks are added up at once: a check is a few numbers."""
EVENT_FIELDS: Final = (
    "event_id",
    "amsid",
    "fsp_id",
    "market",
    "product",
    "start_at",
    "end_at",
    "notice_at",
    "dispatch_direction",
    "event_date",
    "requested_kw",
    "declared_kwh",
    "declared_slots",
    "is_above_metered",
    "notices",
    "volume_notices",
    "right",
    "limit_kw",
    "is_near",
    "is_wanted",
)
UNREAD_RULES: Final = ("half_hours_unread", "half_hours_estimated", "meter_unknown", "no_forecast", "missing_declaration")
"""Reasons that later readings or declarations may take away."""
_log = logging.getLogger(__name__)


class Span(NamedTuple):
    """First and last local day whose events are wanted, both inclusive; None = from the first, to the last."""

    first: date | None = None
    last: date | None = None


class _Dispatches(NamedTuple):
    """All that is needed of declarations."""

    events: DataFrame
    """Of ``join_volumes``; all of the meters."""
    unasked: DataFrame
    days: Sequence[date]
    """Local days whose events are checked."""


def check_span(span: Span) -> Span:
    """The same span.

    Raises:
        ConfigError: its days are turned round.
    """
    if span.first and span.last and span.first > span.last:
        raise ConfigError(f"--from, --to: {span.first} to {span.last} found, the first day first wanted")
    return span


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: Settings, span: Span) -> Written:
    """Check the events of the wanted days, else of all days with something that was not yet checked, and add up all evidence.

    The same tables give the same verdicts, whenever and how often a day is checked.

    Raises:
        ConfigError: nothing was loaded, there are no readings, or the days are turned round.
    """
    days = choose_days(store, run)._replace(purpose=Purpose.VERIFICATION)
    dispatches = _read_dispatches(store, check_span(span), days)
    counts = {"days": len(dispatches.days), "checks": 0}
    weather = collect_weather(store, settings.characterise.max_weather_areas) if dispatches.days else empty_weather()
    for month, wanted in groupby(dispatches.days, key=lambda day: day.replace(day=1)):
        checks = _check_events(store, (run, settings, weather), dispatches, (month, list(wanted)), days)
        counts["checks"] += store.merge(checks, DELIVERY_CHECKS)
    counts["forgotten"] = _forget(store, run, days)
    counts |= _weigh_evidence(store, run, settings, days)
    return Written(counts, counts["checks"])


def _read_dispatches(store: TableStore, span: Span, days: RunDays) -> _Dispatches:
    points = store.read(METER_POINTS)
    events = list_dispatches(store.read(DISPATCH_EVENTS), points)
    volumes = list_volumes(store.read_or_empty(ASSET_VOLUMES), points)
    joined = join_rights(join_volumes(events, volumes), store.read_or_empty(AGREEMENTS))
    joined = join_limits(joined, store.read_or_empty(CONNECTIONS))
    unasked = list_unasked(events, volumes)
    dated = joined.select("event_id", "mpan_id", "amsid", "event_date", "newest_at").unionByName(
        _name_unasked(unasked).select("event_id", "mpan_id", "amsid", "event_date", "newest_at")
    )
    wanted = dated.where(F.col("event_date") <= F.lit(days.until_date))
    if span.first or span.last:
        wanted = wanted.where(F.col("event_date").between(F.lit(span.first or date.min), F.lit(span.last or date.max)))
    else:
        wanted = _leave_checked(wanted, store.read_or_empty(DELIVERY_CHECKS))
    chosen = sorted(row["event_date"] for row in wanted.select("event_date").distinct().collect())
    return _Dispatches(joined, unasked, chosen)


def _leave_checked(dated: DataFrame, checks: DataFrame) -> DataFrame:
    """Events without a check, those of which something was loaded since, and those whose readings were missing."""
    known = checks.select("event_id", "mpan_id", "amsid", "checked_at", "rule")
    joined = dated.join(known, ["event_id", "mpan_id", "amsid"], "left")
    is_open = F.col("checked_at").isNull() | (F.col("newest_at") > F.col("checked_at"))
    return joined.where(is_open | F.coalesce(F.col("rule").isin(*UNREAD_RULES), F.lit(False)))


def _check_events(
    store: TableStore,
    own: tuple[Run, Settings, WeatherBook],
    dispatches: _Dispatches,
    wanted: tuple[date, list[date]],
    days: RunDays,
) -> DataFrame:
    """Rows of gold.delivery_checks for all events of the wanted days of one month.

    What is learnt from begins and ends with the month, whichever of its days are wanted: so a day has the same checks again.

    Args:
        store: the lake.
        own: the run, its settings, and all weather.
        dispatches: all declarations.
        wanted: first day of the month, and the wanted days in it.
        days: which the run stands for.
    """
    run, settings, weather = own
    first, last = wanted[0], _end_month(wanted[0])
    wanted_days = [F.lit(day) for day in wanted[1]]
    history = timedelta(days=settings.deliveries.history_days)
    near = timedelta(days=NEAR_DAYS)
    is_known = F.col("event_date").between(F.lit(first - history), F.lit(last + near))
    marked = dispatches.events.where(is_known).withColumns(
        {
            "is_wanted": F.col("event_date").isin(*wanted_days),
            "is_near": F.col("event_date").between(F.lit(first - near), F.lit(last + near)),
        }
    )
    meters = check_meters(store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), days.consent_date, days.purpose).drop(
        "boundary_mpan_id"
    )
    placed = marked.join(F.broadcast(meters), "mpan_id", "left").withColumn(
        "rejection", F.when(F.col("time_zone").isNull(), "meter_unknown").when(F.col("rejection").isNotNull(), "not_examined")
    )
    rows = _build_rows(store, placed.where(F.col("rejection").isNull()), days, (first - history, last + near))
    passed = VerificationPass(
        weather=weather,
        rules=_read_rules(settings),
        assumed_notice_minutes=settings.deliveries.assumed_notice_minutes,
        run_id=run.run_id,
        as_of_date=days.until_date,
        checked_at=run.started_at,
    )
    checked = map_whole_keys(
        rows, "mpan_id", passed, DELIVERY_CHECKS, settings.characterise.meters_per_chunk, settings.characterise.partitions
    )
    rejected = placed.where(F.col("rejection").isNotNull() & F.col("is_wanted"))
    unasked = _name_unasked(dispatches.unasked.where(F.col("event_date").isin(*wanted_days)))
    return checked.unionByName(_build_plain(rejected, "rejection", run, days)).unionByName(_build_plain(unasked, "rejection", run, days))


def _build_rows(store: TableStore, events: DataFrame, days: RunDays, reach: tuple[date, date]) -> DataFrame:
    """Readings and events of the meters with wanted events, as the pass takes them."""
    named = events.where("is_wanted").select("mpan_id").distinct()
    between = F.col("utc_date").between(F.lit(reach[0]), F.lit(min(reach[1], days.until_date)))
    readings = mark_unmeasured(store.read(READINGS).where(between))
    meter_days = eligible_meter_days(readings, store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), days)
    mine = meter_days.join(F.broadcast(named), "mpan_id", "left_semi")
    event = F.struct(*EVENT_FIELDS)
    asked = events.join(F.broadcast(named), "mpan_id", "left_semi").select(
        "mpan_id",
        F.to_date(F.expr("end_at - INTERVAL 1 MICROSECOND")).alias("utc_date"),
        F.lit(None).cast("string").alias("quantity"),
        F.array_repeat(F.lit(None).cast("float"), 48).alias("kwh"),
        *METER_ATTRIBUTES,
        event.alias("event"),
    )
    return mine.withColumn("event", F.lit(None).cast(asked.schema["event"].dataType)).unionByName(asked)


def _read_rules(settings: Settings) -> VerificationRules:
    """What may be set, as the kernels take it; forecasts are learnt from all days that the window has."""
    return VerificationRules(
        warm_up_days=WHOLE_WINDOW_DAYS, verdict=_read_verdict_rules(settings.deliveries), baseline=read_rules(settings.baseline).baseline
    )


def _read_verdict_rules(settings: DeliverySettings) -> VerdictRules:
    return VerdictRules(check=CheckRules(tolerance=settings.tolerance), evidence=EvidenceRules(rate=settings.suspect_rate))


def _end_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _name_unasked(unasked: DataFrame) -> DataFrame:
    """Volumes without an event as rows like events."""
    return unasked.withColumns(
        {
            "event_id": F.concat_ws("-", F.lit(NO_EVENT), F.col("event_date").cast("string")),
            "rejection": F.lit("volumes_without_event"),
            "market": F.lit(None).cast("string"),
            "product": F.lit(None).cast("string"),
            "dispatch_direction": F.lit("down"),
            "notices": F.array().cast("array<string>"),
        }
    )


def _build_plain(rows: DataFrame, rule: str, run: Run, days: RunDays) -> DataFrame:
    """Checks of what no meter can be looked at for."""
    sentence = F.create_map(*(F.lit(text) for pair in EVENT_RULES.items() for text in pair))
    given = {
        "half_hours": F.ceil((F.unix_timestamp("end_at") - F.unix_timestamp("start_at")) / 1800).cast("int"),
        "is_assessable": F.lit(False),
        "is_shared": F.lit(False),
        "verdict": F.lit("not_assessable"),
        "rule": F.col(rule),
        "reason": sentence[F.col(rule)],
        "checked_at": F.lit(run.started_at),
        "run_id": F.lit(run.run_id),
        "as_of_date": F.lit(days.until_date),
    }
    return _fill(rows.withColumns(given), DELIVERY_CHECKS)


def _fill(rows: DataFrame, contract: TableContract) -> DataFrame:
    """The contract's columns, null where there are none."""
    kinds = {field.name: field.dataType for field in struct_type(contract)}
    return rows.select(*((F.col(name) if name in rows.columns else F.lit(None)).cast(kinds[name]).alias(name) for name in contract.names))


def _forget(store: TableStore, run: Run, days: RunDays) -> int:
    """Numbers of meters that may no longer be examined leave the checks; that they were declared stays."""
    if not store.has(DELIVERY_CHECKS):
        return 0
    eligible = eligible_meters(store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), days.consent_date, days.purpose)
    derived = store.read(DELIVERY_CHECKS).where(F.col("net_kwh").isNotNull() | F.col("baseline_kwh").isNotNull())
    lost = derived.join(eligible, "mpan_id", "left_anti").withColumn("rejection", F.lit("not_examined"))
    if lost.isEmpty():
        return 0
    declared = lost.drop(*(name for name in DELIVERY_CHECKS.names if name.endswith(("_kwh", "_value", "_z")) and name != "declared_kwh"))
    return store.merge(_build_plain(declared, "rejection", run, days), DELIVERY_CHECKS)


def _weigh_evidence(store: TableStore, run: Run, settings: Settings, days: RunDays) -> dict[str, int]:
    """Replace gold.delivery_evidence by what the checks of the last year add up to; how many assets have each verdict."""
    own = settings.deliveries
    since = days.until_date - timedelta(days=own.evidence_days)
    is_counted = F.col("event_date").between(F.lit(since), F.lit(days.until_date)) & ~F.col("event_id").startswith(NO_EVENT)
    checks = store.read_or_empty(DELIVERY_CHECKS).where(is_counted).select(*READ)
    passed = EvidencePass(_read_verdict_rules(own), own.false_discovery_rate, run.run_id, days.until_date)
    evidence = map_whole_keys(checks, "mpan_id", passed, DELIVERY_EVIDENCE, CHECKS_PER_CHUNK, settings.characterise.partitions).persist()
    try:
        threshold = _find_threshold(evidence, own.false_discovery_rate)
        store.overwrite(_hold_back(evidence, threshold), DELIVERY_EVIDENCE)
    finally:
        evidence.unpersist()
    found = store.read(DELIVERY_EVIDENCE).groupBy("verdict").count().collect()
    return {f"assets_{row['verdict']}": row["count"] for row in found}


def _find_threshold(evidence: DataFrame, rate: float) -> float:
    """Least e-value of the assets that may be called suspect at this false discovery rate; infinite where none may."""
    e_value = np.asarray(evidence.select("e_value").toArrow()["e_value"].drop_null(), dtype=np.float64)
    reported = e_value[control_false_discoveries(e_value, rate)]
    return float(reported.min()) if len(reported) else float("inf")


def _hold_back(evidence: DataFrame, threshold: float) -> DataFrame:
    """The evidence with no more suspects than the false discovery rate allows; the others are named with what is wanted."""
    is_suspect = F.col("verdict").isin("suspect", "one_of_several_suspect")
    is_held = is_suspect & (F.coalesce("e_value", F.lit(0.0)) < threshold)
    wanted = write_odds(threshold) if np.isfinite(threshold) else "more"
    said = F.concat("reason", F.lit(f"; not contradicted all the same: too little evidence among so many assets, {wanted} wanted"))
    return evidence.withColumns(
        {
            "reason": F.when(is_held, said).otherwise(F.col("reason")),
            "rule": F.when(is_held, "below_portfolio_threshold").otherwise(F.col("rule")),
            "suspect_since_date": F.when(is_held, None).otherwise(F.col("suspect_since_date")),
            "suspect_with": F.when(is_held, F.array().cast("array<string>")).otherwise(F.col("suspect_with")),
            "verdict": F.when(is_held, "consistent").otherwise(F.col("verdict")),
        }
    )
