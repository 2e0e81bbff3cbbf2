"""The whole prediction: nothing from the future, each meter as if alone, and better than its yardstick."""

import numpy as np
import pytest

from fmar_spark.kernels.baseline.day_ahead import CORRECTED, FILTER, NONE, BaselineDays, predict_days
from fmar_spark.kernels.baseline.days import is_plain_working
from fmar_spark.kernels.baseline.reference import reference_bl01
from fmar_spark.kernels.window import Bools, Floats, LocalCalendar

DAYS = 150
HOLIDAYS = (52, 90)


def make_calendar(days: int = DAYS, start: str = "2025-03-03") -> LocalCalendar:
    """Days from a Monday on, with two public holidays."""
    weekday = (np.datetime64(start, "D").astype(int) + 3 + np.arange(days)) % 7 + 1
    return LocalCalendar(np.datetime64(start, "D"), weekday, np.isin(np.arange(days), HOLIDAYS), np.zeros(days, dtype=np.int64))


def make_sites(rng: np.random.Generator, calendar: LocalCalendar, meters: int = 4) -> tuple[Floats, Floats, Floats]:
    """Net load of sites that work on weekdays and heat, the temperature of two areas, and the area of each site."""
    days = len(calendar.weekday)
    hour = np.arange(48) / 2
    temp_c = 10 + 5 * np.sin(np.arange(days) / 20)[None, :, None] + rng.normal(0, 2, (2, days, 1)) + 3 * np.sin((hour - 9) / 24 * 2 * np.pi)
    area = np.arange(meters) % 2
    level = np.cumsum(rng.normal(0, 0.02, (meters, days)), axis=1)[:, :, None]
    shape = np.exp(-(((hour - 13) / 4) ** 2)) * is_plain_working(calendar)[:, None]
    heating = 0.05 * np.clip(15.5 - temp_c[area], 0, None)
    net_kwh = 2 + level + 3 * shape + heating + rng.normal(0, 0.15, (meters, days, 48))
    return net_kwh.astype(np.float32), temp_c.astype(np.float32), area


def punch_gaps(rng: np.random.Generator, net_kwh: Floats) -> Floats:
    """The same readings with single slots, whole days and a late beginning unread."""
    gappy = net_kwh.copy()
    gappy[rng.random(gappy.shape) < 0.02] = np.nan
    gappy[1, 60:75] = np.nan
    gappy[2, :40] = np.nan
    gappy[3, 20, 10:] = np.nan
    return gappy


def is_same(found: BaselineDays, other: BaselineDays) -> Bools:
    """Whether every number of two answers is the same, day by day."""
    same = np.ones(found.model.shape[1], dtype=bool)
    for one, two in zip(found, other, strict=True):
        one, two = (values.reshape(*values.shape[:2], -1) for values in (one, two))
        same &= ((one == two) | (np.isnan(one) & np.isnan(two))).all(axis=(0, 2))
    return same


def test_readings_of_a_day_and_after_never_change_its_forecast() -> None:
    rng = np.random.default_rng(1)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    net_kwh = punch_gaps(rng, net_kwh)
    targets = np.arange(DAYS)
    found = predict_days(net_kwh, temp_c, area, calendar, targets)
    for day in range(1, DAYS, 5):
        changed = net_kwh.copy()
        changed[:, day:] = rng.choice([np.nan, 0.0, 9.0], changed[:, day:].shape)
        same = is_same(found, predict_days(changed, temp_c, area, calendar, targets))
        assert same[: day + 1].all(), day
        assert not same[day + 1 :].all() or day == DAYS - 1


def test_the_days_own_temperature_counts_but_no_later_weather() -> None:
    rng = np.random.default_rng(2)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    targets = np.arange(DAYS)
    found = predict_days(net_kwh, temp_c, area, calendar, targets)
    for day in (40, 41, 97, 120):
        changed = temp_c.copy()
        changed[:, day:] -= 12
        same = is_same(found, predict_days(net_kwh, changed, area, calendar, targets))
        assert same[:day].all()
        assert not same[day]


