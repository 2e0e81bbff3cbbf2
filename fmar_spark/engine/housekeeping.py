"""What is done to tables without changing an answer: old rows go, small files become large ones, files that no version needs go."""

import logging
from typing import Final

import deltalake
from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.table_log import Extent, find_extent
from fmar_spark.settings.run_options import is_address

CHECK: Final = "spark.databricks.delta.retentionDurationCheck.enabled"
LEAST_HOURS: Final = 168
"""Delta's own bound: a reader or a stream that is behind by more may fail."""
_log = logging.getLogger(__name__)


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
    """Files that no version of the last hours needs are gone, and with them time travel to older ones.

    A lake on this machine's disk is cleaned by delta-rs: Spark takes several jobs for each table, and prints a line.
    """
    if not is_address(store.root):
        deltalake.DeltaTable(store.path(contract)).vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
        return
    session = store.spark
    kept = session.conf.get(CHECK, "true")
    session.conf.set(CHECK, "true" if hours >= LEAST_HOURS else "false")
    try:
        DeltaTable.forPath(session, store.path(contract)).vacuum(hours)
    finally:
        session.conf.set(CHECK, kept or "true")
