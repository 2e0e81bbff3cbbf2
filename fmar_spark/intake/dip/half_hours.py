"""Reads the half-hours of many day blocks into arrays, and notes what cannot be read."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fmar_spark.intake.dip.fast_half_hours import (
    DATE_BYTES,
    LABEL_BYTES,
    LABELS,
    NO_DAY,
    SUFFIX_OF_FORMAT,
    UNIX_DAY,
    Format,
    Template,
    parse_iso_day,
    read_alike,
)
from fmar_spark.intake.dip.files import MESSAGE_MALFORMED, MESSAGE_TOO_DEEP
from fmar_spark.intake.dip.rules import FaultLog, Rule
from fmar_spark.intake.dip.structs import Period

Ints = NDArray[np.int64]
ACTUAL: Final = ("A", "A1", "A2", "A3")
ADJUSTED: Final = ("AAE1", "AAE2", "AAE3")
ZERO_ESTIMATES: Final = ("ZE", "ZE1", "ZE2", "ZE3")
QUALITIES: Final = (
    *ACTUAL,
    *ADJUSTED,
    *ZERO_ESTIMATES,
    "E",
    *(f"E{number}" for number in range(10)),
    *(f"EAE{number}" for number in range(1, 4)),
    *(f"EA{number}" for number in range(1, 14)),
)
NO_REASON, BAD_REASON = -1, -2
_PLACE_OF_TIME: Final = {
    label + SUFFIX_OF_FORMAT[written]: (place, int(written), NO_DAY)
    for written in (Format.TIME, Format.TIME_Z)
    for place, label in enumerate(LABELS)
}
_CODE_OF_QUALITY: Final = {quality: code for code, quality in enumerate(QUALITIES)}
_CODE_OF_REASON: Final[dict[object, int]] = {None: NO_REASON, "": NO_REASON} | {
    key: code for code in range(1, 11) for key in (code, str(code))
}
_DECIMAL: Final = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]Z?")
_STAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][+-][0-9]{2}:[0-9]{2}")
_UNREAD: Final = (-1, -1, NO_DAY)
_HALF_HOUR: Final = timedelta(minutes=30)
_read_periods: Final = msgspec.json.Decoder(list[Period]).decode
_read_period: Final = msgspec.json.Decoder(Period).decode


class HalfHours(NamedTuple):
    """The half-hours of all blocks one after another."""

    length: Ints
    """Half-hours of each block, shape (blocks,)."""
    place: Ints
    """Index of the label in ``LABELS``, shape (half-hours,); -1 = no half-hour."""
    format: NDArray[np.int8]
    """How the label is written, one of ``Format``; -1 = no half-hour."""
    day: Ints
    """Days since 1970-01-01 of the UTC date in the label, ``NO_DAY`` where it has none."""
    kwh: NDArray[np.float64]
    """NaN = no number."""
    quality: NDArray[np.int8]
    """Index into ``QUALITIES``; -1 = unknown."""
    reason: NDArray[np.int8]
    """DIP estimation reason; -1 = none, -2 = unknown."""
    amendment: dict[int, str]
    """Amendment codes of the half-hours that have one."""


def read_half_hours(texts: list[tuple[int, bytes]], faults: FaultLog) -> HalfHours:
    """Every half-hour of the blocks, in order; what cannot be read is noted in ``faults``.

    Args:
        texts: (message, JSON array of half-hours).
        faults: gains the rules that are broken.
    """
    alike = read_alike([text for _, text in texts], find_template)
    slow = decode_half_hours([texts[block] for block in np.flatnonzero(~alike.is_read).tolist()], faults)
    length = alike.length.copy()
    length[~alike.is_read] = slow.length
    is_alike = np.repeat(alike.is_read, length)
    read = np.repeat(alike.is_read, alike.length)
    found = HalfHours(
        length=length,
        place=np.empty(len(is_alike), dtype=np.int64),
        format=np.empty(len(is_alike), dtype=np.int8),
        day=np.empty(len(is_alike), dtype=np.int64),
        kwh=np.empty(len(is_alike)),
        quality=np.empty(len(is_alike), dtype=np.int8),
        reason=np.empty(len(is_alike), dtype=np.int8),
        amendment=dict(zip(np.flatnonzero(~is_alike)[list(slow.amendment)].tolist(), slow.amendment.values(), strict=True)),
    )
    found.place[is_alike], found.place[~is_alike] = alike.place[read], slow.place
    found.format[is_alike], found.format[~is_alike] = alike.format[read], slow.format
    found.day[is_alike], found.day[~is_alike] = alike.day[read], slow.day
    found.kwh[is_alike], found.kwh[~is_alike] = alike.kwh[read], slow.kwh
    found.quality[is_alike], found.quality[~is_alike] = alike.quality[read], slow.quality
    found.reason[is_alike], found.reason[~is_alike] = alike.reason[read], slow.reason
    return found


def parse_decimals(texts: list[str]) -> NDArray[np.float64]:
    """Each text as a number, NaN where it is none: digits, at most one point, perhaps a minus sign before them.

    Zero has no sign. What is true of a text does not depend on the others.
    """
    try:
        if "".join(texts).strip("0123456789.-"):
            raise pa.ArrowInvalid("other letters")
        parsed = pa.array(texts, pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        parsed = np.asarray([float(text) if _DECIMAL.fullmatch(text) else np.nan for text in texts], dtype=np.float64)
    kwh: NDArray[np.float64] = parsed + 0.0
    return kwh


def find_template(text: bytes) -> Template | None:
    """How a half-hour is written; None where its label or value could stand at more than one place, or anything is odd."""
    try:
        period = _read_period(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    quality, reason = _CODE_OF_QUALITY.get(period.q, -1), _CODE_OF_REASON.get(period.e, BAD_REASON)
    label, value = f'"{period.sp}"'.encode(), f'"{period.v}"'.encode()
    written = _find_format(period.sp)
    if quality < 0 or reason == BAD_REASON or period.arc is not None or written is None:
        return None
    if text.count(label) != 1 or text.count(value) != 1 or label == value or text.index(label) > text.index(value):
        return None
    head, _, rest = text.partition(label)
    middle, _, tail = rest.partition(value)
    return Template(head + b'"', SUFFIX_OF_FORMAT[written].encode() + b'"' + middle + b'"', b'"' + tail, quality, reason, written)


def _find_format(label: str) -> Format | None:
    """How the label is written; None of what is no half-hour, or whose text is longer than its parts."""
    if label in _PLACE_OF_TIME:
        return Format(_PLACE_OF_TIME[label][1])
    clock, suffix = label[DATE_BYTES : DATE_BYTES + LABEL_BYTES], label[DATE_BYTES + LABEL_BYTES :]
    is_stamp = suffix == SUFFIX_OF_FORMAT[Format.STAMP] and clock in _PLACE_OF_TIME and label[DATE_BYTES - 1 : DATE_BYTES] == "T"
    return Format.STAMP if is_stamp and parse_iso_day(label[: DATE_BYTES - 1]) != NO_DAY else None


VALUE_MALFORMED: Final = Rule("value_malformed", "An energy is no decimal number.")
QUALITY_UNKNOWN: Final = Rule("quality_unknown", "The quality code is not on the industry's list.")
REASON_UNKNOWN: Final = Rule("reason_unknown", "The estimation reason is not 1 to 10.")


def decode_half_hours(texts: list[tuple[int, bytes]], faults: FaultLog) -> HalfHours:
    """The half-hours of the blocks by way of the JSON decoder."""
    blocks = [_decode_block(message, text, faults) for message, text in texts]
    length = np.asarray([len(block) for block in blocks], dtype=np.int64)
    message = np.repeat(np.asarray([message for message, _ in texts], dtype=np.int64), length)
    periods = [period for block in blocks for period in block]
    amendment = {at: str(period.arc) for at, period in enumerate(periods) if period.arc not in (None, "")}
    place, written, day = _read_labels([period.sp for period in periods], message, faults)
    values = [period.v for period in periods]
    kwh = parse_decimals(values)
    faults.note_all(VALUE_MALFORMED, ~np.isfinite(kwh), message, values)
    qualities = [period.q for period in periods]
    quality = np.fromiter(map(_CODE_OF_QUALITY.get, qualities, repeat(-1)), dtype=np.int8, count=len(periods))
    faults.note_all(QUALITY_UNKNOWN, quality < 0, message, qualities)
    reasons = [period.e for period in periods]
    reason = np.fromiter(map(_CODE_OF_REASON.get, reasons, repeat(BAD_REASON)), dtype=np.int8, count=len(periods))
    faults.note_all(REASON_UNKNOWN, reason == BAD_REASON, message, reasons)
    return HalfHours(length, place, written.astype(np.int8), day, kwh, quality, reason, amendment)


def _decode_block(message: int, text: bytes, faults: FaultLog) -> list[Period]:
    try:
        return _read_periods(text)
    except RecursionError:
        faults.note(message, MESSAGE_TOO_DEEP, "brackets nested too deep to decode")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        faults.note(message, MESSAGE_MALFORMED, f"consumptionPeriods: {error}")
    return []


PERIOD_MISALIGNED: Final = Rule("ecs_1005_period_misaligned", "A period does not begin and end on the half-hour.", "1005")
PERIOD_OUTSIDE_DAY: Final = Rule("period_outside_day", "A period is named neither by a time of its UTC day nor by a full stamp.")
LABEL_RULES: Final = (PERIOD_MISALIGNED, PERIOD_OUTSIDE_DAY)


def _read_labels(labels: list[str], message: Ints, faults: FaultLog) -> tuple[Ints, Ints, Ints]:
    """Place, format and day of each label."""
    found = [_PLACE_OF_TIME.get(label) or _read_stamp(label) for label in labels]
    for at, (place, _, _) in enumerate(found):
        if place < 0:
            is_time = _CLOCK.fullmatch(labels[at]) or _parse_stamp(labels[at])
            rule = PERIOD_MISALIGNED if is_time else PERIOD_OUTSIDE_DAY
            faults.note(int(message[at]), rule, f"{labels[at]!r} found")
    columns = np.asarray(found, dtype=np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _read_stamp(label: str) -> tuple[int, int, int]:
    """Place, format and UTC day of a full stamp on the half-hour."""
    at = _parse_stamp(label)
    if at is None:
        return _UNREAD
    midnight = at.replace(hour=0, minute=0, second=0)
    place, off = divmod(at - midnight, _HALF_HOUR)
    return _UNREAD if off else (place, int(Format.STAMP), at.toordinal() - UNIX_DAY)


@lru_cache(maxsize=4096)
def _parse_stamp(label: str) -> datetime | None:
    """The UTC time of ``2026-03-01T00:30:00+00:00``, whatever its offset; None of any other text."""
    if not _STAMP.fullmatch(label):
        return None
    try:
        return datetime.fromisoformat(label).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