def test_the_last_day_used_lies_before_the_day_and_had_readings() -> None:
    rng = np.random.default_rng(3)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    net_kwh = punch_gaps(rng, net_kwh)
    trained_to = predict_days(net_kwh, temp_c, area, calendar, np.arange(DAYS)).trained_to_day
    is_read = np.isfinite(net_kwh).any(axis=2)
    for meter in range(len(net_kwh)):
        for day in range(DAYS):
            read_before = np.flatnonzero(is_read[meter, :day])
            assert trained_to[meter, day] == (read_before[-1] if len(read_before) else -1)


def test_a_meter_is_predicted_as_if_it_were_alone_and_the_window_its_own() -> None:
    rng = np.random.default_rng(4)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    net_kwh = punch_gaps(rng, net_kwh)
    temp_c[0, 100:103] = np.nan
    temp_c[1, :41] = np.nan
    targets = np.arange(50, DAYS)
    batch = predict_days(net_kwh, temp_c, area, calendar, targets)
    for meter in range(len(net_kwh)):
        first = 40 if meter == 2 else 0
        own = LocalCalendar(calendar.start_date + first, *(values[first:] for values in calendar[1:]))
        rows = slice(meter, meter + 1)
        alone = predict_days(net_kwh[rows, first:], temp_c[area[rows], first:], np.zeros(1, dtype=int), own, targets - first)
        assert np.array_equal(alone.predicted_kwh, batch.predicted_kwh[rows], equal_nan=True)
        assert np.array_equal(alone.p10_kwh, batch.p10_kwh[rows], equal_nan=True)
        assert np.array_equal(alone.model, batch.model[rows])
        assert np.array_equal(alone.trained_to_day + first, batch.trained_to_day[rows])


def test_the_order_in_memory_changes_nothing() -> None:
    rng = np.random.default_rng(12)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    net_kwh = punch_gaps(rng, net_kwh)
    found = predict_days(net_kwh, temp_c, area, calendar, np.arange(DAYS))
    turned = predict_days(np.asfortranarray(net_kwh), np.asfortranarray(temp_c), area, calendar, np.arange(DAYS))
    assert is_same(found, turned).all()


def test_the_days_asked_for_change_nothing() -> None:
    rng = np.random.default_rng(5)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    every = predict_days(net_kwh, temp_c, area, calendar, np.arange(DAYS))
    some = np.array([7, 60, 61, 149])
    few = predict_days(net_kwh, temp_c, area, calendar, some)
    assert np.array_equal(few.predicted_kwh, every.predicted_kwh[:, some], equal_nan=True)
    assert np.array_equal(few.p90_kwh, every.p90_kwh[:, some], equal_nan=True)


def test_regular_sites_are_predicted_near_their_noise_and_better_than_by_bl01() -> None:
    rng = np.random.default_rng(6)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar, 12)
    targets = np.arange(60, DAYS)
    found = predict_days(net_kwh, temp_c, area, calendar, targets)
    reference = reference_bl01(net_kwh, is_plain_working(calendar), targets)
    actual = net_kwh[:, targets]
    rmse = np.sqrt(((found.predicted_kwh - actual) ** 2).mean(axis=(1, 2)))
    rmse_reference = np.sqrt(((reference - actual) ** 2).mean(axis=(1, 2)))
    assert (rmse < rmse_reference).all()
    assert np.median(rmse) < 1.2 * 0.15
    bias = (found.predicted_kwh - actual).mean() / actual.mean()
    assert abs(bias) < 0.003


def test_the_interval_holds_eight_readings_in_ten() -> None:
    rng = np.random.default_rng(7)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar, 12)
    net_kwh += (rng.standard_t(3, net_kwh.shape) * 0.1).astype(np.float32)
    targets = np.arange(60, DAYS)
    found = predict_days(net_kwh, temp_c, area, calendar, targets)
    actual = net_kwh[:, targets]
    within = (actual >= found.p10_kwh) & (actual <= found.p90_kwh)
    assert 0.78 < within.mean() < 0.82
    assert within.mean(axis=(1, 2)).min() > 0.75


