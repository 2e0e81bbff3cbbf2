"""What winter's nights show of heating by themselves, without temperatures and without mild days beside them."""

from typing import Final

import numpy as np

from fmar_spark.kernels.window import Floats, Ints

WINTER: Final = 0
"""Code of winter among the calendar's seasons."""
FEWEST_NIGHTS: Final = 40
"""Nights of winter below which they say nothing."""
NIGHT_SLOTS: Final = slice(2, 10)
"""01:00 to 05:00: everyone asleep. A heat pump runs, a fridge does."""
MORNING_SLOTS: Final = slice(10, 16)
"""05:00 to 08:00: a house recovers from its night setback."""
LEAST_KW: Final = 0.01
"""Power below which nothing is divided."""


def describe_winter(filled_kw: Floats, day_kw: Floats, season: Ints) -> dict[str, Floats]:
    """Features of winter's nights by name, shape (meters,) each; NaN with fewer than forty of them.

    Args:
        filled_kw: load, shape (meters, days, 48), no NaN.
        day_kw: mean of each day, shape (meters, days), NaN where too little was read.
        season: of each day, shape (days,).
    """
    winter = np.flatnonzero(season == WINTER)
    known = ~np.isnan(day_kw[:, winter])
    rows = np.flatnonzero(known.sum(axis=1) >= FEWEST_NIGHTS)
    names = ("night_kw", "night_ratio", "night_spread", "memory", "cycling", "recovery")
    columns = {f"heat_pump_winter_{name}": np.full(len(day_kw), np.nan) for name in names}
    if not rows.size:
        return columns
    known = known[rows]
    nights = filled_kw[np.ix_(rows, winter)][:, :, NIGHT_SLOTS]
    night = np.where(known, nights.mean(axis=2), np.nan)
    morning = np.where(known, filled_kw[np.ix_(rows, winter)][:, :, MORNING_SLOTS].mean(axis=2), np.nan)
    steps = np.where(known, np.abs(np.diff(nights, axis=2)).mean(axis=2), np.nan)
    low, middle, high = (_rank(night, share) for share in (0.1, 0.5, 0.9))
    whole = _rank(np.where(known, day_kw[np.ix_(rows, winter)], np.nan), 0.5)
    recovery = _rank(morning, 0.5)
    change = np.where(known, steps, 0.0).sum(axis=1) / known.sum(axis=1)
    base = np.maximum(middle, LEAST_KW)
    found = (middle, middle / np.maximum(whole, LEAST_KW), (high - low) / base, _remember(night), change / base, recovery / base)
    for name, values in zip(names, found, strict=True):
        columns[f"heat_pump_winter_{name}"][rows] = values
    return columns


def _rank(values: Floats, share: float) -> Floats:
    """The value below which that share of each row's known values lies, shape (meters,)."""
    ordered = np.sort(values, axis=1)
    known = np.count_nonzero(~np.isnan(values), axis=1)
    place = np.round(share * np.maximum(known - 1, 0)).astype(np.int64)
    return np.asarray(np.take_along_axis(ordered, place[:, None], axis=1)[:, 0])


def _remember(night_kw: Floats) -> Floats:
    """Correlation of neighbouring known nights, shape (meters,); NaN where too few are neighbours or nothing varies."""
    first, second = night_kw[:, :-1].astype(np.float64), night_kw[:, 1:].astype(np.float64)
    both = ~np.isnan(first) & ~np.isnan(second)
    count = np.where(both.sum(axis=1) >= FEWEST_NIGHTS // 4, both.sum(axis=1), np.nan)

    def centre(values: Floats) -> Floats:
        mean = np.where(both, values, 0.0).sum(axis=1) / count
        return np.where(both, values - mean[:, None], 0.0)

    mine, next_one = centre(first), centre(second)
    power = np.sqrt((mine**2).sum(axis=1) * (next_one**2).sum(axis=1))
    return np.asarray((mine * next_one).sum(axis=1) / np.where(power > 0, power, np.nan))
