"""Brings tables that another version of the program wrote to the columns of their contracts."""

import logging
from collections.abc import Iterable
from typing import Final

from delta.tables import DeltaTable
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine.journal import record_run
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.schema import parse_type
from fmar_spark.engine.store import IDENTITY, TableStore, Transaction
from fmar_spark.engine.table_log import find_schema
from fmar_spark.errors import ConfigError

STEP: Final = "migrate_tables"
COPY_FROM: Final = "fmar.copyFromVersion"
"""Property of a table that was emptied for its new columns: the version whose rows are still to be copied."""
_log = logging.getLogger(__name__)


def migrate_tables(store: TableStore, tables: Iterable[TableContract]) -> None:
    """Every table that exists has the columns of its contract, and the journal a row where one was changed.

    A column that had another name is renamed, a new one is added. Delta cannot rename a column of a table that every reader
    can read, so the rows are copied: one commit empties the table and gives it its new columns, the next brings its rows
    back. A run that is cut off between them is completed by the next. A derived table whose columns have other types
    is emptied: it is derived again.

    Raises:
        ConfigError: a table that cannot be derived again has columns of other types.
    """
    changed = {table.full_name: rows for table in tables if (rows := _migrate(store, table)) is not None}
    if changed:
        run = start_run(STEP, None, "")
        _log.info("%s: brought to the columns of this version: %s", STEP, ", ".join(changed))
        record_run(store, run, Written(changed, sum(changed.values())), None)


def _migrate(store: TableStore, contract: TableContract) -> int | None:
    """How many rows were rewritten; None where nothing was to do."""
    found = find_schema(store.spark, store.path(contract))
    if found is None:
        return None
    former = {column.formerly: column.name for column in contract.columns if column.formerly}
    filled = {column.name for column in contract.columns if column.backfill} - set(found.names)
    is_begun = (former or any(column.backfill for column in contract.columns)) and COPY_FROM in store.properties(contract)
    if former.keys() & set(found.names) or filled or is_begun:
        return _rename(store, contract, former)
    if _list_changed(found, contract):
        return _empty(store, contract, found)
    added = [column for column in contract.columns if column.name not in found.names]
    if not added:
        return None
    if any(not column.nullable for column in added):
        return _empty(store, contract, found)
    columns = ", ".join(f"{column.name} {column.type} COMMENT '{_escape(column.doc)}'" for column in added)
    store.spark.sql(f"ALTER TABLE delta.`{store.path(contract)}` ADD COLUMNS ({columns})")
    return 0


def _rename(store: TableStore, contract: TableContract, former: dict[str, str]) -> int:
    old_version = store.properties(contract).get(COPY_FROM)
    if old_version is None:
        old_version = str(store.version(contract))
        builder = store.describe(DeltaTable.replace(store.spark), contract)
        builder.property(IDENTITY, store.identity(contract)).property(COPY_FROM, old_version).execute()
    old = store.spark.read.format("delta").option("versionAsOf", int(old_version)).load(store.path(contract))
    renamed = old.select(*(F.col(name).alias(former.get(name, name)) for name in old.columns))
    new = [
        F.lit(column.backfill or None).cast(parse_type(column.type)).alias(column.name)
        for column in contract.columns
        if column.name not in renamed.columns
    ]
    copied = store.append(renamed.select("*", *new), contract, Transaction(STEP, int(old_version)))
    store.spark.sql(f"ALTER TABLE delta.`{store.path(contract)}` UNSET TBLPROPERTIES ('{COPY_FROM}')")
    return copied


def _empty(store: TableStore, contract: TableContract, found: StructType) -> int:
    """A derived table has no rows and its new columns."""
    changed = ", ".join(_list_changed(found, contract) or [column.name for column in contract.columns if column.name not in found.names])
    if contract.layer is not Layer.GOLD and contract.job != "characterise":
        raise ConfigError(f"{contract.full_name}: another version of the program wrote it with another {changed}; see docs/operations.md")
    _log.warning("%s: emptied, for another version wrote it with another %s; run jobs/%s.py", contract.full_name, changed, contract.job)
    store.describe(DeltaTable.replace(store.spark), contract).execute()
    return 0


def _list_changed(found: StructType, contract: TableContract) -> list[str]:
    """Columns that have another type than the contract says."""
    types = {field.name: field.dataType.simpleString() for field in found.fields}
    return [column.name for column in contract.columns if types.get(column.name, _type_of(column)) != _type_of(column)]


def _type_of(column: Column) -> str:
    return parse_type(column.type).simpleString()


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
