"""The London calendar under a run of UTC half-hours."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fmar_spark.simulate.calendars import build_calendar
from fmar_spark.simulate.plan import FleetPlan


@pytest.mark.parametrize("first", [date(2023, 1, 10), date(2023, 6, 10), date(2023, 3, 20), date(2023, 10, 20)])
def test_clock_slots_and_days_are_londons_on_all_days_but_those_of_the_clock_change(first: date) -> None:
    calendar = build_calendar(FleetPlan(1, first, first + timedelta(days=13)))
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    wrong_on = set()
    for slot in range(14 * 48):
        at = (midnight + timedelta(minutes=30 * slot)).astimezone(ZoneInfo("Europe/London"))
        same = calendar.local_slot[slot] == at.hour * 2 + at.minute // 30 and calendar.local_day[slot] == (at.date() - first).days
        wrong_on |= set() if same else {at.date()}
    assert wrong_on <= {date(2023, 3, 26), date(2023, 10, 29)}


def test_days_have_weekends_bank_holidays_and_school_breaks() -> None:
    first = date(2023, 4, 3)
    calendar = build_calendar(FleetPlan(1, first, date(2023, 4, 16)))
    assert calendar.days == 15
    assert calendar.weekday.tolist() == [(first + timedelta(days=day)).weekday() for day in range(15)]
    assert np.flatnonzero(calendar.is_holiday).tolist() == [4, 7]
    assert np.flatnonzero(calendar.is_rest_day).tolist() == [4, 5, 6, 7, 12, 13]
    assert calendar.is_school_break[:13].all()


def test_values_of_local_days_are_repeated_over_their_half_hours() -> None:
    calendar = build_calendar(FleetPlan(1, date(2023, 6, 1), date(2023, 6, 3)))
    spread = calendar.spread_days(np.arange(4)[None])
    assert spread.shape == (1, 144)
    assert spread[0, [0, 45, 46, 93, 94, 143]].tolist() == [0, 0, 1, 1, 2, 3]
