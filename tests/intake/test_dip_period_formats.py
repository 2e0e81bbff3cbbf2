"""The three formats of a period's name, held against an oracle that knows only the calendar."""

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.intake.dip.files import read_units
from fmar_spark.intake.dip.rows import decode_units
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.simulate.messages import UNREAD, DayMessage, PeriodFormat, write_message

Json = dict[str, Any]
Name = Callable[[datetime], str]
HALF_HOUR = timedelta(minutes=30)
NAMES: dict[str, Name] = {
    "time": lambda at: at.strftime("%H:%M"),
    "time_z": lambda at: at.strftime("%H:%MZ"),
    "stamp": lambda at: at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
}
DAYS = (date(2023, 1, 10), date(2023, 3, 26), date(2023, 10, 29), date(2023, 12, 31), date(2024, 2, 28), date(2024, 2, 29))
"""A plain day, both changes of the clock, the ends of a year and of two Februaries."""
BASE = DayMessage("2000056535971", "_H", "AI", "2023-01-10", (0,) * 48, "W", "2020-01-01", "2024-06-01T06:00:00+00:00")


def compose(day: date, named: list[tuple[str, str]], version: int = 0) -> str:
    """A message of one day: (name of the period, energy)."""
    message = json.loads(write_message(BASE._replace(utc_date=day.isoformat(), version=version)))
    block = message["payload"]["CustomBlock"]["B900"]["settlementDayConsumptionPeriods"][0]
    block["consumptionPeriods"] = [{"sp": name, "v": value, "q": "A", "e": None, "arc": None} for name, value in named]
    return json.dumps(message, separators=(",", ":"))


def name_periods(day: date, slots: list[int], name: Name, label: str = "end") -> list[tuple[str, str]]:
    """The slots of a day with their names and energies; the energy says the slot."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ends = [midnight + (slot + (label == "end")) * HALF_HOUR for slot in slots]
    return [(name(end), f"{slot / 100 + 1:.3f}") for slot, end in zip(slots, ends, strict=True)]


def decoded(*texts: str, rules: DecodeRules | None = None) -> list[Json]:
    """One row a message, in the order of their sources."""
    rules = rules or DecodeRules()
    content = f"[{','.join(texts)}]".encode()
    rows = [row for batch in decode_units(list(read_units("f", content, rules)), rules) for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: int(row["source"].partition("#")[2]))


def expect(slots: list[int]) -> list[float | None]:
    """The day's half-hours as single precision holds them."""
    return [float(np.float32(slot / 100 + 1)) if slot in slots else None for slot in range(48)]


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("label", ["end", "start"])
@pytest.mark.parametrize("written", NAMES)
def test_every_format_gives_the_same_day_in_order_and_shuffled(written: str, label: str, day: date) -> None:
    whole, some = list(range(48)), list(range(1, 48, 3))
    shuffled = random.Random(7).sample(whole, 48)
    texts = [compose(day, name_periods(day, slots, NAMES[written], label), at) for at, slots in enumerate((whole, some, shuffled))]
    rows = decoded(*texts, rules=DecodeRules(period_label=label))
    assert [(row["rule"], row["day"]["utc_date"], row["day"]["kwh"]) for row in rows] == [
        (None, day, expect(slots)) for slots in (whole, some, whole)
    ]
    assert (
        rows[0]["content_hash"]
        == rows[2]["content_hash"]
        == decoded(compose(day, name_periods(day, whole, NAMES["time"])))[0]["content_hash"]
    )


@st.composite
def reported_days(draw: st.DrawFn) -> tuple[str, date, list[int]]:
    """A message in a format of its own; what its periods are."""
    day = draw(st.dates(date(2001, 1, 1), date(2024, 5, 30)))
    slots = draw(st.lists(st.integers(0, 47), min_size=1, max_size=48, unique=True))
    if draw(st.booleans()):
        slots.sort()
    is_other_order = slots == sorted(slots, key=lambda slot: (slot + 1) % 48) and slots != sorted(slots)
    message = compose(day, name_periods(day, slots, NAMES[draw(st.sampled_from(sorted(NAMES)))]))
    return message, day, [] if is_other_order else slots


