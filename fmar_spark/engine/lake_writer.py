"""Reads and writes whole tables of a small lake on this machine's disk without Spark, made as the jobs make them."""

import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_files import open_rows, open_table
from fmar_spark.engine.log_checksum import note_checksum
from fmar_spark.engine.runs import Run, Written, describe_run
from fmar_spark.engine.table_properties import COMMIT, LOG, list_properties, list_rules
from fmar_spark.errors import ContractError

ONLY_SPARK_KNOWS: Final = re.compile(r"\bsize\(")
"""In a rule of a table: what delta-rs cannot check."""
GIVEN_UP_SECONDS: Final = 86_400.0
"""Nobody takes so long to create a table, which has no rows."""


class LakeWriter:
    """The tables below one folder, a few hundred meters at most: a merge reads and writes the whole table."""

    def __init__(self, root: Path) -> None:
        """Nothing is touched before the first read or write."""
        self.root = root
        self.versions_read: dict[str, int] = {}
        self.versions_written: dict[str, int] = {}

    def has(self, contract: TableContract) -> bool:
        """Whether the table exists."""
        return DeltaTable.is_deltatable(self._path(contract))

    def read(self, contract: TableContract) -> pa.Table:
        """The table's rows by its contract, none where it does not exist; columns that were declared later are null."""
        if not self.has(contract):
            return arrow_schema(contract).empty_table()
        return _read_rows(self._open(contract), contract)

    def append(self, rows: pa.Table, contract: TableContract) -> None:
        """Add rows."""
        self._write(rows, contract, "append")

    def overwrite(self, rows: pa.Table, contract: TableContract) -> None:
        """Replace all rows in one commit."""
        self._write(rows, contract, "overwrite")

    def merge(self, rows: pa.Table, contract: TableContract) -> None:
        """Insert rows with new keys and replace those that exist. Rows must be unique on the contract's key."""
        new = conform_rows(rows, arrow_schema(contract))
        is_new = self._create(contract)
        if is_new or new.num_rows:
            table = self._open(contract)
            old = _read_rows(table, contract)
            kept = old.filter(pa.array(~has_key(old, new, contract.key)))
            self._write(pa.concat_tables([kept, new]), contract, "append" if is_new else "overwrite", table)

    def insert_new(self, rows: pa.Table, contract: TableContract) -> int:
        """Insert the rows whose key the table does not have, each key once; the number of rows added."""
        new = conform_rows(rows, arrow_schema(contract))
        keys = new.select(contract.key).append_column("_row", pa.array(np.arange(new.num_rows)))
        first = keys.group_by(list(contract.key)).aggregate([("_row", "min")])["_row_min"].combine_chunks().sort()
        new = new.take(first)
        is_new = self._create(contract)
        table = self._open(contract)
        new = new.filter(pa.array(~has_key(new, _read_rows(table, contract), contract.key)))
        if is_new or new.num_rows:
            self._write(new, contract, "append", table)
        return int(new.num_rows)

    def keep_only(self, kept: pa.ChunkedArray, contract: TableContract) -> int:
        """Delete the rows of every meter (mpan_id) that is not among ``kept``; the number of rows deleted."""
        if not self.has(contract):
            return 0
        table = self._open(contract)
        rows = _read_rows(table, contract)
        remaining = rows.filter(pc.is_in(rows["mpan_id"], kept.combine_chunks()))
        if remaining.num_rows < rows.num_rows:
            self._write(remaining, contract, "overwrite", table)
        return int(rows.num_rows - remaining.num_rows)

    def is_current(self, contract: TableContract) -> bool:
        """Whether an existing table has the columns of its contract, and rules that can be checked here."""
        table = open_table(self._path(contract))
        stored = {field.name: field.type for field in pa.schema(table.schema())}
        rules = [rule or "" for name, rule in table.metadata().configuration.items() if name.startswith("delta.constraints.")]
        has_columns = all(name in stored for name in contract.names)
        return has_columns and not any(ONLY_SPARK_KNOWS.search(rule) for rule in rules)

    def record_run(self, run: Run, written: Written | None, error: BaseException | None) -> None:
        """Append the run's row to ``ops.run_journal``."""
        row = describe_run(run, written, error, self.versions_read, self.versions_written)
        self.append(pa.Table.from_pylist([row], schema=arrow_schema(RUN_JOURNAL)), RUN_JOURNAL)

    def _create(self, contract: TableContract) -> bool:
        """Whether the table was not there yet."""
        is_new = not self.has(contract)
        create_table(self._path(contract), contract)
        return is_new

    def _open(self, contract: TableContract) -> DeltaTable:
        """The table as it is now; its version is noted as read."""
        table = open_table(self._path(contract))
        self.versions_read[contract.full_name] = table.version()
        return table

    def _write(self, rows: pa.Table, contract: TableContract, mode: Any, seen: DeltaTable | None = None) -> None:
        """One commit; fails where others have made one since ``seen``, which the rows were made from."""
        path = self._path(contract)
        create_table(path, contract)
        new = conform_rows(rows, arrow_schema(contract))
        follows = None if seen is None else CommitProperties(max_commit_retries=0)
        table = seen or open_table(path)
        try:
            write_deltalake(table, new, mode=mode, schema_mode="merge", commit_properties=follows)
        except CommitFailedError as error:
            raise ContractError(f"{contract.full_name}: another run has changed it meanwhile; run again") from error
        except DeltaError as error:
            raise ContractError(f"{contract.full_name}: {str(error).splitlines()[0]}") from error
        self.versions_written[contract.full_name] = version = table.version()
        note_checksum(Path(path) / LOG, version)

    def _path(self, contract: TableContract) -> str:
        return str(self.root / contract.layer / contract.name)


