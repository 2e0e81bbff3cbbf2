"""Leaves one row for every run of a step, whatever became of it."""

from pyspark.sql import Row

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.engine.runs import Run, Written, describe_run
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.store import TableStore


def record_run(store: TableStore, run: Run, written: Written | None, error: BaseException | None) -> None:
    """Append the run's row to ``ops.run_journal``."""
    row = Row(**describe_run(run, written, error, store.versions_read, store.versions_written))
    store.append(store.spark.createDataFrame([row], struct_type(RUN_JOURNAL)), RUN_JOURNAL)
