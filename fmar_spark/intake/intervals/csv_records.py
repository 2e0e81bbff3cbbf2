"""Reads CSV: one reader for the heading, the rows and their lines, so that a quoted comma or line break means the same to all."""

import csv
import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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
UNDECODABLE: Final = "\ufdd0"
"""Stands for a byte that is no UTF-8; Unicode keeps this character out of texts."""
STRAY_RETURN: Final = re.compile(rb"\r(?!\n)")
"""Ends no line where others end with a line feed."""
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
    skipped: dict[int, str] = {}
    content = _mark_undecodable(STRAY_RETURN.sub(b" ", records.content))

    def note(row: arrow_csv.InvalidRow) -> str:
        skipped[int(row.number) - 1] = row.text
        return "skip"

    table = arrow_csv.read_csv(
        pa.BufferReader(content),
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=header),
        parse_options=arrow_csv.ParseOptions(
            delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=note, newlines_in_values=records.has_breaks
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), include_columns=names, strings_can_be_null=True, null_values=[""]
        ),
    )
    if table.num_rows + len(skipped) != len(records.line):
        return _drop_undecodable(_parse_line_by_line(content, int(records.line[0]), delimiter, (header, names)))
    broken = [(int(records.line[number]), text, "row_fields") for number, text in skipped.items()]
    return _drop_undecodable(RawBlock(table, np.delete(records.line, list(skipped)), broken))


def _parse_line_by_line(content: bytes, first: int, delimiter: str, columns: tuple[list[str], list[str]]) -> RawBlock:
    """What a block with stray quotes holds, where every line is a record: of all columns the wanted ones."""
    header, names = columns
    broken: list[tuple[int, str, str]] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, text in enumerate(content.decode().removesuffix("\n").split("\n"), first):
        fields = next(csv.reader([text.rstrip("\r")], delimiter=delimiter), [])
        if len(fields) == len(header):
            rows.append(fields)
            lines.append(line)
        else:
            broken.append((line, text, "row_fields"))
    wanted = {name: [row[header.index(name)] or None for row in rows] for name in names}
    table = pa.table({name: pa.array(values, pa.string()) for name, values in wanted.items()})
    return RawBlock(table, np.asarray(lines, dtype=np.int64), broken)


def _mark_undecodable(content: bytes) -> bytes:
    """The content where it is UTF-8; else with ``UNDECODABLE`` in the place of every byte that is not."""
    if content.isascii():
        return content
    try:
        content.decode()
    except UnicodeDecodeError:
        return re.sub("[\udc80-\udcff]", UNDECODABLE, content.decode(errors="surrogateescape")).encode()
    return content


def _drop_undecodable(block: RawBlock) -> RawBlock:
    """Rows of which a wanted column has a byte that is no text are broken."""
    is_bad = np.zeros(block.columns.num_rows, dtype=np.bool_)
    for column in block.columns.columns:
        is_bad |= np.asarray(pc.fill_null(pc.match_substring(column, UNDECODABLE), False))
    shown = [",".join(str(value or "") for value in row.values()) for row in block.columns.filter(pa.array(is_bad)).to_pylist()]
    bad = [(line, text, "text_undecodable") for line, text in zip(block.line[is_bad].tolist(), shown, strict=True)]
    broken = [(line, text.replace(UNDECODABLE, "\ufffd"), rule) for line, text, rule in (*block.broken, *bad)]
    return RawBlock(block.columns.filter(pa.array(~is_bad)) if bad else block.columns, block.line[~is_bad], broken)
