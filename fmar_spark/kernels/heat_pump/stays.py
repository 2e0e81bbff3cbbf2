"""When a heat pump came or went: two regressions of the load on heating degrees, one before a day and one after it.

In summer a heat pump makes hot water alone, so days are parted into those of warm weeks, mild days and cold days, and each part is compared
with the same part on the other side of the day. The slope on cold days says whether it came or went and between which days; within those
the whole shape of the day says when.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.kernels.amend import amend_history
from fmar_spark.kernels.breaks import clip_ends
from fmar_spark.kernels.changes import APPEARED, REMOVED, Changes, History, build_changes
from fmar_spark.kernels.window import Bools, Floats, HeatDays, Ints

Series = NDArray[np.float64]
WARM_C: Final = 1.0
"""Mean heating degrees of a month up to which its days are warm: a building that is warm through does not heat on one cool day. Source: as
``LEAST_GAIN``; with 0.5 or 2 as many or fewer."""
MONTH_DAYS: Final = 31
"""Days of that mean. Source: chosen by hand."""
MILD_C: Final = 1.5
"""Heating degrees up to which other days are mild. Source: as ``LEAST_GAIN``; with 3 as many."""
COLD_C: Final = 2.0
"""Heating degrees from which a day counts for the slope. Source: chosen by hand."""
HEATS_C: Final = 1.0
"""Heating degrees from which a day counts for the likelihood of the slopes. Source: as ``LEAST_GAIN``; with 2 or 4 one or two fewer."""
FEWEST_COLD: Final = 20
"""Such days on either side. Source: as ``LEAST_GAIN``."""
LEAST_SIDE_DAYS: Final = 14
"""Days on either side. Source: the shortest stay of an asset."""
LEFT_SHARE: Final = 0.25
"""Most of the slope that is there without the heat pump. Source: as the level of an off spell."""
LEAST_SLOPE_KW_K: Final = 0.005
"""Least slope with it. Source: chosen by hand, a tenth of a small pump's."""
LEAST_ERRORS: Final = 3.0
"""Standard errors by which the slopes differ. Source: as ``LEAST_GAIN``."""
LEAST_GAIN: Final = 300.0
"""Gain in log likelihood of two shapes of the day over one. Source: of 156 heat pumps found that came in four simulated fleets of which
many assets change (seeds 9101 to 9104) 75 are dated within a week and 46 not, of 62 that went 25 and 10, and 8 of 670 others; by the level
of the daily mark 41 and 56, 15 and 10, and 5. With 200 or 400 two more or four fewer are, and three more or none fewer of the others."""
SLOPE_GAIN: Final = 12.0
"""Log likelihood of the slopes that a day may fall short of the best day's. Source: as ``LEAST_GAIN``; with 3 or 25 about as many."""
PRIOR_DAYS: Final = 15.0
"""Days' worth of the usual variance in that of each side. Source: as ``LEAST_GAIN``; with 6 or 40 as many."""
DEPENDENCE: Final = 12.0
"""How many times the log likelihood of the shapes counts what is said once: blocks and days depend on each other. Source: as
``LEAST_GAIN``; with 6 or 20 about as many."""
SLOPE_DEPENDENCE: Final = 20.0
"""The same of the slopes, with what they do not know of. Source: of the same 121 dates of arrival the intervals of 75 % hold, with 4 of
68 %."""
_LEAST_DAYS: Final = 5
"""Days of a part below which it says nothing."""
_TINY: Final = 1e-4
"""Least variance, kW: square roots of a meter's steps."""


def put_stays(history: History, stays: Changes, candidates: Bools) -> History:
    """The history with these arrivals and removals in place of its own, where there are any.

    One that goes before it comes is a season, and changes nothing.

    Args:
        history: of the heat pumps.
        stays: of the same meters, of ``find_stays``.
        candidates: meters that were asked, shape (meters,).
    """

    def amend(meter: int, mine: Changes) -> Changes:
        found = np.flatnonzero(stays.meter == meter)
        if not found.size or stays.kind[found[0]] > stays.kind[found[-1]]:
            return mine
        level = float(np.nan_to_num(history.presence.on_level[meter], nan=1.0))
        is_removal = stays.kind[found] == REMOVED
        return stays.take(found)._replace(level_before=np.where(is_removal, level, 0.0), level_after=np.where(is_removal, 0.0, level))

    return amend_history(history, candidates, amend)


class _Days(NamedTuple):
    """The days of one meter that were read and whose weather is known."""

    day: Ints
    degrees_c: Series
    block_kw: Floats
    """Of all days of the window, those left out too, shape (window days, blocks)."""
    calm_kw: Series

    def take(self, part: slice) -> "_Days":
        """The same meter's days of a part of the window."""
        return _Days(self.day[part], self.degrees_c[part], self.block_kw, self.calm_kw[part])


