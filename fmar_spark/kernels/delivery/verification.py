"""From readings and dispatches to checked events: the one way that the step and the benchmark both take."""

from typing import NamedTuple

import numpy as np

from fmar_spark.kernels.baseline.day_ahead import BaselineRules, predict_days
from fmar_spark.kernels.baseline.years import cut_calendar
from fmar_spark.kernels.delivery.checks import EventChecks, check_events
from fmar_spark.kernels.delivery.dispatches import Dispatches, Exclusion, mark_dispatched
from fmar_spark.kernels.delivery.in_day import EventBaselines, InDayRules, predict_events
from fmar_spark.kernels.delivery.signals import EventSignals, SignalRules, find_signals
from fmar_spark.kernels.delivery.verdicts import VerdictRules
from fmar_spark.kernels.window import Bools, Floats, Ints, LocalCalendar


class VerificationRules(NamedTuple):
    """All that may be set about it."""

    exclusion: Exclusion = Exclusion()
    in_day: InDayRules = InDayRules()
    verdict: VerdictRules = VerdictRules()
    signal: SignalRules = SignalRules()
    baseline: BaselineRules = BaselineRules()
    warm_up_days: int = 60
    """Days from which forecasts are learnt before the first that the in-day adjustment looks at."""


class MeterDays(NamedTuple):
    """Readings and weather of a batch of meters on one local calendar."""

    net_kwh: Floats
    """Import minus export, shape (meters, days, 48), NaN where unread, estimated or not to be used."""
    temp_c: Floats
    """Shape (areas, days, 48), NaN where unknown."""
    area: Ints
    """Row of ``temp_c`` of each meter."""
    calendar: LocalCalendar


class CheckedEvents(NamedTuple):
    """What was found of each event, row by row as given."""

    baselines: EventBaselines
    checks: EventChecks
    signals: EventSignals
    is_dispatched: Bools
    """Half-hours that were left out of everything learnt, shape (meters, days, 48)."""
    predicted_kwh: Floats
    """Day-ahead forecasts, shape (meters, days, 48); NaN on days that no event needs."""


def check_dispatches(
    meter_days: MeterDays, events: Dispatches, known: Dispatches | None = None, rules: VerificationRules | None = None
) -> CheckedEvents:
    """Check each event against the boundary meter.

    Args:
        meter_days: with the days that the events need: 150 before each are enough, more change little.
        events: to be checked; with those of other assets that overlap with them.
        known: all dispatches of these meters within the days, checked or not; half-hours of any of them teach nothing.
            ``events`` where not given.
        rules: of every part.
    """
    rules = rules or VerificationRules()
    shape = meter_days.net_kwh.shape
    is_dispatched = mark_dispatched((shape[0], shape[1], shape[2]), events if known is None else known, rules.exclusion)
    predicted = np.full(shape, np.nan, dtype=np.float32)
    first, last = _span_days(events, shape[1], rules)
    if last >= first:
        start = max(first - rules.warm_up_days, 0)
        span = slice(start, last + 1)
        ordinary = np.where(is_dispatched[:, span], np.nan, meter_days.net_kwh[:, span])
        calendar = cut_calendar(meter_days.calendar, span)
        found = predict_days(
            ordinary, meter_days.temp_c[:, span], meter_days.area, calendar, np.arange(first, last + 1) - start, rules.baseline
        )
        predicted[:, first : last + 1] = found.predicted_kwh
    baselines = predict_events(meter_days.net_kwh, predicted, is_dispatched, events, rules.in_day)
    checks = check_events(events, baselines, rules.verdict.check)
    signals = find_signals(meter_days.net_kwh, predicted, is_dispatched, events, rules.signal)
    return CheckedEvents(baselines, checks, signals, is_dispatched, predicted)


def _span_days(events: Dispatches, days: int, rules: VerificationRules) -> tuple[int, int]:
    """First and last day whose forecasts the events need; the last before the first where there are none."""
    if not len(events.meter):
        return 0, -1
    first = int(events.start_slot.min()) // 48 - rules.in_day.look_back_days - 1
    last = (int(events.end_slot.max()) + rules.signal.after_slots) // 48
    return max(first, 0), min(last, days - 1)
