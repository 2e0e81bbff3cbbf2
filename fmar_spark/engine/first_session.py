"""What set-up does once on a machine: Spark's jars are fetched, and the classes of a session are kept for those that follow."""

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Final

import pyarrow as pa
from pyspark.sql import Row, Window
from pyspark.sql import functions as F

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.engine.class_archive import keep_archive, make_empty_folder
from fmar_spark.engine.housekeeping import delete_rows
from fmar_spark.engine.runs import Run, describe_run
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.session import build_session, find_memory
from fmar_spark.engine.store import TableStore
from fmar_spark.settings.overlays import load_settings

LONGEST_SECONDS: Final = 300
"""How long a JVM may take to write its classes as it ends."""


def main() -> int:
    """Fetch the jars; then record the classes, without which sessions work as well."""
    settings = load_settings("local", []).spark
    memory = find_memory()
    made = make_empty_folder(memory).with_name("recorded")
    made.unlink(missing_ok=True)
    spark = build_session("set-up", settings, recording=made)
    with TemporaryDirectory() as folder:
        _use_tables(TableStore(spark, folder))
    process = getattr(spark.sparkContext._gateway, "proc", None)
    spark.stop()
    if process is not None and _ends_well(process) and made.exists():
        keep_archive(made, memory)
    made.unlink(missing_ok=True)
    return 0


def _ends_well(process: subprocess.Popen[bytes]) -> bool:
    """Whether the JVM ends by itself, and has then written all of its classes: a full disk or a slow one is no reason to stop set-up."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        return process.wait(LONGEST_SECONDS) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


def _use_tables(store: TableStore) -> None:
    """What steps do to a lake: write, merge, delete, read, and compute in Python."""
    moment = datetime.now(UTC)
    rows = [describe_run(Run(str(number), "set-up", None, "", moment), None, None, {}, {}) for number in range(4)]
    frame = store.spark.createDataFrame([Row(**row) for row in rows], struct_type(RUN_JOURNAL))
    store.overwrite(frame, RUN_JOURNAL, f"step = '{rows[0]['step']}'")
    store.append(frame, RUN_JOURNAL)
    store.merge(frame.where("run_id > '1'"), RUN_JOURNAL, update_when="old.seconds <= new.seconds")
    delete_rows(store, RUN_JOURNAL, "run_id = '3'")
    newest = F.row_number().over(Window.partitionBy("step").orderBy(F.desc("started_at")))
    stored = store.read(RUN_JOURNAL).withColumn("place", newest).where("place <= 2")
    stored.join(frame.groupBy("run_id").agg(F.max("seconds").alias("longest")), "run_id").collect()
    stored.select("run_id").mapInArrow(_pass_on, "run_id string").toArrow()


def _pass_on(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    return batches


if __name__ == "__main__":
    sys.exit(main())
