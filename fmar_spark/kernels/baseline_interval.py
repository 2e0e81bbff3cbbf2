"""Keeps each meter's interval honest: its spread follows recent errors, its reach follows how often it was left."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats

BLOCKS: Final = 8
"""Stretches of three hours that each learn a reach of their own."""
NORMAL_REACH: Final = 1.6
"""Where 10 and 90 % of a normal variable lie, in mean absolute errors: 1.2816 / 0.7979, rounded."""


class IntervalRules(NamedTuple):
    """How wide, and how fast it adapts."""

    tail: float = 0.10
    """Share of readings that may lie beyond each end."""
    half_life_days: float = 12.0
    """Age at which a day's errors count half in the spread."""
    kind_days: float = 4.0
    """Days' worth of all days' errors mixed into those of one kind of day."""
    step: float = 0.12
    """How far the reach moves after a day that was wholly missed."""
    young_days: int = 14
    """Below this many days scored the interval is widened."""


class Interval:
    """Running spread of each meter's errors by slot and kind of day, and the reach of both ends."""

    def __init__(self, meters: int, rules: IntervalRules) -> None:
        self.rules = rules
        self.keep = 0.5 ** (1.0 / rules.half_life_days)
        self.error = np.zeros((3, meters, 48))
        self.weight = np.zeros((3, meters, 48))
        self.reach = np.full((2, meters, BLOCKS), NORMAL_REACH)
        self.days = np.zeros(meters, dtype=np.int64)

    def spread(self, kind: int) -> Floats:
        """Expected absolute error, kWh, shape (meters, 48), on a day of this kind (0 other, 1 working); NaN before any day."""
        overall = self.error[2] / np.where(self.weight[2] > 0, self.weight[2], np.nan)
        mixed = (self.error[kind] + self.rules.kind_days * overall) / (self.weight[kind] + self.rules.kind_days)
        level = np.nansum(mixed, axis=1) / np.maximum(np.isfinite(mixed).sum(axis=1), 1)
        mixed = np.where(np.isfinite(mixed), mixed, level[:, None])
        padded = np.pad(mixed, ((0, 0), (1, 1)), mode="edge")
        smooth = (padded[:, :-2] + 2 * mixed + padded[:, 2:]) / 4
        young = 1.0 + np.clip(1.0 - self.days / self.rules.young_days, 0, 1)[:, None]
        spread: Floats = np.where(self.days[:, None] > 0, young * (0.95 * smooth + 0.05 * level[:, None]), np.nan)
        return spread

    def bound(self, predicted_kwh: Floats, kind: int) -> tuple[Floats, Floats]:
        """Lower and upper end for each slot, shape (meters, 48) each."""
        spread = self.spread(kind)
        below, above = np.repeat(self.reach, 48 // BLOCKS, axis=2)
        return predicted_kwh - below * spread, predicted_kwh + above * spread

    def learn(self, predicted_kwh: Floats, actual_kwh: Floats, kind: int, is_scored: Bools) -> None:
        """Take one more day into account for the meters marked; unread slots (NaN) change nothing."""
        lower, upper = self.bound(predicted_kwh, kind)
        is_read = np.isfinite(actual_kwh) & np.isfinite(predicted_kwh) & is_scored[:, None]
        self._move_reach(np.stack([actual_kwh < lower, actual_kwh > upper]), is_read & np.isfinite(lower))
        error_kwh = np.where(is_read, np.abs(actual_kwh - predicted_kwh), 0.0)
        seen = np.where(self.weight[2] > 0, self.error[2] / np.maximum(self.weight[2], 1e-9), np.inf)
        error_kwh = np.minimum(error_kwh, 8.0 * np.maximum(seen, seen.mean(axis=1, keepdims=True)))
        for part in (kind, 2):
            keep = np.where(is_read, self.keep, 1.0)
            self.error[part] = keep * self.error[part] + error_kwh
            self.weight[part] = keep * self.weight[part] + is_read
        self.days += is_scored

    def _move_reach(self, is_missed: Bools, is_read: Bools) -> None:
        """Widen an end that was passed more often than allowed and draw in one that was not (adaptive conformal inference)."""
        shape = (*is_missed.shape[:2], BLOCKS, 48 // BLOCKS)
        read = is_read.reshape(shape[1:]).sum(axis=2)
        missed = (is_missed & is_read).reshape(shape).sum(axis=3)
        surplus = np.where(read > 0, missed / np.maximum(read, 1) - self.rules.tail, 0.0)
        self.reach = np.clip(self.reach + self.rules.step * surplus * np.maximum(self.reach, 0.3), 0.05, 20.0)
