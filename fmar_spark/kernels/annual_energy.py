"""Energy of a year from a meter's days; where the gaps follow a pattern none is given, since what is missing is unlike the rest."""

from calendar import monthrange
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np

from fmar_spark import clock
from fmar_spark.kernels.sufficiency import PATTERN_SHARE, leaves_out_times
from fmar_spark.kernels.window import Bools, Floats, Ints

LEAST_SHARE: Final = 0.5
"""Least share of a weekday or month that must be read; chosen by hand: half of its days can stand for the others."""
MONTHS: Final = 12
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
COMMON_YEAR: Final = 2025
DAYS_OF_MONTH: Final = np.array([monthrange(COMMON_YEAR, month + 1)[1] for month in range(MONTHS)], dtype=np.float64)


class GapPattern(StrEnum):
    """What most of the gaps have in common."""

    NONE = "none"
    TIME_OF_DAY = "time of day"
    WEEKDAY = "weekday"
    SEASON = "season"
    """Or the history is too short to cover the year."""


class AnnualEnergy(NamedTuple):
    """Energy of a year, and how far the readings carry it."""

    kwh: float
    """NaN where the gaps follow a pattern."""
    kwh_per_day: float
    """Mean of the half-hours with readings, times 48; NaN without any."""
    share_by_slot: Floats
    """Share of the days on which each slot of the day was read, shape (48,)."""
    pattern: GapPattern
    reason: str
    """What is missing, in words; empty where nothing is."""


def estimate_annual_energy(kwh: Floats, first_date: date) -> AnnualEnergy:
    """Mean of each month by slot of the day, summed over a year of 365 days.

    Args:
        kwh: Energy of each half-hour, kWh, shape (days, 48), NaN where missing.
        first_date: of day 0.
    """
    read = ~np.isnan(kwh)
    day = np.datetime64(first_date, "D") + np.arange(len(kwh))
    month = day.astype("datetime64[M]").astype(np.int64) % MONTHS
    weekday = (day.astype(np.int64) + 3) % len(WEEKDAYS)
    by_slot = read.mean(axis=0) if len(kwh) else np.zeros(clock.SLOTS_PER_DAY)
    pattern, reason = _find_pattern(read, by_slot, weekday, month)
    per_day = float(np.nansum(kwh) / read.sum() * clock.SLOTS_PER_DAY) if read.any() else float("nan")
    total = _sum_year(kwh, month) if pattern is GapPattern.NONE else float("nan")
    return AnnualEnergy(total, per_day, by_slot, pattern, reason)


def describe_annual_energy(annual: AnnualEnergy) -> str:
    """The energy of a year in words, or of a day and why no year's is given."""
    if not np.isnan(annual.kwh):
        return f"{annual.kwh:,.0f} kWh a year"
    a_day = "" if np.isnan(annual.kwh_per_day) else f"{annual.kwh_per_day:,.1f} kWh a day "
    return f"{a_day}(no annual energy: {annual.reason})"


def _find_pattern(read: Bools, by_slot: Floats, weekday: Ints, month: Ints) -> tuple[GapPattern, str]:
    """The first of time of day, weekday and season that is read for less than ``LEAST_SHARE``, and what is missing."""
    if not read.any():
        return GapPattern.SEASON, "no readings"
    days = np.asarray([read.any(axis=1).sum()])
    if leaves_out_times(read.sum(axis=0, keepdims=True), days)[0]:
        low = by_slot < PATTERN_SHARE * by_slot.max()
        return GapPattern.TIME_OF_DAY, f"{_name_slots(low)} missing on {100 * (1 - by_slot[low].mean()):.0f} % of days"
    by_day = read.mean(axis=1)
    of_weekday = np.array([by_day[weekday == one].mean() if (weekday == one).any() else 0.0 for one in range(len(WEEKDAYS))])
    of_month = np.array([by_day[month == one].sum() for one in range(MONTHS)]) / DAYS_OF_MONTH
    if (of_weekday < LEAST_SHARE).any() and (of_weekday >= LEAST_SHARE).any() and len(by_day) >= 2 * len(WEEKDAYS):
        names = ", ".join(WEEKDAYS[one] for one in np.flatnonzero(of_weekday < LEAST_SHARE))
        return GapPattern.WEEKDAY, f"{names} mostly missing"
    if (of_month < LEAST_SHARE).any():
        return GapPattern.SEASON, f"readings of {int((of_month >= LEAST_SHARE).sum())} of 12 months"
    return GapPattern.NONE, ""


def _sum_year(kwh: Floats, month: Ints) -> float:
    """Where a slot of the day was never read in a month, that month's mean stands for it in proportion to the slot's mean."""
    mean_of_slot = np.nanmean(kwh, axis=0)
    total = 0.0
    for one in range(MONTHS):
        mine = kwh[month == one]
        read = ~np.isnan(mine)
        known = read.any(axis=0)
        means = np.nansum(mine, axis=0) / np.maximum(read.sum(axis=0), 1)
        level = means[known].sum() / mean_of_slot[known].sum() if mean_of_slot[known].sum() > 0 else 0.0
        total += DAYS_OF_MONTH[one] * float(np.where(known, means, mean_of_slot * level).sum())
    return total


def _name_slots(low: Bools) -> str:
    """Runs of slots as clock times, e.g. ``10:00 to 14:00``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], low, [False]]).astype(np.int8)))
    return ", ".join(
        f"{_name_time(start)} to {_name_time(end)}" for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    )


def _name_time(slot: int) -> str:
    return f"{slot // 2:02d}:{slot % 2 * 30:02d}"
