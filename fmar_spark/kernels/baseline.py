"""One day ahead: what a meter would draw, from readings before that day, the calendar and the day's temperature.

Every day of the window is foreseen in turn, as it would have been then: seven weighted means of similar days, a correction
learnt from how they erred so far, a choice between the two, and an interval from recent errors. Nothing is fitted to a day
before it is over, so every figure of the past is out of sample.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.baseline_history import History, drop_dead_days
from fmar_spark.kernels.baseline_interval import Interval, IntervalRules
from fmar_spark.kernels.baseline_similarity import DayKinds, fill_day_temperature, sort_days, weigh_days
from fmar_spark.kernels.baseline_stack import Stack, StackRules, guess_first, lay_columns, lay_weather
from fmar_spark.kernels.window import Bools, Floats, Ints, LocalCalendar

MODELS: Final = ("none", "similar_days", "corrected_similar_days", "newest_days")
"""Names of the model codes: no reading yet; weighted similar days; those with the learnt correction; mean of the newest of a kind."""
NONE, SIMILAR, CORRECTED, NEWEST = range(4)


class BaselineRules(NamedTuple):
    """How far back a forecast looks and how fast it learns."""

    window_days: int = 90
    """Days that are averaged."""
    warm_up_days: int = 240
    """Days before the first day wanted on which corrections and intervals are learnt; older ones are not looked at."""
    outlier_spread: float = 4.0
    """Readings further than this many standard deviations from the forecast are averaged as if they were just that far."""
    least_slots: int = 40
    """Slots of a day that must be read before the day is scored or learnt from."""
    trial_half_life_days: float = 20.0
    """Age at which a day counts half in the choice between models."""
    rival_handicap: float = 1.03
    """A simpler model takes over only where the corrected one's recent squared error is this much larger."""
    stack: StackRules = StackRules()
    interval: IntervalRules = IntervalRules()


class BaselineDays(NamedTuple):
    """Forecasts of the target days; kWh of each half-hour of the local clock, net (import minus export)."""

    predicted_kwh: Floats
    """Expected value, shape (meters, targets, 48); NaN for a meter with nothing read before the day."""
    p10_kwh: Floats
    p90_kwh: Floats
    model: Ints
    """Index into ``MODELS``, shape (meters, targets)."""
    trained_to_day: Ints
    """Last day before the target with a reading, shape (meters, targets); -1 where there is none."""


class FitSummary(NamedTuple):
    """How well each meter was foreseen lately, arrays of shape (meters,), NaN where no day was scored."""

    model: Ints
    """Model of the newest target day."""
    trained_days: Ints
    """Days with a reading in the window that the newest forecast averaged."""
    scored_days: Ints
    cv_rmse: Floats
    """Root mean squared error of a slot over the mean absolute load."""
    cv_rmse_reference: Floats
    """The same of the reference on the same slots."""
    nmbe: Floats
    """Mean of forecast minus actual over the mean absolute load."""
    coverage: Floats
    """Share of slots within the interval."""


class _Forecast(NamedTuple):
    """A day's forecast before its readings are known, and what it was made of."""

    candidates_kwh: Floats
    """Similar, corrected and newest, shape (3, meters, 48)."""
    first_kwh: Floats
    columns: Floats


class _Batch(NamedTuple):
    """Everything about a batch that forecasts may know beforehand."""

    actual_kwh: Floats
    day_temp_c: Floats
    weather: Floats
    area: Ints
    kinds: DayKinds


