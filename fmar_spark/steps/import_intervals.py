"""Writes what an intake understood: bronze.interval_imports, silver.series, and the rejected rows to bronze.quarantine."""

import logging
from collections.abc import Mapping

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, SERIES
from fmar_spark.domain.mpan import assign_mpans
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.intervals.importing import StagedIntake
from fmar_spark.intake.intervals.series_rows import Surroundings, build_series_row, is_same_row

READS = (SERIES, INTERVAL_IMPORTS)
WRITES = (INTERVAL_IMPORTS, SERIES, QUARANTINE)
DAY_KEY = ["mpan_id", "utc_date", "quantity"]
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, staged: StagedIntake, surroundings: Surroundings) -> Written:
    """The days of the intake stand in bronze.interval_imports, once; its series in silver.series; its faults in bronze.quarantine.

    A day whose values are those of the newest import is not added again. Each of the three writes may be repeated, so a
    run that was killed is completed by the same run again.
    """
    intake = staged.intake
    known = {row["series_id"]: row.asDict() for row in store.read_or_empty(SERIES).collect()}
    facts = {fact.series_id: fact for fact in intake.series}
    mpans = assign_mpans(facts, {name: row["mpan_id"] for name, row in known.items()})
    rows = [build_series_row(fact, mpans[name], known.get(name), surroundings, run.started_at) for name, fact in facts.items()]
    changed = [row for row in rows if not is_same_row(row, known.get(str(row["series_id"])))]
    if changed:
        series = store.spark.createDataFrame([Row(**row) for row in changed], struct_type(SERIES))
        store.merge(series, SERIES)
    numbered = _number_series(store, mpans)
    added = _append_days(store, run, staged, numbered)
    if intake.faults_by_rule:
        faults = store.spark.read.parquet(staged.faults_path.as_uri())
        store.insert_new(_build_faults(faults, numbered, run), QUARANTINE)
    counts = {**intake.counts, "series": len(facts), "series_changed": len(changed), "days_added": added}
    counts |= {f"rule_{name}": count for name, count in intake.faults_by_rule.items()}
    return Written(counts, intake.counts.get("rows_kept", 0), intake.counts.get("rows_quarantined", 0))


def _append_days(store: TableStore, run: Run, staged: StagedIntake, numbered: DataFrame) -> int:
    """Add the days whose values are not those of the newest import; the number of rows added."""
    days = store.spark.read.parquet(staged.days_path.as_uri()).join(F.broadcast(numbered), "series_id", "inner")
    if store.has(INTERVAL_IMPORTS):
        own = store.read(INTERVAL_IMPORTS).join(F.broadcast(numbered.select("mpan_id")), "mpan_id", "left_semi")
        newest = own.groupBy(*DAY_KEY).agg(F.max_by("content_hash", "imported_at").alias("newest_hash"))
        days = days.join(newest, DAY_KEY, "left").where(~F.col("content_hash").eqNullSafe(F.col("newest_hash")))
        if days.isEmpty():
            return 0
    return store.append(days.withColumn("imported_at", F.lit(run.started_at)), INTERVAL_IMPORTS)


def _build_faults(faults: DataFrame, numbered: DataFrame, run: Run) -> DataFrame:
    identity = F.concat_ws("\x1f", "source", "rule", F.coalesce("raw", F.lit("")))
    return faults.join(F.broadcast(numbered), "series_id", "left").select(
        F.sha2(identity, 256).alias("quarantine_id"),
        "source",
        "rule",
        "reason",
        "raw",
        F.lit(None).cast("bigint").alias("raw_bytes"),
        F.lit(None).cast("bigint").alias("messages"),
        "mpan_id",
        F.lit(None).cast("string").alias("transaction_id"),
        F.lit(run.run_id).alias("run_id"),
        F.lit(run.started_at).alias("quarantined_at"),
    )


def _number_series(store: TableStore, mpans: Mapping[str, str]) -> DataFrame:
    schema = T.StructType([T.StructField("series_id", T.StringType()), T.StructField("mpan_id", T.StringType())])
    return store.spark.createDataFrame(list(mpans.items()), schema)
