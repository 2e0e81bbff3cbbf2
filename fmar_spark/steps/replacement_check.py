"""Stops a run before it replaces gold where it would lose too many answers, or follows too many rejected messages."""

import logging
from datetime import date, datetime
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.operations import QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import DIP_MESSAGES, LEGAL_BASES, METER_POINTS
from fmar_spark.domain.words import Status
from fmar_spark.engine.session import SPARK_ERRORS
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ContractError, ReplacementError
from fmar_spark.intake.dip.rows import RULES
from fmar_spark.settings.sections import MonitoringSettings
from fmar_spark.transforms.eligibility import RunDays, eligible_meters

IS_ANSWERED: Final = f"status = '{Status.CHARACTERISED.value}'"
STEP: Final = "characterise"
OF_ALL_METERS: Final = "of_all_meters"
"""Count in the journal by which a run over all meters is known."""
_log = logging.getLogger(__name__)


class Standing(NamedTuple):
    """What gold holds before a run."""

    as_of_date: date | None
    answered: int
    """Meters with an answer for some class."""
    made_at: datetime | None
    """Start of the newest run over all meters; None where the journal knows none."""


class Messages(NamedTuple):
    """DIP messages of one stretch of time."""

    accepted: int
    rejected: int

    @property
    def rejected_share(self) -> float:
        """Of all that arrived; 0 where nothing did."""
        return self.rejected / max(self.accepted + self.rejected, 1)


def restore_unfinished(store: TableStore) -> bool:
    """The profiles are those on which gold rests, where a run was killed between the two; whether one was.

    Else what nobody compared would count as what was known before. Where the older files are gone the profiles stay.
    """
    if not (store.has(METER_PROFILES) and store.has(ASSET_DETECTIONS)):
        return store.has(METER_PROFILES)
    finished = _list_runs(store.read(ASSET_DETECTIONS))
    newest = store.version(METER_PROFILES)
    if _list_runs(store.read(METER_PROFILES)) <= finished:
        return False
    for version in range(newest - 1, -1, -1):
        try:
            if _list_runs(store.read_version(METER_PROFILES, version)) <= finished:
                store.restore(METER_PROFILES, version)
                _log.warning("characterise: a run before was cut off; %s is again that on which gold rests", METER_PROFILES.full_name)
                return True
        except (*SPARK_ERRORS, ContractError):
            break
    _log.warning("characterise: a run before was cut off, and the older %s are gone", METER_PROFILES.full_name)
    return True


def _list_runs(rows: DataFrame) -> set[str]:
    return {row["run_id"] for row in rows.select("run_id").distinct().collect()}


def require_likeness(store: TableStore, days: RunDays, settings: MonitoringSettings, profiles_before: int) -> None:
    """The new profiles may replace gold; else the profiles are again those of before.

    A run for an earlier day than gold speaks of is not compared: it is expected to know less.

    Args:
        store: the lake, whose profiles are new and whose gold is of the run before.
        days: that the run stands for.
        settings: what may be lost.
        profiles_before: version of silver.meter_profiles on which gold rests.

    Raises:
        ReplacementError: too many answers lost, or too many messages rejected.
    """
    before = read_standing(store)
    if before.as_of_date is None or before.as_of_date > days.until_date:
        return
    problems = [
        problem for problem in (_describe_loss(store, days, before, settings), _describe_rejection(store, before, settings)) if problem
    ]
    if problems:
        store.restore(METER_PROFILES, profiles_before)
        asked = "look into the cause (docs/operations.md), or run it with --accept-drop"
        raise ReplacementError(f"{'; '.join(problems)}; gold of {before.as_of_date} stands as it was; {asked}")


def read_standing(store: TableStore) -> Standing:
    """What gold.asset_detections hold."""
    detections = store.read(ASSET_DETECTIONS)
    found = detections.agg(
        F.max("as_of_date").alias("day"),
        F.count_distinct(F.when(F.expr(IS_ANSWERED), F.col("mpan_id"))).alias("meters"),
    ).first()
    if found is None:
        return Standing(None, 0, None)
    whole = (F.col("step") == STEP) & (F.col("status") == "done") & (F.col("counts")[OF_ALL_METERS] == 1)
    made = store.read_or_empty(RUN_JOURNAL).where(whole).agg(F.max("started_at").alias("at")).first()
    return Standing(found["day"], found["meters"], made["at"] if made else None)


def count_messages(store: TableStore, moment: datetime) -> tuple[Messages, Messages]:
    """DIP messages that arrived before a moment, as long as the log of bronze.dip_messages keeps its commits, and since then."""
    is_new = F.col("at") >= F.lit(moment)
    appends = store.list_appends(DIP_MESSAGES)
    accepted = _count_parts(appends.withColumnRenamed("rows", "messages"), is_new)
    first = appends.agg(F.min("at").alias("at")).first()
    of_the_dip = store.read_or_empty(QUARANTINE).where(F.col("rule").isin([rule.name for rule in RULES]))
    kept = of_the_dip.where(F.to_date("quarantined_at") >= F.to_date(F.lit(first["at"]))) if first and first["at"] else of_the_dip
    rejected = _count_parts(kept.select(F.col("quarantined_at").alias("at"), F.coalesce("messages", F.lit(1)).alias("messages")), is_new)
    return Messages(accepted[False], rejected[False]), Messages(accepted[True], rejected[True])


def _count_parts(rows: DataFrame, is_new: Column) -> dict[bool, int]:
    counted = rows.groupBy(is_new.alias("is_new")).agg(F.sum("messages").alias("messages")).collect()
    return {False: 0, True: 0} | {row["is_new"]: int(row["messages"]) for row in counted if row["is_new"] is not None}


def _describe_loss(store: TableStore, days: RunDays, before: Standing, settings: MonitoringSettings) -> str:
    """What is wrong with the number of answered meters; '' where nothing is."""
    if before.answered < settings.least_meters:
        return ""
    is_answered = F.exists("detections", lambda one: one["status"] == Status.CHARACTERISED.value)
    answered = store.read(METER_PROFILES).where(is_answered).count()
    if answered > before.answered * (1 - settings.max_answered_loss):
        return ""
    stands = store.read(ASSET_DETECTIONS).where(IS_ANSWERED).select("mpan_id").distinct()
    eligible = eligible_meters(store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), days.consent_date)
    rejected = stands.join(eligible, "mpan_id", "left_anti").count()
    share = f"{1 - answered / before.answered:.0%} lost, less than {settings.max_answered_loss:.0%} wanted (monitoring.max_answered_loss)"
    return f"answered meters: {answered}, {before.answered} before, {rejected} of which the consent check no longer admits; {share}"


def _describe_rejection(store: TableStore, before: Standing, settings: MonitoringSettings) -> str:
    """What is wrong with the quarantine since gold was made; '' where nothing is."""
    if before.made_at is None or not store.has(DIP_MESSAGES):
        return ""
    former, new = count_messages(store, before.made_at)
    if not former.accepted + former.rejected:
        return ""
    allowed = max(settings.max_rejected_factor * former.rejected_share, settings.least_rejected_share)
    if new.rejected < settings.least_meters or new.rejected_share < allowed:
        return ""
    return (
        f"quarantine: {new.rejected_share:.1%} of the DIP's messages rejected since gold was made, {former.rejected_share:.1%} before, "
        f"less than {allowed:.1%} wanted (monitoring.max_rejected_factor)"
    )
