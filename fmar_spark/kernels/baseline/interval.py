"""Keeps each meter's interval honest: its spread follows recent errors, its reach follows how often it was left."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats

BLOCKS: Final = 8
"""Stretches of three hours that each learn a reach of their own."""
IN_BLOCK: Final = np.repeat(np.eye(BLOCKS, dtype=np.float32), 48 // BLOCKS, axis=0)
"""Sums slots by block, shape (48, BLOCKS)."""
OF_DAY: Final = np.full(48, 1 / 48, dtype=np.float32)
"""Weights of a day's mean: a mean by numpy costs twice as much."""
NORMAL_REACH: Final = 1.6
"""Where 10 and 90 % of a normal variable lie, in mean absolute errors: 1.2816 / 0.7979, rounded."""
LEVEL_SHARE: Final = 0.05
"""How much of every slot's spread is that of the whole day, so that no slot is thought to be free of error."""
LEAST_SHARE: Final = 0.3
"""No error is called wild that is small against this share of the day's mean error."""
OTHER, WORKING, ALL = range(3)


class IntervalRules(NamedTuple):
    """How wide, and how fast it adapts."""

    tail: float = 0.0965
    """Share of readings that may lie beyond each end: a little under 10 %, since the reach lags behind errors that come together."""
    half_life_days: float = 12.0
    """Age at which a day's errors count half in the spread."""
    kind_days: float = 4.0
    """Days' worth of all days' errors mixed into those of one kind of day."""
    step: float = 0.12
    """How far the reach moves after a day that was wholly missed."""
    young_days: int = 14
    """Below this many days scored the interval is widened."""
    wild_spreads: float = 10.0
    """Errors beyond this many mean absolute errors are learnt from as if they were just that large."""
    trusted_days: int = 7
    """Days scored before an error can be called wild."""


class Interval:
    """Running spread of each meter's errors by slot and kind of day, and the reach of both ends."""

    def __init__(self, meters: int, rules: IntervalRules) -> None:
        self.rules = rules
        self.keep = np.float32(0.5 ** (1.0 / rules.half_life_days))
        self.error = np.zeros((3, meters, 48), dtype=np.float32)
        self.weight = np.zeros((3, meters, 48), dtype=np.float32)
        self.overall = np.zeros((meters, 48), dtype=np.float32)
        """Mean absolute error of each slot on all days, 0 before any."""
        self.reach = np.full((2, meters, BLOCKS), NORMAL_REACH, dtype=np.float32)
        self.days = np.zeros(meters, dtype=np.int64)

    def limit(self) -> Floats:
        """Largest error that is believed, kWh, shape (meters, 48); infinite while too few days were scored."""
        floor = np.float32(LEAST_SHARE) * np.vecdot(self.overall, OF_DAY)[:, None]
        limit: Floats = np.float32(self.rules.wild_spreads) * np.maximum(self.overall, floor)
        limit[self.days < self.rules.trusted_days] = np.inf
        return limit

    def bound(self, predicted_kwh: Floats, kind: int) -> Floats:
        """Lower and upper end for each slot, shape (2, meters, 48); NaN before any day was scored."""
        spread = self._spread(kind)
        below, above = np.repeat(self.reach, 48 // BLOCKS, axis=2)
        return np.stack([predicted_kwh - below * spread, predicted_kwh + above * spread])

    def learn(self, bounds_kwh: Floats, actual_kwh: Floats, error_kwh: Floats, is_read: Bools, kind: int) -> None:
        """Take one more day into account.

        Args:
            bounds_kwh: what was given for the day, shape (2, meters, 48).
            actual_kwh: what was read, shape (meters, 48), NaN where unread.
            error_kwh: actual minus predicted, wild errors drawn in, 0 where unread.
            is_read: slots that count; a meter without any learns nothing.
            kind: 0 other, 1 working day.
        """
        is_missed = np.stack([actual_kwh < bounds_kwh[0], actual_kwh > bounds_kwh[1]])
        self._move_reach(is_missed, is_read & (self.days > 0)[:, None])
        keep = np.where(is_read, self.keep, np.float32(1.0))
        size_kwh = np.abs(error_kwh)
        for part in (kind, ALL):
            self.error[part] *= keep
            self.error[part] += size_kwh
            self.weight[part] *= keep
            self.weight[part] += is_read
        self.days += is_read.any(axis=1)
        self.overall = self.error[ALL] / np.maximum(self.weight[ALL], np.float32(1e-6))

    def _spread(self, kind: int) -> Floats:
        """Expected absolute error, kWh, shape (meters, 48), on a day of this kind; NaN before any day."""
        days = np.float32(self.rules.kind_days)
        mixed = (self.error[kind] + days * self.overall) / (self.weight[kind] + days)
        smooth: Floats = 2 * mixed
        smooth[:, 1:] += mixed[:, :-1]
        smooth[:, :-1] += mixed[:, 1:]
        smooth[:, 0] += mixed[:, 0]
        smooth[:, -1] += mixed[:, -1]
        young = 1.0 + np.clip(1.0 - self.days / self.rules.young_days, 0, 1)
        scale = np.where(self.days > 0, young, np.nan).astype(np.float32)[:, None]
        smooth *= np.float32((1.0 - LEVEL_SHARE) / 4.0)
        smooth += np.float32(LEVEL_SHARE) * np.vecdot(mixed, OF_DAY)[:, None]
        smooth *= scale
        return smooth

    def _move_reach(self, is_missed: Bools, is_read: Bools) -> None:
        """Widen an end that was passed more often than allowed and draw in one that was not (adaptive conformal inference)."""
        read = np.matmul(is_read.astype(np.float32), IN_BLOCK)
        missed = np.matmul((is_missed & is_read).astype(np.float32), IN_BLOCK)
        surplus = (missed - np.float32(self.rules.tail) * read) / np.maximum(read, np.float32(1.0))
        self.reach += np.float32(self.rules.step) * surplus * np.maximum(self.reach, np.float32(0.3))
        np.clip(self.reach, 0.05, 20.0, out=self.reach)
