"""What is done to tables without changing an answer: old rows go, small files become large ones, files that no version needs go."""

from importlib import import_module
from pathlib import Path
from typing import Final

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.table_log import Extent, asks_spark, find_extent
from fmar_spark.engine.table_properties import LOG

CHECK: Final = "spark.databricks.delta.retentionDurationCheck.enabled"
LEAST_HOURS: Final = 168
"""Delta's own bound: what a reader, a stream or a write that has not been committed may be behind by."""
INVENTORY: Final = "_fmar_removed_files"
"""A view that stands while a table is cleaned."""
OF_EACH: Final = {"length": "0L, 1L", "isDir": "false, true", "modificationTime": "0L, 1L"}
"""What an inventory says of a file: no size, a file, as old as can be."""


def measure(store: TableStore, contract: TableContract) -> Extent:
    """Files and bytes of the newest version."""
    return find_extent(store.spark, store.path(contract))


def count_rows(store: TableStore, contract: TableContract, condition: str, meters: DataFrame | None = None) -> int:
    """Rows of which a condition holds, of all meters or of those with a row in ``meters`` (mpan_id)."""
    rows = store.read(contract).where(condition)
    return (rows if meters is None else rows.join(meters, "mpan_id", "left_semi")).count()


def delete_rows(store: TableStore, contract: TableContract, condition: str, meters: DataFrame | None = None) -> int:
    """Delete the rows of which a condition holds, of all meters or of those with a row in ``meters`` (mpan_id); how many that were."""
    table = DeltaTable.forPath(store.spark, store.path(contract))
    if meters is None:
        return store.commit(contract, lambda: table.delete(F.expr(condition)))
    named = meters.select("mpan_id").distinct().alias("new")
    deleting = table.alias("old").merge(named, f"old.mpan_id = new.mpan_id AND old.{condition}").whenMatchedDelete()
    return store.commit(contract, deleting.execute)


def compact(store: TableStore, contract: TableContract) -> None:
    """Small files become large ones, in the order of what the table is clustered by."""
    optimising = DeltaTable.forPath(store.spark, store.path(contract)).optimize()
    if contract.cluster_by:
        optimising.executeZOrderBy(*contract.cluster_by)
    else:
        optimising.executeCompaction()
    store.versions_written[contract.full_name] = store.version(contract)


def vacuum(store: TableStore, contract: TableContract, hours: int) -> None:
    """Files that were removed from the table that many hours ago or longer are gone, and with them time travel to versions that need them.

    A file that no commit names may be one that a run writes just now and commits next: to delete it would leave a table that cannot be
    read. So however few hours are asked for, such files go after ``LEAST_HOURS`` alone, as what a killed run left behind.
    """
    path = store.path(contract)
    clean = _clean_by_spark if asks_spark(path) else _clean_here
    clean(store.spark, path, max(hours, LEAST_HOURS), is_full=True)
    if hours < LEAST_HOURS:
        clean(store.spark, path, hours, is_full=False)


def _clean_here(_: SparkSession, path: str, hours: int, *, is_full: bool) -> None:
    """Delete what has not been needed for so long: of all files, or of those alone that the log marks as removed.

    By delta-rs: Spark takes several jobs for each table, and prints a line.
    """
    import_module("fmar_spark.engine.lake_writer").remove_unfinished(Path(path))
    import_module("fmar_spark.engine.lake_files").open_table(path).vacuum(
        hours, dry_run=False, enforce_retention_duration=False, full=is_full
    )


def _clean_by_spark(spark: SparkSession, path: str, hours: int, *, is_full: bool) -> None:
    """The same. Delta's own ``VACUUM LITE`` rejects a log that does not reach back to the first version, as after 30 days none does."""
    quoted = path.replace("`", "``")
    inventory = "" if is_full else f"USING INVENTORY (SELECT * FROM {INVENTORY}) "
    kept = spark.conf.get(CHECK, "true")
    spark.conf.set(CHECK, str(is_full).lower())
    try:
        if inventory:
            _list_removed(spark, path).createOrReplaceTempView(INVENTORY)
        spark.sql(f"VACUUM delta.`{quoted}` {inventory}RETAIN {hours} HOURS")
    finally:
        spark.conf.set(CHECK, kept or "true")
        spark.catalog.dropTempView(INVENTORY)


def _list_removed(spark: SparkSession, path: str) -> DataFrame:
    """The files that the commits of a table's log mark as removed, as an inventory of Delta's ``VACUUM``; some may be in use again."""
    commits = spark.read.schema("remove struct<path string>").json(f"{path}/{LOG}/*.json")
    table = DeltaTable.forPath(spark, path).detail().select("location")
    names = commits.where("remove IS NOT NULL").crossJoin(table).selectExpr("concat(location, '/', remove.path) AS path")
    # Delta wants columns that may be null.
    return names.distinct().selectExpr("path", *(f"nullif({value}) AS {name}" for name, value in OF_EACH.items()))
