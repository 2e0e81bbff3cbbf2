"""How much each recent day says about a day to come: weights from the calendar and the weather alone.

Net load in one clock slot is read as a Gaussian process over days: a slow level, a quick one, a part shared by days of the
same kind, one shared by the same weekday and one shared by days of like temperature. What such a process expects of the next
day is a weighted mean of the days before, and the weights hold for every meter under the same sky, whatever it draws. So one
small solve serves a whole batch.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints, LocalCalendar

SLOW_DAYS: Final = 40.0
QUICK_DAYS: Final = 3.0
KIND_DAYS: Final = 90.0
KIND_QUICK_DAYS: Final = 5.0
WEEKDAY_DAYS: Final = 150.0
"""Days after which each part of the load keeps 1/e of its likeness."""
TEMPERATURE_REACH_CELSIUS: Final = 6.0
"""Days this far apart in mean temperature are alike by exp(-1/2)."""
CONSTANT_VARIANCE: Final = 30.0
"""Variance of the part that never changes: large, so that the mean level is taken from the data."""
KIND_CONSTANT_VARIANCE: Final = 3.0


class Recipe(NamedTuple):
    """Variance of each part of the load, in units of the variance of a slot's noise."""

    slow: float = 3.0
    quick: float = 0.3
    kind: float = 3.0
    kind_quick: float = 0.3
    weekday: float = 0.3
    temperature: float = 0.5
    signal: float = 1.0
    """Multiplies every part but the constant: low for erratic loads, high for regular ones."""


RECIPES: Final = (
    Recipe(),
    Recipe(signal=0.3),
    Recipe(signal=0.08),
    Recipe(temperature=2.0),
    Recipe(weekday=2.0),
    Recipe(quick=2.0),
)
"""Views of the same load that differ in what they trust: balanced, cautious, very cautious, weather, weekday, yesterday."""
ADVICES: Final = len(RECIPES) + 1
"""One a recipe, and last the plain mean of the newest days of the same kind."""


class DayKinds(NamedTuple):
    """What the calendar says of each day, arrays of shape (days, ...)."""

    is_working: Bools
    """A weekday, no public holiday and not between Christmas and New Year."""
    likeness: Floats
    """Cosine of the kinds of two days, shape (days, days): 1 for the same kind, 0 for working against other days."""
    is_same_weekday: Floats
    """1 for two plain days of one weekday, else 0; shape (days, days)."""
    noise: Floats
    """Noise variance of each day: more for days whose kind is uncertain, so that they mislead the others less."""


def sort_days(calendar: LocalCalendar) -> DayKinds:
    """Tell working days, other days, public holidays and the days between Christmas and New Year apart.

    A public holiday is mostly like a Sunday and a little like a working day, since some sites work through it. Weekdays from
    24 to 31 December lie between the two; they count as plain days where the calendar knows no public holiday at all.
    """
    weekday = np.asarray(calendar.weekday)
    holiday = np.asarray(calendar.is_holiday)
    dates = calendar.start_date + np.arange(len(weekday))
    day_of_month = (dates - dates.astype("datetime64[M]")).astype(np.int64) + 1
    is_december = dates.astype("datetime64[M]").astype(np.int64) % 12 == 11
    is_week = weekday <= 5
    is_bridge = is_week & ~holiday & is_december & (day_of_month >= 24) & holiday.any()
    is_working = is_week & ~holiday & ~is_bridge
    kind = np.where(is_working[:, None], [1.0, 0.0], [0.0, 1.0])
    kind[holiday] = (0.3, 0.8)
    kind[is_bridge] = (0.5, 0.6)
    kind /= np.linalg.norm(kind, axis=1, keepdims=True)
    is_plain = ~holiday & ~is_bridge
    same = (weekday[:, None] == weekday) & is_plain[:, None] & is_plain
    return DayKinds(is_working, kind @ kind.T, same.astype(np.float64), np.where(is_plain, 1.0, 2.0))


def fill_day_temperature(temp_c: Floats) -> Floats:
    """Mean temperature of each day, shape (areas, days): the day before stands for a day unread, NaN before the first."""
    is_read = np.isfinite(temp_c)
    count = is_read.sum(axis=2)
    mean_c = np.where(is_read, temp_c, 0.0).sum(axis=2) / np.maximum(count, 1)
    newest = np.maximum.accumulate(np.where(count > 0, np.arange(temp_c.shape[1]), -1), axis=1)
    filled: Floats = np.where(newest >= 0, np.take_along_axis(mean_c, np.maximum(newest, 0), axis=1), np.nan)
    return filled


def weigh_days(kinds: DayKinds, day_temp_c: Floats, day: int, window_days: int) -> Floats:
    """Weight of each of the last days in every advice for ``day``, shape (ADVICES, days weighed); each row sums to 1.

    Args:
        kinds: of all days.
        day_temp_c: mean temperature of one area's days, shape (days,); NaN takes weather out of the comparison.
        day: the day to come, at least 1.
        window_days: how many days before it are weighed.
    """
    window = np.arange(max(day - window_days, 0), day + 1)
    likeness = kinds.likeness[np.ix_(window, window)]
    parts = _covary_parts(likeness, kinds.is_same_weekday[np.ix_(window, window)], day_temp_c[window])
    variances = np.array([_spread_recipe(recipe) for recipe in RECIPES])
    covariance = np.tensordot(variances, parts, axes=1) + CONSTANT_VARIANCE
    past = covariance[:, :-1, :-1] + np.diag(kinds.noise[window[:-1]])
    weights = np.linalg.solve(past, covariance[:, :-1, -1:])[:, :, 0]
    weights += (1.0 - weights.sum(axis=1, keepdims=True)) / weights.shape[1]
    return np.vstack([weights, _weigh_newest(kinds.is_working[window])])


def _covary_parts(likeness: Floats, same_weekday: Floats, day_temp_c: Floats) -> Floats:
    """How alike any two days are in each part of the load, shape (parts, days, days)."""
    steps = np.arange(len(day_temp_c))
    apart_days = np.abs(steps[:, None] - steps).astype(np.float64)
    apart_c = (day_temp_c[:, None] - day_temp_c) / TEMPERATURE_REACH_CELSIUS
    weather = np.where(np.isfinite(apart_c), np.exp(-0.5 * apart_c**2), 0.0)
    return np.stack(
        [
            np.exp(-apart_days / SLOW_DAYS),
            np.exp(-apart_days / QUICK_DAYS),
            likeness * np.exp(-apart_days / KIND_DAYS),
            likeness * np.exp(-apart_days / KIND_QUICK_DAYS),
            same_weekday * np.exp(-apart_days / WEEKDAY_DAYS),
            weather * (1.0 + likeness),
            likeness,
        ]
    )


def _spread_recipe(recipe: Recipe) -> tuple[float, ...]:
    """The recipe's variances in the order of the parts."""
    parts = (recipe.slow, recipe.quick, recipe.kind, recipe.kind_quick, recipe.weekday, recipe.temperature, KIND_CONSTANT_VARIANCE)
    return tuple(recipe.signal * part for part in parts)


def _weigh_newest(is_working: Bools) -> Floats:
    """Equal weights on the newest days of the last day's kind, ten working or four others; on all days if there is none."""
    past: Ints = np.flatnonzero(is_working[:-1] == is_working[-1])
    newest = past[-10:] if is_working[-1] else past[-4:]
    weights = np.zeros(len(is_working) - 1)
    weights[newest if len(newest) else slice(None)] = 1.0
    weights /= weights.sum()
    return weights
