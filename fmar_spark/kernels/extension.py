"""Where a size that single days show grew for good: what was the highest becomes the usual."""

from typing import Final

import numpy as np

from fmar_spark.kernels.breaks import Series, gain_of_two_rates
from fmar_spark.kernels.window import Ints

SIDE_DAYS: Final = 20
"""Days on either side that are compared: those that show a size. Source: simulated arrays of seeds 9101 to 9104; with 15 or 12 fewer are
dated, and more said of the others."""
LEAST_SIDE_DAYS: Final = 10
"""Fewest such days on either side. Source: chosen by hand."""
LONGEST_DAYS: Final = 200
"""Most days from the first to the last of them: over more the seasons differ. Source: chosen by hand."""
UPPER: Final = 0.8
"""Quantile of either side that says what the asset gives unhindered. Source: chosen by hand."""
GROWTH: Final = (0.22, 1.0)
"""Least and most growth of it, as a logarithm. Source: chosen by hand; more than that is an asset that came."""
MOST_BEFORE: Final = 0.1
"""Most days before that show more than the middle of both. Source: as ``SIDE_DAYS``."""
LEAST_AFTER: Final = 0.6
"""Least days after that do. Source: as ``SIDE_DAYS``."""
MOST_APART: Final = 0.25
"""Most distance of the upper days of the old size from each other, as a logarithm: there it was the asset that set the limit, not what the
site used. Of the new size it may be half as much again. Source: as ``SIDE_DAYS``."""
MOST_DRIFT: Final = 0.5
"""Most growth within either side, over that from side to side. Source: as ``SIDE_DAYS``."""
MOST_SPREAD: Final = 0.72
"""Most square spread about the two levels, over that about a line: a season that turns is no step. Source: as ``SIDE_DAYS``; of 157
extended arrays with an export register 36 are dated within a week, and 11 of 663 others are said to have been extended."""
LEAST_GAIN: Final = 9.0
"""Least gain in log likelihood of two frequencies of days above the middle, over one. Source: as ``SIDE_DAYS``."""
WILD: Final = 0.5
"""How far, as a logarithm, a day may lie from its side's middle for the spread. Source: chosen by hand."""


def find_growth(size: Series, day: Ints) -> int:
    """First position of the larger size; 0 where it did not grow.

    The upper days of either side must lie close to each other and far above those of the other, without a drift.

    Args:
        size: positive, one for each day that shows one.
        day: day of each, ascending.
    """
    count = size.size
    if count < 2 * LEAST_SIDE_DAYS:
        return 0
    level = np.log(size)
    padded = np.concatenate((np.full(SIDE_DAYS, np.nan), level, np.full(SIDE_DAYS, np.nan)))
    sides = np.lib.stride_tricks.sliding_window_view(padded, SIDE_DAYS)
    place = np.arange(LEAST_SIDE_DAYS, count - LEAST_SIDE_DAYS + 1)
    place = place[day[np.minimum(place + SIDE_DAYS, count) - 1] - day[np.maximum(place - SIDE_DAYS, 0)] <= LONGEST_DAYS]
    before, after = sides[place], sides[place + SIDE_DAYS]
    low, high = _sort_side(before), _sort_side(after)
    growth = _take(high, UPPER) - _take(low, UPPER)
    middle = (_take(high, UPPER) + _take(low, UPPER)) / 2
    above_before, above_after = (before > middle[:, None]).sum(axis=1), (after > middle[:, None]).sum(axis=1)
    gain = gain_of_two_rates(above_before, low[1], above_after, high[1])
    fits = (growth >= GROWTH[0]) & (growth <= GROWTH[1]) & (gain >= LEAST_GAIN)
    fits &= (above_before <= MOST_BEFORE * low[1]) & (above_after >= LEAST_AFTER * high[1])
    fits &= (_take(low, 0.95) - _take(low, 0.65) <= MOST_APART) & (_take(high, 0.95) - _take(high, 0.65) <= 1.5 * MOST_APART)
    for row in np.flatnonzero(fits)[np.argsort(-gain[fits], kind="stable")]:
        split = int(place[row])
        first, last = max(0, split - SIDE_DAYS), min(count, split + SIDE_DAYS)
        if _is_step(level[first:last], day[first:last], split - first, float(growth[row])):
            return split
    return 0


def _is_step(level: Series, day: Ints, split: int, growth: float) -> bool:
    """Whether two levels explain the days better than a line, and neither side grows much by itself."""
    before, after = level[:split], level[split:]
    for side in (before, after):
        half = side.size // 2
        if np.median(side[half:]) - np.median(side[:half]) > MOST_DRIFT * growth:
            return False
    low, high = float(np.median(before)), float(np.median(after))
    spread = sum(float((np.clip(side - mid, -WILD, WILD) ** 2).sum()) for side, mid in ((before, low), (after, high)))
    tame = np.clip(level, low - WILD, high + WILD)
    tame = tame - tame.mean()
    time = day - day.mean()
    line = tame - float(time @ tame) / float(time @ time) * time
    return spread <= MOST_SPREAD * float(line @ line)


def _sort_side(side: Series) -> tuple[Series, Ints]:
    """The days of each side in ascending order, and how many there are."""
    return np.sort(side, axis=1), np.asarray(np.count_nonzero(~np.isnan(side), axis=1))


def _take(side: tuple[Series, Ints], share: float) -> Series:
    """A quantile of each side, between its values, shape (sides,)."""
    ordered, count = side
    rank = share * (count - 1)
    below = rank.astype(np.int64)
    row = np.arange(len(ordered))
    low, high = ordered[row, below], ordered[row, np.minimum(below + 1, count - 1)]
    return np.asarray(low + (rank - below) * (high - low))
