"""Finds and opens the files of a user's own intervals: CSV or Parquet, one file or a folder, a block at a time."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet
from numpy.typing import NDArray

from fmar_spark.errors import ConfigError, InputError

WANTED: Final = ("series_id", "timestamp_utc", "kwh_import")
OPTIONAL: Final = ("kwh_export",)
CSV_ENDINGS: Final = (".csv", ".csv.gz")
ENDINGS: Final = (*CSV_ENDINGS, ".parquet")
BLOCK_BYTES: Final = 16 * 2**20
BLOCK_ROWS: Final = 1_000_000
_CSV_ROW_BYTES: Final = 40
_GZIP_RATIO: Final = 8


class Origin(NamedTuple):
    """Where rows come from, as messages and the quarantine name it."""

    name: str
    unit: str
    """What its rows are counted in: nothing for the lines of a CSV (the header is line 1), "row " for the rows of a table."""

    def place(self, line: int) -> str:
        """Where a row stands."""
        return f"{self.name}:{self.unit}{line}"


class InputFile(NamedTuple):
    """A file and the name that messages and the quarantine call it."""

    path: Path
    name: str

    @property
    def is_parquet(self) -> bool:
        """Parquet, else CSV."""
        return self.name.lower().endswith(".parquet")

    @property
    def origin(self) -> Origin:
        """What its rows are called."""
        return Origin(self.name, "row " if self.is_parquet else "")


class RawBlock(NamedTuple):
    """Some rows of a file as they stand there."""

    columns: pa.Table
    """The wanted columns, and the optional ones that the file has."""
    line: NDArray[np.int64]
    """Line of each row, as ``Origin.place`` means it."""
    broken: list[tuple[int, str]]
    """Lines that do not have as many fields as the header."""


def find_files(source: Path, without: tuple[Path, ...] = ()) -> list[InputFile]:
    """The files to read, by name; in a folder those whose path has a part that begins with ``_`` or ``.`` are left.

    Raises:
        InputError: there is none.
    """
    if source.is_file():
        return [InputFile(source, source.name)]
    left_out = {path.resolve() for path in without}
    found = []
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        is_hidden = any(part.startswith(("_", ".")) for part in inside.parts)
        if path.is_file() and not is_hidden and path.name.lower().endswith(ENDINGS) and path.resolve() not in left_out:
            found.append(InputFile(path, inside.as_posix()))
    if not found:
        raise InputError(f"{source}: no file found, {', '.join(ENDINGS)} wanted")
    return found


def list_columns(file: InputFile) -> list[str]:
    """Names in the header, trimmed and in lower case.

    Raises:
        InputError: the file cannot be read as what its name says.
    """
    try:
        if file.is_parquet:
            return [name.strip().lower() for name in arrow_parquet.read_schema(file.path).names]
        header, delimiter = _read_header(file)
        return [name.strip().strip('"').lower() for name in header.split(delimiter)]
    except (OSError, EOFError, UnicodeDecodeError, pa.ArrowException) as error:
        raise InputError(f"{file.name}: cannot be read: {_first_line(error)}") from error


def check_columns(name: str, wanted: tuple[str, ...], found: list[str]) -> None:
    """Nothing happens where all wanted columns are there, each once.

    Raises:
        ConfigError: names what was found and what was wanted.
    """
    missing = [column for column in wanted if column not in found]
    twice = sorted({column for column in found if column in wanted and found.count(column) > 1})
    if missing or twice:
        fault = f"column {', '.join(missing)} is missing" if missing else f"column {', '.join(twice)} stands twice"
        raise ConfigError(f"{name}: {fault}; found {', '.join(found)}; wanted {', '.join(wanted)}")


def estimate_rows(file: InputFile) -> int:
    """About how many rows a file has, without reading it."""
    if file.is_parquet:
        return int(arrow_parquet.read_metadata(file.path).num_rows)
    size = file.path.stat().st_size
    return int(size * (_GZIP_RATIO if file.name.lower().endswith(".gz") else 1) / _CSV_ROW_BYTES) + 1


def read_blocks(file: InputFile, wanted: tuple[str, ...] = WANTED, optional: tuple[str, ...] = OPTIONAL) -> Iterator[RawBlock]:
    """The file's rows, a block at a time, in their order.

    Raises:
        ConfigError: a wanted column is missing.
        InputError: the file cannot be read, or not to its end; the blocks before are good.
    """
    found = list_columns(file)
    check_columns(file.name, wanted, found)
    names = [*wanted, *(name for name in optional if name in found)]
    try:
        yield from _read_parquet(file, found, names) if file.is_parquet else _read_csv(file, found, names)
    except (OSError, EOFError, UnicodeDecodeError, pa.ArrowException) as error:
        raise InputError(f"{file.name}: cannot be read to its end: {_first_line(error)}") from error


def _read_parquet(file: InputFile, found: list[str], names: list[str]) -> Iterator[RawBlock]:
    parquet = arrow_parquet.ParquetFile(file.path)
    stored = parquet.schema_arrow.names
    first = 1
    for batch in parquet.iter_batches(batch_size=BLOCK_ROWS, columns=[stored[found.index(name)] for name in names]):
        by_name = {name: batch.column(stored[found.index(name)]) for name in names}
        yield RawBlock(pa.table(by_name), np.arange(first, first + batch.num_rows, dtype=np.int64), [])
        first += batch.num_rows


def _read_csv(file: InputFile, found: list[str], names: list[str]) -> Iterator[RawBlock]:
    _, delimiter = _read_header(file)
    broken: list[tuple[int, str]] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        broken.append((int(row.number), row.text))
        return "skip"

    header = [name if found.index(name) == place else f"{name}.{place}" for place, name in enumerate(found)]
    reader = arrow_csv.open_csv(
        file.path,
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=header, skip_rows=1),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=note),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), include_columns=names, strings_can_be_null=True, null_values=[""]
        ),
    )
    next_line, handed_on = 2, 0
    for batch in reader:
        skipped = np.asarray([line for line, _ in broken[handed_on:]], dtype=np.int64)
        line = np.arange(next_line, next_line + batch.num_rows + len(skipped), dtype=np.int64)
        line = line[~np.isin(line, skipped)][: batch.num_rows]
        yield RawBlock(pa.Table.from_batches([batch]), line, broken[handed_on:])
        handed_on = len(broken)
        next_line += batch.num_rows + len(skipped)
    if broken[handed_on:]:
        empty = pa.table({name: pa.array([], pa.string()) for name in names})
        yield RawBlock(empty, np.zeros(0, dtype=np.int64), broken[handed_on:])


def _read_header(file: InputFile) -> tuple[str, str]:
    opener = gzip.open if file.name.lower().endswith(".gz") else open
    with opener(file.path, "rt", encoding="utf-8-sig") as lines:
        header = lines.readline().strip()
    if not header:
        raise InputError(f"{file.name}: empty, a header with the names of its columns wanted")
    return header, max(",;\t", key=header.count)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
