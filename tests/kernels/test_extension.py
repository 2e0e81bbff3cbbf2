"""Where a size that single days show grew for good."""

import numpy as np
import pytest

from fmar_spark.kernels.extension import find_growth
from fmar_spark.kernels.window import Floats

COUNT, CHANGED = 120, 55
DAY = np.arange(COUNT) * 3


def shown(level: Floats, seed: int = 1, spread: float = 0.07) -> Floats:
    """Sizes of days about a level; on one of ten a load or a cloud takes a fifth of it."""
    rng = np.random.default_rng(seed)
    return level * np.exp(rng.normal(0.0, spread, COUNT)) * np.where(rng.random(COUNT) < 0.1, 0.8, 1.0)


@pytest.mark.parametrize("ratio", [1.5, 1.7, 2.0])
def test_a_size_that_grows_at_once_and_stays_is_found(ratio: float) -> None:
    for seed in range(5):
        found = find_growth(shown(np.where(np.arange(COUNT) < CHANGED, 3.0, 3.0 * ratio), seed), DAY)
        assert abs(found - CHANGED) <= 2


@pytest.mark.parametrize(
    "level",
    [
        pytest.param(np.full(COUNT, 3.0), id="stays"),
        pytest.param(np.linspace(3.0, 6.0, COUNT), id="drifts"),
        pytest.param(np.where(np.arange(COUNT) < CHANGED, 5.0, 3.0), id="shrinks"),
        pytest.param(np.where(np.arange(COUNT) < CHANGED, 1.0, 5.0), id="comes"),
        pytest.param(np.where(np.arange(COUNT) % 40 == 20, 6.0, 3.0), id="is higher now and then"),
        pytest.param(3.0 + 0.8 * np.sin(np.arange(COUNT) / 19), id="follows the season"),
    ],
)
def test_no_growth_is_found_where_the_size(level: Floats) -> None:
    for seed in range(5):
        assert find_growth(shown(level, seed), DAY) == 0


def test_no_growth_is_found_where_the_site_set_the_limit_before() -> None:
    rng = np.random.default_rng(3)
    size = np.where(np.arange(COUNT) < CHANGED, np.exp(rng.normal(0.0, 0.6, COUNT)), shown(np.full(COUNT, 5.0)))
    assert find_growth(size, DAY) == 0


@pytest.mark.parametrize("count", [0, 1, 19])
def test_too_few_days_show_no_growth(count: int) -> None:
    assert find_growth(np.linspace(1.0, 4.0, count), np.arange(count)) == 0


def test_days_of_other_seasons_are_not_compared() -> None:
    level = np.where(np.arange(COUNT) < CHANGED, 3.0, 5.0)
    assert find_growth(shown(level), np.arange(COUNT) * 14) == 0
