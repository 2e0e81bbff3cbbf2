"""Reads CSV: one reader for the heading, the rows and their lines, so that a quoted comma or line break means the same to all."""

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.rows import RawBlock

BLOCK_BYTES: Final = 16 * 2**20
HEADING_BYTES: Final = 2**20
DELIMITERS: Final = ",;\t|"
MOST_UNREADABLE: Final = 0.2
"""Of the characters of a heading; a sign or two of another encoding do no harm."""
TITLE_LINES: Final = 5
"""So many lines with one field may stand above the heading."""
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_QUOTE, _NEWLINE = 34, 10
Ints = NDArray[np.int64]


class Heading(NamedTuple):
    """What stands above the rows."""

    names: list[str]
    """Trimmed and in lower case."""
    delimiter: str
    bytes_above: int
    """Up to the first row."""
    lines_above: int


class _Records(NamedTuple):
    """Whole records of a file as they stand there."""

    content: bytes
    line: Ints
    """Line on which each record begins."""
    has_breaks: bool
    """Whether line breaks stand within quotes."""


def read_heading(path: Path) -> Heading:
    """The names of the columns; a title of one field above them is passed over.

    Raises:
        InputError: the file is empty, or no text in UTF-8.
    """
    with _open(path) as stream:
        start = stream.read(HEADING_BYTES)
    if start.startswith(_UTF16):
        raise InputError(f"{path.name}: text in UTF-16 found; UTF-8 wanted (in Excel: save as CSV UTF-8)")
    skipped = len(_BOM) if start.startswith(_BOM) else 0
    records = _split(start[skipped:].replace(b"\r", b"\n") if _has_old_breaks(start) else start[skipped:], 1, is_last=True)
    edges = _find_record_starts(records) if len(records.line) else np.zeros(1, dtype=np.int64)
    first, found = 0, None
    for number in range(min(TITLE_LINES, len(edges) - 1)):
        text = records.content[edges[number] : edges[number + 1]].decode("utf-8", errors="replace").strip("\r\n")
        if text.count("\ufffd") + text.count("\0") > MOST_UNREADABLE * len(text):
            raise InputError(f"{path.name}: cannot be read: bytes that are no text found, CSV in UTF-8 wanted")
        delimiter = _find_delimiter(text)
        fields = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
        filled = sum(bool(field.strip()) for field in fields)
        if filled > 1 or (found is None and filled):
            found, first = ([field.strip().lower() for field in fields], delimiter), number
        if filled > 1:
            break
    if found is None:
        raise InputError(f"{path.name}: empty, a header with the names of its columns wanted")
    above = skipped + int(edges[first + 1])
    after = int(records.line[first + 1]) if first + 1 < len(records.line) else int(records.line[first]) + 1
    return Heading(*found, above, after - 1)


def read_csv_blocks(path: Path, heading: Heading, names: list[str]) -> Iterator[RawBlock]:
    """The named columns as text, a block of rows at a time, in their order.

    Args:
        path: of the file.
        heading: of the file.
        names: columns wanted, as the heading has them; of two of one name the first.
    """
    header = [name if heading.names.index(name) == place else f"{name}.{place}" for place, name in enumerate(heading.names)]
    for records in _read_records(path, heading):
        yield _parse(records, heading.delimiter, header, names)


def _open(path: Path) -> BinaryIO:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]  # gzip.GzipFile reads bytes as any binary stream does
    return path.open("rb")


def _has_old_breaks(start: bytes) -> bool:
    """Whether lines end with a carriage return alone."""
    return b"\n" not in start and b"\r" in start


