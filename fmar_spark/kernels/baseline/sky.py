"""What the weather says of every day, for meters that share a place and the day on which they were first read."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.baseline.days import DayKinds, find_states, load_temperature
from fmar_spark.kernels.window import Bools, Floats, Ints

HEATING_BELOW_CELSIUS: Final = 15.5
"""Base temperature of British heating degree days (Carbon Trust, degree days for energy management)."""
COOLING_ABOVE_CELSIUS: Final = 17.0
USUAL_DAYS: Final = 5.0
"""Days after which a day's share in the temperature that a site is used to falls to 1/e."""
UNIT_CELSIUS: Final = 5.0
HOURS: Final = 24


class Skies(NamedTuple):
    """Meters under one sky: those of one area that were first read on one day."""

    of_meter: Ints
    """Number of each meter's sky, shape (meters,)."""
    first_day: Ints
    """Shape (skies,)."""
    loadings: Floats
    """What each state of the filter adds on each day, shape (skies, days, STATES), float32."""
    weather: Floats
    """Heating and cooling degrees of each hour beyond what the last days accustomed a site to, shape (2, skies, days, 24),
    float32, in units of 5 degrees; 0 where that is unknown."""


def lay_skies(area: Ints, first_day: Ints, temp_c: Floats, kinds: DayKinds) -> Skies:
    """Number the distinct pairs of area and first day, and say what each day brings; weather before the first day is not looked at.

    Args:
        area: row of ``temp_c`` that belongs to each meter, shape (meters,).
        first_day: of each meter, shape (meters,).
        temp_c: shape (areas, days, 48), NaN where unknown.
        kinds: of the same days, or more.
    """
    pairs, of_meter = np.unique(np.stack([area, first_day], axis=1), axis=0, return_inverse=True)
    days = temp_c.shape[1]
    is_begun = np.arange(days) >= pairs[:, 1:]
    hour_c = np.where(is_begun[:, :, None], _average_pairs(temp_c)[pairs[:, 0]], np.nan)
    loadings = np.repeat(kinds.loadings[None, :days], len(pairs), axis=0)
    loadings[:, :, find_states("temperature")] = load_temperature(_fill_days(hour_c))
    return Skies(of_meter.reshape(-1), pairs[:, 1], loadings, _compare_with_usual(hour_c))


def _average_pairs(temp_c: Floats) -> Floats:
    """Hourly means of half-hours, the one that is known where only one is; shape (areas, days, 24)."""
    even, odd = np.ascontiguousarray(temp_c[:, :, 0::2]), np.ascontiguousarray(temp_c[:, :, 1::2])
    both = (even + odd) / 2
    mean: Floats = np.where(np.isnan(both), np.where(np.isnan(even), odd, even), both)
    return mean


def _fill_days(hour_c: Floats) -> Floats:
    """Mean temperature of each day, shape (skies, days): the newest known one stands for a day unread, NaN before any."""
    is_read = np.isfinite(hour_c)
    count = is_read.sum(axis=2)
    mean_c = np.where(is_read, hour_c, 0.0).sum(axis=2) / np.maximum(count, 1)
    newest = np.maximum.accumulate(np.where(count > 0, np.arange(hour_c.shape[1]), -1), axis=1)
    filled: Floats = np.where(newest >= 0, np.take_along_axis(mean_c, np.maximum(newest, 0), axis=1), np.nan)
    return filled


def _compare_with_usual(hour_c: Floats) -> Floats:
    """Heating and cooling beyond the usual, hour by hour; see :class:`Skies`."""
    is_read: Bools = np.isfinite(hour_c)
    usual_c = np.full_like(hour_c, np.nan)
    total, weight = np.zeros((2, len(hour_c), HOURS))
    keep = np.exp(-1.0 / USUAL_DAYS)
    for day in range(hour_c.shape[1]):
        usual_c[:, day] = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
        total = keep * (total + np.where(is_read[:, day], hour_c[:, day], 0.0))
        weight = keep * (weight + is_read[:, day])
    heating = np.clip(HEATING_BELOW_CELSIUS - hour_c, 0, None) - np.clip(HEATING_BELOW_CELSIUS - usual_c, 0, None)
    cooling = np.clip(hour_c - COOLING_ABOVE_CELSIUS, 0, None) - np.clip(usual_c - COOLING_ABOVE_CELSIUS, 0, None)
    beyond = np.stack([heating, cooling]) / UNIT_CELSIUS
    return np.where(np.isfinite(beyond), beyond, 0.0).astype(np.float32)