class _Walk:
    """State of a batch that is foreseen day after day."""

    def __init__(self, batch: _Batch, first_day: int, last_day: int, rules: BaselineRules) -> None:
        meters = len(batch.actual_kwh)
        self.batch = batch
        self.rules = rules
        self.first_day = first_day
        self.history = History(last_day + 1, meters, rules.outlier_spread)
        self.stack = Stack(meters, rules.stack)
        self.interval = Interval(meters, rules.interval)
        self.trial = np.zeros((3, meters))
        self.last_error = np.zeros((meters, 48))
        self.spread = np.zeros(meters)

    def foresee(self, day: int) -> _Forecast:
        """The forecast of ``day`` from the days before it."""
        start = max(day - self.rules.window_days, self.first_day)
        weights = np.stack([weigh_days(self.batch.kinds, temp_c, day, day - start) for temp_c in self.batch.day_temp_c])
        past_kwh = self.history.filled_kwh[:, start:day]
        advice = np.matmul(weights.astype(np.float32)[self.batch.area], past_kwh).transpose(1, 0, 2).astype(np.float64)
        first = guess_first(advice)
        columns = lay_columns(advice, first, self.last_error, self.batch.weather[self.batch.area, day], self.spread)
        candidates = np.stack([first, first + self.stack.correct(columns), advice[-1]])
        if not self.history.is_known.all():
            candidates[:, ~self.history.is_known] = np.nan
        return _Forecast(candidates, first, columns)

    def choose(self) -> Ints:
        """The model of each meter: corrected unless a simpler one did clearly better lately."""
        handicap = np.array([self.rules.rival_handicap, 1.0, self.rules.rival_handicap])[:, None]
        model: Ints = np.array([SIMILAR, CORRECTED, NEWEST])[(self.trial * handicap).argmin(axis=0)]
        model[self.stack.days < self.rules.stack.least_days] = SIMILAR
        model[~self.history.is_known.any(axis=1)] = NONE
        return model

    def close(self, day: int, forecast: _Forecast | None, chosen_kwh: Floats) -> None:
        """Learn from the readings of ``day``, now that it is over."""
        actual_kwh = self.batch.actual_kwh[:, day]
        if forecast is not None:
            kind = int(self.batch.kinds.is_working[day])
            is_scored: Bools = (np.isfinite(actual_kwh) & np.isfinite(chosen_kwh)).sum(axis=1) >= self.rules.least_slots
            self.interval.learn(chosen_kwh, actual_kwh, kind, is_scored)
            self.stack.learn(forecast.columns, actual_kwh - forecast.candidates_kwh[0], is_scored)
            self._judge(actual_kwh, forecast, is_scored)
            self.last_error = np.nan_to_num(actual_kwh - forecast.first_kwh) * self.history.is_known
        self.history.add(day, actual_kwh, chosen_kwh)
        spread = self.history.filled_kwh[:, day].std(axis=1)
        self.spread = np.where(self.spread > 0, 0.95 * self.spread + 0.05 * spread, spread)

    def _judge(self, actual_kwh: Floats, forecast: _Forecast, is_scored: Bools) -> None:
        """Score the candidates on the day, each slot's error limited so that one spike does not decide."""
        error = np.nan_to_num(forecast.candidates_kwh - actual_kwh)
        limit = 4.0 * np.sqrt((error[0] ** 2).mean(axis=1))[None, :, None]
        loss = (np.clip(error, -limit, limit) ** 2).mean(axis=2)
        keep = 0.5 ** (1.0 / self.rules.trial_half_life_days)
        self.trial = np.where(is_scored, keep * self.trial + (1 - keep) * loss, self.trial)


