"""What many assets do together: the distribution of a sum of powers, each of which may be there or not and may be on or off.

The sum of independent risks of the individual risk model: each asset is there with its probability, operates with its own
share of weeks, and draws its usual power with some spread. Cumulants of independent parts add up, so an area is the sum of
its meters' first three; quantiles are those of the gamma distribution, shifted, that has the same three (Bowers, Gerber,
Hickman, Jones and Nesbitt, *Actuarial Mathematics*, 2nd ed. 1997, the translated gamma approximation to total claims).
What all assets of a class share, the weather above all, multiplies the sum by a factor whose moments are seen in
the assets' own days. Nothing is drawn at
random, so the same meters always give the same figures.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri

Floats = NDArray[np.float64]
QUANTILES: Final = (0.1, 0.5, 0.9)
SIGMAS_OF_80_PCT: Final = 2.5631031310892007
"""Width of the 80 % interval of a normal distribution in standard deviations."""
SKEWNESS: Final = (-1.0, 2.0)
"""Of what days share, at least and at most: a few days of a few assets do not show more."""
LEAST_SKEWNESS: Final = 1e-3
"""Below it a sum is as good as normal."""


class Cumulants(NamedTuple):
    """First three cumulants of a power: mean (kW), variance (kW^2) and third central moment (kW^3); arrays of one shape."""

    first: Floats
    second: Floats
    third: Floats

    def __add__(self, other: object) -> "Cumulants":
        """Of the sum of independent powers."""
        if not isinstance(other, Cumulants):
            return NotImplemented
        return Cumulants(self.first + other.first, self.second + other.second, self.third + other.third)


def describe_contributions(chance: Floats, kw: Floats, relative_spread: Floats) -> Cumulants:
    """Each asset's part: with ``chance`` it contributes a power, else nothing.

    Args:
        chance: probability that it is there and operates, 0..1.
        kw: mean power while it operates, kW.
        relative_spread: standard deviation of that power over its mean; a lognormal power has it.
    """
    wider = 1.0 + relative_spread**2
    first = chance * kw
    square = chance * kw**2 * wider
    cube = chance * kw**3 * wider**3
    return Cumulants(first, square - first**2, cube - 3.0 * first * square + 2.0 * first**3)


def shape_generation(operating: Floats) -> Floats:
    """How the power of generation at each half-hour compares with its day's mean: a sine squared over the hours in which it runs.

    Args:
        operating: probability of generating at each half-hour of a day, shape (..., slots).
    """
    whole = operating.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        passed = np.nan_to_num((operating.cumsum(axis=-1) - operating / 2.0) / whole)
    return np.asarray(2.0 * np.sin(np.pi * passed) ** 2)


def spread_of_interval(lower: Floats, upper: Floats, most: float) -> Floats:
    """Relative standard deviation of a lognormal quantity with that 80 % interval, at most ``most``; ``most`` where it is not known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.log(upper / lower) / SIGMAS_OF_80_PCT
        spread = np.sqrt(np.expm1(np.minimum(sigma, 3.0) ** 2))
    return np.asarray(np.where(np.isfinite(spread), np.clip(spread, 0.0, most), most))


def sum_groups(parts: Cumulants, group: NDArray[np.int64], groups: int) -> Cumulants:
    """Cumulants of the sum of each group's assets.

    Args:
        parts: shape (assets, cells).
        group: number of each asset's group, shape (assets,).
        groups: how many there are.
    """

    def add(values: Floats) -> Floats:
        total = np.zeros((groups, values.shape[1]))
        np.add.at(total, group, values)
        return total

    return Cumulants(add(parts.first), add(parts.second), add(parts.third))


def share_factor(total: Cumulants, factor: Cumulants) -> Cumulants:
    """Of the sum times a factor that all its parts share and that is independent of what each does alone."""
    m1, m2, m3 = _raw_moments(total)
    f1, f2, f3 = _raw_moments(factor)
    return _central(m1 * f1, m2 * f2, m3 * f3)


def describe_error(level: Floats | float, relative_spread: Floats | float) -> Cumulants:
    """A factor of that mean and relative standard deviation, gamma distributed."""
    mean, square = np.asarray(level, dtype=np.float64), np.asarray(relative_spread, dtype=np.float64) ** 2
    return Cumulants(mean, mean**2 * square, 2.0 * mean**3 * square**2)


def mix_evenly(parts: Cumulants, axis: int) -> Cumulants:
    """Of a power at a moment picked evenly among those along the axis."""
    m1, m2, m3 = _raw_moments(parts)
    return _central(m1.mean(axis=axis), m2.mean(axis=axis), m3.mean(axis=axis))


def find_quantiles(total: Cumulants, shares: tuple[float, ...] = QUANTILES) -> Floats:
    """Quantiles of a power, kW, never negative; shape (quantiles, *shape of the cumulants)."""
    mean, variance, third = (np.asarray(one, dtype=np.float64) for one in total)
    deviation = np.sqrt(np.maximum(variance, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        skewness = np.where(deviation > 0, third / np.maximum(deviation, 1e-300) ** 3, 0.0)
        is_skewed = np.abs(skewness) > LEAST_SKEWNESS
        shape = 4.0 / np.where(is_skewed, skewness, 1.0) ** 2
        found = []
        for share in shares:
            # A sum skewed to the left is the mirror image of one skewed to the right.
            rank = np.where(skewness >= 0, share, 1.0 - share)
            gamma = (gammaincinv(shape, rank) - shape) / np.sqrt(shape) * np.sign(skewness)
            found.append(mean + deviation * np.where(is_skewed, gamma, ndtri(share)))
    return np.asarray(np.maximum(np.stack(found), 0.0))


def find_shared_factor(half_a: Floats, half_b: Floats, *, is_of_median: bool = False) -> Cumulants:
    """What the days of two halves of the same assets have in common, as a factor of their mean day.

    What each half does by chance is independent of the other, so it drops out of the products of both.

    Args:
        half_a: energy of one half on each day, shape (days,).
        half_b: of the other half on the same days.
        is_of_median: as a factor of their median day instead: for assets that run every day, whose usual power is a median.
    """
    whole = half_a + half_b
    if len(whole) < 3 or half_a.mean() <= 0 or half_b.mean() <= 0 or np.median(whole) <= 0:
        return describe_error(1.0, 0.0)
    a, b = half_a / half_a.mean() - 1.0, half_b / half_b.mean() - 1.0
    level = float(whole.mean() / np.median(whole)) if is_of_median else 1.0
    variance = float(np.clip((a * b).mean(), 0.0, 1.0))
    least, most = (skewness * variance**1.5 for skewness in SKEWNESS)
    third = float(np.clip((a * b * (a + b)).mean() / 2.0, least, most))
    return Cumulants(*(np.asarray(one) for one in (level, level**2 * variance, level**3 * third)))


def _raw_moments(one: Cumulants) -> tuple[Floats, Floats, Floats]:
    mean = one.first
    return mean, one.second + mean**2, one.third + 3.0 * mean * one.second + mean**3


def _central(m1: Floats, m2: Floats, m3: Floats) -> Cumulants:
    return Cumulants(m1, m2 - m1**2, m3 - 3.0 * m1 * m2 + 2.0 * m1**3)
