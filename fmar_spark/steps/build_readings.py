"""Folds what the DIP and imports reported into silver.readings, and keeps one row a meter point."""

import logging
from collections.abc import Callable
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.readings import DIP_MESSAGES, INTERVAL_IMPORTS, METER_POINTS, READING_VERSIONS, READINGS, SERIES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.engine.stream import BatchBody, drain, repeat, table_rows
from fmar_spark.errors import ConfigError
from fmar_spark.transforms.meter_points import points_of_first_messages, points_of_series, points_of_standing
from fmar_spark.transforms.reading_versions import IMPORT_PREFIX, fold_readings, versions_of_imports, versions_of_messages

READS: Final = (DIP_MESSAGES, INTERVAL_IMPORTS, SERIES)
WRITES: Final = (READING_VERSIONS, READINGS, METER_POINTS)
KEY: Final = list(READINGS.key)
STEP: Final = "build_readings"
SAME_STANDING: Final = " AND ".join(f"old.{name} <=> new.{name}" for name in METER_POINTS.names)
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, pause_seconds: float = 0) -> Written:
    """Everything reported since the last run stands in reading_versions, once, and readings hold the newest value of every slot.

    Each target has a stream of its own from its source, so that a table that was lost is built anew from the one before it.

    Args:
        store: the lake.
        run: the run.
        pause_seconds: how long to wait before looking for more; 0 = take what is there, then return.

    Raises:
        ConfigError: neither messages nor imports are there.
    """
    if not (store.has(DIP_MESSAGES) or store.has(INTERVAL_IMPORTS)):
        raise ConfigError(
            f"{DIP_MESSAGES.full_name}, {INTERVAL_IMPORTS.full_name}: neither is at {store.root}; "
            "run jobs/ingest_dip.py or jobs/import_intervals.py first"
        )
    for table in WRITES:
        store.create(table)
    counts = {"meter_days_reported": 0, "meter_days_changed": 0}
    if pause_seconds:
        seen: dict[str, int] = {}

        def fold_new() -> None:
            """A look at sources that have not changed costs no stream."""
            now = {table.full_name: store.version(table) for table in READS if store.has(table)}
            if now != seen:
                _fold(store, counts)
                seen.update(now)

        repeat(fold_new, pause_seconds)
    else:
        _fold(store, counts)
    return Written(counts, rows_kept=counts["meter_days_reported"])


def _fold(store: TableStore, counts: dict[str, int]) -> None:
    """Take what every source has, once."""
    if store.has(DIP_MESSAGES):
        _follow(store, DIP_MESSAGES, METER_POINTS, _note_meter_points)
        _follow(store, DIP_MESSAGES, READING_VERSIONS, _VersionAppender(lambda store, batch: versions_of_messages(batch), counts))
    if store.has(INTERVAL_IMPORTS):
        _follow(store, INTERVAL_IMPORTS, READING_VERSIONS, _VersionAppender(_list_new_versions, counts))
    _follow(store, READING_VERSIONS, READINGS, _Folder(counts))
    if store.has(SERIES):
        store.merge(points_of_series(store.read(SERIES)), METER_POINTS, update_when=f"NOT ({SAME_STANDING})")


def _follow(store: TableStore, source: TableContract, target: TableContract, body: BatchBody) -> None:
    """Hand what is new in a source to ``body``; a source or target that was made anew is followed from its beginning."""
    name = f"{STEP}/{source.name}-{store.log_identity(source)}-to-{target.name}-{store.identity(target)}"
    drain(store, table_rows(store, source), name, body)


class _VersionAppender:
    """Appends the versions in a batch of messages or imports."""

    def __init__(self, extract: Callable[[TableStore, DataFrame], DataFrame], counts: dict[str, int]) -> None:
        self.extract = extract
        self.counts = counts

    def __call__(self, store: TableStore, batch: DataFrame, transaction: Transaction) -> None:
        """Adds to the count of what was reported; a batch that was handed over before adds nothing."""
        self.counts["meter_days_reported"] += store.append(self.extract(store, batch), READING_VERSIONS, transaction)


def _list_new_versions(store: TableStore, imports: DataFrame) -> DataFrame:
    """The versions that the imports report, but those that a run without Spark (local/lake_steps.py) has written already."""
    known = store.read(READING_VERSIONS).where(F.col("version_id").startswith(IMPORT_PREFIX)).select(*READING_VERSIONS.key)
    return versions_of_imports(imports).join(known, list(READING_VERSIONS.key), "left_anti")


class _Folder:
    """Folds the meter-days that a batch of versions touches, each from all of its versions."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts

    def __call__(self, store: TableStore, batch: DataFrame, transaction: Transaction) -> None:
        """Adds to the count of what was written."""
        dates = sorted(row["utc_date"] for row in batch.select("utc_date").distinct().collect())
        if not dates:
            return
        quoted = ", ".join(f"'{day}'" for day in dates)
        versions = store.read(READING_VERSIONS).where(f"utc_date IN ({quoted})")
        if store.read(READINGS).where(f"utc_date IN ({quoted})").isEmpty():
            # The usual day is new to the table: nothing can be matched, and all that was reported of it may be folded.
            changed = store.append(fold_readings(versions), READINGS, transaction)
        else:
            folded = fold_readings(versions.join(batch.select(*KEY).distinct(), KEY, "left_semi"))
            changed = store.merge(folded, READINGS, within=f"old.utc_date IN ({quoted})")
        self.counts["meter_days_changed"] += changed
        _log.info("build_readings: %s meter-days reported, %s folded so far", *self.counts.values())


def _note_meter_points(store: TableStore, batch: DataFrame, transaction: Transaction) -> None:
    """Bring the meter points of which the batch has standing data up to date, and add those that it is the first to name."""
    standing = batch.where(F.col("standing").isNotNull())
    if not standing.isEmpty():
        partners = F.explode(F.array("mpan_id", "standing.linked_mpan_id")).alias("mpan_id")
        concerned = standing.select(partners).where(F.col("mpan_id").isNotNull()).distinct()
        said = store.read(DIP_MESSAGES).where(F.col("standing").isNotNull()).join(F.broadcast(concerned), "mpan_id", "left_semi")
        store.merge(points_of_standing(said), METER_POINTS, update_when=f"NOT ({SAME_STANDING})")
    silent = batch.where(F.col("standing").isNull()).select("mpan_id", "gsp_group_id", "transaction_at", "transaction_id")
    known = store.read(METER_POINTS).select("mpan_id")
    store.insert_new(points_of_first_messages(silent.join(known, "mpan_id", "left_anti")), METER_POINTS)
