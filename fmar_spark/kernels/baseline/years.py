"""Forecasts of any days of a long history, each a function of its own past alone, at a cost that does not grow with the history."""

import numpy as np

from fmar_spark.kernels.baseline.day_ahead import BaselineDays, BaselineRules, allocate_days, predict_days
from fmar_spark.kernels.window import Floats, Ints, LocalCalendar

YEARS_BACK = 1
"""The days of one calendar year are forecast from 1 January of so many years before."""


def predict_by_year(
    net_kwh: Floats, temp_c: Floats, area: Ints, calendar: LocalCalendar, target_days: Ints, rules: BaselineRules | None = None
) -> BaselineDays:
    """As :func:`predict_days`, but the days of each calendar year from readings since 1 January of the year before.

    So a forecast looks back one to two years, the same whichever days are asked for beside it.
    """
    targets = np.asarray(target_days, dtype=np.int64)
    found = allocate_days(len(net_kwh), len(targets))
    years = (calendar.start_date + targets).astype("datetime64[Y]")
    for year in np.unique(years):
        places = np.flatnonzero(years == year)
        since = (year - YEARS_BACK).astype("datetime64[D]") - calendar.start_date
        start = max(int(since.astype(np.int64)), 0)
        span = slice(start, int(targets[places[-1]]) + 1)
        part = predict_days(net_kwh[:, span], temp_c[:, span], area, cut_calendar(calendar, span), targets[places] - start, rules)
        for whole, piece in zip(found, part, strict=True):
            whole[:, places] = piece
        is_trained = part.trained_to_day >= 0
        found.trained_to_day[:, places] = np.where(is_trained, part.trained_to_day + start, -1)
    return found


def cut_calendar(calendar: LocalCalendar, span: slice) -> LocalCalendar:
    """The days of ``span`` alone; its bounds are within the calendar."""
    return LocalCalendar(
        start_date=calendar.start_date + span.start,
        weekday=calendar.weekday[span],
        is_holiday=calendar.is_holiday[span],
        season=calendar.season[span],
    )