@pytest.mark.parametrize("shift_kwh", [-1.5, 2.0])
def test_a_lasting_step_is_followed_within_three_weeks(shift_kwh: float) -> None:
    rng = np.random.default_rng(8)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    net_kwh[:, 90:] += np.float32(shift_kwh)
    found = predict_days(net_kwh, temp_c, area, calendar, np.arange(DAYS))
    bias = (found.predicted_kwh - net_kwh).mean(axis=(0, 2))
    assert abs(bias[91]) > 0.5 * abs(shift_kwh)
    assert abs(bias[111:].mean()) < 0.1 * abs(shift_kwh)


def test_dead_days_of_a_meter_that_never_reads_zero_teach_nothing() -> None:
    rng = np.random.default_rng(9)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    dead, unread = net_kwh.copy(), net_kwh.copy()
    dead[:, 100:102] = 0.0
    unread[:, 100:102] = np.nan
    targets = np.arange(101, DAYS)
    assert is_same(*(predict_days(kwh, temp_c, area, calendar, targets) for kwh in (dead, unread))).all()


def test_a_young_meter_is_predicted_from_its_second_day_and_corrected_after_a_week() -> None:
    rng = np.random.default_rng(10)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    net_kwh[:, :30] = np.nan
    found = predict_days(net_kwh, temp_c, area, calendar, np.arange(DAYS))
    assert (found.model[:, :31] == NONE).all()
    assert np.isnan(found.predicted_kwh[:, :31]).all()
    assert (found.model[:, 31:37] == FILTER).all()
    assert (found.model[:, 43:] == CORRECTED).all()
    assert np.isfinite(found.predicted_kwh[:, 31:]).all()
    assert np.isnan(found.p10_kwh[:, 31]).all()
    assert (found.p10_kwh[:, 32:] < found.p90_kwh[:, 32:]).all()


def test_gaps_leave_no_day_without_a_forecast() -> None:
    rng = np.random.default_rng(11)
    calendar = make_calendar()
    net_kwh, temp_c, area = make_sites(rng, calendar)
    gappy = punch_gaps(rng, net_kwh)
    temp_c[:, 70:] = np.nan
    found = predict_days(gappy, temp_c, area, calendar, np.arange(45, DAYS))
    assert np.isfinite(found.predicted_kwh).all()
    error = (found.predicted_kwh - net_kwh[:, 45:])[:, 40:]
    assert np.sqrt((error**2).mean()) < 0.35


def test_flat_and_empty_loads_stay_finite() -> None:
    calendar = make_calendar()
    net_kwh = np.zeros((3, DAYS, 48), dtype=np.float32)
    net_kwh[1] = 5.0
    net_kwh[2] = 1e-7
    found = predict_days(net_kwh, np.full((1, DAYS, 48), np.nan), np.zeros(3, dtype=int), calendar, np.arange(2, DAYS))
    assert np.isfinite(found.predicted_kwh).all()
    assert np.allclose(found.predicted_kwh[:, 30:], net_kwh[:, 32:], rtol=1e-3)


def test_nothing_read_and_nothing_asked_are_answered_in_shape() -> None:
    calendar = make_calendar()
    temp_c = np.full((1, DAYS, 48), np.nan)
    unread = predict_days(np.full((2, DAYS, 48), np.nan), temp_c, np.zeros(2, dtype=int), calendar, np.array([0, 149]))
    assert np.isnan(unread.predicted_kwh).all()
    assert (unread.model == NONE).all()
    assert (unread.trained_to_day == -1).all()
    nobody = predict_days(np.zeros((0, DAYS, 48)), temp_c, np.zeros(0, dtype=int), calendar, np.array([3]))
    assert nobody.predicted_kwh.shape == (0, 1, 48)
    never = predict_days(np.zeros((2, DAYS, 48)), temp_c, np.zeros(2, dtype=int), calendar, np.zeros(0, dtype=int))
    assert never.p10_kwh.shape == (2, 0, 48)