class _Slopes(NamedTuple):
    """Slopes of calm load on heating degrees on either side of each split, shape (days + 1,) each."""

    before: Series
    after: Series
    error: Series
    """Standard error of their difference."""
    is_enough: Bools
    """Enough days on either side."""


class _Fits(NamedTuple):
    """A regression before each split and one after it; the split is the first day after."""

    left: Series
    """Squares left before, shape (days + 1, columns)."""
    right: Series
    level_left: Series
    """Mean that the regression expects of a usual day, same shape."""
    level_right: Series


def find_stays(heat: HeatDays, candidates: Bools) -> Changes:
    """Arrivals and removals of the heat pump of each candidate meter, at most one of either; sizes are unknown.

    Args:
        heat: load and heating degrees of each day.
        candidates: meters worth asking, shape (meters,).
    """
    rows: list[tuple[float, ...]] = []
    for meter in np.flatnonzero(candidates):
        day = np.flatnonzero(np.isfinite(heat.calm_kw[meter]) & np.isfinite(heat.degrees_c[meter]))
        days = _Days(day, heat.degrees_c[meter, day].astype(np.float64), heat.block_kw[meter], heat.calm_kw[meter, day].astype(np.float64))
        slopes = _compare_slopes(days)
        found = (_date_stay(days, slopes, is_removal=is_removal) for is_removal in (False, True))
        rows += sorted((float(meter), *row) for row in found if row)
    return build_changes(rows)


def _date_stay(days: _Days, slopes: _Slopes, *, is_removal: bool) -> tuple[float, ...]:
    """Day, its interval, no sizes, and kind; empty where nothing came or went.

    Where the days with the heat pump show the same once more, it was another load that came first: the later one is the day.
    """
    allowed = _find_slopes(slopes, is_removal=is_removal)
    if not allowed.any():
        return ()
    by_slope = np.where(allowed, _weigh_slopes(days), -np.inf)
    allowed &= by_slope >= by_slope.max() - SLOPE_GAIN
    by_shape = np.where(allowed, _weigh_shapes(days, is_removal=is_removal), -np.inf)
    if by_shape.max() < LEAST_GAIN:
        return ()
    split = int(np.argmax(by_shape))
    with_it = days.take(slice(split) if is_removal else slice(split, None))
    inner = _date_stay(with_it, _compare_slopes(with_it), is_removal=is_removal)
    return inner or (*_bound(days.day, by_shape, by_slope), 0.0, 0.0, REMOVED if is_removal else APPEARED)


def _bound(day: Ints, by_shape: Series, by_slope: Series) -> tuple[float, float, float]:
    """Best day and the ends of its 80 % interval: half of the weight is the slopes', which do not depend on what else changed."""
    shape, slope = _share(by_shape / DEPENDENCE), _share(by_slope / SLOPE_DEPENDENCE)
    middle = int(np.searchsorted(np.cumsum(shape), 0.5))
    low, high = (int(place) for place in np.searchsorted(np.cumsum(shape + slope) / 2, (0.1, 0.9)))
    low, high = min(low, middle), max(high, middle)
    # Days that were not read lie inside the interval.
    return float(day[middle]), float(day[low - 1]) + 1, float(day[high])


def _share(log_weight: Series) -> Series:
    """Weights that add up to 1."""
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())


def _compare_slopes(days: _Days) -> _Slopes:
    """Slopes of calm load on cold days on either side of each split."""
    size = days.day.size
    cold = days.degrees_c >= COLD_C
    x, y = np.where(cold, days.degrees_c, 0.0), np.where(cold, days.calm_kw, 0.0)
    sums = _add_up(np.stack([cold.astype(np.float64), x, y, x * x, x * y, y * y], axis=1)).T
    (before, error), (after, other_error) = _fit_line(sums), _fit_line(sums[:, -1:] - sums)
    split = np.arange(size + 1)
    enough = (split >= LEAST_SIDE_DAYS) & (split <= size - LEAST_SIDE_DAYS)
    enough &= (sums[0] >= FEWEST_COLD) & (sums[0, -1] - sums[0] >= FEWEST_COLD)
    return _Slopes(before, after, np.sqrt(error + other_error), enough)


def _find_slopes(slopes: _Slopes, *, is_removal: bool) -> Bools:
    """Splits with a clear slope on the one side and next to none on the other, shape (days + 1,)."""
    low, high = (slopes.after, slopes.before) if is_removal else (slopes.before, slopes.after)
    found: Bools = slopes.is_enough & (high > LEAST_SLOPE_KW_K) & (low <= LEFT_SHARE * high) & (high - low >= LEAST_ERRORS * slopes.error)
    return found


