"""Reads a lake on this machine's disk without Spark, for summaries that should take no time."""

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow.dataset import Dataset
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem
from pyarrow.parquet import filters_to_expression

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.table_properties import LOG
from fmar_spark.errors import ConfigError, ContractError


def open_table(path: str, version: int | None = None) -> DeltaTable:
    """The table as it is now, or as it was at a version.

    Raises:
        ContractError: a commit of its log has gone, so that nobody knows its rows.
    """
    try:
        return DeltaTable(path, version)
    except DeltaError as error:
        lost = find_lost_version(Path(path) / LOG)
        if lost is None:
            raise
        raise ContractError(f"{path}: version {lost} is missing from its log; docs/operations.md says how to rebuild a table") from error


def find_newest(path: str) -> int | None:
    """Newest version of a table; None where there is no table.

    On this machine's disk the names in its log say so, in a fifteenth of the time that it takes to open it.

    Raises:
        ContractError: a commit of its log has gone, so that nobody knows its rows.
    """
    found = {} if "://" in path else _list_versions(Path(path) / LOG)
    if found and _find_gap(found) is None:
        return max(found["json"] | found["checkpoint"], default=None)
    return open_table(path).version() if DeltaTable.is_deltatable(path) else None


def find_lost_version(log: Path) -> int | None:
    """The first version after the newest checkpoint of which there is no commit, though a later one or a checksum was written."""
    return _find_gap(_list_versions(log))


def _find_gap(versions: dict[str, set[int]]) -> int | None:
    first = max(versions["checkpoint"], default=-1) + 1
    newest = max(versions["json"] | versions["crc"], default=-1)
    return next((version for version in range(first, newest + 1) if version not in versions["json"]), None)


def _list_versions(log: Path) -> dict[str, set[int]]:
    """Versions by the kind of file that a log has of them."""
    versions: dict[str, set[int]] = {"json": set(), "crc": set(), "checkpoint": set()}
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(log):
            number, _, ending = name.partition(".")
            if len(number) == 20 and number.isdecimal():
                versions.setdefault(ending.partition(".")[0], set()).add(int(number))
    return versions


def open_rows(table: DeltaTable) -> Dataset:
    """The rows of a table, to be read in part.

    A table on this machine's disk is read by Arrow's own file system: delta-rs's calls back into Python from Arrow's threads, and
    one that is still closing files as Python ends takes the process down with it.
    """
    if "://" in table.table_uri and not table.table_uri.startswith("file://"):
        return table.to_pyarrow_dataset()
    folder = unquote(table.table_uri.removeprefix("file://"))
    return table.to_pyarrow_dataset(filesystem=SubTreeFileSystem(folder, LocalFileSystem()))


def measure_files(table: DeltaTable) -> tuple[int, int]:
    """How many files the newest version of a table has, and their bytes."""
    sizes = table.get_add_actions(flatten=True)["size_bytes"].to_pylist()
    return len(sizes), sum(sizes)


def find_range(table: DeltaTable, column: str) -> tuple[date, date] | None:
    """Smallest and largest date of a column by the statistics that Delta keeps of each file; None where they do not say it.

    With deletion vectors they are those of the rows that were written, deleted ones included.
    """
    if "deletionVectors" in (table.protocol().reader_features or ()):
        return None
    files = pa.table(table.get_add_actions(flatten=True))
    names = ("num_records", f"min.{column}", f"max.{column}")
    if not set(names) <= set(files.column_names):
        return None
    known = [(least, most) for rows, *(least, most) in zip(*(files[name].to_pylist() for name in names), strict=True) if rows != 0]
    if not known or any(None in both for both in known):
        return None
    return min(least for least, _ in known), max(most for _, most in known)


class LakeFiles:
    """The newest rows of the tables below one folder."""

    def __init__(self, root: Path) -> None:
        """Nothing is opened before the first read.

        Raises:
            ConfigError: there is no such folder.
        """
        if not root.is_dir():
            raise ConfigError(f"{root}: no lake there; run scripts/demo or a job of jobs/ first")
        self.root = root

    def has(self, contract: TableContract) -> bool:
        """Whether the table exists."""
        return DeltaTable.is_deltatable(self._path(contract))

    def count(self, contract: TableContract) -> int:
        """Rows of an existing table, from Delta's own statistics."""
        return int(open_table(self._path(contract)).count())

    def measure(self, contract: TableContract) -> tuple[int, int]:
        """Files and bytes of the newest version of an existing table; older versions that still lie there are not counted."""
        return measure_files(open_table(self._path(contract)))

    def read(self, contract: TableContract, columns: Sequence[str], where: Sequence[tuple[str, str, object]] = ()) -> pd.DataFrame:
        """Some columns of the rows for which all of ``where`` hold; none where the table does not exist."""
        if not self.has(contract):
            return pd.DataFrame({name: [] for name in columns})
        kept = filters_to_expression(list(where)) if where else None
        table = open_rows(open_table(self._path(contract))).to_table(columns=list(columns), filter=kept)
        found: pd.DataFrame = table.to_pandas()
        return found

    def _path(self, contract: TableContract) -> str:
        return str(self.root / contract.layer / contract.name)
