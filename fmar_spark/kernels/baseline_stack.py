"""Learns, meter by meter and day by day, how to correct the similar-day forecast: a ridge regression that forgets."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.baseline_similarity import ADVICES
from fmar_spark.kernels.window import Bools, Floats

FIRST_GUESS: Final = (0, 1)
"""The advices whose mean is the forecast before any correction: balanced and cautious."""
HEATING_BELOW_CELSIUS: Final = 15.5
"""Base temperature of British heating degree days (Carbon Trust, degree days for energy management)."""
COOLING_ABOVE_CELSIUS: Final = 17.0
USUAL_DAYS: Final = 5.0
"""Days after which a day's share in the temperature that a meter is used to falls to 1/e."""
SLOT: Final = np.arange(48)
IS_DAYTIME: Final = ((SLOT >= 14) & (SLOT < 38)).astype(np.float64)
"""07:00 to 19:00, when most non-domestic sites are occupied."""
NEAR_MIDNIGHT: Final = np.exp(-SLOT / 8.0)
"""How much the end of yesterday weighs on each slot of today, before learning."""
QUARTERS: Final = (SLOT[:, None] // 12 == np.arange(4)).astype(np.float64)
SMALL_SHARE: Final = 0.2
"""Scale of the columns that carry no energy of their own, as a share of the load's spread: makes the ridge treat all alike."""
DRIFT_COLUMNS: Final = 5
LAG_COLUMNS: Final = 4
WEATHER_COLUMNS: Final = 4
COLUMNS: Final = ADVICES - 1 + LAG_COLUMNS + DRIFT_COLUMNS + WEATHER_COLUMNS


class StackRules(NamedTuple):
    """How fast corrections are learnt and forgotten."""

    half_life_days: float = 40.0
    """Age at which a day counts half."""
    ridge: float = 80.0
    """Pull of every correction towards none, in slots' worth of noise."""
    least_days: int = 7
    """Days that must have been scored before a correction is made."""
    clip_spread: float = 4.0
    """Errors beyond this many standard deviations are learnt from as if they were just that large."""


class Stack:
    """Running sums of each meter's regression of first-guess errors on its columns."""

    def __init__(self, meters: int, rules: StackRules) -> None:
        self.rules = rules
        self.keep = 0.5 ** (1.0 / rules.half_life_days)
        self.gram = np.zeros((meters, COLUMNS, COLUMNS))
        self.moment = np.zeros((meters, COLUMNS))
        self.square = np.zeros(meters)
        self.weight = np.zeros(meters)
        self.days = np.zeros(meters, dtype=np.int64)

    def correct(self, columns: Floats) -> Floats:
        """What to add to the first guess, shape (meters, 48): zero for a meter with too few days scored."""
        variance = self._variance()
        pull = self.rules.ridge * variance + 1e-12
        matrix = self.gram + pull[:, None, None] * np.eye(COLUMNS)
        coefficients = np.linalg.solve(matrix, self.moment[:, :, None])
        added: Floats = np.matmul(columns, coefficients)[:, :, 0]
        added[self.days < self.rules.least_days] = 0.0
        return added

    def learn(self, columns: Floats, error_kwh: Floats, is_scored: Bools) -> None:
        """Take one more day into account for the meters marked; an unread slot (NaN error) teaches nothing."""
        limit = np.where(self.days > 0, self.rules.clip_spread * np.sqrt(self._variance()), np.inf)[:, None]
        is_read = np.isfinite(error_kwh) & is_scored[:, None]
        error = np.where(is_read, np.clip(error_kwh, -limit, limit), 0.0)
        shown = columns * is_read[:, :, None]
        keep = np.where(is_scored, self.keep, 1.0)
        turned = shown.transpose(0, 2, 1)
        self.gram *= keep[:, None, None]
        self.gram += np.matmul(turned, shown)
        self.moment *= keep[:, None]
        self.moment += np.matmul(turned, error[:, :, None])[:, :, 0]
        self.square = keep * self.square + (error**2).sum(axis=1) / np.maximum(is_read.sum(axis=1), 1)
        self.weight = keep * self.weight + is_scored
        self.days += is_scored

    def _variance(self) -> Floats:
        """Recent mean squared error of the first guess, kWh squared, shape (meters,)."""
        variance: Floats = self.square / np.maximum(self.weight, 1e-9)
        return variance


def guess_first(advice_kwh: Floats) -> Floats:
    """Mean of the advices that start the forecast; ``advice_kwh`` has shape (ADVICES, meters, 48)."""
    first: Floats = advice_kwh[list(FIRST_GUESS)].mean(axis=0)
    return first


def lay_columns(advice_kwh: Floats, first_kwh: Floats, yesterday_error_kwh: Floats, weather: Floats, spread_kwh: Floats) -> Floats:
    """What may explain the error of the first guess, shape (meters, 48, COLUMNS).

    Args:
        advice_kwh: every advice for the day, shape (ADVICES, meters, 48).
        first_kwh: the first guess, shape (meters, 48).
        yesterday_error_kwh: actual minus first guess of the day before, 0 where unread, shape (meters, 48).
        weather: as :func:`lay_weather` gives it, for each meter, shape (meters, 48, WEATHER_COLUMNS).
        spread_kwh: typical spread of the meter's load, shape (meters,).
    """
    columns = np.empty((*first_kwh.shape, COLUMNS))
    others = [index for index in range(len(advice_kwh)) if index != FIRST_GUESS[1]]
    for place, index in enumerate(others):
        np.subtract(advice_kwh[index], first_kwh, out=columns[:, :, place])
    at = len(others)
    late = yesterday_error_kwh[:, -6:].mean(axis=1)[:, None]
    padded = np.pad(yesterday_error_kwh, ((0, 0), (2, 2)), mode="edge")
    columns[:, :, at] = late * NEAR_MIDNIGHT
    columns[:, :, at + 1] = late
    columns[:, :, at + 2] = yesterday_error_kwh.mean(axis=1)[:, None]
    columns[:, :, at + 3] = sum(padded[:, k : k + 48] for k in range(5)) / 5
    at += LAG_COLUMNS
    small = (SMALL_SHARE * spread_kwh)[:, None, None]
    columns[:, :, at] = SMALL_SHARE * (first_kwh - first_kwh.mean(axis=1)[:, None])
    columns[:, :, at + 1 : at + DRIFT_COLUMNS] = small * QUARTERS
    columns[:, :, at + DRIFT_COLUMNS :] = small * weather
    return columns


def lay_weather(temp_c: Floats) -> Floats:
    """Heating and cooling degrees beyond what the last fortnight accustomed a site to, by night and day.

    Args:
        temp_c: shape (areas, days, 48), NaN where unknown.

    Returns:
        Shape (areas, days, 48, WEATHER_COLUMNS), in units of 5 degrees; 0 where the temperature is unknown.
    """
    heating = np.clip(HEATING_BELOW_CELSIUS - temp_c, 0, None)
    cooling = np.clip(temp_c - COOLING_ABOVE_CELSIUS, 0, None)
    usual_c = _recall(temp_c)
    new_heating = np.nan_to_num(heating - np.clip(HEATING_BELOW_CELSIUS - usual_c, 0, None)) / 5
    new_cooling = np.nan_to_num(cooling - np.clip(usual_c - COOLING_ABOVE_CELSIUS, 0, None)) / 5
    laid: Floats = np.stack([new_heating, new_heating * IS_DAYTIME, new_cooling, new_cooling * IS_DAYTIME], axis=-1)
    return laid


def _recall(temp_c: Floats) -> Floats:
    """Recency-weighted mean of the same slot over the fortnight before each day, NaN where none of it was read."""
    total = np.zeros(temp_c.shape)
    weight = np.zeros(temp_c.shape)
    for ago in range(1, min(15, temp_c.shape[1])):
        past_c = temp_c[:, :-ago]
        is_read = np.isfinite(past_c)
        total[:, ago:] += np.exp(-ago / USUAL_DAYS) * np.where(is_read, past_c, 0.0)
        weight[:, ago:] += np.exp(-ago / USUAL_DAYS) * is_read
    recalled: Floats = np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)
    return recalled
