"""Writes what was read of declared deliveries: silver.dispatch_events, silver.asset_volumes, and the rejected rows to bronze.quarantine."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from fmar_spark.contracts.deliveries import ASSET_VOLUMES, DISPATCH_EVENTS
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import SERIES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.engine.stream import Topic, drain
from fmar_spark.intake.deliveries.rows import DeclarationRules
from fmar_spark.intake.deliveries.rules import RULES
from fmar_spark.intake.deliveries.staging import Record, Staged, stage_records
from fmar_spark.intake.intervals.rows import write_fault

READS: Final = (SERIES, DISPATCH_EVENTS, ASSET_VOLUMES)
WRITES: Final = (DISPATCH_EVENTS, ASSET_VOLUMES, QUARANTINE)
OF_THE_LOAD: Final = ("repeats", "notices", "is_newest", "source", "run_id", "loaded_at")
"""Columns that are not declared but follow from how and when a declaration came."""


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, staged: Staged) -> Written:
    """Every declaration stands once, whichever way and how often its file is loaded; the newest of each key is marked.

    Newest is the highest version, then the latest declaration, then what was loaded last: declarations that carry a version
    or a time give the same tables in any order of loading.
    """
    return _write(store, run, staged)


@limit_tables(READS, WRITES)
def run_topic(store: TableStore, run: Run, topic: Topic, records_per_trigger: int, rules: DeclarationRules) -> Written:
    """Everything new in the topic stands as ``run`` has it of files; a batch that is handed over again changes nothing.

    Args:
        store: the lake.
        run: which run.
        topic: its records hold what files would.
        records_per_trigger: most records of a batch.
        rules: the most that is believed.
    """
    for table in WRITES:
        store.create(table)
    counts: Counter[str] = Counter()
    digest = hashlib.sha256(topic.identity.encode()).hexdigest()[:12]

    def take(lake: TableStore, batch: DataFrame, _: Transaction) -> None:
        with tempfile.TemporaryDirectory(prefix="fmar_deliveries_") as folder:
            rows = batch.select("source", "content").toLocalIterator()
            staged = stage_records((Record(row["source"], bytes(row["content"])) for row in rows), Path(folder), rules)
            counts.update(_write(lake, run, staged).counts)

    rows = topic.rows(store.spark, records_per_trigger)
    counts["batches"] = drain(store, rows, f"load_deliveries/{digest}-to-{store.identity(ASSET_VOLUMES)}", take)
    return Written(dict(counts), counts["events_written"] + counts["volumes_written"], counts["quarantined"])


def _write(store: TableStore, run: Run, staged: Staged) -> Written:
    events = _read_staged(store, staged.events_path.as_uri())
    volumes = _read_staged(store, staged.volumes_path.as_uri())
    unknown = events.select("source", "mpan_id", "series_id").unionByName(volumes.select("source", "mpan_id", "series_id"))
    lost = unknown.where(F.col("mpan_id").isNull())
    counts = {
        "events_written": _write_newest(store, run, events.where(F.col("mpan_id").isNotNull()), DISPATCH_EVENTS),
        "volumes_written": _write_newest(store, run, volumes.where(F.col("mpan_id").isNotNull()), ASSET_VOLUMES),
    }
    rule = "series_unknown"
    unresolved = lost.select(
        "source",
        F.lit(rule).alias("rule"),
        F.concat("series_id", F.lit(write_fault("", RULES[rule]))).alias("reason"),
        F.col("series_id").alias("raw"),
        "series_id",
    )
    faults = store.spark.read.parquet(staged.faults_path.as_uri()).unionByName(unresolved)
    quarantined = store.insert_new(_build_faults(faults, run), QUARANTINE)
    counts["quarantined"] = quarantined
    counts |= {f"rule_{name}": rows for name, rows in staged.broken.items()}
    counts |= {f"notice_{name}": rows for name, rows in staged.noticed.items()}
    return Written(counts, counts["events_written"] + counts["volumes_written"], quarantined)


def _read_staged(store: TableStore, path: str) -> DataFrame:
    """Staged rows with the MPAN of their series; null where the series is unknown."""
    rows = store.spark.read.parquet(path)
    known = store.read_or_empty(SERIES).select("series_id", F.col("mpan_id").alias("series_mpan_id"))
    is_unnamed = (F.col("mpan_id") == "") & (F.col("series_id") != "")
    named = rows.join(F.broadcast(known), "series_id", "left")
    return named.withColumn("mpan_id", F.when(is_unnamed, F.col("series_mpan_id")).otherwise(F.col("mpan_id"))).drop("series_mpan_id")


def _write_newest(store: TableStore, run: Run, rows: DataFrame, contract: TableContract) -> int:
    """Add the declarations that the table does not have, and mark the newest of each key that they touch.

    Returns:
        How many rows were added or marked anew.
    """
    place = [name for name in contract.key if name != "declaration_id"]
    fresh = _identify(rows, run, contract, place)
    if fresh.isEmpty():
        return 0
    stored = store.read_or_empty(contract)
    span = _find_span(fresh, contract)
    touched = stored.where(span) if span else stored
    touched = touched.join(fresh.select(*place).distinct(), place, "left_semi")
    added = fresh.join(touched.select(*contract.key), list(contract.key), "left_anti")
    whole = added.withColumn("was_newest", F.lit(None).cast("boolean")).unionByName(
        touched.withColumn("was_newest", F.col("is_newest")).select(*contract.names, "was_newest")
    )
    newest_first = (F.desc_nulls_last("version"), F.desc_nulls_last("declared_at"), F.desc("loaded_at"), F.asc("declaration_id"))
    ranked = whole.withColumn("is_newest", F.row_number().over(Window.partitionBy(*place).orderBy(*newest_first)) == 1)
    changed = ranked.where(~F.col("was_newest").eqNullSafe(F.col("is_newest"))).drop("was_newest")
    return store.merge(changed, contract, within=f"old.{span}" if span else "")


def _identify(rows: DataFrame, run: Run, contract: TableContract, place: Sequence[str]) -> DataFrame:
    """One row a distinct declaration in the contract's columns; how often it stood in one file is counted."""
    key = [*place, "declaration_id"]
    others = [name for name in contract.names if name not in {*key, *OF_THE_LOAD}]
    a_file = rows.groupBy(*key, "file").agg(
        F.count(F.lit(1)).alias("times"), F.min("source").alias("source"), *(F.first(name).alias(name) for name in (*others, "notices"))
    )
    once = a_file.groupBy(*key).agg(
        (F.max("times") - 1).cast("int").alias("repeats"),
        F.min("source").alias("source"),
        *(F.first(name).alias(name) for name in (*others, "notices")),
    )
    rivals = F.count(F.lit(1)).over(Window.partitionBy(*place, "version", "declared_at"))
    noticed = F.when(rivals > 1, F.array_union("notices", F.array(F.lit("conflicting_declaration")))).otherwise(F.col("notices"))
    dated = once.withColumn("notices", noticed).withColumns(
        {"is_newest": F.lit(False), "run_id": F.lit(run.run_id), "loaded_at": F.lit(run.started_at)}
    )
    return _take_columns(dated, contract)


