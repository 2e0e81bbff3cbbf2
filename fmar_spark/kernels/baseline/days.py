"""What the calendar and the weather say of a day, as loadings on the parts that a load is made of."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, LocalCalendar

TEMPERATURE_KNOTS_CELSIUS: Final = (0.0, 6.0, 12.0, 18.0, 24.0)
"""Between these the load is taken to change in a straight line with the day's mean temperature; flat beyond the ends."""
HOLIDAY_CONTRAST: Final = -0.8
"""Where a public holiday lies between a day of rest (-1) and a working day (1) before a meter has shown how it keeps one."""
LAST_WEEK_OF_YEAR: Final = (24, 31)
"""Days of December whose weekdays are neither working days nor days of rest."""


class Part(NamedTuple):
    """One part of a slot's load, a random course from day to day."""

    name: str
    width: int
    """Independent states of it."""
    days: float
    """Days after which it keeps 1/e of itself; infinite for one that never returns to nothing."""
    variance: float
    """In units of the variance of a slot's noise."""


PARTS: Final = (
    Part("level", 1, np.inf, 1000.0),
    Part("slow", 1, 40.0, 3.0),
    Part("quick", 1, 3.0, 0.3),
    Part("kind", 1, 600.0, 4.0),
    Part("quick_kind", 1, 5.0, 0.15),
    Part("holiday", 2, 1000.0, 1.0),
    Part("weekday", 7, 150.0, 0.3),
    Part("temperature", len(TEMPERATURE_KNOTS_CELSIUS), 400.0, 0.35),
)
"""Level and its slow and quick drift; working against other days, for good and of late; holidays; weekdays; temperature."""
STATES: Final = sum(part.width for part in PARTS)
LEVEL_DRIFT: Final = 0.05
"""Variance that the level gains in a day."""


def find_states(name: str) -> slice:
    """Where the states of a part lie among all."""
    at = 0
    for part in PARTS:
        if part.name == name:
            return slice(at, at + part.width)
        at += part.width
    raise KeyError(name)


class DayKinds(NamedTuple):
    """What the calendar says of each day, arrays of shape (days, ...)."""

    is_working: Bools
    """A weekday, no public holiday and not in the last week of the year."""
    loadings: Floats
    """What each state adds on the day, shape (days, STATES), float32; zero for temperature."""
    noise: Floats
    """Noise variance of each day: more for days whose kind is uncertain, so that they mislead the others less."""


def sort_days(calendar: LocalCalendar) -> DayKinds:
    """Separate working days, days of rest, public holidays and the last week of the year.

    A holiday counts at first as mostly a day of rest, since some sites work through it; how the meter itself keeps holidays
    is learnt from those it has had.
    """
    weekday = np.asarray(calendar.weekday)
    is_holiday = np.asarray(calendar.is_holiday)
    is_bridge = (weekday <= 5) & ~is_holiday & _is_last_week(calendar.start_date, len(weekday))
    is_working = (weekday <= 5) & ~is_holiday & ~is_bridge
    contrast = np.select([is_working, is_bridge, is_holiday], [1.0, 0.0, HOLIDAY_CONTRAST], -1.0)
    is_plain = ~is_holiday & ~is_bridge
    loadings = np.zeros((len(weekday), STATES), dtype=np.float32)
    for name in ("level", "slow", "quick"):
        loadings[:, find_states(name)] = 1.0
    for name in ("kind", "quick_kind"):
        loadings[:, find_states(name)] = contrast[:, None]
    loadings[:, find_states("holiday")] = np.stack([is_holiday, is_bridge], axis=1)
    loadings[:, find_states("weekday")] = (weekday[:, None] == np.arange(1, 8)) & is_plain[:, None]
    return DayKinds(is_working, loadings, np.where(is_plain, 1.0, 2.0))


def is_plain_working(calendar: LocalCalendar) -> Bools:
    """Weekdays that are no public holiday: the working days of the industry's rules, shape (days,)."""
    working: Bools = (np.asarray(calendar.weekday) <= 5) & ~np.asarray(calendar.is_holiday)
    return working


def load_temperature(day_temp_c: Floats) -> Floats:
    """Loadings of a day's mean temperature on the knots around it, shape (..., knots); zero where it is unknown (NaN)."""
    knots = np.array(TEMPERATURE_KNOTS_CELSIUS)
    inside = np.clip(day_temp_c, knots[0], knots[-1])[..., None]
    near = np.clip(1.0 - np.abs(inside - knots) / (knots[1] - knots[0]), 0.0, 1.0)
    loadings: Floats = np.where(np.isfinite(near), near, 0.0)
    return loadings


def _is_last_week(start_date: np.datetime64, days: int) -> Bools:
    dates = start_date + np.arange(days)
    months = dates.astype("datetime64[M]")
    day_of_month = (dates - months).astype(np.int64) + 1
    first, last = LAST_WEEK_OF_YEAR
    found: Bools = (months.astype(np.int64) % 12 == 11) & (day_of_month >= first) & (day_of_month <= last)
    return found
