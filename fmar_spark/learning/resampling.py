"""Figures with an interval: each is computed again on whole meters drawn with replacement, all draws at once."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats

Statistic = Callable[[Floats], Floats]
"""From weights, shape (draws, meters), to one figure a draw, shape (draws,); NaN where a draw has none."""
Figure = dict[str, Any]
"""``value``, ``interval`` (low, high) and the number of ``meters`` that it rests on; both of the first null where they are too few."""
LEAST_SHARE_OF_DRAWS: Final = 0.5
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
    """A figure and its interval.

    Args:
        statistic: of weighted meters.
        weights: of ``draw_weights``.
        meters: that the figure rests on: of the rarer answer, or of the denominator.
        rules: least number of meters, width of the interval.
    """
    if meters < rules.least_meters:
        return {"value": None, "interval": None, "meters": int(meters)}
    values = statistic(weights)
    drawn = values[1:][np.isfinite(values[1:])]
    tail = (1 - rules.coverage) / 2
    has_interval = drawn.size >= LEAST_SHARE_OF_DRAWS * rules.draws
    interval = [float(np.quantile(drawn, tail)), float(np.quantile(drawn, 1 - tail))] if has_interval else None
    return {"value": float(values[0]) if np.isfinite(values[0]) else None, "interval": interval, "meters": int(meters)}


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
