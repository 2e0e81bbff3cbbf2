"""The fast path: reads half-hours that are written alike straight from the JSON text, many messages at a time.

Nearly all half-hours of a file differ from the first one in their label and value only. Where that is so, both are found by
their place in the text, without an object for each half-hour. Whatever differs in anything else is left to the JSON decoder of
``half_hours``: what is read here is what the decoder would read, in a twentieth of the time.
"""

import re
from collections.abc import Callable
from datetime import date
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.units import WATT_HOURS_PER_KWH

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]

MAX_TEMPLATES: Final = 4
"""How many ways of writing a half-hour are tried in one text."""
WORD: Final = 8
LABELS: Final = tuple(f"{hour:02d}:{minute}" for hour in range(24) for minute in ("00", "30"))
LABEL_BYTES: Final = 5
DATE_BYTES: Final = len("2026-03-01T")
UNIX_DAY: Final = date(1970, 1, 1).toordinal()
NO_DAY: Final = np.iinfo(np.int64).min
"""Stands for the date of a label that has none."""
VALUE_BYTES: Final = range(len("0.000"), len("0000.000") + 1)
OPEN, CLOSE, COMMA, SPACE, BEGIN, END = b"{}, []"
_DAY_MASK: Final = np.uint64(2 ** (8 * (DATE_BYTES - WORD)) - 1)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LABEL_MASK: Final = np.uint64(2 ** (8 * LABEL_BYTES) - 1)
_LABEL_WORDS: Final = np.asarray([int.from_bytes(label.encode(), "little") for label in LABELS], dtype=np.uint64)
_LABEL_ORDER: Final = np.argsort(_LABEL_WORDS)
_SORTED_LABELS: Final = _LABEL_WORDS[_LABEL_ORDER]
_ZEROS: Final = np.uint64(int.from_bytes(b"0" * WORD, "little"))
_ZERO_VALUE: Final = np.uint64(int.from_bytes(b"0000.000", "little"))
_EVERY_BIT: Final = np.uint64(2**64 - 1)
_HIGH_HALVES: Final = np.uint64(0xF0F0F0F0F0F0F0F0)
_PAST_NINE: Final = np.uint64(0x7676767676767676)
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_POINT: Final = np.uint64(0xFF << 32)
_WORTH: Final = ((0, 1_000_000), (1, 100_000), (2, 10_000), (3, 1_000), (5, 100), (6, 10), (7, 1))
"""Each digit's byte in the word ``dddd.ddd``, and its worth in watt-hours."""


class Format(IntEnum):
    """How a half-hour's label is written; each holds one of ``LABELS``."""

    TIME = 0
    """``00:30``"""
    TIME_Z = 1
    """``00:30Z``"""
    STAMP = 2
    """``2026-03-01T00:30:00+00:00``"""


SUFFIX_OF_FORMAT: Final = {Format.TIME: "", Format.TIME_Z: "Z", Format.STAMP: ":00+00:00"}
"""What follows the time of day in a label of each format."""


class Template(NamedTuple):
    """How a half-hour is written before its label, between label and value, and after its value, and what else it says.

    The label is the time of day alone; of a full stamp the date stands before it and belongs to neither part.
    """

    head: bytes
    middle: bytes
    tail: bytes
    quality: int
    reason: int
    format: Format = Format.TIME


class Alike(NamedTuple):
    """What was read of some blocks; of blocks that were not read the entries mean nothing."""

    is_read: Mask
    """Whether every half-hour of the block is written like a template, shape (blocks,)."""
    first: Ints
    """First half-hour of each block, shape (blocks,)."""
    length: Ints
    """Half-hours of each block, shape (blocks,)."""
    place: Ints
    """Index into ``LABELS``, shape (half-hours,)."""
    format: NDArray[np.int8]
    """One of ``Format``."""
    day: Ints
    """Days since 1970-01-01 of a full stamp's date, else ``NO_DAY``."""
    kwh: NDArray[np.float64]
    quality: NDArray[np.int8]
    reason: NDArray[np.int8]


