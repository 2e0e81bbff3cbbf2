"""Learns, meter by meter and day by day, how to correct the cautious forecast: a ridge regression that forgets.

It works on hours: two columns of half-hours say little more than their mean, and cost twice.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.baseline.filter import KIND_VIEW, VIEWS
from fmar_spark.kernels.baseline.sky import HOURS
from fmar_spark.kernels.window import Floats

NEAR_MIDNIGHT: Final = np.exp(-np.arange(HOURS, dtype=np.float32) / 4)
"""How much the end of yesterday weighs on each hour of today, before learning."""
LATE_HOURS: Final = 3
OF_LATE: Final = np.full(LATE_HOURS, 1 / LATE_HOURS, dtype=np.float32)
OF_DAY: Final = np.full(HOURS, 1 / HOURS, dtype=np.float32)
"""Weights of means: a mean by numpy costs three times as much."""
YOUNG_TRUST: Final = 0.5
"""How far a meter whose corrections are not learnt yet goes from the cautious to the trusting forecast."""
SMALL_SHARE: Final = np.float32(0.2)
"""Scale of the columns that carry no energy of their own: makes the ridge treat all alike."""
FURTHEST_SHARE: Final = 1.5
"""A day is at most this many times further from its forecast than working days are from days of rest."""
VIEW_COLUMNS: Final = VIEWS - 2
"""What the trusting forecast adds, and its parts but for the kind of day, are columns as they are."""
COLUMNS: Final = VIEW_COLUMNS + 10
LEAST_PULL: Final = np.float32(1e-6)
"""Pull towards none as a share of all columns' energy that is always there, so that single precision can solve for them."""
TINY: Final = np.float32(1e-20)
"""Pull of a meter that never drew anything."""


class StackRules(NamedTuple):
    """How fast corrections are learnt and forgotten."""

    half_life_days: float = 45.0
    """Age at which a day counts half."""
    ridge: float = 60.0
    """Pull of every correction towards none, in hours' worth of noise."""
    least_days: int = 7
    """Days that must have been scored before a correction is made."""
    solve_every_days: int = 4
    """How often corrections are worked out anew; days are counted by the calendar, so that no request changes another's answer."""


