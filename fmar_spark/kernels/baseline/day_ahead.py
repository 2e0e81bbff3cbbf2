"""One day ahead: what a meter would draw, from readings before that day, the calendar and the day's temperature.

Every day is forecast in turn, as it would have been then: a Kalman filter adds up the parts of the load, a correction learnt
from how it erred so far is added, and an interval follows recent errors. Nothing is fitted to a day before it is over, so
every figure of the past is out of sample.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.baseline.days import DayKinds, sort_days
from fmar_spark.kernels.baseline.filter import KIND_VIEW, DayFilter, trace_gains
from fmar_spark.kernels.baseline.history import ONES, ZeroWatch
from fmar_spark.kernels.baseline.interval import Interval, IntervalRules
from fmar_spark.kernels.baseline.sky import Skies, lay_skies
from fmar_spark.kernels.baseline.stack import Stack, StackRules
from fmar_spark.kernels.window import Bools, Floats, Ints, LocalCalendar

MODELS: Final = ("no_readings_before", "day_filter", "corrected_day_filter")
"""Names of the model codes: nothing was read before the day; the filter alone, too young to be corrected; with its correction."""
NONE, FILTER, CORRECTED = range(3)


class BaselineRules(NamedTuple):
    """How much is wanted of a day, and how fast a forecast learns."""

    first_slots: int = 24
    """Slots of a day that must be read before a meter's history begins."""
    least_slots: int = 40
    """Slots of a day that must be read before the day is scored, or taught to corrections and intervals."""
    stack: StackRules = StackRules()
    interval: IntervalRules = IntervalRules()


class BaselineDays(NamedTuple):
    """Forecasts of the target days; kWh of each half-hour of the local clock, net (import minus export)."""

    predicted_kwh: Floats
    """Expected value, shape (meters, targets, 48), float32; NaN for a meter with nothing read before the day."""
    p10_kwh: Floats
    """NaN until one day was scored."""
    p90_kwh: Floats
    model: Ints
    """Index into ``MODELS``, shape (meters, targets)."""
    trained_to_day: Ints
    """Last day before the target whose readings were used, shape (meters, targets); -1 where there is none."""


class _Forecast(NamedTuple):
    """A day's forecast before its readings are known, and what it was made of; kWh, shape (meters, ...)."""

    predicted_kwh: Floats
    bounds_kwh: Floats
    """Shape (2, meters, 48)."""
    views_kwh: Floats
    hourly_kind_kwh: Floats


class _Forecaster:
    """A batch that is forecast day after day."""

    def __init__(self, first_day: Ints, skies: Skies, kinds: DayKinds, calendar: LocalCalendar, rules: BaselineRules) -> None:
        meters = len(first_day)
        self.rules = rules
        self.first_day = first_day
        self.kinds = kinds
        self.weekday = np.asarray(calendar.weekday)
        self.start_number = int(calendar.start_date.astype("datetime64[D]").astype(np.int64))
        self.skies = skies
        self.filtered = DayFilter(skies, trace_gains(skies, kinds.noise), self.start_number)
        self.stack = Stack(meters, rules.stack)
        self.interval = Interval(meters, rules.interval)
        self.zeros = ZeroWatch(meters)
        self.trained_to = np.full(meters, -1, dtype=np.int64)

    def predict(self, day: int) -> _Forecast:
        """The forecast of ``day`` from the days before it; meaningless for meters that begin on it or later."""
        views = self.filtered.predict(day)
        hourly = (views[:, :, 0::2] + views[:, :, 1::2]) * np.float32(0.5)
        weather = self.skies.weather[:, :, day][:, self.skies.of_meter]
        self.stack.lay_columns(hourly, weather, int(self.weekday[day]))
        predicted = views[:, 0] + np.repeat(self.stack.correct(self.start_number + day), 2, axis=1)
        bounds = self.interval.bound(predicted, int(self.kinds.is_working[day]))
        return _Forecast(predicted, bounds, views, hourly[:, KIND_VIEW])

    def name_model(self, day: int) -> Ints:
        """Code of the model of each meter on ``day``, shape (meters,)."""
        model: Ints = np.where(self.first_day < day, np.where(self.stack.is_corrected, CORRECTED, FILTER), NONE)
        return model

    def close(self, day: int, forecast: _Forecast, net_kwh: Floats) -> None:
        """Learn from the readings of ``day``, shape (meters, 48), now that it is over."""
        actual = self._fill_first_day(day, self.zeros.screen(net_kwh))
        is_read = np.isfinite(actual) & (self.first_day <= day)[:, None]
        is_learnt = (self.first_day < day) & (np.matmul(is_read, ONES) >= self.rules.least_slots)
        is_scored = is_read & is_learnt[:, None]
        limit = self.interval.limit()
        error = np.where(is_read, actual - forecast.predicted_kwh, np.float32(0.0))
        error = np.maximum(np.minimum(error, limit), -limit)
        guess_error = error + (forecast.predicted_kwh - forecast.views_kwh[:, 0]) * is_read
        self.filtered.learn(day, guess_error, forecast.views_kwh[:, 1] * is_read)
        kind = int(self.kinds.is_working[day])
        self.interval.learn(forecast.bounds_kwh, actual, error * is_scored, is_scored, kind)
        is_whole = (is_scored[:, 0::2] & is_scored[:, 1::2]).astype(np.float32)
        hourly_error = (guess_error[:, 0::2] + guess_error[:, 1::2]) * (np.float32(0.5) * is_whole)
        self.stack.learn(hourly_error, is_whole, forecast.hourly_kind_kwh, int(self.weekday[day]))
        self.trained_to[is_read.any(axis=1)] = day

    def _fill_first_day(self, day: int, actual_kwh: Floats) -> Floats:
        """On the day on which a meter begins, the slot before stands for one unread, or else the slot after."""
        is_first = self.first_day == day
        if not is_first.any():
            return actual_kwh
        is_read = np.isfinite(actual_kwh)
        slot = np.arange(48)
        before = np.maximum.accumulate(np.where(is_read, slot, -1), axis=1)
        after = np.minimum.accumulate(np.where(is_read, slot, 47)[:, ::-1], axis=1)[:, ::-1]
        filled = np.take_along_axis(actual_kwh, np.where(before >= 0, before, after), axis=1)
        return np.where(is_first[:, None], filled, actual_kwh)


