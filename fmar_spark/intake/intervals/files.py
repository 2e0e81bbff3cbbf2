"""Finds and opens the files of a user: CSV, Parquet or a Delta table, one file or a folder, a block of rows at a time."""

import zlib
from collections.abc import Iterator, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as arrow_parquet

from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.csv_records import read_csv_blocks, read_heading
from fmar_spark.intake.intervals.rows import Origin, RawBlock, check_columns

CSV_ENDINGS: Final = (".csv", ".csv.gz")
ENDINGS: Final = (*CSV_ENDINGS, ".parquet")
DELTA_LOG: Final = "_delta_log"
BLOCK_ROWS: Final = 1_000_000
_CSV_ROW_BYTES: Final = 40
_GZIP_RATIO: Final = 8
_READ_ERRORS: Final = (OSError, EOFError, UnicodeDecodeError, zlib.error, pa.ArrowException)


class Kind(Enum):
    """How the rows of a file are stored."""

    CSV = "csv"
    PARQUET = "parquet"
    DELTA = "delta"


class InputFile(NamedTuple):
    """A file, or the folder of a Delta table, and the name that messages and the quarantine call it."""

    path: Path
    name: str

    @property
    def kind(self) -> Kind:
        """By its content where it is a folder, else by its ending; any other ending is CSV."""
        if self.path.is_dir():
            return Kind.DELTA
        return Kind.PARQUET if self.name.lower().endswith(".parquet") else Kind.CSV

    @property
    def origin(self) -> Origin:
        """What its rows are called."""
        return Origin(self.name, "" if self.kind is Kind.CSV else "row ")


def find_files(source: Path, without: tuple[Path, ...] = ()) -> list[InputFile]:
    """The files and Delta tables to read, by name; in a folder those whose path has a part that begins with ``_`` or ``.`` are left.

    Raises:
        InputError: there is none.
    """
    if source.is_file() or (source / DELTA_LOG).is_dir():
        return [InputFile(source, source.name)]
    left_out = {path.resolve() for path in without}
    tables = sorted(log.parent for log in source.rglob(DELTA_LOG) if log.is_dir() and not _is_hidden(log.parent, source))
    found = [InputFile(path, path.relative_to(source).as_posix()) for path in tables]
    for path in source.rglob("*"):
        is_wanted = path.is_file() and path.name.lower().endswith(ENDINGS) and path.resolve() not in left_out
        if is_wanted and not _is_hidden(path, source) and not any(table in path.parents for table in tables):
            found.append(InputFile(path, path.relative_to(source).as_posix()))
    if not found:
        raise InputError(f"{source}: no file found, {', '.join(ENDINGS)} or a Delta table wanted")
    return sorted(found)


def list_columns(file: InputFile) -> list[str]:
    """Names in the header, trimmed and in lower case.

    Raises:
        InputError: the file cannot be read as what its name says.
    """
    try:
        match file.kind:
            case Kind.PARQUET:
                stored = arrow_parquet.read_schema(file.path).names
            case Kind.DELTA:
                stored = _open_delta(file).schema.names
            case Kind.CSV:
                return read_heading(file.path).names
    except _READ_ERRORS as error:
        raise InputError(f"{file.name}: cannot be read: {_first_line(error)}") from error
    return [name.strip().lower() for name in stored]


def estimate_rows(file: InputFile) -> int:
    """About how many rows a file has, without reading it."""
    match file.kind:
        case Kind.PARQUET:
            return int(arrow_parquet.read_metadata(file.path).num_rows)
        case Kind.DELTA:
            return int(_open_delta(file).count_rows())
        case Kind.CSV:
            size = file.path.stat().st_size
            return int(size * (_GZIP_RATIO if file.name.lower().endswith(".gz") else 1) / _CSV_ROW_BYTES) + 1


def read_blocks(file: InputFile, wanted: tuple[str, ...], optional: tuple[str, ...] = ()) -> Iterator[RawBlock]:
    """The file's rows, a block at a time, in their order; columns are named as ``list_columns`` names them.

    Raises:
        ConfigError: a wanted column is missing.
        InputError: the file cannot be read, or not to its end; the blocks before are good.
    """
    found = list_columns(file)
    check_columns(file.name, wanted, found)
    names = [*wanted, *(name for name in optional if name in found)]
    try:
        if file.kind is Kind.CSV:
            yield from read_csv_blocks(file.path, read_heading(file.path), names)
        else:
            yield from _read_table(file, found, names)
    except _READ_ERRORS as error:
        raise InputError(f"{file.name}: cannot be read to its end: {_first_line(error)}") from error


def _read_table(file: InputFile, found: list[str], names: Sequence[str]) -> Iterator[RawBlock]:
    batches: Iterator[pa.RecordBatch]
    if file.kind is Kind.DELTA:
        dataset = _open_delta(file)
        stored = dataset.schema.names
        batches = dataset.to_batches(columns=[stored[found.index(name)] for name in names], batch_size=BLOCK_ROWS)
    else:
        parquet = arrow_parquet.ParquetFile(file.path)
        stored = parquet.schema_arrow.names
        batches = parquet.iter_batches(batch_size=BLOCK_ROWS, columns=[stored[found.index(name)] for name in names])
    first = 1
    for batch in batches:
        by_name = {name: batch.column(stored[found.index(name)]) for name in names}
        yield RawBlock(pa.table(by_name), np.arange(first, first + batch.num_rows, dtype=np.int64), [])
        first += batch.num_rows


def _open_delta(file: InputFile) -> Any:
    """The newest version of a Delta table as a dataset of Arrow.

    Raises:
        InputError: it cannot be read, or not with what is installed: the package deltalake is no part of the least installation.
    """
    try:
        delta = import_module("deltalake")
    except ImportError as error:
        raise InputError(f"{file.name}: a Delta table found, which needs the package deltalake: pip install fmar-spark[report]") from error
    try:
        return delta.DeltaTable(str(file.path)).to_pyarrow_dataset()
    except delta.exceptions.DeltaError as error:
        raise InputError(f"{file.name}: a Delta table that cannot be read: {_first_line(error)}") from error


def _is_hidden(path: Path, source: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in path.relative_to(source).parts)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
