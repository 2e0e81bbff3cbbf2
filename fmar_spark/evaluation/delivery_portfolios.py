"""Honest and dishonest portfolios over given loads: who is dispatched when, what is delivered, and what is declared."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.evaluation.delivery_loads import Loads
from fmar_spark.kernels.baseline.days import is_plain_working
from fmar_spark.kernels.baseline.reference import ReferenceRules, reference_bl01
from fmar_spark.kernels.delivery.checks import EventChecks, check_events
from fmar_spark.kernels.delivery.dispatches import Dispatches
from fmar_spark.kernels.delivery.verification import CheckedEvents, VerificationRules, check_dispatches
from fmar_spark.kernels.window import Bools, Floats, Ints

FIRST_EVENT_DAY: Final = 150
EVENTS_A_MONTH: Final = 10
EVENT_SLOTS: Final = 4
FIRST_SLOTS: Final = (14, 18, 22, 26, 30, 32, 34, 34, 36, 36)
"""Clock slots at which events begin, some more often than others."""
DAY_AHEAD_SLOT: Final = 34
"""Half of the events are known at 17:00 of the day before, half an hour before they begin."""
HOUR_SLOTS: Final = 2


class Portfolio(NamedTuple):
    """One asset behind each of several meters that repeat the given loads, each with events of its own."""

    loads: Loads
    """One row a meter."""
    events: Dispatches
    """Ordered by meter, then time; nothing declared yet."""
    order: Ints
    """Place of each event among its meter's, from 0, shape (events,)."""
    checked: CheckedEvents
    """With nothing delivered."""
    spread_kwh: Floats
    """Root mean square of the spread of each meter's expectations, shape (meters,): what sizes of assets are counted in."""
    reference_kwh: Floats
    """BL01 with its in-day adjustment, over each event, shape (events,)."""


class Behaviour(NamedTuple):
    """What an asset does and says, in terms of the energy that it is asked for; arrays or numbers that fit (events,)."""

    delivered: Floats | float
    """Share of the energy asked for that is delivered within the event."""
    declared: Floats | float
    """Share that is declared."""


def build_portfolio(loads: Loads, copies: int, seed: int, rules: VerificationRules | None = None) -> Portfolio:
    """Dispatch an asset behind ``copies`` meters for each load, ten times in 30 days, half of the meters downwards."""
    rows = np.repeat(np.arange(len(loads.names)), copies)
    repeated = Loads(
        tuple(loads.names[row] for row in rows),
        tuple(loads.kinds[row] for row in rows),
        loads.meter_days._replace(net_kwh=loads.meter_days.net_kwh[rows], area=loads.meter_days.area[rows]),
    )
    events = draw_events(repeated, np.random.default_rng(seed))
    return check_portfolio(repeated, events, rules)


def check_portfolio(loads: Loads, events: Dispatches, rules: VerificationRules | None = None) -> Portfolio:
    """The portfolio of given events on these loads."""
    checked = check_dispatches(loads.meter_days, events, None, rules)
    meters = len(loads.names)
    first = np.searchsorted(events.meter, np.arange(meters))
    is_known: Bools = np.asarray(np.isfinite(checked.checks.spread_kwh))
    square = np.bincount(events.meter[is_known], checked.checks.spread_kwh[is_known] ** 2, minlength=meters)
    count = np.bincount(events.meter[is_known], minlength=meters)
    spread = np.sqrt(square / np.where(count > 0, count, np.nan))
    order = np.arange(len(events.meter)) - first[events.meter]
    return Portfolio(loads, events, order, checked, spread, predict_reference(loads, events, events))


