"""Checks the consumption blocks of many messages at once and arranges their half-hours as UTC days of 48 slots."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark import clock
from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.domain.words import Quantity
from fmar_spark.intake.dip.fast_half_hours import LABELS, NO_DAY, UNIX_DAY, parse_iso_day
from fmar_spark.intake.dip.half_hours import ACTUAL, ADJUSTED, NO_REASON, QUALITIES, ZERO_ESTIMATES, HalfHours, read_half_hours
from fmar_spark.intake.dip.headers import Headers
from fmar_spark.intake.dip.rules import DecodeRules, FaultLog, Rule, write_limits
from fmar_spark.intake.dip.structs import Consumption, CustomBlock, DayBlock, Message, unmask
from fmar_spark.kernels.plausible import is_error_code

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
SECONDS_A_DAY: Final = 86_400
MAX_BLOCKS: Final = 200
NEVER: Final = np.iinfo(np.int64).min
FIRST_DAY: Final = clock.FIRST_DAY.toordinal() - UNIX_DAY
ACTIVE, REACTIVE = frozenset({Quantity.AI.value, Quantity.AE.value}), frozenset({Quantity.RI.value, Quantity.RE.value})
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
    """Shape (days, 48); NaN = not said."""
    quality: NDArray[np.int8]
    """Index into ``QUALITIES``; -1 = not said."""
    reason: NDArray[np.int8]
    """DIP estimation reason; -1 = none."""
    amendment: dict[int, str]
    """Amendment codes of the messages that have some, as one text."""
    has_error_code: frozenset[int]
    """Messages of which a half-hour counts as unread, because its energy is a meter's error code."""


class Consumed(NamedTuple):
    """What consumption messages say; nothing of messages with other interfaces."""

    quantity: list[str | None]
    """AI, AE, RI or RE, message by message; None for other interfaces."""
    days: DayMatrix


class Periods(NamedTuple):
    """Half-hours, each with its message, its block, and the row and slot where it belongs; shape (half-hours,)."""

    message: Ints
    block: Ints
    row: Ints
    day: Ints
    """Settlement day, days since 1970-01-01."""
    slot: Ints
    """By its start; 0 where the label is rejected."""
    read: HalfHours

    def describe(self, at: int) -> str:
        """One half-hour as a reason shows it."""
        read = self.read
        label = LABELS[read.place[at]] if read.place[at] >= 0 else "an unknown time"
        quality = f", quality {QUALITIES[read.quality[at]]}" if read.quality[at] >= 0 else ""
        reason = f", reason {read.reason[at]}" if read.reason[at] != NO_REASON else ""
        return f"{read.kwh[at]:.3f} at {label}{quality}{reason} found"


