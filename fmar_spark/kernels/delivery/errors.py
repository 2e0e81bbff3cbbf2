"""The distribution of a sum's error, learnt from the same half-hours of earlier days."""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from fmar_spark.kernels.window import Bools, Floats, Ints

TAIL_FREEDOM: Final = 4.0
"""Degrees of freedom of the t-distribution that stands for days unlike any before."""
LEAST: Final = 1e-12
"""Smallest probability that is divided by."""


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
    """Probability of an error at most this large, shape (events,).

    Between two days it grows in a straight line; beyond the smallest and the largest it falls off as the t-distribution does.
    """
    place = (past.error_kwh < error_kwh[:, None]).sum(axis=1)
    low, high = _take(past.error_kwh, place - 1, -np.inf), _take(past.error_kwh, place, np.inf)
    low_p, high_p = _take(past.probability, place - 1, 0.0), _take(past.probability, place, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        inside = low_p + (high_p - low_p) * (error_kwh - low) / (high - low)
    tail, ends = _find_tail(past.spread_kwh, error_kwh), _find_ends(past)
    outside = np.where(np.isinf(low), ends.low_p * tail / ends.low_tail, 1.0 - ends.high_p * (1.0 - tail) / ends.high_tail)
    is_inside = np.isfinite(low) & np.isfinite(high)
    is_unknown = np.isnan(error_kwh) | np.isnan(past.spread_kwh)
    found: Floats = np.where(is_unknown, np.nan, np.where(is_inside, inside, outside))
    return found


def find_quantile(past: PastErrors, probability: float) -> Floats:
    """Error that is passed from below with this probability, kWh, shape (events,)."""
    place = ((past.probability < probability) & np.isfinite(past.error_kwh)).sum(axis=1)
    low, high = _take(past.error_kwh, place - 1, np.nan), _take(past.error_kwh, place, np.nan)
    high = np.where(np.isfinite(high), high, np.nan)
    low_p, high_p = _take(past.probability, place - 1, np.nan), _take(past.probability, place, np.nan)
    inside = low + (high - low) * (probability - low_p) / np.maximum(high_p - low_p, 1e-12)
    ends = _find_ends(past)
    below = stdtrit(TAIL_FREEDOM, np.clip(probability * ends.low_tail / ends.low_p, LEAST, 1.0 - LEAST)) * past.spread_kwh
    above = stdtrit(TAIL_FREEDOM, np.clip(1.0 - (1.0 - probability) * ends.high_tail / ends.high_p, LEAST, 1.0 - LEAST)) * past.spread_kwh
    found: Floats = np.where(np.isnan(low), below, np.where(np.isnan(high), above, inside))
    return found


class _Ends(NamedTuple):
    """Beyond the smallest and the largest error of each event's days: its probability, and that of the t-distribution."""

    low_p: Floats
    low_tail: Floats
    high_p: Floats
    high_tail: Floats


def _find_ends(past: PastErrors) -> _Ends:
    """Without any day both ends are the t-distribution's middle."""
    count = np.isfinite(past.error_kwh).sum(axis=1)
    low, high = _take(past.error_kwh, np.zeros_like(count), np.inf), _take(past.error_kwh, count - 1, -np.inf)
    is_any = count > 0
    low_p, high_p = _take(past.probability, np.zeros_like(count), 0.5), 1.0 - _take(past.probability, count - 1, 0.5)
    low_tail, high_tail = _find_tail(past.spread_kwh, low), 1.0 - _find_tail(past.spread_kwh, high)
    ends = (np.where(is_any, np.maximum(end, LEAST), 0.5) for end in (low_p, low_tail, high_p, high_tail))
    return _Ends(*ends)


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
