"""Measures how a lake is: fresh, full, answered, drifting, calibrated, and how much room is left."""

import logging
import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.operations import MEASURES, QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import DIP_MESSAGES, LEGAL_BASES, METER_POINTS, READINGS
from fmar_spark.contracts.register import CONFIRMATIONS
from fmar_spark.domain.measures import Measured
from fmar_spark.domain.words import Status
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.housekeeping import measure
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.bundled_classifier import load_reference, read_card
from fmar_spark.learning.drift import find_calibration_gap, find_feature_drift, find_score_drift
from fmar_spark.settings.run_options import is_address
from fmar_spark.settings.sections import MonitoringSettings
from fmar_spark.transforms.eligibility import check_meters

READS: Final = tuple(table for table in ALL_TABLES if table is not MEASURES)
WRITES: Final = (MEASURES,)
ARRIVALS: Final = timedelta(days=1)
SENDER: Final = r'"senderDIPID"\s*:\s*"([^"]{1,40})"'
HOUR: Final = 3600.0
ANSWERED: Final = ("detected_probability", "is_present")
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: MonitoringSettings, found: list[Measured]) -> Written:
    """One row a measure, appended to ops.measures and to ``found``. What the lake cannot show yet has no row."""
    now = run.started_at
    found.append(Measured("measured_at_seconds", now.timestamp()))
    for part in (_measure_freshness, _measure_runs, _measure_messages, _measure_consent, _measure_answers):
        found += part(store, now)
    found += [*_measure_drift(store, settings), *_measure_calibration(store), *_measure_disk(store)]
    rows = [
        {"run_id": run.run_id, "metric": one.name, "series": one.series, "value": float(one.value), "measured_at": now} for one in found
    ]
    store.append(store.spark.createDataFrame(pa.Table.from_pylist(rows, arrow_schema(MEASURES))), MEASURES)
    _log.info("measure_operation: %s measures", len(rows))
    return Written({"measures": len(rows)}, len(rows))


def _find_newest(store: TableStore, table: Any, column: str) -> Any:
    row = store.read(table).agg(F.max(column).alias("newest")).first() if store.has(table) else None
    return row["newest"] if row else None


def _measure_freshness(store: TableStore, now: datetime) -> Iterator[Measured]:
    arrived: datetime | None = _find_newest(store, DIP_MESSAGES, "ingested_at")
    read: date | None = _find_newest(store, READINGS, "utc_date")
    answered: date | None = _find_newest(store, ASSET_DETECTIONS, "as_of_date")
    if arrived is not None:
        yield Measured("newest_message_age_hours", (now - arrived.replace(tzinfo=now.tzinfo)).total_seconds() / HOUR)
    if read is not None:
        yield Measured("newest_reading_age_days", (now.date() - read).days)
    if answered is not None:
        yield Measured("gold_age_days", (now.date() - answered).days)


def _measure_runs(store: TableStore, now: datetime) -> Iterator[Measured]:
    """Age of the last done run of each step, and failures since then."""
    runs = store.read_or_empty(RUN_JOURNAL)
    done = runs.where("status = 'done'").groupBy("step").agg(F.max("started_at").alias("done_at"))
    counted = runs.join(done, "step", "left").groupBy("step", "done_at")
    is_later = (F.col("status") == "failed") & (F.col("done_at").isNull() | (F.col("started_at") > F.col("done_at")))
    for row in counted.agg(F.count_if(is_later).alias("failures")).orderBy("step").collect():
        yield Measured("step_failures", row["failures"], (row["step"],))
        if row["done_at"] is not None:
            yield Measured("step_age_hours", (now - row["done_at"].replace(tzinfo=now.tzinfo)).total_seconds() / HOUR, (row["step"],))


def _measure_messages(store: TableStore, now: datetime) -> Iterator[Measured]:
    """Messages of the last day in which any arrived, those that were rejected by rule and sender."""
    times = [_find_newest(store, DIP_MESSAGES, "ingested_at"), _find_newest(store, QUARANTINE, "quarantined_at")]
    newest = max((time for time in times if time is not None), default=None)
    if newest is None:
        return
    since = F.lit(newest - ARRIVALS)
    accepted = store.read_or_empty(DIP_MESSAGES).where(F.col("ingested_at") > since).count()
    rejected = store.read_or_empty(QUARANTINE).where(F.col("quarantined_at") > since)
    sender = F.coalesce(F.nullif(F.regexp_extract("raw", SENDER, 1), F.lit("")), F.lit("unknown"))
    messages = F.sum(F.coalesce("messages", F.lit(1))).alias("messages")
    total = 0
    for row in rejected.groupBy("rule", sender.alias("sender")).agg(messages).orderBy(F.desc("messages")).limit(200).collect():
        total += int(row["messages"])
        yield Measured("messages_rejected", row["messages"], (row["rule"], row["sender"]))
    yield Measured("messages_accepted", accepted)
    yield Measured("rejected_share", total / max(accepted + total, 1))


