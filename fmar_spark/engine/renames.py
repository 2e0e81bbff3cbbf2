"""Brings tables that an older version wrote to the column names of their contracts, once."""

import logging
from collections.abc import Iterable
from typing import Final

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.journal import record_run
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.store import IDENTITY, TableStore, Transaction

STEP: Final = "rename_columns"
COPY_FROM: Final = "fmar.copyFromVersion"
"""Property of a table that was emptied for its new columns: the version whose rows are still to be copied."""
_log = logging.getLogger(__name__)


def rename_columns(store: TableStore, tables: Iterable[TableContract]) -> None:
    """Every table that exists has the columns of its contract, and the journal a row where one was rewritten.

    Delta cannot rename a column of a table that every reader can read, so the rows are copied: one commit empties the table
    and gives it its new columns, the next brings its rows back. A run that is cut off between them is completed by the next.
    """
    renamed = {table.full_name: rows for table in tables if is_renamed(table) and (rows := _rewrite(store, table)) is not None}
    if renamed:
        run = start_run(STEP, None, "")
        _log.info("%s: rewritten with the column names of this version: %s", STEP, ", ".join(renamed))
        record_run(store, run, Written(renamed, sum(renamed.values())), None)


def is_renamed(contract: TableContract) -> bool:
    """Whether a column of the table had another name in an older version."""
    return any(column.formerly for column in contract.columns)


def _rewrite(store: TableStore, contract: TableContract) -> int | None:
    """How many rows were copied; None where nothing was to do."""
    if not store.has(contract):
        return None
    former = {column.formerly: column.name for column in contract.columns if column.formerly}
    old_version = store.properties(contract).get(COPY_FROM)
    if old_version is None:
        if not former.keys() & set(store.spark.read.format("delta").load(store.path(contract)).columns):
            return None
        old_version = str(store.version(contract))
        builder = store.describe(DeltaTable.replace(store.spark), contract)
        builder.property(IDENTITY, store.identity(contract)).property(COPY_FROM, old_version).execute()
    old = store.spark.read.format("delta").option("versionAsOf", int(old_version)).load(store.path(contract))
    rows = old.select(*(F.col(name).alias(former.get(name, name)) for name in old.columns))
    copied = store.append(rows, contract, Transaction(STEP, int(old_version)))
    store.spark.sql(f"ALTER TABLE delta.`{store.path(contract)}` UNSET TBLPROPERTIES ('{COPY_FROM}')")
    return copied