def draw_events(loads: Loads, rng: np.random.Generator) -> Dispatches:
    """Two-hour events on random days once a meter was read for five months."""
    net_kwh = loads.meter_days.net_kwh
    is_read: Bools = np.asarray(np.isfinite(net_kwh).any(axis=2))
    first = is_read.argmax(axis=1) + FIRST_EVENT_DAY
    last = is_read.shape[1] - 1 - is_read[:, ::-1].argmax(axis=1)
    day = np.arange(is_read.shape[1])
    drawn: Bools = np.asarray(rng.random(is_read.shape) < EVENTS_A_MONTH / 30)
    meter, at = np.nonzero((day >= first[:, None]) & (day < last[:, None]) & drawn)
    start = at * 48 + rng.choice(FIRST_SLOTS, size=len(at))
    notice = np.where(rng.random(len(at)) < 0.5, (at - 1) * 48 + DAY_AHEAD_SLOT, start - HOUR_SLOTS)
    return Dispatches(meter, meter, start, start + EVENT_SLOTS, notice, meter % 2 == 0, np.full(len(at), np.nan))


def check_behaviour(portfolio: Portfolio, size: float, behaviour: Behaviour, rules: VerificationRules) -> tuple[Dispatches, EventChecks]:
    """Check a portfolio of assets that are asked for ``size`` spreads of their meter's expectation.

    What is delivered changes nothing but what is read within the events, since their half-hours teach nothing: the
    expectations are those of the portfolio.
    """
    asked = size * portfolio.spread_kwh[portfolio.events.meter]
    events = portfolio.events._replace(declared_kwh=np.asarray(asked * behaviour.declared))
    sign = np.where(events.is_down, -1.0, 1.0)
    baselines = portfolio.checked.baselines
    delivered = baselines._replace(actual_kwh=baselines.actual_kwh + sign * asked * behaviour.delivered)
    return events, check_events(events, delivered, rules.verdict.check)


def add_load(portfolio: Portfolio, start_slot: Ints, end_slot: Ints, energy_kwh: Floats) -> Loads:
    """The portfolio's loads with an energy added evenly over a run of half-hours beside each event."""
    flat = portfolio.loads.meter_days.net_kwh.reshape(len(portfolio.loads.names), -1).astype(np.float64)
    steps = np.zeros((flat.shape[0], flat.shape[1] + 1))
    power = energy_kwh / np.maximum(end_slot - start_slot, 1)
    first, last = np.clip(start_slot, 0, flat.shape[1]), np.clip(end_slot, 0, flat.shape[1])
    np.add.at(steps, (portfolio.events.meter, first), power)
    np.add.at(steps, (portfolio.events.meter, last), -power)
    added = flat + np.cumsum(steps, axis=1)[:, :-1]
    days = portfolio.loads.meter_days
    return portfolio.loads._replace(meter_days=days._replace(net_kwh=added.reshape(days.net_kwh.shape).astype(np.float32)))


def predict_reference(loads: Loads, events: Dispatches, known: Dispatches) -> Floats:
    """BL01 over each event, days of ``known`` passed over, moved by the mean error of the three hours that end an hour before."""
    days = loads.meter_days
    has_event = np.zeros(days.net_kwh.shape[:2], dtype=np.bool_)
    has_event[known.meter, known.start_slot // 48] = True
    targets = np.unique(events.start_slot // 48)
    ordinary = np.where(has_event[:, :, None], np.nan, days.net_kwh)
    predicted = reference_bl01(ordinary, is_plain_working(days.calendar), targets)
    place, rules = np.searchsorted(targets, events.start_slot // 48), ReferenceRules()
    day_kwh, day_before = predicted[events.meter, place], days.net_kwh[events.meter, events.start_slot // 48]
    slot, clock_slot = np.arange(48), (events.start_slot % 48)[:, None]
    is_event = (slot >= clock_slot) & (slot < clock_slot + EVENT_SLOTS)
    is_before = (slot < clock_slot - rules.lead_slots) & (slot >= clock_slot - rules.lead_slots - rules.adjust_slots)
    error = np.where(is_before, day_before - day_kwh, np.nan)
    count = np.isfinite(error).sum(axis=1)
    moved = np.where(np.isfinite(error), error, 0.0).sum(axis=1) / np.maximum(count, 1)
    reference: Floats = np.where(is_event, day_kwh, 0.0).sum(axis=1) + EVENT_SLOTS * moved
    return reference
