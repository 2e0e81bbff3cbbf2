"""What a meter would have drawn over an event, from the forecast of the day before and its readings up to the notice.

How far the morning's error carries over to the event's half-hours is learnt for each meter from the same half-hours of
earlier days: a ridge regression of the error of the event's sum on the mean errors of three stretches that end at the
notice, drawn towards what meters at large show. What it leaves unexplained on those days is the error's distribution:
of the sum itself, so that the half-hours' correlation is counted.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.delivery.dispatches import Dispatches
from fmar_spark.kernels.delivery.errors import PastErrors, sort_errors
from fmar_spark.kernels.window import Bools, Floats, Ints

MOST_LEVERAGE: Final = 0.9
"""A day that alone decides the fit is not blown up beyond ten times its error."""


class InDayRules(NamedTuple):
    """How the adjustment is learnt."""

    look_back_days: int = 90
    """Oldest day that is looked at, counted back from the event's."""
    half_life_days: float = 45.0
    """Age at which a day counts half."""
    ridge_days: float = 10.0
    """Pull towards what meters at large show, in days' worth of errors."""
    stretches_slots: tuple[int, int, int] = (2, 6, 16)
    """Lengths of the stretches before the notice whose mean errors are looked at."""
    carried_share: tuple[float, float, float] = (0.25, 0.25, 0.15)
    """How much of each stretch's mean error carries over where the meter has not shown it."""
    least_days: int = 14
    """Earlier days below which nothing is said of an event."""
    tail_days: float = 2.0
    """Weight of the heavy-tailed distribution that stands for days unlike any before, in days."""


class EventBaselines(NamedTuple):
    """Net energy (import minus export) over each event's half-hours had no asset acted, arrays of shape (events,), kWh."""

    expected_kwh: Floats
    """NaN where the day has no forecast."""
    day_ahead_kwh: Floats
    """The same before the in-day adjustment."""
    actual_kwh: Floats
    """What was read; NaN unless every half-hour was."""
    days_learnt: Ints
    """Earlier days that the adjustment and the distribution rest on."""
    past: PastErrors
    """Distribution of actual minus expected."""

    def take(self, rows: Ints | Bools) -> "EventBaselines":
        """Those of some of the events."""
        return EventBaselines(
            expected_kwh=self.expected_kwh[rows],
            day_ahead_kwh=self.day_ahead_kwh[rows],
            actual_kwh=self.actual_kwh[rows],
            days_learnt=self.days_learnt[rows],
            past=self.past.take(rows),
        )


class ErrorSums:
    """Sums of errors over any run of half-hours, each found by two look-ups."""

    def __init__(self, residual_kwh: Floats) -> None:
        flat = residual_kwh.reshape(len(residual_kwh), -1)
        is_read = np.isfinite(flat)
        self.slots = flat.shape[1]
        self.total = np.zeros((len(flat), self.slots + 1))
        self.count = np.zeros((len(flat), self.slots + 1), dtype=np.int32)
        np.cumsum(np.where(is_read, flat, 0.0), axis=1, out=self.total[:, 1:])
        np.cumsum(is_read, axis=1, out=self.count[:, 1:])

    def look(self, meter: Ints, start: Ints, end: Ints) -> tuple[Floats, Ints]:
        """Sum of the errors read in ``start`` .. ``end`` - 1 and their number; nothing is read outside the window."""
        first, last = np.clip(start, 0, self.slots), np.clip(end, 0, self.slots)
        return self.total[meter, last] - self.total[meter, first], self.count[meter, last] - self.count[meter, first]


