"""Steps up by day, in the best weeks, and the size that recurs."""

import numpy as np
import pytest

from fmar_spark.kernels.episodes import build_slot_grid, find_rises
from fmar_spark.kernels.ev.steps import BEST_DAYS, Steps, describe_steps
from fmar_spark.kernels.window import Floats

DAYS = 200


def steps_of(load_kw: Floats) -> Steps:
    grid = build_slot_grid(load_kw.astype(np.float32), 32, 6)
    return describe_steps(grid, find_rises(grid, np.full(len(load_kw), 1.0)), ~np.isnan(load_kw).any(axis=2))


def cook(rng: np.random.Generator) -> Floats:
    """A home that steps up by another power each evening."""
    load_kw = np.full((1, DAYS, 48), 0.3)
    load_kw[0, :, 36:39] += rng.uniform(2.6, 6.0, (DAYS, 1))
    return load_kw


def test_a_charger_steps_by_one_power_and_cooking_by_many() -> None:
    cooked = cook(np.random.default_rng(1))
    driven = cooked.copy()
    driven[0, :, 6:10] += 7.2
    steps = steps_of(np.concatenate([cooked, driven]))
    assert steps.agreement[0] < 0.3
    assert steps.agreement[1] == pytest.approx(0.5, abs=0.1)
    assert steps.usual_kw[1] == pytest.approx(7.2, rel=0.06)


def test_a_car_that_came_late_shows_in_its_best_weeks() -> None:
    load_kw = np.full((1, DAYS, 48), 0.3)
    load_kw[0, -BEST_DAYS // 2 :, 40:44] += 7.2
    steps = steps_of(load_kw)
    assert steps.day_shares[0, 3] == pytest.approx(BEST_DAYS / 2 / DAYS)
    assert steps.best_day_shares[0] == pytest.approx([0.5, 0.5])


def test_few_steps_say_nothing_of_their_size_and_no_meters_are_no_error() -> None:
    load_kw = np.full((1, DAYS, 48), 0.3)
    load_kw[0, 3:6, 40] += 4.0
    steps = steps_of(load_kw)
    assert np.isnan([steps.agreement[0], steps.usual_kw[0]]).all()
    assert steps_of(np.zeros((0, 4, 48))).best_day_shares.shape == (0, 2)


def test_unread_days_are_no_days_with_a_step() -> None:
    load_kw = np.full((1, DAYS, 48), np.nan)
    assert not steps_of(load_kw).best_day_shares.any()
    assert not steps_of(load_kw).day_shares.any()
