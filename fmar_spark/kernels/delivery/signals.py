"""Signs of gaming around an event that the energy of its own half-hours does not show."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.delivery.dispatches import Dispatches
from fmar_spark.kernels.delivery.in_day import ErrorSums
from fmar_spark.kernels.window import Bools, Floats, Ints

MOST_Z: Final = 3.0
ENROLMENT_AGE: Final = (7, 30)
"""Days after the first event of an asset in which its events show a step; in the first of them the step itself shows."""


class SignalRules(NamedTuple):
    """Which half-hours are looked at."""

    before_slots: int = 6
    """Length of the stretch in which load may be raised to move an in-day adjustment."""
    before_lead_slots: int = 2
    """Between that stretch and the event."""
    after_slots: int = 8
    """Length of the rebound."""
    look_back_days: int = 60
    """Days whose same half-hours show what is usual."""
    least_days: int = 14


class EventSignals(NamedTuple):
    """Arrays of shape (events,); positive where it makes a delivery look larger or undoes it; NaN where it cannot be said."""

    raised_before_kwh: Floats
    """Load above the expectation (down), or below it (up), in the stretch that an in-day adjustment looks at."""
    raised_before_z: Floats
    """The same in standard deviations of ordinary days."""
    rinse_kwh: Floats
    """Load raised in the last hour before the event, the same way: run up so as to be dropped."""
    rinse_z: Floats
    rebound_kwh: Floats
    """Energy recovered after the event."""
    rebound_z: Floats


def find_signals(
    net_kwh: Floats, predicted_kwh: Floats, is_dispatched: Bools, events: Dispatches, rules: SignalRules | None = None
) -> EventSignals:
    """Measure each event's surroundings against the same half-hours of ordinary days.

    Args:
        net_kwh: import minus export, shape (meters, days, 48), NaN where unread.
        predicted_kwh: day-ahead forecasts of the same days.
        is_dispatched: half-hours that are no ordinary load.
        events: those to be looked at.
        rules: which half-hours.
    """
    rules = rules or SignalRules()
    error_kwh = net_kwh - predicted_kwh
    shown, ordinary = ErrorSums(error_kwh), ErrorSums(np.where(is_dispatched, np.nan, error_kwh))
    sign = np.where(events.is_down, 1.0, -1.0)
    start, end, lead = events.start_slot, events.end_slot, rules.before_lead_slots
    spans = ((start - lead - rules.before_slots, start - lead), (start - lead, start), (end, end + rules.after_slots))
    found = [_compare(shown, ordinary, events.meter, span, rules) for span in spans]
    (before, before_z), (rinse, rinse_z), (after, after_z) = ((sign * kwh, sign * z) for kwh, z in found)
    return EventSignals(before, before_z, rinse, rinse_z, after, after_z)


def combine_signals(z: Floats, asset: Ints, assets: int) -> Floats:
    """How far a sign shows over all events of each asset, in standard deviations, shape (assets,); NaN without any.

    Single events count for at most ``MOST_Z``, so that the sign must be sustained.
    """
    is_known = np.isfinite(z)
    total = np.bincount(asset[is_known], np.clip(z[is_known], -MOST_Z, MOST_Z), minlength=assets)
    count = np.bincount(asset[is_known], minlength=assets)
    combined: Floats = total / np.sqrt(np.where(count > 0, count, np.nan))
    return combined


def measure_step(error_kwh: Floats, is_dispatched: Bools, meter: Ints, day: Ints, days_after: int = 7) -> Floats:
    """How far each meter's load stepped up over its forecasts in the days from ``day`` on, in standard deviations; shape as ``day``.

    A load that is raised when an asset is enrolled freezes into every baseline learnt afterwards; forecasts follow within some
    days, so that only the first ones show it. NaN with fewer than two weeks before.

    Args:
        error_kwh: actual minus day-ahead forecast, shape (meters, days, 48).
        is_dispatched: half-hours that are no ordinary load.
        meter: rows to be looked at.
        day: day of each one's enrolment.
        days_after: days in which the step shows.
    """
    ordinary = np.where(is_dispatched, np.nan, error_kwh)
    count = np.isfinite(ordinary).sum(axis=2)
    mean_kwh = np.where(count > 0, np.nansum(ordinary, axis=2) / np.maximum(count, 1), np.nan)[meter]
    offset = np.arange(mean_kwh.shape[1]) - day[:, None]
    before, after = (offset < 0) & (offset >= -60) & np.isfinite(mean_kwh), (offset >= 0) & (offset < days_after) & np.isfinite(mean_kwh)
    n, m = before.sum(axis=1), after.sum(axis=1)
    usual = np.where(before, mean_kwh, 0.0).sum(axis=1) / np.maximum(n, 1)
    spread = np.sqrt(np.where(before, (mean_kwh - usual[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(n - 1, 1))
    step = np.where(after, mean_kwh, 0.0).sum(axis=1) / np.maximum(m, 1) - usual
    scale = spread * np.sqrt(1.0 / np.maximum(m, 1) + 1.0 / np.maximum(n, 1))
    found: Floats = np.where((n >= 14) & (m > 0) & (scale > 0), step / np.where(scale > 0, scale, 1.0), np.nan)
    return found


def measure_enrolment(error_kwh: Floats, is_dispatched: Bools, events: Dispatches, known: Dispatches) -> Floats:
    """The step at each event's asset's first event, shape (events,); NaN unless that was a week to a month before.

    So the days that it rests on are those for which every such event has forecasts, whichever events are checked beside it.

    Args:
        error_kwh: actual minus day-ahead forecast, shape (meters, days, 48).
        is_dispatched: half-hours that are no ordinary load.
        events: those to be looked at.
        known: all events of the same assets within these days.
    """
    first = np.full(int(known.asset.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, known.asset, known.start_slot)
    day = first[events.asset] // 48
    rows = np.flatnonzero((events.start_slot // 48 >= day + ENROLMENT_AGE[0]) & (events.start_slot // 48 <= day + ENROLMENT_AGE[1]))
    found = np.full(len(events.asset), np.nan)
    found[rows] = measure_step(error_kwh, is_dispatched, events.meter[rows], day[rows], ENROLMENT_AGE[0])
    return found


def is_above_maximum(declared_kwh: Floats, hours: Floats, largest_kw: Floats, margin: float = 0.1) -> Bools:
    """Whether an event declares more than the asset was ever observed to do, or than the connection allows; False where that is unknown.

    Args:
        declared_kwh: positive.
        hours: length of the event.
        largest_kw: highest power observed of the asset in that direction, or the limit of the connection; NaN where unknown.
        margin: share by which it may be exceeded.
    """
    with np.errstate(invalid="ignore"):
        above: Bools = declared_kwh / hours > largest_kw * (1.0 + margin)
    return above


def _compare(shown: ErrorSums, ordinary: ErrorSums, meter: Ints, span: tuple[Ints, Ints], rules: SignalRules) -> tuple[Floats, Floats]:
    """Energy beyond the forecast in a span, and the same less what is usual, in standard deviations."""
    start, end = span
    length = end - start
    energy, read = shown.look(meter, start, end)
    shift = 48 * np.arange(1, rules.look_back_days + 1)
    past, count = ordinary.look(meter[:, None], start[:, None] - shift, end[:, None] - shift)
    is_whole = count == length[:, None]
    days = is_whole.sum(axis=1)
    mean = np.where(is_whole, past, 0.0).sum(axis=1) / np.maximum(days, 1)
    spread = np.sqrt(np.where(is_whole, (past - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(days - 1, 1))
    is_known = (read == length) & (days >= rules.least_days) & (spread > 0)
    energy = np.where(is_known, energy - mean, np.nan)
    return energy, energy / np.where(spread > 0, spread, np.nan)
