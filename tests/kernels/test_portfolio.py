"""The distribution of a sum of powers agrees with drawing it many times."""

import numpy as np
import pytest

from fmar_spark.kernels.portfolio import (
    Cumulants,
    describe_contributions,
    describe_error,
    find_quantiles,
    find_shared_factor,
    mix_evenly,
    shape_generation,
    share_factor,
    spread_of_interval,
    sum_groups,
)

DRAWS = 40_000


def draw_sum(rng: np.random.Generator, chance: np.ndarray, kw: np.ndarray, spread: float) -> np.ndarray:
    """Sums drawn one by one; single precision draws millions of them in half the time."""
    sigma = np.float32(np.sqrt(np.log1p(spread**2)))
    power = kw.astype(np.float32) * np.exp(sigma * rng.standard_normal((DRAWS, len(kw)), np.float32) - sigma**2 / 2)
    return np.asarray(((rng.random((DRAWS, len(kw)), np.float32) < chance.astype(np.float32)) * power).sum(axis=1, dtype=np.float64))


@pytest.mark.parametrize("meters", [12, 60, 400])
def test_quantiles_agree_with_sums_that_are_drawn(meters: int) -> None:
    rng = np.random.default_rng(meters)
    chance, kw = rng.uniform(0.2, 0.9, meters), rng.lognormal(1.0, 0.5, meters)
    parts = describe_contributions(chance[:, None], kw[:, None], np.full((meters, 1), 0.3))
    total = sum_groups(parts, np.zeros(meters, dtype=np.int64), 1)
    drawn = draw_sum(rng, chance, kw, 0.3)
    found = find_quantiles(total)[:, 0, 0]
    assert np.allclose(found, np.quantile(drawn, [0.1, 0.5, 0.9]), rtol=0.02)
    assert found[2] < kw.sum()


def test_a_factor_that_all_share_widens_the_sum_and_keeps_its_mean() -> None:
    rng = np.random.default_rng(5)
    total = Cumulants(np.array([100.0]), np.array([64.0]), np.array([100.0]))
    shared = share_factor(total, describe_error(1.0, 0.3))
    drawn = rng.gamma(1 / 0.09, 0.09, DRAWS) * rng.normal(100.0, 8.0, DRAWS)
    assert shared.first[0] == pytest.approx(100.0)
    assert find_quantiles(shared)[:, 0] == pytest.approx(np.quantile(drawn, [0.1, 0.5, 0.9]), rel=0.03)


def test_a_moment_picked_among_several_has_the_moments_of_the_mixture() -> None:
    parts = Cumulants(np.array([[0.0, 10.0]]), np.zeros((1, 2)), np.zeros((1, 2)))
    mixed = mix_evenly(parts, axis=1)
    assert (mixed.first[0], mixed.second[0], mixed.third[0]) == pytest.approx((5.0, 25.0, 0.0))


def test_sums_of_groups_agree_with_a_loop() -> None:
    rng = np.random.default_rng(1)
    parts = Cumulants(*rng.random((3, 20, 4)))
    group = rng.integers(0, 3, 20)
    found = sum_groups(parts, group, 3)
    for number in range(3):
        assert np.allclose(found.third[number], sum((parts.third[row] for row in np.flatnonzero(group == number)), np.zeros(4)))


def test_nothing_gives_nothing_and_a_sure_power_has_no_interval() -> None:
    sure = describe_contributions(np.array([0.0, 1.0]), np.array([7.0, 7.0]), np.zeros(2))
    assert find_quantiles(sure).tolist() == [[0.0, 7.0]] * 3


def test_the_spread_of_an_interval_is_that_of_a_lognormal() -> None:
    sizes = np.exp(np.random.default_rng(2).normal(1.0, 0.4, 200_000))
    lower, upper = np.quantile(sizes, [0.1, 0.9])
    found = spread_of_interval(np.array([lower, np.nan, 1.0]), np.array([upper, 2.0, 1.0]), 1.0)
    assert found == pytest.approx([sizes.std() / sizes.mean(), 1.0, 0.0], abs=0.01)


def test_what_two_halves_share_is_found_whatever_each_does_alone() -> None:
    rng = np.random.default_rng(3)
    weather = rng.gamma(1 / 0.16, 0.16, 40_000)
    found = find_shared_factor(*(weather * 50 + rng.normal(0, 10, 40_000) for _ in range(2)), is_of_median=True)
    level = 1 / np.median(weather)
    assert float(found.first) == pytest.approx(level, rel=0.01)
    assert float(found.second) == pytest.approx(0.16 * level**2, rel=0.05)
    assert float(found.third) == pytest.approx(2 * 0.16**2 * level**3, rel=0.15)
    alone = find_shared_factor(rng.random(4000), rng.random(4000))
    assert float(alone.second) == pytest.approx(0.0, abs=0.02)
    assert float(find_shared_factor(np.array([1.0]), np.array([1.0])).second) == 0.0


def test_generation_peaks_in_the_middle_of_its_day_and_keeps_its_energy() -> None:
    operating = np.array([[0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0], [0.0] * 7])
    shape = shape_generation(operating)
    assert shape[0].argmax() == 3
    assert (shape[0] * operating[0]).sum() == pytest.approx(5.0)
    assert np.isfinite(shape).all()