TemplateReader = Callable[[bytes], Template | None]
"""Decodes the text of one half-hour into the way that it is written, None where that cannot be said."""


class _Text(NamedTuple):
    """The texts of all blocks one after another, and the braces in them."""

    text: bytes
    letters: NDArray[np.uint8]
    words: Words
    """The eight bytes that begin at each place."""
    opening: Ints
    closing: Ints


def read_alike(blocks: list[bytes], read_template: TemplateReader) -> Alike:
    """The half-hours of blocks that are JSON arrays of objects, where these are written alike.

    Args:
        blocks: valid JSON arrays.
        read_template: called with the text of a half-hour unlike all before it.
    """
    text = _join(blocks)
    end = np.cumsum([len(block) for block in blocks], dtype=np.int64)
    start = end - np.asarray([len(block) for block in blocks], dtype=np.int64)
    first, past = np.searchsorted(text.opening, start), np.searchsorted(text.opening, end)
    halves = len(text.opening)
    found = Alike(
        is_read=np.zeros(len(blocks), dtype=np.bool_),
        first=first,
        length=past - first,
        place=np.full(halves, -1, dtype=np.int64),
        format=np.full(halves, -1, dtype=np.int8),
        day=np.full(halves, NO_DAY, dtype=np.int64),
        kwh=np.full(halves, np.nan),
        quality=np.full(halves, -1, dtype=np.int8),
        reason=np.full(halves, -1, dtype=np.int8),
    )
    if not halves or halves != len(text.closing):
        return found
    is_ordered = _are_plain_objects(text, start, end, first, past)
    left = np.flatnonzero(is_ordered)
    for _ in range(MAX_TEMPLATES):
        if not len(left):
            break
        template = read_template(text.text[text.opening[left[0]] : text.closing[left[0]] + 1])
        if template is not None:
            _fill(found, text, left, template)
        is_new = found.place[left] < 0
        is_new[0] = False
        left = left[is_new]
    is_done = np.concatenate([[0], np.cumsum(found.place >= 0)])
    found.is_read[:] = (found.length > 0) & (is_done[past] - is_done[first] == found.length)
    return found


def _join(blocks: list[bytes]) -> _Text:
    text = b"".join([*blocks, bytes(WORD)])
    letters = np.frombuffer(text, dtype=np.uint8)
    words: Words = np.ndarray(shape=(len(text) - WORD + 1,), dtype=np.uint64, buffer=text, strides=(1,))
    return _Text(text, letters, words, np.flatnonzero(letters == OPEN), np.flatnonzero(letters == CLOSE))


def _are_plain_objects(text: _Text, start: Ints, end: Ints, first: Ints, past: Ints) -> Mask:
    """Whether each half-hour is an object without braces in it, between the bracket or comma before it and the one after it.

    All of a block or none: what stands between the objects of a valid array is then nothing but commas.
    """
    gap = text.opening[1:] - text.closing[:-1]
    after = text.letters[text.closing + 1]
    is_close = (gap == 2) | ((gap == 3) & (text.letters[text.closing[:-1] + 2] == SPACE))
    follows = np.concatenate([[True], is_close & (after[:-1] == COMMA)])
    is_first = np.zeros(len(text.opening), dtype=np.bool_)
    has_some = past > first
    is_first[first[has_some]] = True
    is_fine = (text.opening < text.closing) & (is_first | follows)
    fine = np.concatenate([[0], np.cumsum(is_fine)])
    is_whole = has_some & (fine[past] - fine[first] == past - first)
    inside = np.where(has_some, first, 0), np.where(has_some, past - 1, 0)
    is_whole &= (text.opening[inside[0]] == start + 1) & (text.closing[inside[1]] == end - 2)
    whole: Mask = np.repeat(is_whole, past - first)
    return whole


