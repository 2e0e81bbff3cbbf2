"""Leaves one row for every run of a step, whatever became of it."""

from importlib import import_module
from pathlib import Path
from typing import Any

from pyspark.sql import Row

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.engine.runs import Run, Written, describe_run
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.table_log import asks_spark


def record_run(store: TableStore, run: Run, written: Written | None, error: BaseException | None) -> None:
    """Append the run's row to ``ops.run_journal``: by delta-rs where the lake lies on this machine's disk, which takes no job of Spark."""
    store.create(RUN_JOURNAL)
    if not asks_spark(store.path(RUN_JOURNAL)):
        open_journal(store.root, store.versions_read, store.versions_written).record_run(run, written, error)
        return
    row = Row(**describe_run(run, written, error, store.versions_read, store.versions_written))
    store.append(store.spark.createDataFrame([row], struct_type(RUN_JOURNAL)), RUN_JOURNAL)


def open_journal(root: str, versions_read: dict[str, int], versions_written: dict[str, int]) -> Any:
    """What writes the row of a run that has touched these versions without Spark, which may have gone.

    Imported where it is needed: a cluster has no deltalake, and its lake is not on a disk of this machine.
    """
    writer = import_module("fmar_spark.engine.lake_writer").LakeWriter(Path(root))
    writer.versions_read, writer.versions_written = versions_read, versions_written
    return writer
