"""Keeps the lake in order: raw readings of households go when they are old, small files are joined, unneeded files deleted."""

import logging
from datetime import date
from typing import Final

import pandas as pd
from pyspark.sql import DataFrame

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import DIP_MESSAGES, METER_POINTS, READING_VERSIONS, READINGS
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.housekeeping import compact, count_rows, delete_rows, measure, vacuum
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.settings.sections import RetentionSettings

READS: Final = ()
WRITES: Final = ALL_TABLES
"""It removes and rearranges rows and writes none of its own."""
DATE_OF_RAW: Final = {DIP_MESSAGES: "transaction_at", READING_VERSIONS: "utc_date", READINGS: "utc_date", QUARANTINE: "quarantined_at"}
"""Tables that hold what was reported of single half-hours, and the column by which a row is old."""
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: RetentionSettings, *, is_dry: bool = False) -> Written:
    """Delete what is too old, then join files, then delete the files that no version of the last days needs.

    Derived tables stay as they are: an answer keeps the day to which it was derived. Meters of a user's own imports are left alone.

    Args:
        store: the lake.
        run: its date is the day from which age counts; without one, the newest day with readings.
        settings: how long what is kept.
        is_dry: count and report, change nothing.

    Returns:
        Rows deleted, or that would be, by table; files and bytes of the newest versions before and after.

    Raises:
        ConfigError: there is no table.
    """
    tables = [table for table in ALL_TABLES if store.has(table)]
    if not tables:
        raise ConfigError(f"{store.root}: no table found; run jobs/ingest_dip.py or jobs/import_intervals.py first")
    before = {table: measure(store, table) for table in tables}
    deleted = _delete_old(store, run, settings, is_dry=is_dry)
    kept = before if is_dry else {table: measure(store, table) for table in tables}
    for table in [] if is_dry else tables:
        if kept[table].files >= settings.compact_from_files:
            compact(store, table)
        vacuum(store, table, settings.vacuum_hours)
    after = before if is_dry else {table: measure(store, table) for table in tables}
    counts = {f"rows_deleted_{table.name}": rows for table, rows in deleted.items()}
    for name, extents in (("before", before), ("after", after)):
        counts[f"files_{name}"] = sum(one.files for one in extents.values())
        counts[f"bytes_{name}"] = sum(one.bytes for one in extents.values())
    for table in tables:
        if before[table].files != after[table].files:
            _log.info("maintain_tables: %s: %s files, now %s", table.full_name, before[table].files, after[table].files)
    return Written(counts, 0)


def _delete_old(store: TableStore, run: Run, settings: RetentionSettings, *, is_dry: bool) -> dict[TableContract, int]:
    """Rows that are deleted by table, or would be."""
    newest = run.run_date or _find_newest(store)
    if newest is None or not settings.raw_months:
        return {}
    oldest = first_kept_day(newest, settings.raw_months)
    act = count_rows if is_dry else delete_rows
    deleted: dict[TableContract, int] = {}
    for table, column in DATE_OF_RAW.items():
        if store.has(table):
            meters = None if table is QUARANTINE else _list_households(store)
            deleted[table] = act(store, table, f"{column} < DATE '{oldest}'", meters)
            _log.info("maintain_tables: %s: %s rows from before %s", table.full_name, deleted[table], oldest)
    return deleted


def first_kept_day(newest: date, months: int) -> date:
    """The first of the days that are kept: whole months before the newest."""
    return (pd.Timestamp(newest) - pd.DateOffset(months=months)).date()


def _find_newest(store: TableStore) -> date | None:
    if not store.has(READINGS):
        return None
    found = store.read(READINGS).selectExpr("max(utc_date) AS newest").first()
    newest: date | None = found["newest"] if found else None
    return newest


def _list_households(store: TableStore) -> DataFrame:
    """The meter points to which retention applies: not businesses, nor a user's own series."""
    return store.read_or_empty(METER_POINTS).where("coalesce(is_domestic, TRUE) AND source = 'dip'").select("mpan_id")