def _find_delimiter(heading: str) -> str:
    outside = "".join(heading.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _read_records(path: Path, heading: Heading) -> Iterator[_Records]:
    line = heading.lines_above + 1
    with _open(path) as stream:
        start = stream.read(heading.bytes_above)
        is_old = _has_old_breaks(start)
        rest = b""
        while True:
            read = stream.read(BLOCK_BYTES)
            content = rest + (read.replace(b"\r", b"\n") if is_old else read)
            records = _split(content, line, is_last=not read)
            if len(records.line):
                yield records
            if not read:
                return
            rest = content[len(records.content) :]
            line += records.content.count(b"\n")


def _split(content: bytes, line: int, *, is_last: bool) -> _Records:
    """The whole records at the beginning of some content that begins with a record."""
    codes = np.frombuffer(content, dtype=np.uint8)
    breaks = np.flatnonzero(codes == _NEWLINE)
    ends = breaks
    has_breaks = False
    if b'"' in content:
        quotes = np.flatnonzero(codes == _QUOTE)
        if _is_paired(codes, quotes):
            ends = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
            has_breaks = len(ends) < len(breaks)
    stop = len(content) if is_last else (int(ends[-1]) + 1 if len(ends) else 0)
    ends = ends[ends < stop]
    starts = np.concatenate([[0], ends + 1])
    starts = starts[starts < stop]
    return _Records(content[:stop], line + np.searchsorted(breaks, starts), has_breaks)


def _is_paired(codes: NDArray[np.uint8], quotes: Ints) -> bool:
    """Whether every quote that opens stands at the beginning of a field: a stray one within a text opens nothing."""
    outside = np.frombuffer((DELIMITERS + '\n\r"').encode(), dtype=np.uint8)
    opening = quotes[::2]
    before = codes[np.maximum(opening - 1, 0)]
    return bool(np.isin(before[opening > 0], outside).all())


def _find_record_starts(records: _Records) -> Ints:
    """Where each record begins, and where the last one ends."""
    breaks = np.flatnonzero(np.frombuffer(records.content, dtype=np.uint8) == _NEWLINE)
    before = (records.line - records.line[0])[: TITLE_LINES + 1]
    starts = np.where(before == 0, 0, breaks[np.maximum(before - 1, 0)] + 1) if len(breaks) else np.zeros(1, dtype=np.int64)
    return starts if len(records.line) > len(before) else np.append(starts, len(records.content))


def _parse(records: _Records, delimiter: str, header: list[str], names: list[str]) -> RawBlock:
    broken: list[tuple[int, str, str]] = []
    skipped: list[int] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        skipped.append(int(row.number) - 1)
        broken.append((int(records.line[skipped[-1]]), row.text, "row_fields"))
        return "skip"

    def read(kind: pa.DataType) -> pa.Table:
        skipped.clear()
        broken.clear()
        return arrow_csv.read_csv(
            pa.BufferReader(records.content),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(records.content) + 1, column_names=header),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=note, newlines_in_values=records.has_breaks
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, kind), include_columns=names, strings_can_be_null=True, null_values=[""]
            ),
        )

    try:
        table = read(pa.string())
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        table = read(pa.binary())
    line = np.delete(records.line, skipped)[: table.num_rows]
    return _drop_undecodable(RawBlock(table, line, broken)) if pa.types.is_binary(table.schema.types[0]) else RawBlock(table, line, broken)


def _drop_undecodable(block: RawBlock) -> RawBlock:
    """Rows of bytes as rows of text; those that are not UTF-8 are broken."""
    columns, is_bad = [], np.zeros(block.columns.num_rows, dtype=np.bool_)
    for name in block.columns.column_names:
        values = block.columns[name].to_pylist()
        texts = [None if value is None else value.decode("utf-8", errors="replace") for value in values]
        is_bad |= np.asarray(
            [text is not None and text.encode() != value for text, value in zip(texts, values, strict=True)], dtype=np.bool_
        )
        columns.append(pa.array(texts, pa.string()))
    table = pa.table(columns, names=block.columns.column_names)
    bad = table.filter(pa.array(is_bad)).to_pylist()
    lines = block.line[is_bad].tolist()
    broken = [
        (line, ",".join(str(value or "") for value in row.values()), "text_undecodable") for line, row in zip(lines, bad, strict=True)
    ]
    return RawBlock(table.filter(pa.array(~is_bad)), block.line[~is_bad], [*block.broken, *broken])