def _read_rows(table: DeltaTable, contract: TableContract) -> pa.Table:
    return conform_rows(open_rows(table).to_table(), arrow_schema(contract))


def create_table(path: str, contract: TableContract) -> None:
    """Create the table with its columns' comments, nullability and rules, unless it exists.

    Raises:
        ContractError: delta-rs cannot make it.
    """
    if DeltaTable.is_deltatable(path):
        return
    fields = [field.with_metadata({"comment": column.doc}) for field, column in zip(arrow_schema(contract), contract.columns, strict=True)]
    settings: dict[str, str | None] = {**list_properties(contract)}
    wanted = Path(path)
    remove_unfinished(wanted)
    made = wanted.with_name(f"_{wanted.name}.{uuid4().hex}")
    try:
        table = DeltaTable.create(
            str(made), pa.schema(fields), description=contract.doc, configuration=settings, raise_if_key_not_exists=False
        )
        for name, rule in list_rules(contract).items():
            table.alter.add_constraint({name: rule})
        for version in range(table.version() + 1):
            note_checksum(made / LOG, version)
        _put_in_place(made, wanted)
    except DeltaError as error:
        raise ContractError(f"{contract.full_name}: {str(error).splitlines()[0]}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def remove_unfinished(wanted: Path) -> None:
    """What processes that were killed while they created the table left beside it is gone a day later."""
    for path in wanted.parent.glob(f"_{wanted.name}.{'[0-9a-f]' * 32}"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > GIVEN_UP_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def restore_table(path: str, version: int) -> None:
    """The table has the rows of an earlier version.

    Raises:
        ContractError: its files have gone.
    """
    try:
        open_table(path).restore(version)
    except DeltaError as error:
        raise ContractError(f"{path}: version {version} cannot be restored: {str(error).splitlines()[0]}") from error


def _put_in_place(made: Path, wanted: Path) -> None:
    """The table is there with all its rules or not at all, whenever the process ends; one that another process made meanwhile stays.

    A log without a commit, which a full disk leaves behind, is no table and goes.
    """
    wanted.mkdir(parents=True, exist_ok=True)
    log, former = wanted / LOG, made / "former"
    try:
        if log.exists() and not _has_commit(log):
            log.rename(former)
            if _has_commit(former):
                former.rename(log)
        (made / LOG).rename(log)
    except OSError:
        if not DeltaTable.is_deltatable(str(wanted)):
            raise


def _has_commit(log: Path) -> bool:
    return any(COMMIT.fullmatch(path.name) for path in log.iterdir())


def conform_rows(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The schema's columns in its order and types; those that the rows do not have are null, others are left out."""
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


def has_key(rows: pa.Table, others: pa.Table, key: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows have a key that some row of ``others`` has, shape (rows,)."""
    found = np.zeros(rows.num_rows, dtype=np.bool_)
    numbered = rows.select(key).append_column("_row", pa.array(np.arange(rows.num_rows)))
    matched = numbered.join(others.select(key), list(key), join_type="left semi")
    found[matched["_row"].to_numpy()] = True
    return found


def last_of_each(rows: pa.Table, key: tuple[str, ...], order: str) -> pa.Table:
    """Of the rows with one key the one with the largest value of a column."""
    keys = rows.select([*key, order]).append_column("_row", pa.array(np.arange(rows.num_rows)))
    ordered = keys.sort_by([(order, "ascending")])
    return rows.take(ordered.group_by(list(key), use_threads=False).aggregate([("_row", "last")])["_row_last"].combine_chunks())