def _take_columns(rows: DataFrame, contract: TableContract) -> DataFrame:
    """The contract's columns with its types."""
    kinds = {field.name: field.dataType for field in struct_type(contract)}
    return rows.select(*(F.col(name).cast(kinds[name]).alias(name) for name in contract.names))


def _find_span(rows: DataFrame, contract: TableContract) -> str:
    """A condition on the half-hours of the rows, so that old files are not read; '' for a table without them."""
    if "slot_start_at" not in contract.names:
        return ""
    ends = rows.agg(F.min("slot_start_at").cast("string").alias("first"), F.max("slot_start_at").cast("string").alias("last")).first()
    return f"slot_start_at BETWEEN TIMESTAMP '{ends['first']}' AND TIMESTAMP '{ends['last']}'" if ends else ""


def _build_faults(faults: DataFrame, run: Run) -> DataFrame:
    identity = F.concat_ws("\x1f", "source", "rule", F.coalesce("raw", F.lit("")))
    return faults.select(
        F.sha2(identity, 256).alias("quarantine_id"),
        "source",
        "rule",
        "reason",
        "raw",
        F.lit(None).cast("bigint").alias("raw_bytes"),
        F.lit(None).cast("bigint").alias("messages"),
        F.lit(None).cast("string").alias("mpan_id"),
        F.lit(None).cast("string").alias("transaction_id"),
        F.lit(run.run_id).alias("run_id"),
        F.lit(run.started_at).alias("quarantined_at"),
    )
