"""Writes silver.legal_bases: the only step that does, for imports and for simulated fleets."""

import logging

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.readings import LEGAL_BASES, SERIES
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore

READS = (SERIES,)
WRITES = (LEGAL_BASES,)
CHANGED = " OR ".join(f"NOT old.{name} <=> new.{name}" for name in ("basis", "source", "valid_from_date", "valid_to_date"))
GRANT_SCHEMA = pa.schema(
    [
        ("mpan_id", pa.string()),
        ("basis", pa.string()),
        ("source", pa.string()),
        ("valid_from_date", pa.date32()),
        ("valid_to_date", pa.date32()),
    ]
)
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, grants: pa.Table) -> Written:
    """Each grant (format of ``GRANT_SCHEMA``, one a meter) stands in silver.legal_bases; an equal one keeps its recording time."""
    granted = store.spark.createDataFrame(grants.select(GRANT_SCHEMA.names).cast(GRANT_SCHEMA))
    return _record(store, run, granted, grants.num_rows)


@limit_tables(READS, WRITES)
def run_for_series(store: TableStore, run: Run, series_ids: tuple[str, ...], basis: str, source: str) -> Written:
    """The imported series have that legal basis from the beginning, without an end."""
    wanted = store.spark.createDataFrame(pa.table({"series_id": pa.array(series_ids, pa.string())}))
    never = F.lit(None).cast("date")
    granted = (
        store.read(SERIES)
        .join(F.broadcast(wanted), "series_id", "left_semi")
        .select(
            "mpan_id",
            F.lit(basis).alias("basis"),
            F.lit(source).alias("source"),
            never.alias("valid_from_date"),
            never.alias("valid_to_date"),
        )
    )
    return _record(store, run, granted, len(series_ids))


def _record(store: TableStore, run: Run, granted: DataFrame, meters: int) -> Written:
    store.merge(granted.withColumn("recorded_at", F.lit(run.started_at)), LEGAL_BASES, update_when=CHANGED)
    _log.info("record_legal_basis: %s meters", meters)
    return Written({"meters": meters}, meters)
