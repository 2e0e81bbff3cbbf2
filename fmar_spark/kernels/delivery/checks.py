"""One event of one asset: what was declared beside what the boundary meter shows."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.delivery.dispatches import Dispatches, sum_of_others
from fmar_spark.kernels.delivery.errors import find_probability, find_quantile
from fmar_spark.kernels.delivery.in_day import EventBaselines
from fmar_spark.kernels.window import Bools, Floats, Ints

VERDICTS: Final = ("consistent", "implausible", "not_assessable")
"""Names of the verdict codes."""
CONSISTENT, IMPLAUSIBLE, NOT_ASSESSABLE = range(3)
REASONS: Final = ("", "not_declared", "half_hours_unread", "no_forecast", "too_few_days", "asset_too_small", "shortfall")
"""Names of the reason codes."""
PLAIN, NOT_DECLARED, UNREAD, NO_FORECAST, TOO_FEW_DAYS, TOO_SMALL, SHORTFALL = range(7)


class CheckRules(NamedTuple):
    """What an honest declaration may lack, and when a single event is called implausible."""

    tolerance: float = 0.05
    """Share of the declared energy that may be missing: errors of the asset meter and of its clock."""
    level: float = 0.01
    """An event is implausible where so little would be observed with at most this probability."""
    least_spreads: float = 1.0
    """A declaration below so many spreads of the expectation's error is too small for a verdict on one event."""
    least_days: int = 14
    """Earlier days below which nothing is said of an event."""


class EventChecks(NamedTuple):
    """Arrays of shape (events,); energies in kWh, positive in the event's direction, NaN where nothing can be said."""

    declared_kwh: Floats
    observed_kwh: Floats
    """Expected less actual (down) or actual less expected (up), without what other assets of the meter declared within the event."""
    lower80_kwh: Floats
    upper80_kwh: Floats
    lower95_kwh: Floats
    upper95_kwh: Floats
    spread_kwh: Floats
    """Root mean squared error of the expectation."""
    meter_observed_kwh: Floats
    """What the meter shows, without taking other assets off."""
    others_kwh: Floats
    """What other assets of the meter declared within the event, in this event's direction."""
    p_value: Floats
    """Probability of observing at most this had the asset delivered what it declared less the tolerance. All that the meter shows
    in the event's direction is credited to the asset, so that it never depends on whether another's declaration is true."""
    meter_p_value: Floats
    """The same for all assets of the meter together; equal to ``p_value`` where no other acted."""
    is_shared: Bools
    """Whether another asset of the meter declared something within the event."""
    is_assessable: Bools
    """Whether the event counts as evidence."""
    verdict: Ints
    """Index into ``VERDICTS``, of this event alone."""
    reason: Ints
    """Index into ``REASONS``."""

    def take(self, rows: Ints | Bools) -> "EventChecks":
        """Those of some of the events; to be added up, they are of whole meters."""
        taken = {name: column[rows] for name, column in self._asdict().items()}
        return EventChecks(**taken)


def check_events(events: Dispatches, baselines: EventBaselines, rules: CheckRules | None = None) -> EventChecks:
    """Compare each declaration with the boundary meter.

    Args:
        events: all events of these meters that overlap in time, so that assets at one meter are seen together.
        baselines: of the same events.
        rules: tolerance and level.
    """
    rules = rules or CheckRules()
    sign = np.where(events.is_down, 1.0, -1.0)
    meter_observed = sign * (baselines.expected_kwh - baselines.actual_kwh)
    others = sum_of_others(events)
    declared = events.declared_kwh
    reason = _find_reason(events, baselines, rules)
    is_assessable = (reason == PLAIN) | (reason == TOO_SMALL)
    share = 1.0 - rules.tolerance
    least = share * declared
    p_value = _find_p(events, baselines, least - (meter_observed - np.minimum(others, 0.0)))
    meter_p = _find_p(events, baselines, least + share * np.maximum(others, 0.0) - (meter_observed - np.minimum(others, 0.0)))
    p_value, meter_p = (np.where(is_assessable, p, np.nan) for p in (p_value, meter_p))
    is_implausible = (reason == PLAIN) & (p_value <= rules.level)
    bounds = {q: _bound(events, baselines, q) for q in (0.025, 0.1, 0.9, 0.975)}
    observed = meter_observed - others
    return EventChecks(
        declared_kwh=declared,
        observed_kwh=observed,
        lower80_kwh=observed + bounds[0.1],
        upper80_kwh=observed + bounds[0.9],
        lower95_kwh=observed + bounds[0.025],
        upper95_kwh=observed + bounds[0.975],
        spread_kwh=baselines.past.spread_kwh,
        meter_observed_kwh=meter_observed,
        others_kwh=others,
        p_value=p_value,
        meter_p_value=meter_p,
        is_shared=others != 0.0,
        is_assessable=is_assessable,
        verdict=np.select([~is_assessable | (reason == TOO_SMALL), is_implausible], [NOT_ASSESSABLE, IMPLAUSIBLE], CONSISTENT),
        reason=np.where(is_implausible, SHORTFALL, reason),
    )


def _find_reason(events: Dispatches, baselines: EventBaselines, rules: CheckRules) -> Ints:
    """Why nothing, or nothing on one event alone, can be said."""
    found: Ints = np.select(
        [
            ~(events.declared_kwh >= 0),
            np.isnan(baselines.actual_kwh),
            np.isnan(baselines.expected_kwh),
            baselines.days_learnt < rules.least_days,
            events.declared_kwh < rules.least_spreads * baselines.past.spread_kwh,
        ],
        [NOT_DECLARED, UNREAD, NO_FORECAST, TOO_FEW_DAYS, TOO_SMALL],
        PLAIN,
    )
    return found


def _find_p(events: Dispatches, baselines: EventBaselines, missing_kwh: Floats) -> Floats:
    """Probability that an error of the expectation alone makes at least ``missing_kwh`` disappear, shape (events,)."""
    below = find_probability(baselines.past, np.where(events.is_down, missing_kwh, -missing_kwh))
    p_value: Floats = np.where(events.is_down, 1.0 - below, below)
    return p_value


def _bound(events: Dispatches, baselines: EventBaselines, probability: float) -> Floats:
    """What to add to the observed energy for the end of its interval, shape (events,)."""
    down, up = find_quantile(baselines.past, probability), -find_quantile(baselines.past, 1.0 - probability)
    bound: Floats = np.where(events.is_down, down, up)
    return bound