class Stack:
    """Running sums of each meter's regression of first-guess errors on its columns, and what it remembers of those errors."""

    def __init__(self, meters: int, rules: StackRules) -> None:
        self.rules = rules
        self.keep = np.float32(0.5 ** (1.0 / rules.half_life_days))
        self.gram = np.zeros((meters, COLUMNS, COLUMNS), dtype=np.float32)
        self.moment = np.zeros((meters, COLUMNS), dtype=np.float32)
        self.coefficients = np.zeros((meters, COLUMNS), dtype=np.float32)
        self.coefficients[:, 0] = YOUNG_TRUST
        self.square = np.zeros(meters, dtype=np.float32)
        self.weight = np.zeros(meters, dtype=np.float32)
        self.days = np.zeros(meters, dtype=np.int64)
        self.is_corrected = np.zeros(meters, dtype=np.bool_)
        self.columns = np.zeros((meters, COLUMNS, HOURS), dtype=np.float32)
        self.turned = np.zeros((meters, HOURS, COLUMNS), dtype=np.float32)
        """The columns on their side: twice as fast to multiply by as a view of them."""
        self.yesterday_kwh = np.zeros((meters, HOURS), dtype=np.float32)
        self.week_kwh = np.zeros((7, meters, HOURS), dtype=np.float32)
        """Errors of the first guess on the newest day of each weekday, mean of the two half-hours."""
        self.shift = np.zeros(meters, dtype=np.float32)
        """How far the newest working day lay from its forecast, in units of working against other days."""

    def lay_columns(self, views_kwh: Floats, weather: Floats, weekday: int) -> None:
        """Set what may explain the errors of the day to come.

        Args:
            views_kwh: hourly means of the filter's output, shape (meters, VIEWS, 24).
            weather: heating and cooling beyond the usual, shape (2, meters, 24).
            weekday: 1 = Monday .. 7 = Sunday.
        """
        columns, error = self.columns, self.yesterday_kwh
        columns[:, :VIEW_COLUMNS] = views_kwh[:, 1 : VIEW_COLUMNS + 1]
        lag, small = VIEW_COLUMNS, VIEW_COLUMNS + 6
        late = np.vecdot(error[:, -LATE_HOURS:], OF_LATE)[:, None]
        columns[:, lag] = late * NEAR_MIDNIGHT
        columns[:, lag + 1] = late
        columns[:, lag + 2] = np.vecdot(error, OF_DAY)[:, None]
        columns[:, lag + 3] = _smooth(error)
        columns[:, lag + 4] = self.week_kwh[weekday - 1]
        columns[:, lag + 5] = self.shift[:, None] * views_kwh[:, KIND_VIEW]
        small_first = SMALL_SHARE * views_kwh[:, 0]
        shape = small_first - np.vecdot(small_first, OF_DAY)[:, None]
        columns[:, small] = shape
        columns[:, small + 1] = np.sqrt(np.vecdot(shape, shape) / HOURS + SMALL_SHARE**2 * self._variance())[:, None]
        columns[:, small + 2] = small_first * weather[0]
        columns[:, small + 3] = small_first * weather[1]

    def correct(self, day_number: int) -> Floats:
        """What to add to the first guess of each hour, shape (meters, 24).

        A meter with too few days scored goes half the way to the trusting forecast.

        Args:
            day_number: of the calendar, so that corrections are worked out on the same days whatever is asked for.
        """
        if day_number % self.rules.solve_every_days == 0:
            self.is_corrected = self.days >= self.rules.least_days
            pull = np.maximum(self.rules.ridge * self._variance(), LEAST_PULL * np.einsum("mcc->m", self.gram)) + TINY
            matrix = self.gram + pull[:, None, None] * np.eye(COLUMNS, dtype=np.float32)
            solved = np.linalg.solve(matrix, self.moment[:, :, None])[:, :, 0]
            self.coefficients = np.where(self.is_corrected[:, None], solved, self.coefficients)
        added: Floats = np.matmul(self.coefficients[:, None], self.columns)[:, 0]
        return added

    def learn(self, error_kwh: Floats, is_read: Floats, kind_kwh: Floats, weekday: int) -> None:
        """Take one more day into account.

        Args:
            error_kwh: actual minus first guess of each hour, 0 where unread, shape (meters, 24).
            is_read: 1 for hours that count, else 0, same shape; a meter without any learns nothing.
            kind_kwh: working against other days, as the filter had it for the day, same shape.
            weekday: 1 = Monday .. 7 = Sunday.
        """
        read_hours = np.matmul(is_read, np.ones(HOURS, dtype=np.float32))
        is_scored = read_hours > 0
        shown = self.columns if is_read.all() else self.columns * is_read[:, None]
        keep = np.where(is_scored, self.keep, np.float32(1.0))
        self.gram *= keep[:, None, None]
        np.copyto(self.turned, shown.transpose(0, 2, 1))
        self.gram += np.matmul(shown, self.turned)
        self.moment *= keep[:, None]
        self.moment += np.matmul(shown, error_kwh[:, :, None])[:, :, 0]
        square = np.vecdot(error_kwh, error_kwh)
        self.square = keep * self.square + square / np.maximum(read_hours, np.float32(1.0))
        self.weight = keep * self.weight + is_scored
        self.days += is_scored
        self.yesterday_kwh = error_kwh
        self.week_kwh[weekday - 1] = error_kwh
        if weekday <= 5:
            reach = np.vecdot(kind_kwh, kind_kwh)
            shift = np.vecdot(error_kwh, kind_kwh) / np.where(reach > 0, reach, 1.0)
            self.shift = np.where(is_scored, np.clip(shift, -FURTHEST_SHARE, FURTHEST_SHARE), self.shift)

    def _variance(self) -> Floats:
        """Recent mean squared error of the first guess, kWh squared, shape (meters,)."""
        variance: Floats = self.square / np.maximum(self.weight, np.float32(1e-9))
        return variance


def _smooth(error_kwh: Floats) -> Floats:
    """Mean of each hour and its neighbours; the first and the last hour have one neighbour, counted twice with themselves."""
    smooth = error_kwh.copy()
    smooth[:, 1:] += error_kwh[:, :-1]
    smooth[:, :-1] += error_kwh[:, 1:]
    smooth[:, 0] += error_kwh[:, 0]
    smooth[:, -1] += error_kwh[:, -1]
    smooth /= np.float32(3.0)
    return smooth