def predict_events(
    net_kwh: Floats, predicted_kwh: Floats, is_dispatched: Bools, events: Dispatches, rules: InDayRules | None = None
) -> EventBaselines:
    """Expect each event's net energy, with the distribution of its error.

    Args:
        net_kwh: Import minus export, shape (meters, days, 48), NaN where unread.
        predicted_kwh: Day-ahead forecasts of the same days, each from the days before it, learnt without the half-hours of
            ``is_dispatched``; NaN where there is none.
        is_dispatched: Half-hours that are no ordinary load, as :func:`mark_dispatched` gives them, of all known events.
        events: Those to be looked at.
        rules: How the adjustment is learnt.
    """
    rules = rules or InDayRules()
    errors = ErrorSums(np.where(is_dispatched, np.nan, net_kwh - predicted_kwh))
    length = events.end_slot - events.start_slot
    shift = 48 * np.arange(rules.look_back_days + 1)
    meter = events.meter[:, None]
    start, end, notice = (slot[:, None] - shift for slot in (events.start_slot, events.end_slot, events.notice_slot))
    target, count = errors.look(meter, start, end)
    before = np.stack([_average(*errors.look(meter, notice - slots, notice)) for slots in rules.stretches_slots], axis=2)
    is_learnt = (count == length[:, None]) & (start >= 0)
    is_learnt[:, 0] = False
    weight = np.where(is_learnt, 0.5 ** (np.arange(rules.look_back_days + 1) / rules.half_life_days), 0.0)
    mean_error = target / np.maximum(length, 1)[:, None]
    carried, leverage = _fit_carried(before, mean_error, weight, rules)
    left_kwh = (mean_error - np.einsum("eds,es->ed", before, carried)) / (1.0 - leverage) * length[:, None]
    spread_kwh = np.sqrt(_weigh(left_kwh**2, weight))
    predicted, forecast = ErrorSums(predicted_kwh).look(events.meter, events.start_slot, events.end_slot)
    actual, read = ErrorSums(net_kwh).look(events.meter, events.start_slot, events.end_slot)
    day_ahead_kwh = np.where((forecast == length) & (length > 0), predicted, np.nan)
    adjustment_kwh = np.einsum("es,es->e", before[:, 0], carried) * length
    return EventBaselines(
        expected_kwh=day_ahead_kwh + adjustment_kwh,
        day_ahead_kwh=day_ahead_kwh,
        actual_kwh=np.where((read == length) & (length > 0), actual, np.nan),
        days_learnt=is_learnt.sum(axis=1),
        past=sort_errors(left_kwh[:, 1:], weight[:, 1:], spread_kwh, rules.tail_days),
    )


def _fit_carried(before: Floats, mean_error: Floats, weight: Floats, rules: InDayRules) -> tuple[Floats, Floats]:
    """How much of each stretch's error carries over to the event, shape (events, stretches).

    Beside it how much each day drew the fit towards itself, shape (events, days): what is left of a day over one minus that is
    what would be left of it had it not been learnt from.
    """
    usual = np.asarray(rules.carried_share)
    weighted = before * weight[:, :, None]
    gram = np.einsum("eds,edt->est", weighted, before)
    moment = np.einsum("eds,ed->es", weighted, mean_error - before @ usual)
    pull = rules.ridge_days * _weigh(mean_error**2, weight)
    is_known = np.isfinite(pull) & (pull > 0)
    matrix = gram + np.where(is_known, pull, 1.0)[:, None, None] * np.eye(len(usual))
    inverse = np.linalg.inv(matrix)
    learnt = np.einsum("est,et->es", inverse, moment)
    carried: Floats = usual + np.where(is_known[:, None], learnt, 0.0)
    leverage: Floats = np.einsum("eds,est,edt->ed", weighted, inverse, before, optimize=True)
    return carried, np.clip(leverage, 0.0, MOST_LEVERAGE)


def _average(total: Floats, count: Ints) -> Floats:
    """Mean error of a stretch; 0, which carries nothing over, where nothing was read."""
    mean: Floats = total / np.maximum(count, 1)
    return mean


def _weigh(values: Floats, weight: Floats) -> Floats:
    """Weighted mean over days, shape (events,); NaN without any."""
    total = weight.sum(axis=1)
    mean: Floats = np.where(weight > 0, values * weight, 0.0).sum(axis=1) / np.where(total > 0, total, np.nan)
    return mean