@settings(max_examples=150)
@given(st.lists(reported_days(), min_size=1, max_size=6))
def test_messages_of_one_file_may_each_have_their_own_format(stated: list[tuple[str, date, list[int]]]) -> None:
    early = DecodeRules()
    for row, (_, day, slots) in zip(decoded(*(text for text, _, _ in stated), rules=early), stated, strict=True):
        if row["rule"] == "ecs_1013_before_connection":
            assert day < date.fromisoformat(BASE.connected_on)
        elif slots:
            assert (row["rule"], row["day"]["utc_date"], row["day"]["kwh"]) == (None, day, expect(slots))
        else:
            assert row["rule"] == "period_label_mixed"


@pytest.mark.parametrize("shift", [-365, -1, 1, 2, 400])
def test_a_stamp_of_another_day_is_rejected_in_order_and_shuffled(shift: int) -> None:
    day, other = date(2023, 3, 26), date(2023, 3, 26) + timedelta(days=shift)
    slots = random.Random(3).sample(range(48), 48)
    whole = compose(day, name_periods(other, list(range(48)), NAMES["stamp"]))
    rough = compose(day, name_periods(other, slots, NAMES["stamp"]), 1)
    one = compose(day, name_periods(day, [0, 1], NAMES["stamp"]) + name_periods(other, [2], NAMES["stamp"]), 2)
    assert [row["rule"] for row in decoded(whole, rough, one)] == ["period_against_day"] * 3


def test_midnight_is_of_the_next_day_where_names_are_ends_and_of_the_day_where_they_are_starts() -> None:
    day = date(2023, 1, 10)
    at_its_start, at_its_end = "2023-01-10T00:00:00+00:00", "2023-01-11T00:00:00+00:00"
    for label, good, bad in (("end", at_its_end, at_its_start), ("start", at_its_start, at_its_end)):
        rules = DecodeRules(period_label=label)
        found = decoded(compose(day, [(good, "1.000")]), compose(day, [(bad, "1.000")], 1), rules=rules)
        assert [row["rule"] for row in found] == [None, "period_against_day"]
        assert found[0]["day"]["kwh"][47 if label == "end" else 0] == 1.0


@pytest.mark.parametrize("written", NAMES)
def test_a_day_named_by_starts_is_rejected_where_ends_are_wanted_whatever_the_format(written: str) -> None:
    day = date(2023, 1, 10)
    starts = decoded(compose(day, name_periods(day, list(range(48)), NAMES[written], "start")))
    ends = decoded(compose(day, name_periods(day, list(range(48)), NAMES[written])), rules=DecodeRules(period_label="start"))
    assert [row["rule"] for row in (*starts, *ends)] == ["period_label_mixed"] * 2


def test_a_message_that_mixes_formats_is_rejected_and_takes_no_other_with_it() -> None:
    day, slots = date(2023, 1, 10), list(range(48))
    plain = {written: name_periods(day, slots, name) for written, name in NAMES.items()}
    mixed = [plain["time"][:24] + plain["stamp"][24:], plain["time_z"][:47] + plain["time"][47:], plain["stamp"][:1] + plain["time_z"][1:]]
    stated = [compose(day, periods, at) for at, periods in enumerate([*plain.values(), *mixed, *plain.values()])]
    assert [row["rule"] for row in decoded(*stated)] == [None] * 3 + ["period_format_mixed"] * 3 + [None] * 3


def test_a_stamp_with_another_offset_is_taken_at_its_time() -> None:
    day = date(2023, 6, 1)
    ends = [datetime(2023, 6, 1, tzinfo=UTC) + (slot + 1) * HALF_HOUR for slot in range(48)]
    summer = [(end + 2 * HALF_HOUR).strftime("%Y-%m-%dT%H:%M:00+01:00") for end in ends]
    row = decoded(compose(day, [(name, f"{slot / 100 + 1:.3f}") for slot, name in enumerate(summer)]))[0]
    assert (row["rule"], row["day"]["kwh"]) == (None, expect(list(range(48))))


@pytest.mark.parametrize("written", PeriodFormat)
def test_a_simulated_day_is_read_back_whichever_format_it_is_written_in(written: PeriodFormat) -> None:
    values = tuple(UNREAD if slot == 5 else slot * 10 for slot in range(48))
    for message in (BASE._replace(watt_hours=tuple(range(48))), BASE._replace(watt_hours=values, estimated=(7,), reason=2)):
        read = decoded(write_message(message, written))[0]
        assert read["rule"] is None
        assert read["day"]["kwh"] == [None if value < 0 else float(np.float32(value / 1000)) for value in message.watt_hours]
