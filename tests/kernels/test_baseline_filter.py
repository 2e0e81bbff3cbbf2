"""The filter says what a Gaussian process over days expects, worked out the long way."""

import numpy as np

from fmar_spark.kernels.baseline.days import LEVEL_DRIFT, PARTS, STATES, DayKinds, find_states, sort_days
from fmar_spark.kernels.baseline.filter import BLOCK_DAYS, CAUTIOUS, SHOWN_PARTS, SIGNALS, TRUSTING, VIEWS, DayFilter, trace_gains
from fmar_spark.kernels.baseline.sky import lay_skies
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


def run_filter(loads: Floats, temp_c: Floats, start_number: int = 0) -> tuple[Floats, Floats, DayKinds]:
    """What the filter says of the day after the loads (days,), the loadings that it used, and the kinds of days."""
    kinds = make_kinds()
    skies = lay_skies(np.zeros(1, dtype=int), np.zeros(1, dtype=int), temp_c, kinds)
    one = DayFilter(skies, trace_gains(skies, kinds.noise), start_number)
    for day, load in enumerate(loads):
        views = one.predict(day)
        is_read = np.isfinite(load)
        error = np.full((1, 48), load if is_read else 0.0, dtype=np.float32) - views[:, 0] * is_read
        one.learn(day, error, views[:, 1] * is_read)
    return one.predict(len(loads)), skies.loadings[0], kinds


def test_both_readings_agree_with_a_gaussian_process_over_days() -> None:
    rng = np.random.default_rng(1)
    loads = 5 + rng.normal(0, 1, 33) + 2 * (np.arange(33) % 7 < 5)
    temp_c = rng.normal(9, 6, (1, DAYS, 48))
    for count in (1, 9, 26, 33):
        views, loadings, kinds = run_filter(loads[:count], temp_c)
        cautious = expect_slowly(loads[:count], loadings, kinds.noise, SIGNALS[CAUTIOUS])
        trusting = expect_slowly(loads[:count], loadings, kinds.noise, SIGNALS[TRUSTING])
        assert np.allclose(views[0, 0], cautious, rtol=2e-4)
        assert np.allclose(views[0, 0] + views[0, 1], trusting, rtol=2e-4)


def test_shown_parts_add_up_to_the_trusting_forecast_but_for_level_and_holidays() -> None:
    rng = np.random.default_rng(2)
    loads = rng.normal(5, 1, 20)
    views, _, _ = run_filter(loads, np.full((1, DAYS, 48), np.nan))
    shown = views[0, 2:].sum(axis=0)
    trusting = views[0, 0] + views[0, 1]
    assert views.shape == (1, VIEWS, 48)
    assert np.ptp(trusting - shown) < 1e-5
    assert 4 < (trusting - shown)[0] < 6


def test_where_blocks_of_days_begin_changes_next_to_nothing() -> None:
    loads = np.random.default_rng(3).normal(5, 1, 35)
    temp_c = np.full((1, DAYS, 48), 8.0)
    views, _, _ = run_filter(loads, temp_c)
    for start_number in (1, BLOCK_DAYS - 1, 20_000):
        assert np.allclose(run_filter(loads, temp_c, start_number)[0], views, atol=1e-4)


def test_days_that_nobody_read_let_the_parts_fade_and_nothing_else() -> None:
    loads = np.array([3.0, 4.0, 5.0, *[np.nan] * 25])
    temp_c = np.full((1, DAYS, 48), np.nan)
    before, _, _ = run_filter(loads[:4], temp_c)
    after, _, _ = run_filter(loads, temp_c)
    quick = 2 + SHOWN_PARTS.index("quick")
    assert np.allclose(after[0, quick], before[0, quick] * np.exp(-24 / 3.0), rtol=1e-3)


def test_gains_of_meters_that_have_not_begun_are_nothing_and_then_those_of_any_first_day() -> None:
    kinds = make_kinds()
    unknown = np.full((1, DAYS, 48), np.nan)
    skies = lay_skies(np.array([0, 0]), np.array([0, 30]), unknown, kinds)
    gains = trace_gains(skies, kinds.noise)
    assert gains.shape == (2, DAYS, 2 * STATES)
    assert not gains[1, :30].any()
    assert gains[1, 30:].any(axis=1).all()
    assert (gains[1, 30:, 0] > gains[0, 30:, 0]).all()
    nobody = lay_skies(np.zeros(0, dtype=int), np.zeros(0, dtype=int), unknown, kinds)
    assert trace_gains(nobody, kinds.noise).shape == (0, DAYS, 2 * STATES)
