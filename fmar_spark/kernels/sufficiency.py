"""Whether a meter's history is enough to say anything."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow, count_read

VERDICTS: Final = ("sufficient", "no_readings", "too_few_days", "too_many_gaps")
SUFFICIENT, NO_READINGS, TOO_FEW_DAYS, TOO_MANY_GAPS = range(4)
READ_SHARE_OF_A_DAY: Final = 0.5
"""Share of its half-hours from which a day counts as seen."""
LEAST_PATTERN_DAYS: Final = 14
"""Days seen below which nothing is said of times of day that are left out."""
PATTERN_SHARE: Final = 0.5
"""A time of day that is read on less than this share of the days of the best read time is left out."""


class Sufficiency(NamedTuple):
    """Arrays of shape (meters,)."""

    verdict: Ints
    """Position in ``VERDICTS``."""
    days_seen: Ints
    """Local days with at least half of their slots read."""
    first_day: Ints
    """First such day, counted from the window's start; -1 where there is none."""
    last_day: Ints
    """Last such day; -1 where there is none."""
    missing_share: Floats
    """Share of slots unread between the first and the last day; NaN where there is none."""
    weather_share: Floats
    """Share of the days seen whose temperature is known."""


def check_history(window: MeterWindow, min_days: int, max_missing_share: float) -> Sufficiency:
    """Say of every meter whether its history is enough, and how long it is.

    Args:
        window: meters by local day and slot.
        min_days: least number of days seen.
        max_missing_share: largest share of slots unread between the first and the last day seen.
    """
    days = window.import_kw.shape[1]
    read = count_read(window.import_kw) / SLOTS_PER_DAY
    seen = read >= READ_SHARE_OF_A_DAY
    days_seen = seen.sum(axis=1)
    any_seen = days_seen > 0
    first_day = np.where(any_seen, seen.argmax(axis=1) if days else 0, -1)
    last_day = np.where(any_seen, days - 1 - (seen[:, ::-1].argmax(axis=1) if days else 0), -1)
    cumulative = np.concatenate([np.zeros((read.shape[0], 1)), np.cumsum(read, axis=1)], axis=1)
    rows = np.arange(read.shape[0])
    span = np.maximum(last_day - first_day + 1, 1)
    read_share = (cumulative[rows, last_day + 1] - cumulative[rows, np.maximum(first_day, 0)]) / span
    known: Bools = ~np.asarray(np.isnan(window.temp_c).all(axis=2))
    weather_share = (seen & known[window.area]).sum(axis=1) / np.maximum(days_seen, 1)
    missing_share = np.where(any_seen, 1 - read_share, np.nan)
    verdict = np.select(
        [~any_seen, days_seen < min_days, missing_share > max_missing_share],
        [NO_READINGS, TOO_FEW_DAYS, TOO_MANY_GAPS],
        default=SUFFICIENT,
    )
    return Sufficiency(verdict, days_seen, first_day, last_day, missing_share, weather_share)


def leaves_out_times(read: Floats, days: Ints) -> Bools:
    """Whether a history leaves out times of day, so that the rest says nothing of a whole day or year; shape (meters,).

    Args:
        read: days on which each half-hour of the day was read, shape (meters, 48).
        days: days with any reading, shape (meters,); too few show no pattern.
    """
    found: Bools = (days >= LEAST_PATTERN_DAYS) & (read.min(axis=1) < PATTERN_SHARE * read.max(axis=1))
    return found
