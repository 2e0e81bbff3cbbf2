"""A Kalman filter from day to day: every slot's load as a sum of parts that drift, and what each new day says about them.

How much a day moves each part depends on the calendar, the temperature and how long the meter has been read, not on the
load: meters under one sky share their gains, so the filter costs a few multiplications a slot.
"""

from typing import Final

import numpy as np

from fmar_spark.kernels.baseline_days import LEVEL_DRIFT, PARTS, STATES, find_states
from fmar_spark.kernels.baseline_sky import Skies
from fmar_spark.kernels.window import Bools, Floats

SIGNALS: Final = (0.8, 0.1)
"""Two readings of the same load: one that trusts what the days differ in, and a cautious one that takes most of it for noise."""
TRUSTING, CAUTIOUS = range(2)
SHOWN_PARTS: Final = ("slow", "quick", "quick_kind", "weekday", "temperature", "kind")
VIEWS: Final = 2 + len(SHOWN_PARTS)
"""What is told of a day: the cautious forecast, what the trusting one adds to it, and the shown parts of the trusting one."""
KIND_VIEW: Final = VIEWS - 1
WIDTH: Final = 2 * STATES


class DayFilter:
    """States of a batch by both readings, shape (meters, 2 * STATES, 48 slots), kWh."""

    def __init__(self, skies: Skies, noise: Floats) -> None:
        self.skies = skies
        self.noise = noise
        keep, self.drift, prior = _lay_parts()
        self.covariance = np.zeros((len(skies.first_day), 2, STATES, STATES)) + np.eye(STATES) * prior[:, :, None]
        self.keep_pairs = keep[:, None] * keep
        self.gain = np.zeros((len(skies.first_day), 2, STATES))
        self.states = np.zeros((len(skies.of_meter), WIDTH, 48), dtype=np.float32)
        self.change = np.empty_like(self.states)
        self.mask = _mask_views()
        self.keep_slots = np.repeat(np.tile(keep, 2), 48).astype(np.float32)

    def foresee(self, day: int) -> Floats:
        """Let the parts drift to ``day`` and tell what they add up to, shape (meters, VIEWS, 48); zero before the first day."""
        flat = self.states.reshape(len(self.states), -1)
        flat *= self.keep_slots
        loadings = self.skies.loadings[:, day]
        self._set_gain(day, loadings.astype(np.float64))
        rows = np.concatenate([loadings, loadings], axis=1)[:, None] * self.mask
        views: Floats = np.matmul(rows[self.skies.of_meter], self.states)
        return views

    def learn(self, error_kwh: Floats, added_kwh: Floats) -> None:
        """Move the parts by what the day's readings were beyond the forecast.

        Args:
            error_kwh: actual minus the cautious forecast, 0 where unread, shape (meters, 48).
            added_kwh: what the trusting forecast added to the cautious one, 0 where unread, same shape.
        """
        errors = np.stack([error_kwh - added_kwh, error_kwh], axis=1)
        apart = (self.gain[..., None] * np.eye(2)[:, None]).reshape(-1, WIDTH, 2).astype(np.float32)
        np.matmul(apart[self.skies.of_meter], errors, out=self.change)
        self.states += self.change

    def _set_gain(self, day: int, loadings: Floats) -> None:
        """The gains of ``day`` under each sky, and the covariance after it; nothing happens before its first day."""
        is_begun: Bools = self.skies.first_day <= day
        after = self.covariance * self.keep_pairs
        diagonal = np.arange(STATES)
        after[:, :, diagonal, diagonal] += self.drift
        seen = np.matmul(after, loadings[:, None, :, None])[..., 0]
        variance = np.matmul(seen, loadings[:, :, None])[..., 0] + self.noise[day]
        self.gain = np.where(is_begun[:, None, None], seen / variance[..., None], 0.0)
        after -= self.gain[..., :, None] * seen[..., None, :]
        self.covariance = after if is_begun.all() else np.where(is_begun[:, None, None, None], after, self.covariance)


def _lay_parts() -> tuple[Floats, Floats, Floats]:
    """Share of every state that a day keeps, shape (STATES,), and by reading its daily new variance and its first variance."""
    days = np.concatenate([np.full(part.width, part.days) for part in PARTS])
    variance = np.concatenate([np.full(part.width, part.variance) for part in PARTS])
    keep = np.exp(-1.0 / days)
    level = find_states("level")
    prior = np.array(SIGNALS)[:, None] * variance
    drift = (1.0 - keep**2) * prior
    drift[:, level] = LEVEL_DRIFT * np.array(SIGNALS)[:, None]
    prior[:, level] = variance[level]
    return keep, drift, prior


def _mask_views() -> Floats:
    """Which loadings of both readings count in each view, and with which sign, shape (VIEWS, 2 * STATES), float32."""
    mask = np.zeros((VIEWS, 2, STATES), dtype=np.float32)
    mask[0, CAUTIOUS] = 1.0
    mask[1, TRUSTING] = 1.0
    mask[1, CAUTIOUS] = -1.0
    for place, name in enumerate(SHOWN_PARTS):
        mask[2 + place, TRUSTING, find_states(name)] = 1.0
    return mask.reshape(VIEWS, WIDTH)
