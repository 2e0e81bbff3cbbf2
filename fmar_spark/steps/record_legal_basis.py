"""Writes silver.legal_bases: the only step that does, for imports, for simulated fleets and for what an operator records."""

import logging
from collections.abc import Sequence
from datetime import date

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, SERIES
from fmar_spark.domain.consent import OBJECTIONS, ConsentState, Purpose
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.consent.decisions import BASIS_SCHEMA, SERVICE
from fmar_spark.steps.lake_inputs import name_meters

READS = (SERIES, METER_POINTS)
WRITES = (LEGAL_BASES,)
DIP = "dip"
OPERATOR = "operator"
COMPARED = ("basis", "state", "reference_id", "source", "valid_from_date", "valid_to_date", "expires_at")
CHANGED = " OR ".join(f"NOT old.{name} <=> new.{name}" for name in COMPARED)
GRANT_SCHEMA = pa.schema(
    [
        ("mpan_id", pa.string()),
        ("basis", pa.string()),
        ("source", pa.string()),
        ("valid_from_date", pa.date32()),
        ("valid_to_date", pa.date32()),
    ]
)
STATED = f"coalesce(old.state, '{ConsentState.GRANTED}')"
UNLESS_ENDED = f"({CHANGED}) AND old.valid_to_date IS NULL AND {STATED} = '{ConsentState.GRANTED}'"
"""A repeated import says the same again: it does not bring back a legal basis that was ended, nor overrule an objection."""
IS_ENDED = f"(old.valid_to_date IS NOT NULL AND old.source <> '{OPERATOR}')"
UNLESS_OTHERS = f"({CHANGED}) AND (old.source = '{SERVICE}' OR new.state <> '{ConsentState.GRANTED}' OR {IS_ENDED})"
"""The service overrules whatever else is on record by an objection; a consent leaves a basis alone that needs none, and one that the
operator ended."""
UNLESS_NOT_DIP = f"({CHANGED}) AND old.source = '{DIP}'"
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
        F.lit(OPERATOR).alias("source"),
        F.lit(from_date).alias("valid_from_date"),
        F.lit(None).cast("date").alias("valid_to_date"),
    )
    meters_changed = _record(store, run, granted, CHANGED)
    return Written({"meters": meters_changed}, meters_changed)


@limit_tables(READS, WRITES)
def run_for_ending(store: TableStore, run: Run, meters: tuple[str, ...], end_date: date) -> Written:
    """No legal basis at the boundaries of the named meters covers ``end_date`` or a later day.

    A run that stands for such a day does not examine them, and what was derived of them leaves the tables that it writes. The end is the
    operator's, whoever gave the basis: neither standing data nor the consent service bring it back.

    Raises:
        InputError: the lake knows none of them.
    """
    covers = F.col("valid_to_date").isNull() | (F.col("valid_to_date") > F.lit(end_date))
    covers = covers & ~F.coalesce("state", F.lit(ConsentState.GRANTED.value)).isin(*OBJECTIONS)
    ended = store.read_or_empty(LEGAL_BASES).where(covers).join(_points_of(store, meters), "mpan_id", "left_semi")
    rows = ended.withColumns({"valid_to_date": F.lit(end_date), "source": F.lit(OPERATOR)})
    meters_changed = _record(store, run, rows, CHANGED)
    return Written({"meters": meters_changed}, meters_changed)


@limit_tables(READS, WRITES)
def run_for_rows(store: TableStore, run: Run, rows: pa.Table) -> Written:
    """What a file states (format of ``BASIS_SCHEMA``, one row a meter and purpose) stands in silver.legal_bases."""
    meters_changed = _record(store, run, store.spark.createDataFrame(rows.cast(BASIS_SCHEMA)), CHANGED)
    return Written({"rows": rows.num_rows, "meters": meters_changed}, meters_changed)


@limit_tables(READS, WRITES)
def run_for_decisions(store: TableStore, run: Run, rows: pa.Table, unknown: Sequence[str], dip_basis: str = "") -> Written:
    """What the consent service says is on record, and what the DIP's standing data say.

    An objection overrules every basis of its purpose; a consent leaves a basis alone that needs none.

    Args:
        store: the lake.
        run: for the journal, and the time of what is recorded.
        rows: its decisions and revocations, in the format of ``BASIS_SCHEMA``; of one meter and purpose the last counts.
        unknown: meters of which it knows no decision: what it granted before ends, objections stand.
        dip_basis: legal basis of households whose standing data say half-hourly consent; '' = none.
    """
    counts = {"rows": rows.num_rows, "changed": 0, "dip": 0}
    if rows.num_rows:
        by_key = {(row["mpan_id"], row["purpose"]): row for row in rows.to_pylist()}
        newest = pa.Table.from_pylist(list(by_key.values()), schema=BASIS_SCHEMA)
        counts["changed"] += _record(store, run, store.spark.createDataFrame(newest), UNLESS_OTHERS)
    if unknown:
        named = store.spark.createDataFrame(pa.table({"mpan_id": pa.array(list(unknown), pa.string())}))
        is_objection = F.coalesce("state", F.lit(ConsentState.GRANTED.value)).isin(*OBJECTIONS)
        ours = store.read_or_empty(LEGAL_BASES).where((F.col("source") == SERVICE) & F.col("valid_to_date").isNull() & ~is_objection)
        ended = ours.join(named, "mpan_id", "left_semi").withColumn("valid_to_date", F.lit(run.started_at.date()))
        counts["changed"] += _record(store, run, ended, CHANGED)
    if dip_basis:
        counts["dip"] = _record_standing(store, run, dip_basis)
    return Written(counts, counts["changed"] + counts["dip"])


def _record_standing(store: TableStore, run: Run, basis: str) -> int:
    """Households with half-hourly consent in their standing data have the basis; those that have it no longer lose it. Rows changed."""
    consented = F.col("consent_granularity") == "H"
    points = store.read(METER_POINTS).where((F.col("source") == DIP) & F.coalesce("is_domestic", F.lit(True)))
    known = store.read_or_empty(LEGAL_BASES).where((F.col("source") == DIP) & F.col("valid_to_date").isNull()).select("mpan_id")
    wanted = points.where(consented).select("mpan_id", F.lit(None).cast("date").alias("valid_to_date"))
    lost = known.join(points.where(consented), "mpan_id", "left_anti").select(
        "mpan_id", F.lit(run.started_at.date()).alias("valid_to_date")
    )
    rows = wanted.unionByName(lost).withColumns({"basis": F.lit(basis), "source": F.lit(DIP), "valid_from_date": F.lit(None).cast("date")})
    return _record(store, run, rows, UNLESS_NOT_DIP)


def _points_of(store: TableStore, meters: tuple[str, ...]) -> DataFrame:
    points = store.read(METER_POINTS).select("mpan_id", "boundary_mpan_id")
    boundaries = points.where(name_meters(store, meters)).select("boundary_mpan_id")
    return points.join(F.broadcast(boundaries), "boundary_mpan_id", "left_semi").select("mpan_id")


def _record(store: TableStore, run: Run, rows: DataFrame, update_when: str) -> int:
    defaults = {"purpose": Purpose.ANY.value, "state": ConsentState.GRANTED.value}
    missing = {
        column.name: F.lit(defaults.get(column.name)).cast(column.type) for column in LEGAL_BASES.columns if column.name not in rows.columns
    }
    meters = store.merge(rows.withColumns(missing | {"recorded_at": F.lit(run.started_at)}), LEGAL_BASES, update_when=update_when)
    _log.info("record_legal_basis: %s meters changed", meters)
    return meters
