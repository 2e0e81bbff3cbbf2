"""Turns what the kernels found of each event into a verdict, its rule, its reason with the numbers, and notices."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.domain.deliveries import EVENT_RULES, IMPLAUSIBLE_RULES, RIGHT_ENDED, RIGHT_UNKNOWN
from fmar_spark.domain.figures import write_count, write_number, write_probability
from fmar_spark.kernels.delivery.checks import REASONS, UNREAD, VERDICTS
from fmar_spark.kernels.delivery.dispatches import Dispatches
from fmar_spark.kernels.delivery.signals import is_above_maximum
from fmar_spark.kernels.delivery.verification import CheckedEvents
from fmar_spark.kernels.window import Bools, Floats, Ints
from fmar_spark.units import HOURS_PER_SLOT, kw_from_kwh

NOTICED_FROM_Z: Final = 3.0
"""Standard deviations of ordinary days from which load around an event is noticed."""
FACTOR_RANGE: Final = (500.0, 2000.0)
"""What counts as a factor of about 1000."""
MIRROR_SHARE: Final = 0.3
"""How far the observed delivery may be from the declared one turned round."""
CONSISTENT, IMPLAUSIBLE, NOT_ASSESSABLE = VERDICTS
RULE_OF_REASON: Final = {"not_declared": "missing_declaration"}
"""The kernel's names of reasons that a table calls otherwise."""


class EventFacts(NamedTuple):
    """What is known of each event beside its energies, arrays of shape (events,)."""

    declared_slots: Floats
    requested_kw: Floats
    is_above_metered: Bools
    right: NDArray[np.object_]
    half_hours: Ints
    is_partial: Bools
    is_hourly: Bools
    is_clock_change: Bools
    is_overlapping: Bools
    estimated: Ints
    """Half-hours that are estimates."""
    opted_out: Ints
    limit_kw: Floats
    """Import and export capacity of the connection together; NaN where unknown."""
    range_kwh: Floats
    """How far apart the meter's half-hours are at most."""


class Concluded(NamedTuple):
    """Arrays and lists of shape (events,)."""

    verdict: list[str]
    rule: list[str | None]
    reason: list[str]
    notices: list[list[str]]
    is_assessable: Bools
    """Counts as evidence."""


def conclude_events(events: Dispatches, found: CheckedEvents, facts: EventFacts) -> Concluded:
    """The verdict on each event; the first rule that applies, in the order of ``EVENT_RULES``, is named."""
    count = len(events.meter)
    rule = np.asarray([RULE_OF_REASON.get(REASONS[code], REASONS[code]) for code in found.checks.reason.tolist()], dtype=object)
    hours = facts.half_hours * HOURS_PER_SLOT
    above = is_above_maximum(events.declared_kwh, hours, kw_from_kwh(facts.range_kwh))
    over_limit = is_above_maximum(events.declared_kwh, hours, facts.limit_kw)
    is_unread = found.checks.reason == UNREAD
    applies: dict[str, Bools] = {
        "partial_half_hour": facts.is_partial,
        "hourly_meter": facts.is_hourly,
        "clock_change": facts.is_clock_change,
        "agreement_not_in_force": facts.right == RIGHT_ENDED,
        "overlapping_events": facts.is_overlapping,
        "sign_suspected": events.declared_kwh < 0,
        "half_hours_estimated": is_unread & (facts.estimated > 0),
        "half_hours_opted_out": is_unread & (facts.opted_out > 0),
        "above_connection": over_limit & found.checks.is_assessable,
        "above_observed_maximum": above & found.checks.is_assessable,
    }
    order = {name: place for place, name in enumerate(EVENT_RULES)}
    for name in sorted(applies, key=lambda one: order[one], reverse=True):
        later = np.asarray([order.get(one, len(order)) > order[name] or one == "half_hours_unread" for one in rule], dtype=np.bool_)
        rule = np.where(applies[name] & later, name, rule)
    is_barred = np.any([applies[name] for name in list(applies)[:6]], axis=0) if count else np.zeros(0, dtype=np.bool_)
    verdict = [CONSISTENT if not name else IMPLAUSIBLE if name in IMPLAUSIBLE_RULES else NOT_ASSESSABLE for name in rule]
    reasons = [_describe(name, found, at, facts) for at, name in enumerate(rule.tolist())]
    notices = _list_notices(events, found, facts)
    return Concluded(verdict, [name or None for name in rule.tolist()], reasons, notices, found.checks.is_assessable & ~is_barred)


