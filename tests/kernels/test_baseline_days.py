"""What the calendar says of days."""

import numpy as np
import pytest

from fmar_spark.kernels.baseline.days import (
    HOLIDAY_CONTRAST,
    PARTS,
    STATES,
    find_states,
    is_plain_working,
    load_temperature,
    sort_days,
)
from fmar_spark.kernels.window import LocalCalendar

# 2025-12-22 is a Monday; Christmas and Boxing Day are Thursday and Friday, New Year a Thursday
START = np.datetime64("2025-12-22")
CALENDAR = LocalCalendar(START, np.arange(14) % 7 + 1, np.isin(np.arange(14), [3, 4, 10]), np.zeros(14, dtype=int))


def test_days_are_separated_by_weekday_holiday_and_the_last_week_of_the_year() -> None:
    kinds = sort_days(CALENDAR)
    contrast = kinds.loadings[:, find_states("kind")][:, 0]
    holiday = np.float32(HOLIDAY_CONTRAST)
    assert contrast.tolist() == [1, 1, 0, holiday, holiday, -1, -1, 0, 0, 0, holiday, 1, -1, -1]
    assert kinds.is_working.tolist() == [value == 1 for value in contrast.tolist()]
    assert kinds.loadings[:, find_states("holiday")].sum(axis=0).tolist() == [3, 4]


def test_only_plain_days_have_a_weekday_and_the_others_count_as_noisier() -> None:
    kinds = sort_days(CALENDAR)
    weekdays = kinds.loadings[:, find_states("weekday")]
    is_plain = np.array([True, True, False, False, False, True, True, False, False, False, False, True, True, True])
    assert (weekdays.sum(axis=1) == is_plain).all()
    assert (weekdays[is_plain].argmax(axis=1) + 1 == CALENDAR.weekday[is_plain]).all()
    assert (kinds.noise == np.where(is_plain, 1, 2)).all()


def test_the_industrys_working_days_know_no_last_week_of_the_year() -> None:
    assert is_plain_working(CALENDAR).tolist() == [True] * 3 + [False] * 4 + [True] * 3 + [False, True, False, False]


@pytest.mark.parametrize(
    ("day_temp_c", "wanted"),
    [(6.0, [0, 1, 0, 0, 0]), (9.0, [0, 0.5, 0.5, 0, 0]), (-7.0, [1, 0, 0, 0, 0]), (40.0, [0, 0, 0, 0, 1]), (np.nan, [0] * 5)],
)
def test_a_temperature_lies_between_its_two_knots(day_temp_c: float, wanted: list[float]) -> None:
    assert np.allclose(load_temperature(np.array([day_temp_c])), [wanted])


def test_the_parts_fill_the_states_without_gap_or_overlap() -> None:
    places = [find_states(part.name) for part in PARTS]
    assert [place.start for place in places[1:]] == [place.stop for place in places[:-1]]
    assert (places[0].start, places[-1].stop) == (0, STATES)
    with pytest.raises(KeyError):
        find_states("tide")
