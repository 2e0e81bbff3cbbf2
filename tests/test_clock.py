from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark import clock

SPRING, AUTUMN = date(2024, 3, 31), date(2024, 10, 27)


def test_the_last_period_of_a_day_ends_at_midnight() -> None:
    assert clock.slot_of_period_end("00:30") == 0
    assert clock.slot_of_period_end("00:00") == 47


@pytest.mark.parametrize("label", ["00:15", "24:30", "-1:00"])
def test_a_label_off_the_half_hour_is_rejected(label: str) -> None:
    with pytest.raises(ValueError, match="wanted"):
        clock.slot_of_period_end(label)


def test_clocks_going_forward_skip_two_slots() -> None:
    index = clock.local_slot_index(SPRING, 1, clock.LONDON, SPRING)[0]
    assert np.flatnonzero(index == clock.NO_SLOT).tolist() == [2, 3]
    assert index[4] == 2


def test_clocks_going_back_keep_the_first_of_two_hours() -> None:
    index = clock.local_slot_index(AUTUMN, 1, clock.LONDON, AUTUMN)[0]
    assert index[2] == 0
    assert index[4] == 4
    assert index[0] == -2


@given(st.dates(date(2019, 1, 1), date(2026, 1, 1)), st.sampled_from(["Europe/London", "Australia/Sydney", "Asia/Kolkata"]))
def test_every_utc_slot_falls_in_the_slot_that_the_clock_shows(day: date, zone: str) -> None:
    local = clock.local_slot_of_utc(day, 2, zone)
    for slot in range(0, 96, 7):
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("UTC")).timestamp() + slot * 1800
        wall = datetime.fromtimestamp(start, ZoneInfo(zone))
        expected = (wall.date() - day).days * 48 + wall.hour * 2 + wall.minute // 30
        assert local[slot] == expected


def test_local_days_around_clock_changes_have_46_and_50_utc_slots() -> None:
    for day, length in ((SPRING, 46), (AUTUMN, 50)):
        local = clock.local_slot_of_utc(clock.add_days(day, -1), 4, clock.LONDON)
        assert (local // 48 == 1).sum() == length
