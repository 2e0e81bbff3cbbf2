"""Writes silver.labels: the only step that does, for what users know of their meters and for a simulated truth."""

import logging

import pyarrow as pa
from pyspark.sql import functions as F

from fmar_spark.contracts.readings import LABELS, SERIES
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.intervals.companions import LABEL_SCHEMA

READS = (SERIES,)
WRITES = (LABELS,)
MPAN_PATTERN = "^[0-9]{13}$"
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, labels: pa.Table) -> Written:
    """The labels (format of ``LABEL_SCHEMA``) stand in silver.labels; the newest wins.

    A label names a series that was imported, or else an MPAN; of others nothing can be kept, and they are counted.
    """
    given = store.spark.createDataFrame(labels.select(LABEL_SCHEMA.names).cast(LABEL_SCHEMA))
    series = store.read_or_empty(SERIES).select("series_id", "mpan_id")
    is_mpan = F.col("series_id").rlike(MPAN_PATTERN)
    named = given.join(series, "series_id", "left").withColumn("mpan_id", F.coalesce("mpan_id", F.when(is_mpan, F.col("series_id"))))
    known = named.where(F.col("mpan_id").isNotNull())
    kept = known.count()
    changed = " OR ".join(f"NOT old.{name} <=> new.{name}" for name in LABELS.names if name not in LABELS.key)
    store.merge(known, LABELS, update_when=changed)
    unknown = labels.num_rows - kept
    _log.info("load_labels: %s labels, %s of series that are not in silver.series", kept, unknown)
    return Written({"labels": kept, "labels_of_unknown_series": unknown}, kept, unknown)