def _fill(found: Alike, text: _Text, which: Ints, template: Template) -> None:
    """Read those of the half-hours that are written like the template."""
    opening, closing = text.opening[which], text.closing[which]
    label = opening + len(template.head) + (DATE_BYTES if template.format == Format.STAMP else 0)
    value = label + LABEL_BYTES + len(template.middle)
    past = closing + 1 - len(template.tail)
    size = past - value
    fits = (size >= VALUE_BYTES.start) & (size < VALUE_BYTES.stop)
    which, opening, label, past, size = which[fits], opening[fits], label[fits], past[fits], size[fits]
    is_like = _matches(text.words, opening, template.head)
    is_like &= _matches(text.words, label + LABEL_BYTES, template.middle)
    is_like &= _matches(text.words, past, template.tail)
    word = text.words[label] & _LABEL_MASK
    rank = np.minimum(np.searchsorted(_SORTED_LABELS, word), len(LABELS) - 1)
    is_like &= _SORTED_LABELS[rank] == word
    watt_hours, is_number = _read_digits(text.words[past - WORD], size)
    is_like &= is_number
    if template.format == Format.STAMP:
        day = _read_days(text.words, label - DATE_BYTES)
        is_like &= day != NO_DAY
        found.day[which[is_like]] = day[is_like]
    read = which[is_like]
    found.format[read] = template.format
    found.place[read] = _LABEL_ORDER[rank[is_like]]
    found.kwh[read] = watt_hours[is_like] / WATT_HOURS_PER_KWH
    found.quality[read] = template.quality
    found.reason[read] = template.reason


def _read_days(words: Words, at: Ints) -> Ints:
    """The date ``2026-03-01T`` at each place as days since 1970-01-01, ``NO_DAY`` where there is none.

    Neighbours mostly have the same one, so that each run of equal dates is parsed once.
    """
    if not len(at):
        return np.zeros(0, dtype=np.int64)
    head, tail = words[at], words[at + WORD] & _DAY_MASK
    is_new = np.concatenate([[True], (head[1:] != head[:-1]) | (tail[1:] != tail[:-1])])
    first = np.flatnonzero(is_new)
    parsed = [_parse_day(*pair) for pair in zip(head[first].tolist(), tail[first].tolist(), strict=True)]
    days: Ints = np.repeat(np.asarray(parsed, dtype=np.int64), np.diff(np.append(first, len(at))))
    return days


@lru_cache(maxsize=4096)
def _parse_day(head: int, tail: int) -> int:
    text = head.to_bytes(WORD, "little") + tail.to_bytes(DATE_BYTES - WORD, "little")
    return parse_iso_day(text[:-1].decode("latin-1")) if text.endswith(b"T") else NO_DAY


def parse_iso_day(text: str) -> int:
    """Days since 1970-01-01 of ``2026-03-01``, ``NO_DAY`` of any other text."""
    if not _DATE.fullmatch(text):
        return NO_DAY
    try:
        return date.fromisoformat(text).toordinal() - UNIX_DAY
    except ValueError:
        return NO_DAY


def _matches(words: Words, at: Ints, pattern: bytes) -> Mask:
    """Whether the pattern stands at each place."""
    is_like = np.ones(len(at), dtype=np.bool_)
    for offset in range(0, len(pattern), WORD):
        part = pattern[offset : offset + WORD]
        mask = np.uint64(2 ** (8 * len(part)) - 1)
        is_like &= words[at + offset] & mask == np.uint64(int.from_bytes(part, "little"))
    return is_like


def _read_digits(word: Words, size: Ints) -> tuple[Ints, Mask]:
    """Watt-hours of values that end with the word, and whether they are digits with a point before the last three."""
    unused = (8 * (WORD - size)).astype(np.uint64)
    is_used = _EVERY_BIT << unused
    off = ((word & is_used) | (_ZEROS & ~is_used)) ^ _ZERO_VALUE
    is_number: Mask = ((off & _HIGH_HALVES) | ((off + _PAST_NINE) & _HIGH_BITS) | (off & _POINT)) == 0
    watt_hours = np.zeros(len(word), dtype=np.uint64)
    for byte, worth in _WORTH:
        watt_hours += ((off >> np.uint64(8 * byte)) & np.uint64(0xF)) * np.uint64(worth)
    return watt_hours.astype(np.int64), is_number