def _describe(rule: str, found: CheckedEvents, at: int, facts: EventFacts) -> str:
    """The reason as a sentence with the numbers."""
    checks = found.checks
    declared, observed = _kwh(checks.declared_kwh[at]), _kwh(checks.observed_kwh[at])
    numbers = f"{declared} declared, {observed} observed (80 % interval {_kwh(checks.lower80_kwh[at])} to {_kwh(checks.upper80_kwh[at])})"
    of_all = f"of {write_count(int(facts.half_hours[at]), 'half-hour')}"
    said = {
        "": numbers,
        "shortfall": f"{numbers}: so little has a probability of {write_probability(checks.p_value[at])} for an honest declaration",
        "above_connection": f"{numbers}; the connection can swing by {write_number(facts.limit_kw[at])} kW",
        "above_observed_maximum": f"{numbers}; half-hours of the meter never differed by more than {_kwh(facts.range_kwh[at])}",
        "asset_too_small": f"{numbers}; the expectation errs by {_kwh(checks.spread_kwh[at])}",
        "too_few_days": f"{int(found.baselines.days_learnt[at])} earlier days found, 14 wanted",
        "half_hours_estimated": f"{int(facts.estimated[at])} {of_all} are estimates",
        "half_hours_opted_out": f"{int(facts.opted_out[at])} {of_all} were opted out of",
    }
    return said.get(rule, EVENT_RULES.get(rule, ""))


def _list_notices(events: Dispatches, found: CheckedEvents, facts: EventFacts) -> list[list[str]]:
    declared, observed = events.declared_kwh, found.checks.observed_kwh
    requested = facts.requested_kw * facts.half_hours * HOURS_PER_SLOT
    spread = found.checks.spread_kwh
    with np.errstate(invalid="ignore", divide="ignore"):
        is_seen = np.abs(observed) > 2 * spread
        factors = [_is_thousand(declared / requested), _is_thousand(declared / (facts.range_kwh * facts.half_hours))]
        factors.append(is_seen & _is_thousand(observed / declared))
        mirrored = is_seen & (declared != 0) & (np.abs(observed + declared) < MIRROR_SHARE * np.abs(declared))
        noticed: dict[str, Any] = {
            "amsid_unknown": facts.right == RIGHT_UNKNOWN,
            "partial_declaration": (facts.declared_slots > 0) & (facts.declared_slots < facts.half_hours),
            "above_metered_volume": facts.is_above_metered,
            "unit_suspected": np.any(factors, axis=0),
            "sign_suspected": mirrored,
            "raised_before": found.signals.raised_before_z > NOTICED_FROM_Z,
            "power_rinse": found.signals.rinse_z > NOTICED_FROM_Z,
            "rebound": found.signals.rebound_z > NOTICED_FROM_Z,
        }
    listed: list[list[str]] = [[] for _ in declared]
    for name, is_set in noticed.items():
        for at in np.flatnonzero(is_set).tolist():
            listed[at].append(name)
    return listed


def _is_thousand(ratio: Floats) -> Bools:
    """Ratios of about 1000, either way round."""
    size = np.abs(ratio)
    low, high = FACTOR_RANGE
    found: Bools = ((size > low) & (size < high)) | ((size > 1 / high) & (size < 1 / low))
    return found


def _kwh(value: float) -> str:
    return "nothing" if np.isnan(value) else f"{write_number(value)} kWh"
