"""The distribution of a sum's error, learnt from the same half-hours of earlier days."""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from fmar_spark.kernels.window import Bools, Floats, Ints

TAIL_FREEDOM: Final = 4.0
"""Degrees of freedom of the t-distribution that stands for days unlike any before."""


class PastErrors(NamedTuple):
    """Errors of earlier days for each event: actual minus expected energy of its half-hours."""

    error_kwh: Floats
    """Ascending, shape (events, days); infinite where a day does not count."""
    probability: Floats
    """Of an error at most that of each day, shape (events, days)."""
    weight: Floats
    """Weight of all days, shape (events,)."""
    spread_kwh: Floats
    """Root mean squared error, shape (events,)."""
    tail_weight: float
    """Weight of the t-distribution, in days."""

    def take(self, rows: Ints | Bools) -> "PastErrors":
        """Those of some of the events."""
        return PastErrors(self.error_kwh[rows], self.probability[rows], self.weight[rows], self.spread_kwh[rows], self.tail_weight)


def sort_errors(error_kwh: Floats, weight: Floats, spread_kwh: Floats, tail_weight: float) -> PastErrors:
    """Lay past errors out for look-ups; a day with weight 0 does not count."""
    given = np.where(weight > 0, error_kwh, np.inf)
    order = np.argsort(given, axis=1)
    error_kwh, weight = np.take_along_axis(given, order, axis=1), np.take_along_axis(weight, order, axis=1)
    below = np.cumsum(weight, axis=1) - weight / 2
    total = weight.sum(axis=1)
    probability = (below + tail_weight * _find_tail(spread_kwh, error_kwh)) / (total + tail_weight)[:, None]
    return PastErrors(error_kwh, probability, total, spread_kwh, tail_weight)


def find_probability(past: PastErrors, error_kwh: Floats) -> Floats:
    """Probability of an error at most this large, shape (events,): that of the earlier days and of the t-distribution together.

    Between two days it grows in a straight line, so that it is continuous.
    """
    place = (past.error_kwh < error_kwh[:, None]).sum(axis=1)
    low, high = _take(past.error_kwh, place - 1, -np.inf), _take(past.error_kwh, place, np.inf)
    low_p, high_p = _take(past.probability, place - 1, 0.0), _take(past.probability, place, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = low_p + (high_p - low_p) * (error_kwh - low) / (high - low)
    total = past.weight + past.tail_weight
    tail = past.tail_weight * _find_tail(past.spread_kwh, error_kwh)
    outside = np.where(np.isfinite(high), tail / total, 1.0 - (past.tail_weight - tail) / total)
    is_inside = np.isfinite(low) & np.isfinite(high)
    found: Floats = np.where(np.isnan(error_kwh) | np.isnan(past.spread_kwh), np.nan, np.where(is_inside, inside, outside))
    return found


def find_quantile(past: PastErrors, probability: float) -> Floats:
    """Error that is passed from below with this probability, kWh, shape (events,)."""
    place = ((past.probability < probability) & np.isfinite(past.error_kwh)).sum(axis=1)
    low, high = _take(past.error_kwh, place - 1, np.nan), _take(past.error_kwh, place, np.nan)
    high = np.where(np.isfinite(high), high, np.nan)
    low_p, high_p = _take(past.probability, place - 1, np.nan), _take(past.probability, place, np.nan)
    inside = low + (high - low) * (probability - low_p) / np.maximum(high_p - low_p, 1e-12)
    total = (past.weight + past.tail_weight) / past.tail_weight
    below = stdtrit(TAIL_FREEDOM, np.clip(probability * total, 1e-9, 0.5)) * past.spread_kwh
    above = stdtrit(TAIL_FREEDOM, np.clip(1.0 - (1.0 - probability) * total, 0.5, 1 - 1e-9)) * past.spread_kwh
    found: Floats = np.where(np.isnan(low), np.fmin(below, high), np.where(np.isnan(high), np.fmax(above, low), inside))
    return found


def _find_tail(spread_kwh: Floats, error_kwh: Floats) -> Floats:
    """The t-distribution at an error, shape as ``error_kwh``; a half where the spread is unknown or nothing."""
    scale = np.where(spread_kwh > 0, spread_kwh, np.nan).reshape(spread_kwh.shape + (1,) * (error_kwh.ndim - 1))
    probability: Floats = np.nan_to_num(stdtr(TAIL_FREEDOM, error_kwh / scale), nan=0.5)
    return probability


def _take(values: Floats, place: Ints, beyond: float) -> Floats:
    """One value of each row; ``beyond`` where the place lies outside it."""
    days = values.shape[1]
    if not days:
        return np.full(len(values), beyond)
    picked = np.take_along_axis(values, np.clip(place, 0, days - 1)[:, None], axis=1)[:, 0]
    taken: Floats = np.where((place >= 0) & (place < days), picked, beyond)
    return taken
