"""Divides CSV into records; a quote that is never closed, or whose closing would take whole rows with it, opens nothing."""

import re
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_QUOTED_BYTES: Final = 128 * 1024
"""A longer field in quotes is none: a quote was left open (the csv module of Python has the same limit)."""
_QUOTED: Final = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_QUOTE, _NEWLINE, _RETURN = 34, 10, 13
Ints = NDArray[np.int64]


class Division(NamedTuple):
    """Records at the beginning of some content."""

    start_line: Ints
    """Line on which each record begins, 0 = the first of the content."""
    stray: Ints
    """Of these, the lines that leave a quote open: each is a record of its own, and broken."""
    stop: int
    """Bytes up to the end of the last record."""


class _Record(NamedTuple):
    end: int
    """The byte after its line break; that of the content where it has none."""
    fields: int
    is_ended: bool
    """Whether a line break ends it."""


def is_regular(content: bytes, delimiter: str, fields: int, *, is_last: bool) -> bool:
    """Whether counting quotes divides the content rightly: each opens or closes a whole field, and no field takes rows with it."""
    codes = np.frombuffer(content, dtype=np.uint8)
    quotes = np.flatnonzero(codes == _QUOTE)
    beside = np.array([ord(delimiter), _NEWLINE, _RETURN, _QUOTE], dtype=np.uint8)
    opening, closing = quotes[::2], quotes[1::2]
    if not np.isin(codes[opening[opening > 0] - 1], beside).all():
        return False
    if not np.isin(codes[closing[closing < len(codes) - 1] + 1], beside).all():
        return False
    if len(quotes) % 2 and (is_last or len(codes) - quotes[-1] > MOST_QUOTED_BYTES):
        return False
    breaks = np.flatnonzero(codes == _NEWLINE)
    is_within = np.searchsorted(quotes, breaks) % 2 == 1
    if not is_within.any():
        return True
    marks = np.searchsorted(np.flatnonzero(codes == ord(delimiter)), np.concatenate([[0], breaks]))
    is_row = np.diff(marks) >= fields - 1
    goes_on = is_within[1:] & is_within[:-1]
    return not (is_row[1:] & goes_on).any() and not _has_rows_at_both_ends(is_within, is_row)


def _has_rows_at_both_ends(is_within: NDArray[np.bool_], is_row: NDArray[np.bool_]) -> bool:
    """Whether some record over lines begins and ends with lines that would be rows by themselves, fields in quotes counted roughly."""
    first = np.flatnonzero(is_within & ~np.concatenate([[False], is_within[:-1]]))
    last = np.flatnonzero(~is_within & np.concatenate([[False], is_within[:-1]]))
    both = min(len(first), len(last))
    return bool((is_row[first[:both]] & is_row[last[:both]]).any())


def divide(content: bytes, delimiter: str, fields: int, *, is_last: bool) -> Division:
    """The records at the beginning of some content that begins with a record, line by line.

    A field in quotes may go over lines where its quote is closed before a delimiter or line break, the record has the fields of the
    heading, and neither an inner line without quotes nor both its first and last have as many: those are rows, behind a stray quote.
    Such a line is broken by itself, and the next line begins a record.
    """
    starts, stray = list[int](), list[int]()
    at = line = 0
    while at < len(content):
        record = read_record(content, at, delimiter)
        is_ended = record.is_ended if record is not None else len(content) - at > MOST_QUOTED_BYTES
        if not is_last and not is_ended:
            break
        starts.append(line)
        if record is not None and _is_whole(content[at : record.end], record.fields, delimiter, fields):
            line += content.count(b"\n", at, record.end - 1) + 1
            at = record.end
        else:
            stray.append(line)
            line, at = line + 1, content.find(b"\n", at) + 1 or len(content)
    return Division(np.asarray(starts, dtype=np.int64), np.asarray(stray, dtype=np.int64), at)


def read_record(content: bytes, start: int, delimiters: str) -> _Record | None:
    """The record that begins at a byte; None where one of its quotes is left open, or closed within a text of another line."""
    at, fields = start, 1
    while True:
        end = at
        if content[at : at + 1] == b'"':
            quoted = _QUOTED.match(content, at, at + MOST_QUOTED_BYTES)
            if quoted is None:
                return None
            end = quoted.end()
            if b"\n" in quoted.group() and content[end : _find_plain_end(content, end, delimiters)].strip():
                return None
        at = _find_plain_end(content, end, delimiters)
        if at >= len(content):
            return _Record(at, fields, False)
        if content[at] == _NEWLINE:
            return _Record(at + 1, fields, True)
        at, fields = at + 1, fields + 1


def _is_whole(record: bytes, found: int, delimiter: str, fields: int) -> bool:
    """Whether a record is on one line, or has the fields of the heading and takes no rows with it."""
    return b"\n" not in record[:-1] or (found == fields and not takes_rows(record, delimiter, fields))


def takes_rows(record: bytes, delimiter: str, fields: int) -> bool:
    """Whether a record over lines has rows in its quotes: as many fields as the heading in an inner line, or in both its first and last."""
    lines = record.removesuffix(b"\n").split(b"\n")
    is_row = [_count_fields(line, delimiter) == fields for line in lines]
    has_inner = any(is_full and b'"' not in line for is_full, line in zip(is_row[1:-1], lines[1:-1], strict=True))
    return fields > 1 and len(lines) > 1 and (has_inner or (is_row[0] and is_row[-1]))


def _count_fields(line: bytes, delimiter: str) -> int:
    """Fields of a line by itself, where a quote that is not closed on it is a letter."""
    at, fields = 0, 1
    while at < len(line):
        quoted = _QUOTED.match(line, at)
        at = _find_plain_end(line, at if quoted is None else quoted.end(), delimiter) + 1
        fields += at <= len(line)
    return fields


def _find_plain_end(content: bytes, at: int, delimiters: str) -> int:
    """Where the next delimiter or line break stands, or the end."""
    found = re.compile(b"[" + re.escape(delimiters.encode()) + rb"\n]").search(content, at)
    return len(content) if found is None else found.start()
