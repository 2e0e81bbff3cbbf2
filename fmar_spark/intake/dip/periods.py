"""Judges the half-hours of many consumption messages at once and lays them out as UTC days of 48 slots."""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.intake.dip.alike import LABELS, NO_DAY, parse_iso_day
from fmar_spark.intake.dip.faults import FaultLog
from fmar_spark.intake.dip.half_hours import ACTUAL, ADJUSTED, NO_REASON, QUALITIES, ZERO_ESTIMATES, HalfHours, read_half_hours
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.intake.dip.structs import DayBlock
from fmar_spark.kernels.plausible import is_error_code

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
FIRST_ESTIMATE: Final = len(ACTUAL) + len(ADJUSTED)
"""Codes from here on are estimates, which need a reason."""
ZERO_CODES: Final = range(FIRST_ESTIMATE, FIRST_ESTIMATE + len(ZERO_ESTIMATES))
DE_ENERGISED, DISCONNECTED, AMENDED = 7, 8, 9


class DayMatrix(NamedTuple):
    """UTC days of many messages: one row a day, ordered by message and day; 48 slots by their start."""

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
    amendment: dict[int, str]
    """Amendment codes of the messages that have some, as one text."""
    has_error_code: frozenset[int]
    """Messages of which a half-hour counts as unread, because its energy is a meter's error code."""


class _Placed(NamedTuple):
    """Half-hours, each with its message, its block, the row of its day and the slot; shape (half-hours,)."""

    message: Ints
    block: Ints
    row: Ints
    slot: Ints
    told: HalfHours


def lay_out_days(blocks: list[tuple[int, DayBlock]], rules: DecodeRules, faults: FaultLog) -> DayMatrix:
    """Every told half-hour in its slot; broken rules are noted in ``faults``, message by message.

    Args:
        blocks: (message, day block), ordered by message.
        rules: what a user may set.
        faults: gains the rules that are broken; what the rows of such messages hold means nothing.
    """
    message = np.asarray([message for message, _ in blocks], dtype=np.int64)
    told = read_half_hours([(message, block.periods) for message, block in blocks], faults)
    _judge_blocks(blocks, told.length, faults)
    row_of_block, row_message, row_day = _assign_rows(blocks, faults)
    block = np.repeat(np.arange(len(blocks)), told.length)
    slot = _find_slots(told.place, block, message, rules, faults)
    placed = _Placed(message[block], block, row_of_block[block], slot, told)
    _judge_labels(placed, row_day, rules, faults)
    faults.note_all("ecs_1010_negative", told.kwh < 0, placed.message, told.kwh)
    faults.note_all("ecs_1012_above_maximum", np.isfinite(told.kwh) & (told.kwh > rules.max_kwh_per_slot), placed.message, told.kwh)
    _judge_estimates(placed, faults)
    _judge_repeats(placed, faults)
    shape = (len(row_message), SLOTS_PER_DAY)
    kwh, quality, reason = np.full(shape, np.nan), np.full(shape, -1, dtype=np.int8), np.full(shape, NO_REASON, dtype=np.int8)
    is_code = is_error_code(told.kwh)
    read = ~is_code
    where = (placed.row[read], slot[read])
    kwh[where], quality[where], reason[where] = told.kwh[read], told.quality[read], told.reason[read]
    order = np.lexsort((row_day, row_message))
    amendments, coded = _tell_amendments(placed, row_day), frozenset(placed.message[is_code].tolist())
    return DayMatrix(row_message[order], row_day[order], kwh[order], quality[order], reason[order], amendments, coded)


@lru_cache(maxsize=4096)
def parse_settlement_day(text: str) -> tuple[int, str | None]:
    """Days since 1970-01-01, and the rule that the text breaks, if it does."""
    day = parse_iso_day(text[:10])
    if day == NO_DAY:
        return 0, "day_malformed"
    clock_text = text[10:]
    if clock_text in ("", "T00:00:00+00:00"):
        return day, None
    is_time = len(text) == 25 and clock_text[0] == "T"
    return day, "ecs_1014_day_not_midnight" if is_time else "day_malformed"


def _judge_blocks(blocks: list[tuple[int, DayBlock]], length: Ints, faults: FaultLog) -> None:
    for (message, block), periods in zip(blocks, length.tolist(), strict=True):
        if block.day.duration_minutes != 30:
            faults.note(message, "ecs_1004_duration", f"{block.day.duration_minutes} minutes found, 30 wanted")
        if not 1 <= periods <= SLOTS_PER_DAY:
            faults.note(message, "period_count", f"{periods} periods of a day found, 1 to 48 wanted")


def _assign_rows(blocks: list[tuple[int, DayBlock]], faults: FaultLog) -> tuple[Ints, Ints, Ints]:
    """Day row of each block, and message and day of each row; two blocks of one message and day share a row."""
    row_of: dict[tuple[int, int], int] = {}
    rows = np.empty(len(blocks), dtype=np.int64)
    for at, (message, block) in enumerate(blocks):
        day, broken = parse_settlement_day(block.day.date)
        if broken:
            faults.note(message, broken, f"{block.day.date!r} found")
        rows[at] = row_of.setdefault((message, day), len(row_of))
    keys = np.asarray(list(row_of), dtype=np.int64).reshape(-1, 2)
    return rows, keys[:, 0], keys[:, 1]


