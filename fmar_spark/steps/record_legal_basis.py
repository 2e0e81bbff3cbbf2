"""Writes silver.legal_bases: the only step that does, for imports, for simulated fleets and for what an operator records."""

import logging
from datetime import date

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, SERIES
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.steps.lake_inputs import name_meters

READS = (SERIES, METER_POINTS)
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
UNLESS_ENDED = f"({CHANGED}) AND old.valid_to_date IS NULL"
"""A repeated import says the same again: it does not bring back a legal basis that was ended."""
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, grants: pa.Table) -> Written:
    """Each grant (format of ``GRANT_SCHEMA``, one a meter) stands in silver.legal_bases; an equal one keeps its recording time."""
    granted = store.spark.createDataFrame(grants.select(GRANT_SCHEMA.names).cast(GRANT_SCHEMA))
    _record(store, run, granted, CHANGED)
    return Written({"meters": grants.num_rows}, grants.num_rows)


@limit_tables(READS, WRITES)
def run_for_series(store: TableStore, run: Run, series_ids: tuple[str, ...], basis: str, source: str) -> Written:
    """The imported series have that legal basis from the beginning, without an end, unless one of theirs was ended."""
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
    _record(store, run, granted, UNLESS_ENDED)
    return Written({"meters": len(series_ids)}, len(series_ids))


@limit_tables(READS, WRITES)
def run_for_meters(store: TableStore, run: Run, meters: tuple[str, ...], basis: str, from_date: date) -> Written:
    """Every meter point at the boundaries of the named meters has that legal basis from a day on, without an end.

    Raises:
        InputError: the lake knows none of them.
    """
    granted = _points_of(store, meters).select(
        "mpan_id",
        F.lit(basis).alias("basis"),
        F.lit("operator").alias("source"),
        F.lit(from_date).alias("valid_from_date"),
        F.lit(None).cast("date").alias("valid_to_date"),
    )
    meters_changed = _record(store, run, granted, CHANGED)
    return Written({"meters": meters_changed}, meters_changed)


@limit_tables(READS, WRITES)
def run_for_ending(store: TableStore, run: Run, meters: tuple[str, ...], end_date: date) -> Written:
    """No legal basis at the boundaries of the named meters covers ``end_date`` or a later day.

    A run that stands for such a day does not examine them, and what was derived of them leaves the tables that it writes.

    Raises:
        InputError: the lake knows none of them.
    """
    covers = F.col("valid_to_date").isNull() | (F.col("valid_to_date") > F.lit(end_date))
    ended = store.read_or_empty(LEGAL_BASES).where(covers).join(_points_of(store, meters), "mpan_id", "left_semi")
    meters_changed = _record(store, run, ended.withColumn("valid_to_date", F.lit(end_date)), CHANGED)
    return Written({"meters": meters_changed}, meters_changed)


def _points_of(store: TableStore, meters: tuple[str, ...]) -> DataFrame:
    points = store.read(METER_POINTS).select("mpan_id", "boundary_mpan_id")
    boundaries = points.where(name_meters(store, meters)).select("boundary_mpan_id")
    return points.join(F.broadcast(boundaries), "boundary_mpan_id", "left_semi").select("mpan_id")


def _record(store: TableStore, run: Run, rows: DataFrame, update_when: str) -> int:
    meters = store.merge(rows.withColumn("recorded_at", F.lit(run.started_at)), LEGAL_BASES, update_when=update_when)
    _log.info("record_legal_basis: %s meters changed", meters)
    return meters
