"""A dip that a meter shows on the working days of winter and not in the rest of the year."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.kernels.demand_response.drops import DayTypes
from fmar_spark.kernels.window import Floats, LocalCalendar

WINTER: Final = 0
"""Position of the season. Source: definition."""
LENGTH_SLOTS: Final = (1, 2, 3, 4, 5, 6, 7, 8)
"""Lengths that are tried, half-hours."""
EDGE_SLOTS: Final = 2
"""Half-hours before and after a dip that it is measured against."""
LEAST_DAYS: Final = 15
"""Working days of winter, and of the rest of the year, below which nothing is said."""
FIRST_SLOT: Final = 10
"""First clock slot in which a dip may start: nobody has a timetable for the small hours."""
LAST_SLOT: Final = 46
"""Clock slot before which a dip must end."""


class Timetable(NamedTuple):
    """The deepest dip of winter's mean working day against the other seasons', shape (meters,); NaN = unknown."""

    score: Floats
    """Depth over its standard error."""
    asymmetry: Floats
    """Log of the depth over the height of the highest bump."""
    depth_share: Floats
    """Depth over the mean load."""


def find_timetable(load_kw: Floats, calendar: LocalCalendar, types: DayTypes) -> Timetable:
    """Compare winter's working day with the working days of the rest of the year, each in units of its own mean.

    Args:
        load_kw: shape (meters, days, 48), NaN where unread.
        calendar: of the window's days.
        types: of the same days.
    """
    meters = load_kw.shape[0]
    cold = ~types.is_rest & (calendar.season == WINTER)
    mild = ~types.is_rest & (calendar.season != WINTER)
    if not meters or min(cold.sum(), mild.sum()) < LEAST_DAYS:
        return Timetable(*(np.full(meters, np.nan) for _ in Timetable._fields))
    cold_mean, cold_error, cold_days = _profile(load_kw[:, cold])
    mild_mean, mild_error, mild_days = _profile(load_kw[:, mild])
    cold_level, mild_level = _level(cold_mean), _level(mild_mean)
    shape = cold_mean / cold_level - mild_mean / mild_level
    error = np.hypot(cold_error / cold_level, mild_error / mild_level)
    score, depth = _deepest(shape, error)
    bump, _ = _deepest(-shape, error)
    is_known = (np.minimum(cold_days, mild_days) >= LEAST_DAYS) & np.isfinite(score) & (score > 0) & (bump > 0)
    asymmetry = np.log(np.where(is_known, score, 1.0) / np.where(is_known, bump, 1.0))
    return Timetable(*(np.where(is_known, column, np.nan) for column in (score, asymmetry, depth)))


def _level(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of each profile, shape (meters, 1); NaN where it is not positive, so that nothing is divided by it."""
    level = mean.mean(axis=1, keepdims=True)
    return np.where(level > 0, level, np.nan)


def _profile(days_kw: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean and standard error of each slot, shape (meters, 48), and the days read; a day with a gap is left out."""
    whole = ~np.isnan(days_kw.sum(axis=2))
    count = whole.sum(axis=1)
    known = np.where(whole[:, :, None], days_kw, np.float32(0))
    weight = 1 / np.maximum(count, 1)[:, None]
    mean = known.sum(axis=1) * weight
    variance = np.einsum("mds,mds->ms", known, known) * weight - mean**2
    return mean, np.sqrt(np.maximum(variance, 0) * weight), count


def _deepest(shape: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score and depth of the dip that stands out most, shape (meters,)."""
    total = np.concatenate((np.zeros((len(shape), 1)), np.cumsum(shape, axis=1)), axis=1)
    square = np.concatenate((np.zeros((len(shape), 1)), np.cumsum(error**2, axis=1)), axis=1)
    best, depth = np.full(len(shape), -np.inf), np.zeros(len(shape))
    for slots in LENGTH_SLOTS:
        start = np.arange(FIRST_SLOT, LAST_SLOT - slots)
        end = start + slots
        inside = (total[:, end] - total[:, start]) / slots
        before = (total[:, start] - total[:, start - EDGE_SLOTS]) / EDGE_SLOTS
        after = (total[:, end + EDGE_SLOTS] - total[:, end]) / EDGE_SLOTS
        spread = (square[:, end] - square[:, start]) / slots**2 + (square[:, start] - square[:, start - EDGE_SLOTS]) / EDGE_SLOTS**2
        dip = np.minimum(before, after) - inside
        score = dip / np.sqrt(np.maximum(spread, 1e-12))
        at = score.argmax(axis=1)
        row = np.arange(len(shape))
        better = score[row, at] > best
        best = np.where(better, score[row, at], best)
        depth = np.where(better, dip[row, at], depth)
    return best, depth
