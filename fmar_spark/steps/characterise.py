"""Derives what every eligible meter can do: one heavy pass to profiles, then cheap projections to gold."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, BASELINES, CAPABILITY
from fmar_spark.contracts.operations import QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.profiles import ASSET_EVENTS, METER_PROFILES
from fmar_spark.contracts.readings import DIP_MESSAGES, LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.listed_events import ListedEvent
from fmar_spark.engine.arrow_columns import cut_whole_keys
from fmar_spark.engine.bridge import map_whole_keys
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.learning.registry import choose_scorer
from fmar_spark.profiling.event_book import EventBook, build_event_book
from fmar_spark.profiling.profiles import ProfilePass, read_profile_rules
from fmar_spark.profiling.windows import WeatherBook
from fmar_spark.settings.sections import Settings
from fmar_spark.steps.lake_inputs import choose_days, collect_weather, name_meters, read_eligible_days
from fmar_spark.steps.replacement_check import OF_ALL_METERS, require_likeness, restore_unfinished
from fmar_spark.transforms.earlier_evidence import keep_earlier_evidence
from fmar_spark.transforms.eligibility import eligible_meters
from fmar_spark.transforms.gold import (
    list_availabilities,
    list_baselines,
    list_capabilities,
    list_changes,
    list_detections,
    list_events,
)

READS: Final = (READINGS, METER_POINTS, LEGAL_BASES, WEATHER, SERIES, DIP_MESSAGES, QUARANTINE, RUN_JOURNAL)
WRITES: Final = (METER_PROFILES, ASSET_EVENTS, ASSET_DETECTIONS, ASSET_CHANGES, CAPABILITY, AVAILABILITY, BASELINES)
PROJECTIONS: Final[tuple[tuple[TableContract, Callable[[DataFrame], DataFrame]], ...]] = (
    (ASSET_EVENTS, list_events),
    (ASSET_CHANGES, list_changes),
    (CAPABILITY, list_capabilities),
    (AVAILABILITY, list_availabilities),
    (BASELINES, list_baselines),
    (ASSET_DETECTIONS, list_detections),
)
"""Detections stand last: gold of a run that was cut off anywhere before is known by them."""
MOST_MEMBERS: Final = 500
"""Meters of each group from which its share and depth of response are learnt. Source: the share is then known to 2 %."""
_log = logging.getLogger(__name__)


class ListedEvents(NamedTuple):
    """Events whose times a user knows."""

    events: Sequence[ListedEvent] = ()
    portfolio_of: Mapping[str, str] = {}
    """By series id or MPAN."""


@limit_tables(READS, WRITES)
def run(
    store: TableStore,
    run: Run,
    settings: Settings,
    meters: tuple[str, ...],
    listed: ListedEvents | None = None,
    *,
    accepts_drop: bool = False,
) -> Written:
    """Characterise the eligible meters and replace their rows in silver.meter_profiles and gold.

    A run over all meters replaces the tables whole, so a meter that may no longer be looked at vanishes; a run over named
    meters replaces the rows of those only.

    Args:
        store: the lake.
        run: its run date is the last day of readings that is examined; none = the newest.
        settings: of the run.
        meters: MPANs or series ids; empty = every eligible meter.
        listed: events whose times are known; None = none.
        accepts_drop: replace gold however many meters lose their answer and however much was rejected.

    Raises:
        ReplacementError: a run over all meters lost too many answers, or follows too many rejected messages; all tables stand.
    """
    is_cut_off = restore_unfinished(store)
    days = choose_days(store, run)
    where = name_meters(store, meters)
    meter_days = read_eligible_days(store, days, where)
    scorer = choose_scorer(settings.learning)
    _log.info("characterise: classifier %s, readings up to %s", scorer.version, days.until_date)
    weather = collect_weather(store, settings.characterise.max_weather_areas)
    profile_pass = ProfilePass(
        scorer=scorer,
        weather=weather,
        rules=read_profile_rules(settings),
        run_id=run.run_id,
        run_date=days.until_date,
        events=_learn_events(store, read_eligible_days(store, days), weather, (listed or ListedEvents(), settings)),
    )
    chunking = settings.characterise
    profiles = map_whole_keys(meter_days, "mpan_id", profile_pass, METER_PROFILES, chunking.meters_per_chunk, chunking.partitions)
    if store.has(METER_PROFILES):
        before = store.read(METER_PROFILES).where(F.col("as_of_date") <= F.lit(days.until_date))
        eligible = eligible_meters(store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), days.consent_date)
        profiles = keep_earlier_evidence(profiles, before.where(where) if where else before, eligible)
    is_compared = not (where or accepts_drop) and store.has(METER_PROFILES) and store.has(ASSET_DETECTIONS)
    standing = store.version(METER_PROFILES) if is_compared else -1
    written = store.overwrite(profiles, METER_PROFILES, where)
    if is_compared:
        require_likeness(store, days, settings.monitoring, standing)
    stored = store.read(METER_PROFILES)
    # After a run that was cut off other meters may be of that run in one table and not in another: all are written again.
    named = "" if is_cut_off else where
    for contract, project in PROJECTIONS:
        _log.info("characterise: %s", contract.full_name)
        store.overwrite(project(stored.where(named) if named else stored), contract, named)
    return Written({"meters": written, OF_ALL_METERS: int(not where)}, rows_kept=written)


def _learn_events(store: TableStore, meter_days: DataFrame, weather: WeatherBook, what: tuple[ListedEvents, Settings]) -> EventBook:
    """The listed events by MPAN, with what up to ``MOST_MEMBERS`` members of each group showed."""
    listed, settings = what
    if not listed.events:
        return EventBook()
    names = list(listed.portfolio_of)
    series = store.rows_of(SERIES, "series_id", names).collect() if names and store.has(SERIES) else []
    mpan_of = {name: name for name in names} | {row["series_id"]: row["mpan_id"] for row in series}
    book = build_event_book(listed.events, {mpan_of[name]: portfolio for name, portfolio in listed.portfolio_of.items()})
    points = store.read(METER_POINTS).select("boundary_mpan_id", "gsp_group_id").distinct().orderBy(F.xxhash64("boundary_mpan_id"))
    members: dict[str, list[str]] = {}
    for row in points.toLocalIterator():
        mine = members.setdefault(book.name_group(row["boundary_mpan_id"], row["gsp_group_id"]), [])
        if len(mine) < MOST_MEMBERS:
            mine.append(row["boundary_mpan_id"])
    wanted = [mpan for name, mine in members.items() if name for mpan in mine]
    rows = meter_days.where(F.col("mpan_id").isin(wanted)).orderBy("mpan_id").toArrow() if wanted else None
    chunks = cut_whole_keys(rows.to_batches(), "mpan_id", settings.characterise.meters_per_chunk) if rows is not None else ()
    learnt = book.learn_groups(chunks, weather, settings.sufficiency.window_months)
    for name, group in learnt.groups.items():
        _log.info(
            "characterise: %s: %.0f %% of %s members answer %s listed events",
            name,
            100 * group.share,
            group.members,
            len(book.times[name].start),
        )
    return learnt