def _measure_consent(store: TableStore, now: datetime) -> Iterator[Measured]:
    if not store.has(METER_POINTS):
        return
    checked = check_meters(store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), now.date())
    for row in checked.groupBy("rejection").count().orderBy("rejection").collect():
        if row["rejection"] is None:
            yield Measured("meters_admitted", row["count"])
        else:
            yield Measured("meters_rejected", row["count"], (row["rejection"],))


def _measure_answers(store: TableStore, now: datetime) -> Iterator[Measured]:
    """Share of examined meters with an answer, and the tiers of the answers."""
    is_answered = F.col("status") == Status.CHARACTERISED.value
    counted = store.read_or_empty(ASSET_DETECTIONS).groupBy("asset_class")
    tiers = ("high", "medium", "low")
    for row in (
        counted.agg(
            F.count("*").alias("examined"),
            F.count_if(is_answered).alias("answered"),
            *(F.count_if(is_answered & (F.col("tier") == tier)).alias(tier) for tier in tiers),
        )
        .orderBy("asset_class")
        .collect()
    ):
        yield Measured("answered_share", row["answered"] / row["examined"], (row["asset_class"],))
        for tier in tiers if row["answered"] else ():
            yield Measured("tier_share", row[tier] / row["answered"], (row["asset_class"], tier))


def _measure_drift(store: TableStore, settings: MonitoringSettings) -> Iterator[Measured]:
    """Indices of a sample of meters that the bundled classifier scored: it alone carries what it was trained on."""
    card, reference = read_card(), load_reference()
    profiles = store.read_or_empty(METER_PROFILES).where(F.col("model_version") == card.get("version", ""))
    sampled = profiles.where(F.size("features") == len(FEATURES)).orderBy(F.xxhash64("mpan_id")).limit(settings.drift_meters)
    rows = sampled.select("features", "detections.asset_class", "detections.probability").toArrow()
    if not rows.num_rows or reference is None:
        return
    flat = rows["features"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    drift = find_feature_drift(flat.reshape(rows.num_rows, len(FEATURES)).astype(np.float64), reference)
    for name, index in drift.items():
        yield Measured("feature_drift", index, (name,))
    if drift:
        yield Measured("drifting_features", sum(index > settings.max_drift for index in drift.values()))
    stated: dict[str, list[float]] = {}
    for names, values in zip(rows["asset_class"].to_pylist(), rows["probability"].to_pylist(), strict=True):
        for name, value in zip(names, values, strict=True):
            stated.setdefault(name, []).append(np.nan if value is None else value)
    for name, values in sorted(stated.items()):
        score = find_score_drift(np.array(values), card["test"].get(name, {}).get("reliability", ()))
        if score is not None:
            yield Measured("score_drift", score, (name,))


def _measure_calibration(store: TableStore) -> Iterator[Measured]:
    """What FSPs answered, beside what had been stated; the newest version of each answer."""
    newest = F.max_by(F.struct("asset_class", "detected_probability", "is_present"), "version").alias("answer")
    answers = store.read_or_empty(CONFIRMATIONS).groupBy("confirmation_id").agg(newest).select("answer.*").collect()
    for name in sorted({row["asset_class"] for row in answers}):
        stated, there = (np.array([float(row[column]) for row in answers if row["asset_class"] == name]) for column in ANSWERED)
        yield Measured("confirmations", len(stated), (name,))
        yield Measured("calibration_gap", find_calibration_gap(stated, there), (name,))


def _measure_disk(store: TableStore) -> Iterator[Measured]:
    for table in READS:
        if store.has(table):
            extent = measure(store, table)
            yield Measured("table_bytes", extent.bytes, (table.full_name,))
            yield Measured("table_files", extent.files, (table.full_name,))
    if not is_address(store.root):
        usage = shutil.disk_usage(store.root)
        yield Measured("disk_free_share", usage.free / usage.total)
