"""The filter says what a Gaussian process over days expects, worked out the long way."""

import numpy as np

from fmar_spark.kernels.baseline_days import LEVEL_DRIFT, PARTS, STATES, DayKinds, find_states, sort_days
from fmar_spark.kernels.baseline_filter import CAUTIOUS, SIGNALS, TRUSTING, VIEWS, DayFilter
from fmar_spark.kernels.baseline_sky import lay_skies
from fmar_spark.kernels.window import Floats, LocalCalendar

DAYS = 40


def make_kinds() -> DayKinds:
    weekday = np.arange(DAYS) % 7 + 1
    return sort_days(LocalCalendar(np.datetime64("2025-12-01"), weekday, np.isin(np.arange(DAYS), [24, 25, 31]), np.zeros(DAYS, dtype=int)))


def expect_slowly(loads: Floats, loadings: Floats, noise: Floats, signal: float) -> float:
    """Mean of the last day given the days before, from the covariance between days that the parts imply."""
    days = len(loads) + 1
    apart = np.abs(np.arange(days)[:, None] - np.arange(days))
    earlier = np.minimum(np.arange(days)[:, None], np.arange(days)) + 1
    covariance = np.zeros((days, days))
    for part in PARTS:
        shared = loadings[:days, find_states(part.name)] @ loadings[:days, find_states(part.name)].T
        if part.name == "level":
            covariance += part.variance + signal * LEVEL_DRIFT * earlier
        else:
            covariance += signal * part.variance * np.exp(-apart / part.days) * shared
    weights = np.linalg.solve(covariance[:-1, :-1] + np.diag(noise[: days - 1]), covariance[:-1, -1])
    return float(weights @ loads)


def walk(loads: Floats, temp_c: Floats, first_day: int = 0) -> tuple[Floats, Floats, DayKinds]:
    """What the filter tells of the day after the loads (days,), the loadings that it used, and the kinds of days."""
    kinds = make_kinds()
    skies = lay_skies(np.zeros(1, dtype=int), np.array([first_day]), temp_c, kinds)
    one = DayFilter(skies, kinds.noise)
    for day, load in enumerate(loads):
        views = one.foresee(day)
        is_read = np.isfinite(load)
        error = np.full((1, 48), load if is_read else 0.0, dtype=np.float32) - views[:, 0] * is_read
        one.learn(error, views[:, 1] * is_read)
    return one.foresee(len(loads)), skies.loadings[0], kinds


def test_both_readings_agree_with_a_gaussian_process_over_days() -> None:
    rng = np.random.default_rng(1)
    loads = 5 + rng.normal(0, 1, 33) + 2 * (np.arange(33) % 7 < 5)
    temp_c = rng.normal(9, 6, (1, DAYS, 48))
    for count in (1, 9, 26, 33):
        views, loadings, kinds = walk(loads[:count], temp_c)
        cautious = expect_slowly(loads[:count], loadings, kinds.noise, SIGNALS[CAUTIOUS])
        trusting = expect_slowly(loads[:count], loadings, kinds.noise, SIGNALS[TRUSTING])
        assert np.allclose(views[0, 0], cautious, rtol=2e-4)
        assert np.allclose(views[0, 0] + views[0, 1], trusting, rtol=2e-4)


def test_shown_parts_add_up_to_the_trusting_forecast_but_for_level_and_holidays() -> None:
    rng = np.random.default_rng(2)
    loads = rng.normal(5, 1, 20)
    views, _, _ = walk(loads, np.full((1, DAYS, 48), np.nan))
    shown = views[0, 2:].sum(axis=0)
    trusting = views[0, 0] + views[0, 1]
    assert views.shape == (1, VIEWS, 48)
    assert np.ptp(trusting - shown) < 1e-5
    assert 4 < (trusting - shown)[0] < 6


def test_a_day_that_nobody_read_moves_nothing() -> None:
    loads = np.array([3.0, 4.0, 5.0, np.nan, np.nan])
    temp_c = np.full((1, DAYS, 48), np.nan)
    kinds = make_kinds()
    one = DayFilter(lay_skies(np.zeros(1, dtype=int), np.zeros(1, dtype=int), temp_c, kinds), kinds.noise)
    for day, load in enumerate(loads):
        views = one.foresee(day)
        before = one.states.copy()
        error = np.full((1, 48), load, dtype=np.float32) - views[:, 0] if np.isfinite(load) else np.zeros((1, 48), dtype=np.float32)
        one.learn(error, views[:, 1] * np.isfinite(load))
        assert np.array_equal(one.states, before) == np.isnan(load)


def test_meters_that_have_not_begun_keep_the_first_uncertainty() -> None:
    kinds = make_kinds()
    skies = lay_skies(np.array([0, 0]), np.array([0, 30]), np.full((1, DAYS, 48), np.nan), kinds)
    both = DayFilter(skies, kinds.noise)
    first = both.covariance.copy()
    for day in range(30):
        both.foresee(day)
    assert np.array_equal(both.covariance[1], first[1])
    assert both.covariance[0, TRUSTING, 0, 0] < first[0, TRUSTING, 0, 0]
    assert both.gain.shape == (2, 2, STATES)
    assert not both.gain[1].any()
