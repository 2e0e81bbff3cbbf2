"""Figures with an interval: each is computed again on whole meters drawn with replacement, all draws at once."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import binomtest

from fmar_spark.kernels.window import Bools, Floats

Statistic = Callable[[Floats], Floats]
"""From weights, shape (draws, meters), to one figure a draw, shape (draws,); NaN where a draw has none."""
Figure = dict[str, Any]
"""``value``, ``interval`` (low, high) and the number of ``meters`` that it rests on; both of the first null where they are too few."""
LEAST_SHARE_OF_DRAWS: Final = 0.5
MOST_GROUPS: Final = 200
"""Meters, or groups of them, that are left out one after the other."""
BINS: Final = 10
"""Of a reliability curve, of equal width."""


class DrawRules(NamedTuple):
    """How figures get their interval, when there is none, and which answers count as sure."""

    draws: int = 300
    least_meters: int = 10
    """A figure that rests on fewer meters is not given: its interval would say nothing."""
    coverage: float = 0.95
    seed: int = 0
    high_tier: float = 0.9
    """Confidence from which an answer is high."""
    medium_tier: float = 0.7


def draw_weights(meters: int, rules: DrawRules) -> Floats:
    """How often each meter is drawn, shape (1 + draws, meters); the first row takes every meter once."""
    rng = np.random.default_rng((rules.seed, meters))
    drawn = rng.multinomial(meters, np.full(meters, 1 / max(meters, 1)), size=rules.draws) if meters else np.zeros((rules.draws, 0))
    return np.concatenate([np.ones((1, meters)), drawn.astype(np.float64)])


def measure(statistic: Statistic, weights: Floats, meters: int, rules: DrawRules) -> Figure:
    """A figure and its interval; of a share of all or none the exact binomial one.

    Args:
        statistic: of weighted meters.
        weights: of ``draw_weights``.
        meters: that the figure rests on: of the rarer answer, or of the denominator.
        rules: least number of meters, width of the interval.
    """
    if meters < rules.least_meters:
        return {"value": None, "interval": None, "meters": int(meters)}
    values = statistic(weights)
    value, drawn = float(values[0]), values[1:][np.isfinite(values[1:])]
    if not np.isfinite(value):
        return {"value": None, "interval": None, "meters": int(meters)}
    if drawn.size < LEAST_SHARE_OF_DRAWS * rules.draws:
        return {"value": value, "interval": None, "meters": int(meters)}
    if value in (0.0, 1.0) and (drawn == value).all():
        return {"value": value, "interval": list(_bound_share(round(value * meters), int(meters), rules.coverage)), "meters": int(meters)}
    left_out = statistic(leave_out(weights.shape[1]))
    return {"value": value, "interval": bound_figure(value, drawn, left_out, rules.coverage), "meters": int(meters)}


@lru_cache(maxsize=1024)
def _bound_share(found: int, meters: int, coverage: float) -> tuple[float, float]:
    """Exact binomial interval of a share; it is searched for, and many figures of a fleet are all or none of as many meters."""
    interval = binomtest(found, meters).proportion_ci(coverage)
    return float(interval.low), float(interval.high)


def leave_out(meters: int) -> Floats:
    """Weights that leave out one meter each, or one group of meters where they are many, shape (groups, meters)."""
    groups = min(meters, MOST_GROUPS)
    return np.asarray(np.arange(meters) * groups // max(meters, 1) != np.arange(groups)[:, None], dtype=np.float64)


def bound_figure(value: float, drawn: Floats, left_out: Floats, coverage: float) -> list[float]:
    """Interval of a figure, bias-corrected and accelerated (BCa, Efron 1987), as ``scipy.stats.bootstrap`` makes it.

    The calibration error of drawn meters is larger than that of all, however many are drawn, so that it may lie outside of all draws:
    then the draws are shifted by their bias instead, and no figure falls below 0.

    Args:
        value: of all meters.
        drawn: of meters drawn with replacement, shape (draws,).
        left_out: of ``leave_out``, shape (groups,).
        coverage: share of intervals that hold the true figure.
    """
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    tails = np.array([(1 - coverage) / 2, (1 + coverage) / 2])
    known = left_out[np.isfinite(left_out)]
    distance = known.mean() - known if known.size else known
    spread = float((distance**2).sum()) ** 1.5
    acceleration = float((distance**3).sum()) / (6 * spread) if spread > 0 else 0.0
    if 0 < below < 1:
        shifted = ndtri(below) + ndtri(tails)
        low, high = np.quantile(drawn, ndtr(ndtri(below) + shifted / (1 - acceleration * shifted)))
        if low <= value <= high:
            return [float(low), float(high)]
    low, high = np.quantile(drawn, tails) - (drawn.mean() - value)
    return [float(min(max(low, 0.0), value)), float(max(high, value))]


def weighted_ratio(above: Floats | Bools, below: Floats | Bools) -> Statistic:
    """Sum of the one over the sum of the other, each of shape (meters,)."""

    def compute(weights: Floats) -> Floats:
        total = weights @ below.astype(np.float64)
        return np.where(total > 0, weights @ above.astype(np.float64) / np.where(total > 0, total, 1.0), np.nan)

    return compute


def weighted_median(values: Floats) -> Statistic:
    """Middle of the values, shape (meters,); the mean of both where two are in the middle."""
    order = np.argsort(values)
    ranked = np.asarray(values, dtype=np.float64)[order]

    def compute(weights: Floats) -> Floats:
        summed = np.cumsum(weights[:, order], axis=1)
        half = summed[:, -1:] / 2
        low, high = (summed >= half).argmax(axis=1), (summed > half).argmax(axis=1)
        return np.where(summed[:, -1] > 0, (ranked[low] + ranked[high]) / 2, np.nan)

    return compute


def weighted_auc(score: Floats, truth: Floats) -> Statistic:
    """Chance that a meter with the asset is ranked above one without, ties counting half; shape (meters,) each."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf) != 0)
    is_there = truth[order] == 1

    def compute(weights: Floats) -> Floats:
        ranked = weights[:, order]
        there = np.add.reduceat(ranked * is_there, starts, axis=1)
        not_there = np.add.reduceat(ranked * ~is_there, starts, axis=1)
        below = np.cumsum(not_there, axis=1) - not_there / 2
        pairs = there.sum(axis=1) * not_there.sum(axis=1)
        return np.where(pairs > 0, (there * below).sum(axis=1) / np.where(pairs > 0, pairs, 1.0), np.nan)

    return compute


def weighted_calibration_error(stated: Floats, truth: Floats) -> Statistic:
    """Mean distance of stated and observed over bins of equal width, weighted by their meters; shape (meters,) each."""
    place = np.clip((stated * BINS).astype(int), 0, BINS - 1)
    difference = np.zeros((len(stated), BINS))
    difference[np.arange(len(stated)), place] = stated - truth

    def compute(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        return np.where(total > 0, np.abs(weights @ difference).sum(axis=1) / np.where(total > 0, total, 1.0), np.nan)

    return compute
