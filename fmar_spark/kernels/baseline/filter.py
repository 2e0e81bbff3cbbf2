"""A Kalman filter from day to day: every slot's load as a sum of parts that drift, and what each new day says about them.

How much a day moves each part depends on the calendar, the temperature and how long the meter has been read, not on the
load: meters under one sky share their gains, so the filter costs a few multiplications a slot.
"""

from functools import lru_cache
from typing import Final

import numpy as np

from fmar_spark.kernels.baseline.days import LEVEL_DRIFT, PARTS, STATES, find_states
from fmar_spark.kernels.baseline.sky import Skies
from fmar_spark.kernels.window import Floats

SIGNALS: Final = (0.8, 0.1)
"""Two readings of the same load: one that trusts what the days differ in, and a cautious one that takes most of it for noise."""
TRUSTING, CAUTIOUS = range(2)
SHOWN_PARTS: Final = ("slow", "quick", "quick_kind", "weekday", "temperature", "kind")
VIEWS: Final = 2 + len(SHOWN_PARTS)
"""What is returned for a day: the cautious forecast, what the trusting one adds to it, and the shown parts of the trusting one."""
KIND_VIEW: Final = VIEWS - 1
WIDTH: Final = 2 * STATES
BLOCK_DAYS: Final = 16


class DayFilter:
    """States of a batch by both readings, shape (meters, 2 * STATES, 48 slots), kWh.

    What a day keeps of a state is worked into what is read from it and added to it, and into the states themselves only
    every ``BLOCK_DAYS``, counted by the calendar: a pass over all states a day is saved.
    """

    def __init__(self, skies: Skies, gains: Floats, start_number: int) -> None:
        """Take the gains of every sky and day as :func:`trace_gains` gives them, and the number of the first day since 1970."""
        self.skies = skies
        self.gains = gains
        self.start_number = start_number
        self.keep = np.tile(_arrange_parts()[0], 2)
        self.keep_block = np.repeat(self.keep**BLOCK_DAYS, 48).astype(np.float32)
        self.states = np.zeros((len(skies.of_meter), WIDTH, 48), dtype=np.float32)
        self.change = np.empty_like(self.states)
        self.mask = _mask_views()

    def predict(self, day: int) -> Floats:
        """What the parts add up to on ``day``, shape (meters, VIEWS, 48); zero before the first day. Days come in order."""
        place = (self.start_number + day) % BLOCK_DAYS
        if place == 0:
            flat = self.states.reshape(len(self.states), WIDTH * 48)
            flat *= self.keep_block
        loadings = self.skies.loadings[:, day]
        rows = np.concatenate([loadings, loadings], axis=1)[:, None] * (self.mask * self.keep**place).astype(np.float32)
        views: Floats = np.matmul(rows[self.skies.of_meter], self.states)
        return views

    def learn(self, day: int, error_kwh: Floats, added_kwh: Floats) -> None:
        """Move the parts by what the readings of ``day`` were beyond the forecast.

        Args:
            day: the day predicted last.
            error_kwh: actual minus the cautious forecast, 0 where unread, shape (meters, 48).
            added_kwh: what the trusting forecast added to the cautious one, 0 where unread, same shape.
        """
        errors = np.stack([error_kwh - added_kwh, error_kwh], axis=1)
        gain = self.gains[:, day] / self.keep ** ((self.start_number + day) % BLOCK_DAYS)
        apart = (gain.reshape(-1, 2, STATES, 1) * np.eye(2)[:, None]).reshape(-1, WIDTH, 2).astype(np.float32)
        np.matmul(apart[self.skies.of_meter], errors, out=self.change)
        self.states += self.change


def trace_gains(skies: Skies, noise: Floats) -> Floats:
    """How much each day's error moves each state by both readings, shape (skies, days, 2 * STATES); zero before the first day.

    Args:
        skies: with loadings of every day.
        noise: noise variance of each day, shape (days,).
    """
    if not len(skies.first_day):
        return np.zeros((0, len(noise), WIDTH))
    begun = zip(skies.loadings, skies.first_day.tolist(), strict=True)
    return np.stack([_trace_sky(loadings.tobytes(), noise.tobytes(), first) for loadings, first in begun])


@lru_cache(maxsize=256)
def _trace_sky(loadings_bytes: bytes, noise_bytes: bytes, first_day: int) -> Floats:
    """Gains of one sky, shape (days, 2 * STATES). Kept from call to call: all meters of an area that were read long enough share them."""
    loadings = np.frombuffer(loadings_bytes, dtype=np.float32).reshape(-1, STATES).astype(np.float64)
    noise = np.frombuffer(noise_bytes, dtype=np.float64)
    keep, drift, prior = _arrange_parts()
    keep_pairs = keep[:, None] * keep
    diagonal = np.arange(STATES)
    covariance = np.eye(STATES) * prior[:, :, None]
    gains = np.zeros((len(loadings), WIDTH))
    for day in range(first_day, len(loadings)):
        covariance *= keep_pairs
        covariance[:, diagonal, diagonal] += drift
        seen = covariance @ loadings[day]
        gain = seen / (seen @ loadings[day] + noise[day])[:, None]
        covariance -= gain[:, :, None] * seen[:, None, :]
        gains[day] = gain.reshape(WIDTH)
    gains.flags.writeable = False
    return gains


def _arrange_parts() -> tuple[Floats, Floats, Floats]:
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
