import json
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.intake.dip.consumption import DAY_NOT_MIDNIGHT, DayMatrix, arrange_days, parse_settlement_day
from fmar_spark.intake.dip.half_hours import QUALITIES
from fmar_spark.intake.dip.rows import ORDER_OF_RULE
from fmar_spark.intake.dip.rules import DecodeRules, FaultLog
from fmar_spark.intake.dip.structs import DayBlock, SettlementDay

END, START = DecodeRules(), DecodeRules(period_label="start")


def block(day: str, *periods: tuple[str, str] | dict[str, object]) -> DayBlock:
    stated = [period if isinstance(period, dict) else {"sp": period[0], "v": period[1], "q": "A"} for period in periods]
    return DayBlock(SettlementDay(day, 30), json.dumps(stated).encode())


def resolve(*blocks: tuple[int, DayBlock], rules: DecodeRules = END) -> tuple[DayMatrix, dict[int, str]]:
    faults = FaultLog()
    days = arrange_days(list(blocks), rules, faults)
    return days, {message: fault.rule.name for message, fault in faults.list_first(ORDER_OF_RULE).items()}


def test_a_period_is_named_by_its_end_and_midnight_ends_the_day() -> None:
    days, broken = resolve((0, block("2023-01-10", ("00:30", "1.0"), ("23:30", "2.0"), ("00:00", "3.0"))))
    assert broken == {}
    assert days.utc_day.tolist() == [(date(2023, 1, 10) - date(1970, 1, 1)).days]
    assert [(slot, kwh) for slot, kwh in enumerate(days.kwh[0].tolist()) if kwh == kwh] == [(0, 1.0), (46, 2.0), (47, 3.0)]
    assert (days.quality[0] >= 0).sum() == 3


def test_a_period_is_named_by_its_start_where_the_settings_say_so() -> None:
    days, broken = resolve((0, block("2023-01-10", ("00:00", "1.0"), ("00:30", "2.0"), ("23:30", "3.0"))), rules=START)
    assert broken == {}
    assert [(slot, kwh) for slot, kwh in enumerate(days.kwh[0].tolist()) if kwh == kwh] == [(0, 1.0), (1, 2.0), (47, 3.0)]


def test_a_day_whose_order_is_that_of_the_other_label_is_rejected_and_a_shuffled_one_is_not() -> None:
    starts = block("2023-01-10", ("00:00", "1.0"), ("00:30", "2.0"), ("01:00", "3.0"))
    shuffled = block("2023-01-10", ("01:00", "3.0"), ("00:00", "1.0"), ("00:30", "2.0"))
    half_and_half = block("2023-01-10", ("00:00", "1.0"), ("00:30", "1.0"), ("23:30", "1.0"), ("00:00", "1.0"))
    _, broken = resolve((0, starts), (1, shuffled), (2, half_and_half))
    assert broken == {0: "period_label_mixed", 2: "ecs_1006_period_twice"}
    ends = block("2023-01-10", ("23:30", "1.0"), ("00:00", "2.0"))
    assert resolve((0, ends), rules=START)[1] == {0: "period_label_mixed"}


@pytest.mark.parametrize(("periods", "rule"), [(46, None), (48, None), (50, "period_count")])
def test_a_day_has_at_most_48_periods_in_utc(periods: int, rule: str | None) -> None:
    labels = [f"{slot // 2 % 24:02d}:{slot % 2 * 30:02d}" for slot in range(1, periods + 1)]
    _, broken = resolve((0, block("2023-10-29", *((label, "1.0") for label in labels))))
    assert broken.get(0) == rule


def test_blocks_of_one_day_share_a_row_and_the_days_of_a_message_are_in_order() -> None:
    later, sooner = block("2023-01-11", ("00:30", "1.0")), block("2023-01-10", ("00:30", "2.0"))
    rest = block("2023-01-11", ("01:00", "3.0"))
    days, broken = resolve((0, later), (0, sooner), (0, rest), (1, later))
    assert broken == {}
    assert days.message.tolist() == [0, 0, 1]
    assert np.diff(days.utc_day).tolist() == [1, 0]
    assert days.kwh[1, :2].tolist() == [1.0, 3.0]


def test_amendments_and_reasons_stand_with_their_slot_wherever_the_message_lies() -> None:
    amended = block("2023-01-10", {"sp": "00:30", "v": "1.0", "q": "E5", "e": 9, "arc": "C1"}, ("01:00", "1.0"))
    alone, broken = resolve((0, amended))
    after_another, _ = resolve((0, block("2023-01-09", ("00:30", "1.0"))), (1, amended))
    assert broken == {}
    assert alone.amendment[0] == after_another.amendment[1] != ""
    assert alone.reason[0, :3].tolist() == [9, -1, -1]
    assert QUALITIES[alone.quality[0, 0]] == "E5"


def test_no_blocks_give_no_days() -> None:
    days, broken = resolve()
    assert days.kwh.shape == (0, 48)
    assert broken == {}


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)))
def test_a_day_is_read_as_python_reads_it(day: date) -> None:
    expected = day.toordinal() - date(1970, 1, 1).toordinal()
    assert parse_settlement_day(day.isoformat()) == (expected, None)
    assert parse_settlement_day(f"{day}T00:00:00+00:00") == (expected, None)
    assert parse_settlement_day(f"{day}T00:00:00+01:00")[1] is DAY_NOT_MIDNIGHT


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_what_is_found_of_a_message_does_not_depend_on_the_others(order: list[int], other: list[int]) -> None:
    every = [
        block("2023-01-10", ("00:30", "1.0")),
        block("2023-01-10", ("00:30", "-1.0")),
        block("2023-01-10", ("00:30", "1e5")),
        block("2023-01-10", {"sp": "00:30", "v": "0.5", "q": "ZE", "e": 2}),
        block("2023-13-10", ("00:30", "1.0")),
        block("2023-01-10", ("00:30", "1.0"), ("00:30", "1.0")),
    ]

    def rules_of(numbers: list[int]) -> dict[int, str | None]:
        _, broken = resolve(*((place, every[number]) for place, number in enumerate(numbers)))
        return {number: broken.get(place) for place, number in enumerate(numbers)}

    assert rules_of(order) == rules_of(other)