def predict_days(
    net_kwh: Floats, temp_c: Floats, area: Ints, calendar: LocalCalendar, target_days: Ints, rules: BaselineRules | None = None
) -> BaselineDays:
    """Forecast each target day from readings of the days before it; the temperature of the day itself may be looked at.

    What is forecast for a meter does not depend on the other meters of the batch, on the other days asked for, nor on days
    before its first reading.

    Args:
        net_kwh: Import minus export, shape (meters, days, 48), NaN where unread.
        temp_c: Air temperature, shape (areas, days, 48), NaN where unknown; measured or forecast.
        area: Row of ``temp_c`` that belongs to each meter, shape (meters,).
        calendar: Of the same days.
        target_days: Day indices, ascending, within the window.
        rules: How fast to learn.
    """
    rules = rules or BaselineRules()
    targets = np.asarray(target_days, dtype=np.int64)
    found = allocate_days(len(net_kwh), len(targets))
    if not found.model.size:
        return found
    first_day = find_first_day(net_kwh, rules.first_slots)
    kinds = sort_days(calendar)
    last = int(targets[-1]) + 1
    skies = lay_skies(np.asarray(area), first_day, temp_c[:, :last], kinds)
    forecaster = _Forecaster(first_day, skies, kinds, calendar, rules)
    place = {int(day): position for position, day in enumerate(targets)}
    for day in range(int(first_day.min()), int(targets[-1]) + 1):
        forecast = forecaster.predict(day)
        if day in place:
            _note_day(found, place[day], forecast, forecaster, day)
        if day < targets[-1]:
            forecaster.close(day, forecast, np.ascontiguousarray(net_kwh[:, day], dtype=np.float32))
    return found


def find_first_day(net_kwh: Floats, least_slots: int) -> Ints:
    """First day of each meter with so many slots read, shape (meters,); the number of days where there is none."""
    is_begun = np.isfinite(net_kwh).sum(axis=2) >= least_slots
    first: Ints = np.where(is_begun.any(axis=1), is_begun.argmax(axis=1), is_begun.shape[1])
    return first


def allocate_days(meters: int, targets: int) -> BaselineDays:
    """Forecasts of nothing yet."""
    predicted, p10, p90 = np.full((3, meters, targets, 48), np.nan, dtype=np.float32)
    return BaselineDays(predicted, p10, p90, np.full((meters, targets), NONE), np.full((meters, targets), -1))


def _note_day(found: BaselineDays, position: int, forecast: _Forecast, forecaster: _Forecaster, day: int) -> None:
    """Write one day's forecast into the result, for the meters that were read before it."""
    is_known: Bools = (forecaster.first_day < day)[:, None]
    found.predicted_kwh[:, position] = np.where(is_known, forecast.predicted_kwh, np.nan)
    found.p10_kwh[:, position], found.p90_kwh[:, position] = np.where(is_known, forecast.bounds_kwh, np.nan)
    found.model[:, position] = forecaster.name_model(day)
    found.trained_to_day[:, position] = forecaster.trained_to