def _fit_line(sums: Series) -> tuple[Series, Series]:
    """Slope and its variance, from count and sums of x, y, xx, xy and yy, shape (6, splits)."""
    count, x, y, xx, xy, yy = sums
    count = np.maximum(count, 1.0)
    spread = np.maximum(xx - x**2 / count, 1e-6)
    slope = (xy - x * y / count) / spread
    left = np.maximum(yy - y**2 / count - slope**2 * spread, 0.0)
    return slope, left / np.maximum(count - 2, 1.0) / spread


def _weigh_slopes(days: _Days) -> Series:
    """Log likelihood of each split by calm load on the days that heat, but for a constant, shape (days + 1,)."""
    cold = np.flatnonzero(days.degrees_c >= HEATS_C)
    fits = _fit_sides(days.degrees_c[cold], clip_ends(days.calm_kw, 0.02)[cold, None])
    gain = -0.5 * cold.size * np.log(fits.left + fits.right)[:, 0]
    return np.asarray(gain[_place_of(cold, days.day.size)])


def _weigh_shapes(days: _Days, *, is_removal: bool) -> Series:
    """Gain of two shapes of the day over one, each split, shape (days + 1,); only of blocks whose load grows with the heat pump."""
    size = days.day.size
    month = np.ones(MONTH_DAYS)
    around = (np.convolve(values, month, "full")[MONTH_DAYS // 2 :][:size] for values in (days.degrees_c, np.ones(size)))
    is_warm = np.divide(*around) < WARM_C
    is_mild = ~is_warm & (days.degrees_c <= MILD_C)
    # The root, so that a busy day counts no more than a quiet one.
    root_kw = np.sqrt(days.block_kw[days.day], dtype=np.float64)
    total = np.zeros(size + 1)
    for part, has_slope in ((is_warm, False), (is_mild, False), (~is_warm & ~is_mild, True)):
        mine = np.flatnonzero(part)
        if mine.size < _LEAST_DAYS:
            continue
        fits = _fit_sides(days.degrees_c[mine] if has_slope else None, root_kw[mine])
        gain = _gain_of_two(fits)
        grows = (fits.level_right < fits.level_left) if is_removal else (fits.level_right > fits.level_left)
        total += np.where(grows, gain, 0.0).sum(axis=1)[_place_of(mine, size)]
    return total


def _gain_of_two(fits: _Fits) -> Series:
    """Gain in log likelihood of two regressions over one, shape (days + 1, columns); a few days' variance leans on the usual one."""
    count = len(fits.left) - 1
    before = np.arange(count + 1.0)[:, None]
    whole = fits.left[-1]
    prior = PRIOR_DAYS * (np.minimum(fits.left + fits.right, whole).min(axis=0) / count + _TINY)

    def weigh(left: Series, days: Series | float) -> Series:
        variance = (left + prior) / (days + PRIOR_DAYS)
        return np.asarray(days * np.log(variance) + left / variance)

    gain: Series = 0.5 * (weigh(whole, float(count)) - weigh(fits.left, before) - weigh(fits.right, count - before))
    return gain


def _fit_sides(x: Series | None, y: Series) -> _Fits:
    """Regressions on x and a constant, or on a constant alone, before and after each split.

    Args:
        x: shape (days,).
        y: shape (days, columns).
    """
    days = len(y)
    own_x = np.zeros(days) if x is None else x - x.mean()
    count = np.arange(days + 1.0)[:, None]
    sum_x, sum_xx = _add_up(own_x)[:, None], _add_up(own_x * own_x)[:, None]
    sum_y, sum_yy = _add_up(y), _add_up(y * y)
    sum_xy = _add_up(own_x[:, None] * y) if x is not None else np.zeros_like(sum_y)
    sides = []
    for n, sx, sxx, sy, sxy, syy in (
        (count, sum_x, sum_xx, sum_y, sum_xy, sum_yy),
        (days - count, -sum_x, sum_xx[-1] - sum_xx, sum_y[-1] - sum_y, sum_xy[-1] - sum_xy, sum_yy[-1] - sum_yy),
    ):
        per_day = 1.0 / np.maximum(n, 1.0)
        slope = (sxy - sx * sy * per_day) / (sxx - sx**2 * per_day + 1e-3)
        left = np.maximum(syy - sy**2 * per_day - slope * (sxy - sx * sy * per_day), 1e-9)
        # x is counted from its mean, so that the constant is what a usual day has.
        sides.append((left, (sy - slope * sx) * per_day))
    (left, level_left), (right, level_right) = sides
    return _Fits(left, right, level_left, level_right)


def _add_up(values: Series) -> Series:
    """Sums of the days before each split."""
    total = np.zeros((len(values) + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, out=total[1:])
    return total


def _place_of(mine: Ints, size: int) -> Ints:
    """How many of a part's days lie before each split of all days, shape (size + 1,)."""
    return np.searchsorted(mine, np.arange(size + 1))
