"""Judges the half-hours of many consumption messages at once and lays them out as UTC days of 48 slots."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.transforms.dip_rules import ORDER_OF_RULE, DecodeRules
from fmar_spark.transforms.dip_structs import DayBlock, Period

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
LABELS: Final = pa.array([f"{hour:02d}:{minute}" for hour in range(24) for minute in ("00", "30")])
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
QUALITY_CODES: Final = pa.array(QUALITIES)
FIRST_ESTIMATE: Final = len(ACTUAL) + len(ADJUSTED)
"""Codes from here on are estimates, which need a reason."""
ZERO_CODES: Final = range(FIRST_ESTIMATE, FIRST_ESTIMATE + len(ZERO_ESTIMATES))
OPTED_OUT, DE_ENERGISED, DISCONNECTED, AMENDED = 1, 7, 8, 9
NO_REASON, BAD_REASON = -1, -2
REASON_CODES: Final[dict[object, int]] = {None: NO_REASON, "": NO_REASON} | {
    key: code for code in range(1, 11) for key in (code, str(code))
}
MAX_BLOCKS: Final = 200
EPOCH: Final = date(1970, 1, 1).toordinal()


class FaultLog:
    """The first broken rule of every message, in the order of the rules."""

    def __init__(self) -> None:
        """Nothing is broken yet."""
        self.found: dict[int, tuple[str, str]] = {}

    def note(self, message: int, rule: str, reason: str) -> None:
        """Remember that a message broke a rule."""
        known = self.found.get(message)
        if known is None or ORDER_OF_RULE[rule] < ORDER_OF_RULE[known[0]]:
            self.found[message] = (rule, reason)

    def note_all(self, rule: str, bad: Mask, messages: Ints, values: Sequence[object]) -> None:
        """Remember it of every message with a marked entry; ``values`` is what was found, entry by entry."""
        for at in np.flatnonzero(bad).tolist()[::-1]:
            self.note(int(messages[at]), rule, f"{values[at]!r} found")


class DayMatrix(NamedTuple):
    """UTC days of many messages: one row a day, ordered by message; 48 slots by their start."""

    message: Ints
    """Message of each row, shape (days,)."""
    utc_day: Ints
    """Days since 1970-01-01, shape (days,)."""
    kwh: NDArray[np.float64]
    """Shape (days, 48); NaN = not told."""
    quality: NDArray[np.int8]
    """Index into ``QUALITIES``; -1 = not told."""
    reason: NDArray[np.int8]
    """DIP estimation reason; -1 = none."""
    amendment: dict[int, list[str | None]]
    """Amendment codes of the rows that have some."""


class _Blocks(NamedTuple):
    """Day blocks of all messages, and the day row that each belongs to."""

    message: Ints
    row: Ints
    length: Ints


def lay_out_days(blocks: list[tuple[int, DayBlock]], rules: DecodeRules, faults: FaultLog) -> DayMatrix:
    """Every told half-hour in its slot; broken rules are noted in ``faults``, message by message.

    Args:
        blocks: (message, day block), ordered by message.
        rules: what a user may set.
        faults: gains the rules that are broken.
    """
    placed, row_message, row_day = _place_blocks(blocks, faults)
    periods = [period for _, block in blocks for period in block.periods]
    row = np.repeat(placed.row, placed.length)
    message = np.repeat(placed.message, placed.length)
    slot = _read_slots(periods, placed, message, rules, faults)
    kwh = _read_energies(periods, message, rules, faults)
    quality = _read_qualities(periods, message, faults)
    reason = _read_reasons(periods, message, faults)
    _judge_estimates(periods, message, (kwh, quality, reason), faults)
    _judge_repeats(periods, placed, message, row * SLOTS_PER_DAY + slot, slot >= 0, faults)
    days = DayMatrix(
        message=row_message,
        utc_day=row_day,
        kwh=np.full((len(row_message), SLOTS_PER_DAY), np.nan),
        quality=np.full((len(row_message), SLOTS_PER_DAY), -1, dtype=np.int8),
        reason=np.full((len(row_message), SLOTS_PER_DAY), NO_REASON, dtype=np.int8),
        amendment=_read_amendments(periods, row, slot),
    )
    days.kwh[row, slot], days.quality[row, slot], days.reason[row, slot] = kwh, quality, reason
    return days


@lru_cache(maxsize=4096)
def parse_settlement_day(text: str) -> tuple[int, str | None]:
    """Days since 1970-01-01, and the rule that the text breaks, if it does."""
    try:
        day = date.fromisoformat(text[:10]).toordinal() - EPOCH
    except ValueError:
        return 0, "day_malformed"
    clock_text = text[10:]
    if clock_text in ("", "T00:00:00+00:00"):
        return day, None
    is_time = len(text) == 25 and clock_text[0] == "T"
    return day, "ecs_1014_day_not_midnight" if is_time else "day_malformed"


def _place_blocks(blocks: list[tuple[int, DayBlock]], faults: FaultLog) -> tuple[_Blocks, Ints, Ints]:
    """Give each block its day row; two blocks of one message and day share a row."""
    rows: list[int] = []
    row_message: list[int] = []
    row_day: list[int] = []
    of_day: dict[int, int] = {}
    current = -1
    for message, block in blocks:
        day, broken = parse_settlement_day(block.day.date)
        if broken:
            faults.note(message, broken, f"{block.day.date!r} found")
        if block.day.duration_minutes != 30:
            faults.note(message, "ecs_1004_duration", f"{block.day.duration_minutes} minutes found, 30 wanted")
        if not 1 <= len(block.periods) <= SLOTS_PER_DAY:
            faults.note(message, "period_count", f"{len(block.periods)} periods of {block.day.date} found, 1 to 48 wanted")
        if message != current:
            current = message
            of_day.clear()
        if day not in of_day:
            of_day[day] = len(row_day)
            row_message.append(message)
            row_day.append(day)
        rows.append(of_day[day])
    lengths = np.asarray([len(block.periods) for _, block in blocks], dtype=np.int64)
    messages = np.asarray([message for message, _ in blocks], dtype=np.int64)
    placed = _Blocks(messages, np.asarray(rows, dtype=np.int64), lengths)
    return placed, np.asarray(row_message, dtype=np.int64), np.asarray(row_day, dtype=np.int64)


def _read_slots(periods: list[Period], placed: _Blocks, message: Ints, rules: DecodeRules, faults: FaultLog) -> Ints:
    """Slot by its start; slot 0 where the label is refused."""
    labels = [period.sp for period in periods]
    place = pc.fill_null(pc.index_in(pa.array(labels, pa.string()), LABELS), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    for at in np.flatnonzero(place < 0).tolist()[::-1]:
        is_time = len(labels[at]) == 5 and labels[at][:3] + "00" in _FULL_HOURS and labels[at][3:].isdigit() and labels[at][3:] < "60"
        faults.note(int(message[at]), "ecs_1005_period_misaligned" if is_time else "period_outside_day", f"{labels[at]!r} found")
    as_end = (place - 1) % SLOTS_PER_DAY
    told, other = (as_end, place) if rules.period_label == "end" else (place, as_end)
    block = np.repeat(np.arange(len(placed.length)), placed.length)
    contradicts = ~_ascends(told, block, len(placed.length)) & _ascends(other, block, len(placed.length))
    for at in np.flatnonzero(contradicts).tolist()[::-1]:
        reason = f"periods in the order of the other label found, ingest.period_label is {rules.period_label}"
        faults.note(int(placed.message[at]), "period_label_mixed", reason)
    slot: Ints = np.where(place < 0, 0, told)
    return slot


_FULL_HOURS: Final = frozenset(f"{hour:02d}:00" for hour in range(24))


def _ascends(slot: Ints, block: Ints, blocks: int) -> Mask:
    """Whether the slots of each block ascend strictly."""
    falls = (np.diff(slot) <= 0) & (np.diff(block) == 0)
    ascends: Mask = np.bincount(block[1:][falls], minlength=blocks) == 0
    return ascends


def _read_energies(periods: list[Period], message: Ints, rules: DecodeRules, faults: FaultLog) -> NDArray[np.float64]:
    texts = [period.v for period in periods]
    try:
        parsed = pa.array(texts, pa.string()).cast(pa.float64())
    except pa.ArrowInvalid:
        parsed = pa.array([_parse_float(text) for text in texts], pa.float64())
    kwh: NDArray[np.float64] = parsed.to_numpy(zero_copy_only=False)
    faults.note_all("value_malformed", ~np.isfinite(kwh), message, texts)
    faults.note_all("ecs_1010_negative", kwh < 0, message, texts)
    faults.note_all("ecs_1012_above_maximum", np.isfinite(kwh) & (kwh > rules.max_kwh_per_slot), message, texts)
    return kwh


def _parse_float(text: str) -> float:
    try:
        return float(text) if text.isascii() and "_" not in text else np.nan
    except ValueError:
        return np.nan


def _read_qualities(periods: list[Period], message: Ints, faults: FaultLog) -> NDArray[np.int8]:
    texts = [period.q for period in periods]
    found = pc.index_in(pa.array(texts, pa.string()), QUALITY_CODES)
    codes: NDArray[np.int8] = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int8)
    faults.note_all("quality_unknown", codes < 0, message, texts)
    return codes


def _read_reasons(periods: list[Period], message: Ints, faults: FaultLog) -> NDArray[np.int8]:
    told = [period.e for period in periods]
    if set(told) <= {None}:
        return np.full(len(told), NO_REASON, dtype=np.int8)
    codes = np.asarray([REASON_CODES.get(reason, BAD_REASON) for reason in told], dtype=np.int8)
    faults.note_all("reason_unknown", codes == BAD_REASON, message, told)
    return codes


def _judge_estimates(
    periods: list[Period], message: Ints, told: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.int8]], faults: FaultLog
) -> None:
    """Rules about quality, reason and value together."""
    kwh, quality, reason = told
    is_estimate, is_something = quality >= FIRST_ESTIMATE, kwh != 0
    if not is_estimate.any() and (reason == NO_REASON).all():
        return
    is_zero = (quality >= ZERO_CODES.start) & (quality < ZERO_CODES.stop)
    is_off = (reason == DE_ENERGISED) | (reason == DISCONNECTED)
    amended = np.flatnonzero(reason == AMENDED).tolist()
    unnamed = np.zeros(len(kwh), dtype=np.bool_)
    unnamed[[at for at in amended if periods[at].arc is None]] = True
    said = [f"q {period.q}, e {period.e}, v {period.v}" for period in periods]
    faults.note_all("ecs_1011_zero_not_zero", is_zero & is_something, message, said)
    faults.note_all("ecs_1008_estimated_de_energised", is_estimate & is_off & is_something, message, said)
    faults.note_all("ecs_1009_mpan_status", ~is_estimate & (reason == DISCONNECTED) & is_something, message, said)
    faults.note_all("ecs_1015_reason_missing", is_estimate & (reason == NO_REASON), message, said)
    faults.note_all("ecs_1016_amendment_missing", unnamed, message, said)


def _judge_repeats(periods: list[Period], placed: _Blocks, message: Ints, place: Ints, is_known: Mask, faults: FaultLog) -> None:
    """A slot that is told twice: within one block, or by two blocks of the message."""
    order = np.argsort(place, kind="stable")
    again = np.zeros(len(place), dtype=np.bool_)
    again[order[1:]] = (place[order[1:]] == place[order[:-1]]) & is_known[order[1:]]
    if not again.any():
        return
    block = np.repeat(np.arange(len(placed.length)), placed.length)
    same_block = np.zeros(len(place), dtype=np.bool_)
    same_block[order[1:]] = block[order[1:]] == block[order[:-1]]
    labels = [period.sp for period in periods]
    faults.note_all("ecs_1006_period_twice", again & same_block, message, labels)
    faults.note_all("ecs_1007_overlap", again & ~same_block, message, labels)


def _read_amendments(periods: list[Period], row: Ints, slot: Ints) -> dict[int, list[str | None]]:
    found: dict[int, list[str | None]] = {}
    for at, period in enumerate(periods):
        if period.arc is not None:
            found.setdefault(int(row[at]), [None] * SLOTS_PER_DAY)[int(slot[at])] = str(period.arc)
    return found
