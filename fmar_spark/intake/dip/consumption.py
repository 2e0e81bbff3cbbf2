"""Judges the consumption blocks of many messages at once: their quantity, their days and what the header says against them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fmar_spark.domain.words import Quantity
from fmar_spark.intake.dip.faults import FaultLog
from fmar_spark.intake.dip.headers import Headers
from fmar_spark.intake.dip.periods import DayMatrix, Ints, lay_out_days, parse_settlement_day
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.intake.dip.structs import Consumption, CustomBlock, DayBlock, Message, unmask

SECONDS_A_DAY = 86_400
ACTIVE, REACTIVE = frozenset({Quantity.AI.value, Quantity.AE.value}), frozenset({Quantity.RI.value, Quantity.RE.value})
MAX_BLOCKS = 200
NEVER = np.iinfo(np.int64).min


class Consumed(NamedTuple):
    """What consumption messages say; nothing of messages with other interfaces."""

    quantity: list[str | None]
    """AI, AE, RI or RE, message by message; None for other interfaces."""
    days: DayMatrix


def judge_consumption(messages: list[Message], headers: Headers, rules: DecodeRules, faults: FaultLog) -> Consumed:
    """The rules of consumption are noted in ``faults``, message by message."""
    quantity: list[str | None] = [None] * len(messages)
    connected = np.full(len(messages), NEVER, dtype=np.int64)
    blocks: list[tuple[int, DayBlock]] = []
    for message in np.flatnonzero(headers.is_consumption).tolist():
        payload = messages[message].payload
        told = list(_find_consumption(payload.custom))
        if not told:
            faults.note(message, "block_missing", "no B900 found")
            continue
        quantity[message] = _judge_quantity(message, told, payload.common.interface.event_code, faults)
        connected[message] = _read_connected(payload.custom)
        own = [(message, block) for one in told for block in one.blocks]
        if not 1 <= len(own) <= MAX_BLOCKS:
            faults.note(message, "period_count", f"{len(own)} day blocks found, 1 to {MAX_BLOCKS} wanted")
            continue
        blocks += own
    days = lay_out_days(blocks, rules, faults)
    _judge_days(days, headers.second, connected, rules, faults)
    return Consumed(quantity, days)


def _find_consumption(custom: CustomBlock) -> Iterator[Consumption]:
    """B900, and what stands under the stale name."""
    if custom.consumption is not None:
        yield custom.consumption
    stale = custom.stale_consumption
    if isinstance(stale, list):
        yield from stale
    elif stale is not None:
        yield stale


def _judge_quantity(message: int, told: list[Consumption], event_code: str | None, faults: FaultLog) -> str:
    """The one quantity of the message; an event that is masked or says neither active nor reactive fits any."""
    quantity = told[0].quantity.id
    event = (event_code or "").lower()
    fits = REACTIVE if "reactive" in event else ACTIVE if "active" in event else ACTIVE | REACTIVE
    if quantity not in fits or any(one.quantity.id != quantity for one in told):
        found = " and ".join(sorted({repr(one.quantity.id) for one in told}))
        faults.note(message, "ecs_1002_quantity", f"{found} of event {event_code!r} found, one of {', '.join(sorted(fits))} wanted")
    return quantity


def _read_connected(custom: CustomBlock) -> int:
    """Days since 1970-01-01 from which the connection type counts; ``NEVER`` where that is masked or no date."""
    text = unmask(custom.connected.from_date) if custom.connected else None
    if text is None:
        return NEVER
    day, broken = parse_settlement_day(text)
    return NEVER if broken == "day_malformed" else day


def _judge_days(days: DayMatrix, second: Ints, connected: Ints, rules: DecodeRules, faults: FaultLog) -> None:
    """Days against the message's own time and the date of its connection; a time that cannot be read judges nothing."""
    told_second = second[days.message]
    is_timed = told_second != 0
    told_day = told_second // SECONDS_A_DAY
    age = told_day - days.utc_day
    texts = days.utc_day.astype("datetime64[D]").astype(str).tolist()
    faults.note_all("day_in_future", is_timed & (-age > rules.max_days_ahead), days.message, texts)
    faults.note_all("ecs_1013_before_connection", days.utc_day < connected[days.message], days.message, texts)
    if rules.final_run_days:
        faults.note_all("ecs_1003_after_final_run", is_timed & (age > rules.final_run_days), days.message, texts)