def check_consumption(messages: list[Message], headers: Headers, rules: DecodeRules, faults: FaultLog) -> Consumed:
    """The rules of consumption are noted in ``faults``, message by message."""
    quantity: list[str | None] = [None] * len(messages)
    connected = np.full(len(messages), NEVER, dtype=np.int64)
    blocks: list[tuple[int, DayBlock]] = []
    for message in np.flatnonzero(headers.is_consumption).tolist():
        payload = messages[message].payload
        parts = list(_find_consumption(payload.custom))
        if not parts:
            faults.note(message, BLOCK_MISSING, "no B900 found")
            continue
        quantity[message] = _check_quantity(message, parts, payload.common.interface.event_code, faults)
        connected[message] = _read_connected(payload.custom)
        own = [(message, block) for part in parts for block in part.blocks]
        if not 1 <= len(own) <= MAX_BLOCKS:
            faults.note(message, PERIOD_COUNT, f"{len(own)} day blocks found, 1 to {MAX_BLOCKS} wanted")
            continue
        blocks += own
    days = arrange_days(blocks, rules, faults)
    said = _Days(days, headers.second[days.message], connected[days.message], rules.latest_second // SECONDS_A_DAY)
    _check_days(said, rules, faults)
    return Consumed(quantity, days)


BLOCK_MISSING: Final = Rule(
    "block_missing", "The block that the interface carries is absent: B900 for consumption, any block that is read for standing data."
)


def _find_consumption(custom: CustomBlock) -> Iterator[Consumption]:
    """B900, and what stands under the stale name."""
    if custom.consumption is not None:
        yield custom.consumption
    stale = custom.stale_consumption
    if isinstance(stale, list):
        yield from stale
    elif stale is not None:
        yield stale


QUANTITY: Final = Rule(
    "ecs_1002_quantity", "The measurement quantity is unknown, does not belong to the event, or is not one alone.", "1002"
)


def _check_quantity(message: int, parts: list[Consumption], event_code: str | None, faults: FaultLog) -> str:
    """The one quantity of the message; an event that is masked or says neither active nor reactive fits any."""
    quantity = parts[0].quantity.id
    event = (event_code or "").lower()
    fits = REACTIVE if "reactive" in event else ACTIVE if "active" in event else ACTIVE | REACTIVE
    if quantity not in fits or any(part.quantity.id != quantity for part in parts):
        found = " and ".join(sorted({repr(part.quantity.id) for part in parts}))
        faults.note(message, QUANTITY, f"{found} of event {event_code!r} found, one of {', '.join(sorted(fits))} wanted")
    return quantity


DAY_MALFORMED: Final = Rule("day_malformed", "The settlement day is no date.")
DAY_NOT_MIDNIGHT: Final = Rule("ecs_1014_day_not_midnight", "The settlement day is a time other than UTC midnight.", "1014")


@lru_cache(maxsize=4096)
def parse_settlement_day(text: str) -> tuple[int, Rule | None]:
    """Days since 1970-01-01, and the rule that the text breaks, if it does."""
    day = parse_iso_day(text[:10])
    if day == NO_DAY:
        return 0, DAY_MALFORMED
    clock_text = text[10:]
    if clock_text in ("", "T00:00:00+00:00"):
        return day, None
    is_time = len(text) == 25 and clock_text[0] == "T"
    return day, DAY_NOT_MIDNIGHT if is_time else DAY_MALFORMED


def _read_connected(custom: CustomBlock) -> int:
    """Days since 1970-01-01 from which the connection type counts; ``NEVER`` where that is masked or no date."""
    text = unmask(custom.connected.from_date) if custom.connected else None
    if text is None:
        return NEVER
    day, broken = parse_settlement_day(text)
    return NEVER if broken is DAY_MALFORMED else day


class _Days(NamedTuple):
    """Days with what their message's header says against them; a time that cannot be read is 0 and says nothing."""

    days: DayMatrix
    second: Ints
    connected: Ints
    latest_day: int
    """Last day that may have begun by now."""

    @property
    def age(self) -> Ints:
        """Days from the settlement day to the message's timestamp; 0 where that cannot be read."""
        return np.where(self.second == 0, 0, self.second // SECONDS_A_DAY - self.days.utc_day)


DAY_CHECKS: Final[tuple[tuple[Rule, Callable[[_Days, DecodeRules], Mask]], ...]] = (
    (
        Rule(
            "day_in_future",
            "The settlement day begins over ingest.max_days_ahead after the DIP's timestamp, or over ingest.max_hours_ahead after arrival.",
        ),
        lambda said, rules: (-said.age > rules.max_days_ahead) | (said.days.utc_day > said.latest_day),
    ),
    (Rule("day_too_early", "The settlement day lies before 2000."), lambda said, _: said.days.utc_day < FIRST_DAY),
    (
        Rule("ecs_1003_after_final_run", "The message was sent after the settlement day's final run (ingest.final_run_days).", "1003"),
        lambda said, rules: (said.age > rules.final_run_days) & (rules.final_run_days > 0),
    ),
    (
        Rule("ecs_1013_before_connection", "The settlement day lies before the connection type's date.", "1013"),
        lambda said, _: said.days.utc_day < said.connected,
    ),
)


def _check_days(said: _Days, rules: DecodeRules, faults: FaultLog) -> None:
    """Days against the clock, the message's own time and the date of its connection."""
    for rule, is_broken in DAY_CHECKS:
        for at in np.flatnonzero(is_broken(said, rules)).tolist():
            found = f"{said.days.utc_day[at].astype('datetime64[D]')} found"
            faults.note(int(said.days.message[at]), rule, found + write_limits(rule, rules))


ERROR_CODE: Final = Rule(
    "value_error_code",
    "A warning: an energy is the full scale of a counter (4294.967, 16777.215 and their kind). That half-hour counts as unread, the rest "
    "of the message as usual; what only the rest of a meter's history shows to be wrong is left out when the history is read.",
)


def arrange_days(blocks: list[tuple[int, DayBlock]], rules: DecodeRules, faults: FaultLog) -> DayMatrix:
    """Every half-hour in its slot; broken rules are noted in ``faults``, message by message.

    Args:
        blocks: (message, day block), ordered by message.
        rules: what a user may set.
        faults: gains the rules that are broken; what the rows of such messages hold means nothing.
    """
    message = np.asarray([message for message, _ in blocks], dtype=np.int64)
    read = read_half_hours([(message, block.periods) for message, block in blocks], faults)
    _check_blocks(blocks, read.length, faults)
    row_of_block, row_message, row_day = _assign_rows(blocks, faults)
    block = np.repeat(np.arange(len(blocks)), read.length)
    row = row_of_block[block]
    periods = Periods(message[block], block, row, row_day[row], np.where(read.place < 0, 0, _find_slots(read.place, rules)), read)
    _check_order(periods, message, rules, faults)
    for rule, is_broken in (*PLACE_CHECKS, *ENERGY_CHECKS, *ESTIMATE_CHECKS):
        for at in np.flatnonzero(is_broken(periods, rules)).tolist():
            faults.note(int(periods.message[at]), rule, periods.describe(at) + write_limits(rule, rules))
    shape = (len(row_message), SLOTS_PER_DAY)
    kwh, quality, reason = np.full(shape, np.nan), np.full(shape, -1, dtype=np.int8), np.full(shape, NO_REASON, dtype=np.int8)
    is_code = is_error_code(read.kwh)
    where = (row[~is_code], periods.slot[~is_code])
    kwh[where], quality[where], reason[where] = read.kwh[~is_code], read.quality[~is_code], read.reason[~is_code]
    order = np.lexsort((row_day, row_message))
    amendments, coded = _list_amendments(periods), frozenset(periods.message[is_code].tolist())
    return DayMatrix(row_message[order], row_day[order], kwh[order], quality[order], reason[order], amendments, coded)


DURATION: Final = Rule("ecs_1004_duration", "The period's duration is not 30 minutes.", "1004")
PERIOD_COUNT: Final = Rule("period_count", "A message has 1 to 200 days, and a day 1 to 48 periods.")


def _check_blocks(blocks: list[tuple[int, DayBlock]], length: Ints, faults: FaultLog) -> None:
    for (message, block), periods in zip(blocks, length.tolist(), strict=True):
        if block.day.duration_minutes != 30:
            faults.note(message, DURATION, f"duration {block.day.duration_minutes} found, 30 minutes wanted")
        if not 1 <= periods <= SLOTS_PER_DAY:
            faults.note(message, PERIOD_COUNT, f"{periods} periods of a day found, 1 to 48 wanted")


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


def _find_slots(place: Ints, rules: DecodeRules, *, is_other: bool = False) -> Ints:
    """Slot by its start of each label, or what it would be if labels named the other end of the half-hour."""
    return (place - 1) % SLOTS_PER_DAY if (rules.period_label == "end") is not is_other else place


LABEL_MIXED: Final = Rule("period_label_mixed", "Periods are named by their start where ingest.period_label says end, or the other way.")


def _check_order(periods: Periods, message_of_block: Ints, rules: DecodeRules, faults: FaultLog) -> None:
    place, blocks = periods.read.place, len(message_of_block)
    other = _find_slots(place, rules, is_other=True)
    contradicts = ~_ascends(_find_slots(place, rules), periods.block, blocks) & _ascends(other, periods.block, blocks)
    for at in np.flatnonzero(contradicts).tolist():
        reason = f"periods in the order of the other label found, ingest.period_label is {rules.period_label}"
        faults.note(int(message_of_block[at]), LABEL_MIXED, reason)


def _ascends(slot: Ints, block: Ints, blocks: int) -> Mask:
    """Whether the slots of each block ascend strictly."""
    falls = (np.diff(slot) <= 0) & (np.diff(block) == 0)
    ascends: Mask = np.bincount(block[1:][falls], minlength=blocks) == 0
    return ascends


def _is_elsewhere(periods: Periods, rules: DecodeRules) -> Mask:
    """Full stamps of another day than the one under which they stand."""
    read = periods.read
    found = np.zeros(len(read.day), dtype=np.bool_)
    dated = np.flatnonzero(read.day != NO_DAY)
    halves = (read.day[dated] - periods.day[dated]) * SLOTS_PER_DAY + read.place[dated] - (rules.period_label == "end")
    found[dated] = (halves < 0) | (halves >= SLOTS_PER_DAY)
    return found


def _changes_format(periods: Periods, rules: DecodeRules) -> Mask:
    """Labels that are written unlike the one before them in the same message."""
    found = np.zeros(len(periods.message), dtype=np.bool_)
    written = periods.read.format
    found[1:] = (written[1:] != written[:-1]) & (periods.message[1:] == periods.message[:-1])
    return found


def _is_again(periods: Periods, *, in_same_block: bool) -> Mask:
    """Slots that the message has before, in the same block or in another."""
    where = periods.row * SLOTS_PER_DAY + periods.slot
    found = np.zeros(len(where), dtype=np.bool_)
    if (np.diff(where) > 0).all():
        return found
    order = np.argsort(where, kind="stable")
    is_same_block = periods.block[order[1:]] == periods.block[order[:-1]]
    found[order[1:]] = (where[order[1:]] == where[order[:-1]]) & (is_same_block == in_same_block)
    return found


def _is_estimate(periods: Periods) -> Mask:
    return periods.read.quality >= FIRST_ESTIMATE


def _is_estimated_zero(periods: Periods) -> Mask:
    quality = periods.read.quality
    return (quality >= ZERO_CODES.start) & (quality < ZERO_CODES.stop)


def _is_amended_without_code(periods: Periods, rules: DecodeRules) -> Mask:
    found: Mask = periods.read.reason == AMENDED
    found[list(periods.read.amendment)] = False
    return found


PeriodCheck = tuple[Rule, Callable[[Periods, DecodeRules], Mask]]
"""A rule, and the half-hours that break it."""
PLACE_CHECKS: Final[tuple[PeriodCheck, ...]] = (
    (Rule("period_against_day", "A period's full stamp lies outside the settlement day under which it stands."), _is_elsewhere),
    (
        Rule("period_format_mixed", "The message writes its periods in more than one format: a time of day, one with Z, a full stamp."),
        _changes_format,
    ),
    (
        Rule("ecs_1006_period_twice", "A day block has the same period twice.", "1006"),
        lambda periods, _: _is_again(periods, in_same_block=True),
    ),
    (
        Rule("ecs_1007_overlap", "Two day blocks of the message cover the same period.", "1007"),
        lambda periods, _: _is_again(periods, in_same_block=False),
    ),
)
ENERGY_CHECKS: Final[tuple[PeriodCheck, ...]] = (
    (Rule("ecs_1010_negative", "An energy is negative.", "1010"), lambda periods, _: periods.read.kwh < 0),
    (
        Rule("ecs_1012_above_maximum", "An energy is above ingest.max_kwh_per_slot.", "1012"),
        lambda periods, rules: np.isfinite(periods.read.kwh) & (periods.read.kwh > rules.max_kwh_per_slot),
    ),
)
ESTIMATE_CHECKS: Final[tuple[PeriodCheck, ...]] = (
    (
        Rule("ecs_1011_zero_not_zero", "The quality says estimated zero, but the energy is not zero.", "1011"),
        lambda periods, _: _is_estimated_zero(periods) & (periods.read.kwh != 0),
    ),
    (
        Rule("ecs_1008_estimated_de_energised", "An energy other than zero is estimated for a meter called de-energised.", "1008"),
        lambda periods, _: _is_estimate(periods) & np.isin(periods.read.reason, (DE_ENERGISED, DISCONNECTED)) & (periods.read.kwh != 0),
    ),
    (
        Rule("ecs_1009_mpan_status", "An energy other than zero was measured on a meter called disconnected.", "1009"),
        lambda periods, _: ~_is_estimate(periods) & (periods.read.reason == DISCONNECTED) & (periods.read.kwh != 0),
    ),
    (
        Rule("ecs_1015_reason_missing", "A period is estimated without a reason.", "1015"),
        lambda periods, _: _is_estimate(periods) & (periods.read.reason == NO_REASON),
    ),
    (
        Rule("ecs_1016_amendment_missing", "A consumption amendment (reason 9) does not say its amendment code.", "1016"),
        _is_amended_without_code,
    ),
)


def _list_amendments(periods: Periods) -> dict[int, str]:
    found: dict[int, list[str]] = {}
    for at, code in periods.read.amendment.items():
        found.setdefault(int(periods.message[at]), []).append(f"{periods.day[at]}:{periods.slot[at]}:{code}")
    return {message: ",".join(sorted(parts)) for message, parts in found.items()}


DAY_RULES: Final = (BLOCK_MISSING, QUANTITY, DAY_MALFORMED, DAY_NOT_MIDNIGHT, *(rule for rule, _ in DAY_CHECKS), DURATION, PERIOD_COUNT)
PLACE_RULES: Final = (LABEL_MIXED, *(rule for rule, _ in PLACE_CHECKS))
ENERGY_RULES: Final = tuple(rule for rule, _ in ENERGY_CHECKS)
ESTIMATE_RULES: Final = tuple(rule for rule, _ in ESTIMATE_CHECKS)
