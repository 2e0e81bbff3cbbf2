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
from fmar_spark.intake.intervals.csv_quotes import divide, is_regular, read_record
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
    stray: Ints
    """Of the lines, those that leave a quote open."""


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
    start = start[skipped:].replace(b"\r", b"\n") if _has_old_breaks(start) else start[skipped:]
    at = line = end = lines_above = 0
    found = None
    for _ in range(TITLE_LINES):
        record = read_record(start, at, DELIMITERS)
        if record is None:
            raise InputError(f"{path.name} line {line + 1}: a quote that is not closed found above the rows; every quote closed wanted")
        text = start[at : record.end].decode("utf-8", errors="replace").strip("\r\n")
        line += start.count(b"\n", at, record.end)
        at = record.end
        if text.count("\ufffd") + text.count("\0") > MOST_UNREADABLE * len(text):
            raise InputError(f"{path.name}: cannot be read: bytes that are no text found, CSV in UTF-8 wanted (Excel: save as CSV UTF-8)")
        delimiter = _find_delimiter(text)
        fields = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
        filled = sum(bool(field.strip()) for field in fields)
        if filled > 1 or (found is None and filled):
            found, end, lines_above = ([field.strip().lower() for field in fields], delimiter), at, line
        if filled > 1 or not record.is_ended:
            break
    if found is None:
        raise InputError(f"{path.name}: empty, a header with the names of its columns wanted")
    return Heading(*found, skipped + end, lines_above)


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
            records = _split(content, line, heading, is_last=not read)
            if len(records.line):
                yield records
            if not read:
                return
            rest = content[len(records.content) :]
            line += records.content.count(b"\n")


def _split(content: bytes, line: int, heading: Heading, *, is_last: bool) -> _Records:
    """The whole records at the beginning of some content that begins with a record."""
    codes = np.frombuffer(content, dtype=np.uint8)
    breaks = np.flatnonzero(codes == _NEWLINE)
    ends = breaks
    if b'"' in content:
        if not is_regular(content, heading.delimiter, len(heading.names), is_last=is_last):
            starts, stray, stop = divide(content, heading.delimiter, len(heading.names), is_last=is_last)
            has_breaks = len(starts) < content.count(b"\n", 0, stop)
            return _Records(content[:stop], line + starts, has_breaks, line + stray)
        ends = breaks[np.searchsorted(np.flatnonzero(codes == _QUOTE), breaks) % 2 == 0]
    stop = len(content) if is_last else (int(ends[-1]) + 1 if len(ends) else 0)
    ends = ends[ends < stop]
    starts = np.concatenate([[0], ends + 1])
    starts = starts[starts < stop]
    return _Records(content[:stop], line + np.searchsorted(breaks, starts), len(ends) < len(breaks), np.zeros(0, dtype=np.int64))


def _parse(records: _Records, delimiter: str, header: list[str], names: list[str]) -> RawBlock:
    skipped: dict[int, str] = {}
    content = _mark_undecodable(STRAY_RETURN.sub(b" ", records.content))
    if len(records.stray):
        return _drop_undecodable(_parse_one_by_one(content, records, delimiter, (header, names)))

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
        return _drop_undecodable(_parse_one_by_one(content, records, delimiter, (header, names)))
    broken = [(int(records.line[number]), text, "row_fields") for number, text in skipped.items()]
    return _drop_undecodable(RawBlock(table, np.delete(records.line, list(skipped)), broken))


def _parse_one_by_one(content: bytes, records: _Records, delimiter: str, columns: tuple[list[str], list[str]]) -> RawBlock:
    """What a block with stray quotes holds, record by record: of all columns the wanted ones."""
    header, names = columns
    texts = content.decode().split("\n")
    stray = set(records.stray.tolist())
    broken: list[tuple[int, str, str]] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    edges = (records.line - records.line[0]).tolist()
    for line, begin, end in zip(records.line.tolist(), edges, [*edges[1:], len(texts)], strict=True):
        text = "\n".join(texts[begin:end]).rstrip("\r\n")
        fields = next(csv.reader(io.StringIO(text), delimiter=delimiter), [])
        if line not in stray and len(fields) == len(header):
            rows.append(fields)
            lines.append(line)
        else:
            broken.append((line, text, "row_quote" if line in stray else "row_fields"))
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
