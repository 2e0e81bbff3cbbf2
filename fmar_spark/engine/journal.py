"""Leaves one row for every run of a step, whatever became of it."""

from importlib import import_module
from pathlib import Path

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
        writer = import_module("fmar_spark.engine.lake_writer").LakeWriter(Path(store.root))
        writer.versions_read, writer.versions_written = store.versions_read, store.versions_written
        writer.record_run(run, written, error)
        return
    row = Row(**describe_run(run, written, error, store.versions_read, store.versions_written))
    store.append(store.spark.createDataFrame([row], struct_type(RUN_JOURNAL)), RUN_JOURNAL)
