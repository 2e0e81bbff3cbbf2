"""Any days of a long history, each a function of its own past alone."""

import numpy as np

from fmar_spark.kernels.baseline.day_ahead import predict_days
from fmar_spark.kernels.baseline.years import cut_calendar, predict_by_year
from fmar_spark.kernels.window import Floats, LocalCalendar

START = np.datetime64("2023-10-01")
DAYS = 900
CALENDAR = LocalCalendar(
    START, (START.astype(int) + 3 + np.arange(DAYS)) % 7 + 1, np.arange(DAYS) % 50 == 9, np.zeros(DAYS, dtype=np.int64)
)
AREA = np.zeros(2, dtype=np.int64)


def make_readings() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    net_kwh = (3 + (CALENDAR.weekday < 6)[:, None] + rng.normal(0, 0.3, (2, DAYS, 48))).astype(np.float32)
    return net_kwh, rng.normal(10, 5, (1, DAYS, 48)).astype(np.float32)


def test_a_day_is_predicted_alike_whatever_else_is_asked_for() -> None:
    net_kwh, temp_c = make_readings()
    some = np.array([80, 120, 460, 830])
    together = predict_by_year(net_kwh, temp_c, AREA, CALENDAR, some)
    for place, day in enumerate(some):
        alone = predict_by_year(net_kwh, temp_c, AREA, CALENDAR, np.array([day]))
        for one, many in zip(alone, together, strict=True):
            assert np.array_equal(one[:, 0], many[:, place], equal_nan=True)
    assert (together.trained_to_day == some - 1).all()


def test_days_of_a_year_look_back_to_the_first_of_january_before() -> None:
    net_kwh, temp_c = make_readings()
    day = np.array([int((np.datetime64("2025-03-10") - START).astype(int))])
    since = int((np.datetime64("2024-01-01") - START).astype(int))
    found = predict_by_year(net_kwh, temp_c, AREA, CALENDAR, day)
    older = net_kwh.copy()
    older[:, :since] = 50.0
    assert np.array_equal(predict_by_year(older, temp_c, AREA, CALENDAR, day).predicted_kwh, found.predicted_kwh)
    older[:, since] = 50.0
    assert not np.array_equal(predict_by_year(older, temp_c, AREA, CALENDAR, day).predicted_kwh, found.predicted_kwh)


def test_a_first_year_is_predicted_in_one_pass() -> None:
    net_kwh, temp_c = make_readings()
    days = np.arange(0, 90)
    assert np.array_equal(
        predict_by_year(net_kwh, temp_c, AREA, CALENDAR, days).predicted_kwh,
        predict_days(net_kwh, temp_c, AREA, CALENDAR, days).predicted_kwh,
        equal_nan=True,
    )


def test_no_days_are_answered_in_shape() -> None:
    net_kwh, temp_c = make_readings()
    assert predict_by_year(net_kwh, temp_c, AREA, CALENDAR, np.zeros(0, dtype=int)).predicted_kwh.shape == (2, 0, 48)


def test_a_cut_calendar_keeps_its_days() -> None:
    part = cut_calendar(CALENDAR, slice(10, 17))
    assert part.start_date == np.datetime64("2023-10-11")
    assert np.array_equal(part.weekday, CALENDAR.weekday[10:17])
    assert len(part.season) == len(part.is_holiday) == 7
