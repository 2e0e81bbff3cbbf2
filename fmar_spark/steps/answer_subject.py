"""Answers whoever a meter point is about: everything that the lake holds about it, or that it is erased."""

import logging
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, SERIES
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.consent import OBJECTIONS
from fmar_spark.engine.housekeeping import count_rows, delete_rows, vacuum
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError

READS: Final = ()
WRITES: Final = ALL_TABLES
"""It removes rows and writes none."""
IS_OBJECTION: Final = f"coalesce(state, '') IN ({', '.join(repr(str(state)) for state in OBJECTIONS)})"
KEEPS_OUT: Final = f"({IS_OBJECTION} OR (source = 'operator' AND valid_to_date IS NOT NULL))"
"""Of rows of silver.legal_bases."""
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run_export(store: TableStore, run: Run, mpan: str, folder: Path) -> Written:
    """Every row about a meter point and the export meters of its boundary, a Parquet file a table.

    Args:
        store: the lake.
        run: for the journal, which holds counts and no number of a meter.
        mpan: the meter point, or the name of a series.
        folder: made if need be; a file ``LAYER.NAME.parquet`` for every table that has a row.

    Returns:
        Rows by table.

    Raises:
        ConfigError: no table knows the meter point.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    for table, condition in _list_tables(store, mpan):
        rows = store.read(table).where(condition).toArrow()
        if rows.num_rows:
            pq.write_table(rows, folder / f"{table.full_name}.parquet")
            counts[table.full_name] = rows.num_rows
    _require_rows(mpan, counts)
    _log.info("answer_subject: %s rows of %s tables in %s", sum(counts.values()), len(counts), folder)
    return Written(counts, 0)


@limit_tables(READS, WRITES)
def run_erase(store: TableStore, run: Run, mpan: str, *, is_dry: bool = False) -> Written:
    """No table has a row about the meter point, nor about the export meters of its boundary, and no older version can be read.

    What keeps the meter out stays: an objection, and an end by the operator. Without it the next message would bring the meter back.
    Runs that write meanwhile lose no file that they are about to commit.

    Args:
        store: the lake.
        run: for the journal, which holds counts and no number of a meter.
        mpan: the meter point, or the name of a series.
        is_dry: count, delete nothing.

    Returns:
        Rows deleted, or that would be, by table.

    Raises:
        ConfigError: no table knows the meter point.
    """
    act = count_rows if is_dry else delete_rows
    counts: dict[str, int] = {}
    for table, named in _list_tables(store, mpan):
        condition = f"({named}) AND NOT {KEEPS_OUT}" if table is LEGAL_BASES else named
        if rows := act(store, table, condition):
            counts[table.full_name] = rows
        if not is_dry:
            vacuum(store, table, 0)
    _require_rows(mpan, counts)
    _log.info("answer_subject: %s rows of %s tables", sum(counts.values()), len(counts))
    return Written(counts, 0)


def _list_tables(store: TableStore, mpan: str) -> list[tuple[TableContract, str]]:
    """The tables that may have rows about a meter point, each with the condition that names them."""
    mpans, series = find_subject(store, mpan)
    named = [(table, name_subject(table, mpans, series)) for table in ALL_TABLES]
    return [(table, condition) for table, condition in named if condition and store.has(table)]


def _require_rows(mpan: str, counts: dict[str, int]) -> None:
    if not counts:
        raise ConfigError(f"{mpan}: no table has a row about it")


def find_subject(store: TableStore, mpan: str) -> tuple[list[str], list[str]]:
    """The meter points at the boundary that a number or the name of a series stands for, and the names of their series."""
    listed = store.read_or_empty(SERIES).select("series_id", "mpan_id").collect()
    named = {row["mpan_id"] for row in listed if row["series_id"] == mpan} | {mpan}
    points = store.read_or_empty(METER_POINTS)
    at_boundary = points.where(points.boundary_mpan_id.isin(*named)).select("mpan_id").collect()
    mpans = sorted(named | {row["mpan_id"] for row in at_boundary})
    return mpans, sorted({row["series_id"] for row in listed if row["mpan_id"] in mpans} | {mpan})


def name_subject(table: TableContract, mpans: list[str], series: list[str]) -> str:
    """SQL that holds of a table's rows about meter points; '' where the table names none."""
    conditions = [f"{column.name} IN ({_quote(mpans)})" for column in table.columns if column.type == "string" and "mpan" in column.name]
    conditions += [f"{column.name} IN ({_quote(series)})" for column in table.columns if column.name == "series_id"]
    if table is QUARANTINE:
        conditions += [f"contains(raw, {_quote([mpan])})" for mpan in mpans]
        conditions += [f"startswith(raw, {_quote([name + ','])})" for name in series]
    return " OR ".join(conditions)


def _quote(names: list[str]) -> str:
    return ", ".join("'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'" for name in names)