def _find_slots(place: Ints, block: Ints, message: Ints, rules: DecodeRules, faults: FaultLog) -> Ints:
    """Slot by its start; slot 0 where the label is refused."""
    as_end = (place - 1) % SLOTS_PER_DAY
    told, other = (as_end, place) if rules.period_label == "end" else (place, as_end)
    contradicts = ~_ascends(told, block, len(message)) & _ascends(other, block, len(message))
    for at in np.flatnonzero(contradicts).tolist():
        reason = f"periods in the order of the other label found, ingest.period_label is {rules.period_label}"
        faults.note(int(message[at]), "period_label_mixed", reason)
    slot: Ints = np.where(place < 0, 0, told)
    return slot


def _judge_labels(placed: _Placed, row_day: Ints, rules: DecodeRules, faults: FaultLog) -> None:
    """One format of labels a message, and full stamps of the settlement day under which they stand."""
    told = placed.told
    is_other = np.zeros(len(told.format), dtype=np.bool_)
    is_other[1:] = (told.format[1:] != told.format[:-1]) & (placed.message[1:] == placed.message[:-1])
    dated = np.flatnonzero(told.day != NO_DAY)
    halves = (told.day[dated] - row_day[placed.row[dated]]) * SLOTS_PER_DAY + told.place[dated] - (rules.period_label == "end")
    elsewhere = dated[(halves < 0) | (halves >= SLOTS_PER_DAY)]
    for at in np.flatnonzero(is_other).tolist():
        faults.note(int(placed.message[at]), "period_format_mixed", f"{LABELS[told.place[at]]} is written unlike the period before it")
    for at in elsewhere.tolist():
        date, day = np.asarray([told.day[at], row_day[placed.row[at]]]).astype("datetime64[D]").astype(str).tolist()
        reason = f"{LABELS[told.place[at]]} of {date} found under {day}, ingest.period_label is {rules.period_label}"
        faults.note(int(placed.message[at]), "period_against_day", reason)


def _ascends(slot: Ints, block: Ints, blocks: int) -> Mask:
    """Whether the slots of each block ascend strictly."""
    falls = (np.diff(slot) <= 0) & (np.diff(block) == 0)
    ascends: Mask = np.bincount(block[1:][falls], minlength=blocks) == 0
    return ascends


def _judge_estimates(placed: _Placed, faults: FaultLog) -> None:
    """Rules about quality, reason and value together."""
    told = placed.told
    is_estimate, is_something = told.quality >= FIRST_ESTIMATE, told.kwh != 0
    if not is_estimate.any() and (told.reason == NO_REASON).all():
        return
    is_zero = (told.quality >= ZERO_CODES.start) & (told.quality < ZERO_CODES.stop)
    is_off = (told.reason == DE_ENERGISED) | (told.reason == DISCONNECTED)
    is_named = np.zeros(len(told.kwh), dtype=np.bool_)
    is_named[list(told.amendment)] = True
    broken = (
        ("ecs_1011_zero_not_zero", is_zero & is_something),
        ("ecs_1008_estimated_de_energised", is_estimate & is_off & is_something),
        ("ecs_1009_mpan_status", ~is_estimate & (told.reason == DISCONNECTED) & is_something),
        ("ecs_1015_reason_missing", is_estimate & (told.reason == NO_REASON)),
        ("ecs_1016_amendment_missing", (told.reason == AMENDED) & ~is_named),
    )
    for rule, bad in broken:
        for at in np.flatnonzero(bad).tolist():
            said = f"quality {QUALITIES[told.quality[at]]}, reason {told.reason[at]}, {told.kwh[at]:.3f} at {LABELS[told.place[at]]} found"
            faults.note(int(placed.message[at]), rule, said)


def _judge_repeats(placed: _Placed, faults: FaultLog) -> None:
    """A slot that is told twice: within one block, or by two blocks of the message."""
    where = placed.row * SLOTS_PER_DAY + placed.slot
    if (np.diff(where) > 0).all():
        return
    order = np.argsort(where, kind="stable")
    is_again = np.zeros(len(where), dtype=np.bool_)
    is_again[order[1:]] = where[order[1:]] == where[order[:-1]]
    is_same_block = np.zeros(len(where), dtype=np.bool_)
    is_same_block[order[1:]] = placed.block[order[1:]] == placed.block[order[:-1]]
    labels = [LABELS[place] for place in placed.told.place.tolist()]
    faults.note_all("ecs_1006_period_twice", is_again & is_same_block, placed.message, labels)
    faults.note_all("ecs_1007_overlap", is_again & ~is_same_block, placed.message, labels)


def _tell_amendments(placed: _Placed, row_day: Ints) -> dict[int, str]:
    found: dict[int, list[str]] = {}
    for at, code in placed.told.amendment.items():
        found.setdefault(int(placed.message[at]), []).append(f"{row_day[placed.row[at]]}:{placed.slot[at]}:{code}")
    return {message: ",".join(sorted(parts)) for message, parts in found.items()}
