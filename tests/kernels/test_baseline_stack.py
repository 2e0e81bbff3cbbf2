"""Corrections against the ridge regression that they stand for."""

import numpy as np

from fmar_spark.kernels.baseline.filter import VIEWS
from fmar_spark.kernels.baseline.sky import HOURS
from fmar_spark.kernels.baseline.stack import COLUMNS, YOUNG_TRUST, Stack, StackRules
from fmar_spark.kernels.window import Floats

RULES = StackRules(half_life_days=20.0, ridge=5.0, least_days=3, solve_every_days=1)
ALL_READ = np.ones((2, HOURS), dtype=np.float32)


def feed(stack: Stack, rng: np.random.Generator, day: int, is_read: Floats) -> tuple[Floats, Floats]:
    """Let a day pass: what explained its errors and what they were."""
    views = rng.normal(0, 1, (2, VIEWS, HOURS)).astype(np.float32)
    weekday = day % 7 + 1
    stack.lay_columns(views, rng.normal(0, 1, (2, 2, HOURS)).astype(np.float32), weekday)
    error = (0.7 * views[:, 3] + rng.normal(0, 0.3, (2, HOURS)).astype(np.float32)) * is_read
    columns = stack.columns.copy()
    stack.correct(day)
    stack.learn(error, is_read, views[:, -1], weekday)
    return columns, error


def test_corrections_are_a_ridge_regression_with_fading_days() -> None:
    rng = np.random.default_rng(1)
    stack = Stack(2, RULES)
    days = [feed(stack, rng, day, ALL_READ) for day in range(25)]
    stack.correct(25)
    for meter in range(2):
        weight = np.repeat(0.5 ** (np.arange(24, -1, -1) / RULES.half_life_days), HOURS)
        columns = np.concatenate([arranged[meter].T for arranged, _ in days]).astype(np.float64)
        error = np.concatenate([seen[meter] for _, seen in days]).astype(np.float64)
        variance = (weight * error**2).sum() / weight.sum()
        gram = (columns * weight[:, None]).T @ columns + RULES.ridge * variance * np.eye(COLUMNS)
        wanted = np.linalg.solve(gram, (columns * weight[:, None]).T @ error)
        assert np.allclose(stack.coefficients[meter], wanted, rtol=1e-3, atol=1e-4)


def test_what_explains_the_errors_is_found() -> None:
    rng = np.random.default_rng(2)
    stack = Stack(2, RULES)
    for day in range(40):
        feed(stack, rng, day, ALL_READ)
    stack.correct(40)
    assert np.allclose(stack.coefficients[:, 2], 0.7, atol=0.05)
    assert (np.abs(np.delete(stack.coefficients, 2, axis=1)) < 0.25).all()


def test_a_meter_without_readings_learns_nothing_and_keeps_its_first_trust() -> None:
    rng = np.random.default_rng(3)
    stack = Stack(2, RULES)
    half = ALL_READ * np.array([[1], [0]], dtype=np.float32)
    for day in range(10):
        feed(stack, rng, day, half)
    assert stack.days.tolist() == [10, 0]
    assert stack.is_corrected.tolist() == [True, False]
    assert not stack.gram[1].any()
    assert stack.coefficients[1].tolist() == [np.float32(YOUNG_TRUST)] + [0.0] * (COLUMNS - 1)


def test_last_weeks_error_is_that_of_the_same_weekday() -> None:
    stack = Stack(1, RULES)
    views = np.zeros((1, VIEWS, HOURS), dtype=np.float32)
    for day in range(8):
        stack.lay_columns(views, np.zeros((2, 1, HOURS), dtype=np.float32), day % 7 + 1)
        stack.learn(np.full((1, HOURS), float(day + 1), dtype=np.float32), ALL_READ[:1], views[:, -1], day % 7 + 1)
    stack.lay_columns(views, np.zeros((2, 1, HOURS), dtype=np.float32), 2)
    last_week, yesterday = 2.0, 8.0
    assert (stack.columns[0] == last_week).all(axis=1).sum() == 1
    assert (stack.columns[0] == yesterday).all(axis=1).sum() >= 2


def test_the_shift_of_the_newest_working_day_outlives_the_weekend() -> None:
    stack = Stack(1, RULES)
    kind = np.linspace(-1, 1, HOURS, dtype=np.float32)[None]
    for weekday, share in ((5, -0.5), (6, 0.3), (7, 0.2)):
        stack.learn(share * kind, ALL_READ[:1], kind, weekday)
    assert np.isclose(stack.shift[0], -0.5)


def test_no_meters_are_no_trouble() -> None:
    stack = Stack(0, RULES)
    stack.lay_columns(np.zeros((0, VIEWS, HOURS), dtype=np.float32), np.zeros((2, 0, HOURS), dtype=np.float32), 1)
    assert stack.correct(0).shape == (0, HOURS)
