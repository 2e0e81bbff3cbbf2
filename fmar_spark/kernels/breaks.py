"""Where one series of days changes its level, and how sure the day is."""

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ruptures import KernelCPD

from fmar_spark.clock import DAYS_PER_WEEK
from fmar_spark.kernels.window import Ints

Series = NDArray[np.float64]
COARSE_DAYS: Final = 3
"""Days whose mean is one point of the search for change points."""
PROFILE_DAYS: Final = 120
"""Days on either side of a break that say what each state looks like."""
PROFILE_ROUNDS: Final = 2
"""How often the day of a break and the profiles on either side are found anew."""
MARK_QUANTILES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quantiles of the daily mark that say what a state looks like."""
UNSEEN_DAYS: Final = 0.2
"""Weight, in days, of a mark that a state never showed."""
MAX_CORRELATION: Final = 0.7
"""Largest correlation of neighbouring days that the noise of a series is corrected for."""
LEAST_VARIANCE: Final = 1e-9
"""Variance below which a series counts as constant."""


class DatedBreak(NamedTuple):
    """First day of the new state; a gap at the break is inside the interval."""

    day: float
    p10_day: float
    p90_day: float


def stabilise(value: Series) -> Series:
    """Square root with the sign kept, outermost days pulled in: one wild day is no level."""
    root = np.sign(value) * np.sqrt(np.abs(value))
    return clip_ends(root, 0.02)


def clip_ends(value: Series, share: float) -> Series:
    """The values with the outermost share at either end pulled in."""
    low, high = find_quantiles(value, (share, 1 - share))
    return np.minimum(np.maximum(value, low), high)


def find_quantiles(value: Series, shares: tuple[float, ...]) -> list[float]:
    """Quantiles as ``numpy.quantile`` gives them, at a tenth of its cost on a series of days; not for an empty series."""
    ordered = np.sort(value)
    found = []
    for share in shares:
        rank = share * (ordered.size - 1)
        below = int(rank)
        low = float(ordered[below])
        found.append(low + (rank - below) * (float(ordered[min(below + 1, ordered.size - 1)]) - low))
    return found


def find_bounds(steady: Series, min_days: int, penalty: float) -> list[int]:
    """Bounds of the runs of one level, first 0 and last the number of days.

    KernelCPD with the linear kernel (ruptures); a break costs ``penalty`` x long-run variance x log(days). It looks at means of
    three days, nine times faster than days: ``date_break`` finds the day afterwards.
    """
    if steady.size < 2 * min_days or not steady.max() > steady.min():
        return [0, steady.size]
    cost = penalty * _long_run_variance(steady) * float(np.log(steady.size)) / COARSE_DAYS
    coarse = steady[: steady.size // COARSE_DAYS * COARSE_DAYS].reshape(-1, COARSE_DAYS).mean(axis=1)
    least = max(min_days // COARSE_DAYS, 1)
    if coarse.size < 2 * least:
        return [0, steady.size]
    inner = KernelCPD(kernel="linear", min_size=least).fit(coarse).predict(pen=cost)[:-1]
    return [0, *(COARSE_DAYS * bound for bound in inner), steady.size]


def split_sizes(size_kw: Series) -> list[int]:
    """Bounds of the two runs of sizes that differ most: where the means of their logs explain most of the variance.

    Args:
        size_kw: positive sizes, at least one.
    """
    count = size_kw.size
    if count < 2:
        return [0, count]
    total = np.cumsum(np.log(size_kw))
    first = np.arange(1, count)
    apart = total[:-1] / first - (total[-1] - total[:-1]) / (count - first)
    return [0, int(np.argmax(apart**2 * first * (count - first))) + 1, count]


def join_sizes(size_kw: Series, day: Ints, bounds: list[int], least_ratio: float, least_days: int) -> list[int]:
    """The bounds that part sizes by ``least_ratio`` or more, both sides lasting ``least_days``; the weakest goes first.

    Args:
        size_kw: positive sizes.
        day: day of each.
        bounds: first 0, last the number of sizes.
        least_ratio: above 1.
        least_days: days that each side spans.
    """
    bounds = list(bounds)
    while len(bounds) > 2:
        runs = list(pairwise(bounds))
        level = np.log([find_quantiles(size_kw[first:last], (0.5,))[0] for first, last in runs])
        span = np.array([day[last - 1] - day[first] for first, last in runs])
        strength = np.abs(np.diff(level)) * (np.minimum(span[1:], span[:-1]) >= least_days)
        weakest = int(np.argmin(strength))
        if strength[weakest] >= np.log(least_ratio):
            break
        bounds.pop(weakest + 1)
    return bounds


def date_break(value: Series, day: Ints, split: int) -> DatedBreak:
    """Date the break near position ``split`` of a series with one break, with an 80 % interval.

    Every position is scored by how common each day's value is before and after it, counted in a few bins: a mark that is zero
    on most days needs no bell curve, and one wild day cannot move the date. Dependence between days widens the interval.

    Args:
        value: the mark on read days.
        day: calendar day of each.
        split: first position of the new state as far as known, 1 .. size - 1.
    """
    first = max(0, split - PROFILE_DAYS)
    value, day, split = value[first : split + PROFILE_DAYS], day[first : split + PROFILE_DAYS], split - first
    before, after = value[:split], value[split:]
    quieter, louder = (before, after) if after.mean() > before.mean() else (after, before)
    edges = {*find_quantiles(louder, MARK_QUANTILES), *find_quantiles(quieter, MARK_QUANTILES[-1:])}
    bins = np.searchsorted(np.array(sorted(edges)), value)
    score = np.zeros(value.size - 1)
    for _ in range(PROFILE_ROUNDS):
        log_ratio = _log_shares(bins[:split]) - _log_shares(bins[split:])
        score = np.cumsum(log_ratio[bins])[:-1]
        split = int(np.argmax(score)) + 1
    weight = np.exp((score - score.max()) / _dependence(value, split))
    share = np.cumsum(weight) / weight.sum()
    low, middle, high = (int(position) + 1 for position in np.searchsorted(share, (0.1, 0.5, 0.9)))
    best = (float(day[middle - 1]) + 1 + float(day[middle])) // 2
    return DatedBreak(best, float(day[low - 1]) + 1, float(day[high]))


def date_first(day: Ints, rate: float) -> DatedBreak:
    """Date what is first seen on the last of the days: so many days of use, at that rate, may have gone by without a mark before.

    Args:
        day: read days up to the first mark, ascending.
        rate: marks a day, above 0.
    """
    silent = np.arange(day.size)[::-1]
    share = np.cumsum((1.0 - rate) ** silent / ((1.0 - rate) ** silent).sum())
    early, middle, late = (float(day[min(int(np.searchsorted(share, quantile)), day.size - 1)]) for quantile in (0.1, 0.5, 0.9))
    return DatedBreak(middle, early, late)


def gain_of_two_rates(early: Ints, early_days: Ints, late: Ints, late_days: Ints) -> Series:
    """Gain in log likelihood of one rate of marks a day up to a day and another after it, over one rate for all days."""
    return log_chance(early, early_days) + log_chance(late, late_days) - log_chance(early + late, early_days + late_days)


def log_chance(hits: Ints, days: Ints) -> Series:
    """Highest log likelihood of so many marks on so many days."""
    share = np.clip(np.asarray(hits) / np.maximum(days, 1), 1e-9, 1 - 1e-9)
    return np.asarray(hits * np.log(share) + (days - hits) * np.log(1 - share))


def _long_run_variance(steady: Series) -> float:
    """Variance of the mean of n days, times n: weekly means take in the dependence of days."""
    weeks = steady.size // DAYS_PER_WEEK
    weekly = steady[: weeks * DAYS_PER_WEEK].reshape(weeks, DAYS_PER_WEEK).mean(axis=1)
    day_change, week_change = np.diff(steady), np.diff(weekly)
    day_variance = float(day_change @ day_change) / day_change.size / 2
    week_variance = float(week_change @ week_change) / week_change.size / 2 * DAYS_PER_WEEK if weeks > 1 else 0.0
    return max(day_variance, week_variance, LEAST_VARIANCE)


def _log_shares(bins: Ints) -> Series:
    """Log of each bin's share; a bin never seen counts as ``UNSEEN_DAYS``."""
    count = np.bincount(bins, minlength=len(MARK_QUANTILES) + 2) + UNSEEN_DAYS
    return np.asarray(np.log(count / count.sum()))


def _dependence(value: Series, split: int) -> float:
    """How many days say as much as one independent day, from the correlation of neighbours within each state."""
    rest = np.concatenate((value[:split] - value[:split].mean(), value[split:] - value[split:].mean()))
    spread = float(rest @ rest)
    correlation = float(rest[1:] @ rest[:-1]) / spread if spread > 0 else 0.0
    correlation = min(max(correlation, 0.0), MAX_CORRELATION)
    return (1 + correlation) / (1 - correlation)