def predict_days(
    net_kwh: Floats, temp_c: Floats, area: Ints, calendar: LocalCalendar, target_days: Ints, rules: BaselineRules | None = None
) -> BaselineDays:
    """Foresee each target day from readings of the days before it; the temperature of the day itself may be looked at.

    Args:
        net_kwh: Import minus export, shape (meters, days, 48), NaN where unread.
        temp_c: Air temperature, shape (areas, days, 48), NaN where unknown; measured or forecast.
        area: Row of ``temp_c`` that belongs to each meter, shape (meters,).
        calendar: Of the same days.
        target_days: Day indices, ascending, within the window.
        rules: How far back to look and how fast to learn.
    """
    rules = rules or BaselineRules()
    targets = np.asarray(target_days, dtype=np.int64)
    shape = (len(net_kwh), len(targets), 48)
    found = BaselineDays(
        predicted_kwh=np.full(shape, np.nan),
        p10_kwh=np.full(shape, np.nan),
        p90_kwh=np.full(shape, np.nan),
        model=np.zeros(shape[:2], dtype=np.int64),
        trained_to_day=np.full(shape[:2], -1, dtype=np.int64),
    )
    if not (len(targets) and len(net_kwh)):
        return found
    first_day = max(int(targets[0]) - rules.warm_up_days, 0)
    actual = drop_dead_days(net_kwh)
    batch = _Batch(actual, fill_day_temperature(temp_c), lay_weather(temp_c), np.asarray(area), sort_days(calendar))
    walk = _Walk(batch, first_day, int(targets[-1]), rules)
    place = {int(day): position for position, day in enumerate(targets)}
    for day in range(first_day, int(targets[-1]) + 1):
        forecast = walk.foresee(day) if day > first_day else None
        chosen_kwh = np.full((len(net_kwh), 48), np.nan)
        if forecast is not None:
            model = walk.choose()
            chosen_kwh = np.take_along_axis(forecast.candidates_kwh, np.maximum(model - 1, 0)[None, :, None], axis=0)[0]
            if day in place:
                _note_day(found, place[day], chosen_kwh, model, walk.interval.bound(chosen_kwh, int(batch.kinds.is_working[day])))
        walk.close(day, forecast, chosen_kwh)
    found.trained_to_day[:] = _find_last_read(net_kwh, targets)
    return found


def fit_summary(net_kwh: Floats, target_days: Ints, found: BaselineDays, reference_kwh: Floats, window_days: int = 90) -> FitSummary:
    """How well the target days were foreseen, against a reference on the same slots.

    Args:
        net_kwh: shape (meters, days, 48), NaN where unread.
        target_days: the days of ``found``; for a report of the state of things, the last 30.
        found: what :func:`predict_days` gave.
        reference_kwh: another forecast of the same days, shape (meters, targets, 48).
        window_days: as given to :func:`predict_days`.
    """
    actual = net_kwh[:, target_days].astype(np.float64)
    is_scored = np.isfinite(actual) & np.isfinite(found.predicted_kwh) & np.isfinite(reference_kwh)
    count = is_scored.sum(axis=(1, 2)).astype(np.float64)

    def average(values: Floats) -> Floats:
        mean: Floats = np.where(is_scored, values, 0.0).sum(axis=(1, 2)) / np.where(count > 0, count, np.nan)
        return mean

    load = average(np.abs(actual))
    load = np.where(load > 0, load, np.nan)
    within = (actual >= found.p10_kwh) & (actual <= found.p90_kwh)
    last = int(target_days[-1])
    read_days = np.isfinite(net_kwh[:, max(last - window_days, 0) : last]).any(axis=2).sum(axis=1)
    return FitSummary(
        model=found.model[:, -1],
        trained_days=read_days,
        scored_days=is_scored.any(axis=2).sum(axis=1),
        cv_rmse=np.sqrt(average((found.predicted_kwh - actual) ** 2)) / load,
        cv_rmse_reference=np.sqrt(average((reference_kwh - actual) ** 2)) / load,
        nmbe=average(found.predicted_kwh - actual) / load,
        coverage=average(within.astype(np.float64)),
    )


def _note_day(found: BaselineDays, position: int, chosen_kwh: Floats, model: Ints, bounds: tuple[Floats, Floats]) -> None:
    """Write one day's forecast into the result; the interval of a meter without any scored day is unknown."""
    found.predicted_kwh[:, position] = chosen_kwh
    found.p10_kwh[:, position], found.p90_kwh[:, position] = bounds
    found.model[:, position] = model


def _find_last_read(net_kwh: Floats, targets: Ints) -> Ints:
    """Index of the last day with a reading before each target, -1 for none; shape (meters, targets)."""
    is_read = np.isfinite(net_kwh).any(axis=2)
    newest = np.maximum.accumulate(np.where(is_read, np.arange(is_read.shape[1]), -1), axis=1)
    last: Ints = np.where(targets > 0, newest[:, np.maximum(targets - 1, 0)], -1)
    return last
