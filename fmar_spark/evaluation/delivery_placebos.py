"""The in-day baseline on days without events, beside BL01 with its adjustment: errors of two-hour sums and how often intervals hold."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from fmar_spark.evaluation.delivery_loads import Loads
from fmar_spark.evaluation.delivery_portfolios import EVENT_SLOTS, FIRST_EVENT_DAY, HOUR_SLOTS, predict_reference
from fmar_spark.kernels.delivery.dispatches import Dispatches
from fmar_spark.kernels.delivery.errors import find_quantile
from fmar_spark.kernels.delivery.verification import VerificationRules, check_dispatches
from fmar_spark.kernels.window import Floats

PLACEBO_SLOTS: Final = range(12, 44, 4)
"""Clock slots at which placebo events begin, 06:00 to 20:00."""
EVERY_DAYS: Final = 3
"""A placebo day in so many."""


class Placebos(NamedTuple):
    """Of each load, arrays of shape (loads,)."""

    name: tuple[str, ...]
    kind: tuple[str, ...]
    nrmse: Floats
    """Root mean squared error of a sum over the mean absolute load of so many half-hours."""
    reference_nrmse: Floats
    """The same of BL01 with its in-day adjustment, on the same events."""
    within80: Floats
    within95: Floats


def measure_placebos(loads: Sequence[Loads], rules: VerificationRules) -> Placebos:
    """Score all placebo events of all loads; what both see of a day ends an hour before the event."""
    parts = [_measure(part, rules) for part in loads]
    names = tuple(name for part in loads for name in part.names)
    kinds = tuple(kind for part in loads for kind in part.kinds)
    scores = np.concatenate(parts, axis=1)
    return Placebos(names, kinds, scores[0], scores[1], scores[2], scores[3])


def _measure(loads: Loads, rules: VerificationRules) -> Floats:
    """The four scores of each load, shape (4, loads)."""
    net_kwh = loads.meter_days.net_kwh
    meters, days = net_kwh.shape[:2]
    grid = np.meshgrid(np.arange(meters), np.arange(FIRST_EVENT_DAY, days - 1, EVERY_DAYS), np.asarray(PLACEBO_SLOTS), indexing="ij")
    meter, day, slot = (part.reshape(-1) for part in grid)
    start = day * 48 + slot
    nothing = np.full(len(meter), np.nan)
    events = Dispatches(meter, meter, start, start + EVENT_SLOTS, start - HOUR_SLOTS, np.ones(len(meter), dtype=np.bool_), nothing)
    none = events.take(np.zeros(0, dtype=np.int64))
    baselines = check_dispatches(loads.meter_days, events, none, rules).baselines
    error = baselines.actual_kwh - baselines.expected_kwh
    reference_error = baselines.actual_kwh - predict_reference(loads, events, none)
    scores = np.full((4, meters), np.nan)
    is_scored = np.isfinite(error) & np.isfinite(reference_error) & (baselines.days_learnt >= rules.in_day.least_days)
    bounds = [find_quantile(baselines.past, probability) for probability in (0.1, 0.9, 0.025, 0.975)]
    for row in range(meters):
        own = is_scored & (meter == row)
        load = EVENT_SLOTS * float(np.nanmean(np.abs(net_kwh[row])))
        scores[:2, row] = [np.sqrt(np.mean(part[own] ** 2)) / load for part in (error, reference_error)]
        is_within = [(error >= low) & (error <= high) for low, high in (bounds[:2], bounds[2:])]
        scores[2:, row] = [part[own].mean() for part in is_within]
    return scores
