"""Dispatches on a batch of meters: the expectation of an event, its check, and what events add up to."""

from datetime import date

import numpy as np
import pytest

from fmar_spark.kernels.assembly import build_calendar
from fmar_spark.kernels.delivery import checks, verdicts
from fmar_spark.kernels.delivery.dispatches import Dispatches, mark_dispatched, sum_of_others
from fmar_spark.kernels.delivery.verdicts import conclude_assets
from fmar_spark.kernels.delivery.verification import CheckedEvents, MeterDays, VerificationRules, check_dispatches
from fmar_spark.kernels.window import Floats
from fmar_spark.settings.sections import DeliverySettings

DAYS = 260
EVENT_DAYS = np.arange(200, 250, 5)
START, END = 34, 38


def simulate_loads(meters: int = 6, seed: int = 1) -> Floats:
    """Loads of about 5 kWh a half-hour whose noise has a daily and a half-hourly part, shape (meters, days, 48)."""
    rng = np.random.default_rng(seed)
    shape = 5 + 2 * np.sin(np.arange(48) / 48 * 2 * np.pi)
    return shape + 0.4 * rng.normal(size=(meters, DAYS, 1)) + 0.5 * rng.normal(size=(meters, DAYS, 48))


def lay_days(net_kwh: Floats) -> MeterDays:
    """The loads on a calendar without weather."""
    unknown = np.full((1, net_kwh.shape[1], 48), np.nan)
    return MeterDays(
        net_kwh,
        unknown,
        np.zeros(len(net_kwh), dtype=np.int64),
        build_calendar(date(2023, 1, 2), net_kwh.shape[1], frozenset(), southern=False),
    )


def dispatch(meters: int, declared_kwh: float, is_down: bool = True) -> Dispatches:
    """The same ten events of one asset at every meter."""
    meter = np.repeat(np.arange(meters), len(EVENT_DAYS))
    day = np.tile(EVENT_DAYS, meters)
    count = len(meter)
    return Dispatches(
        meter, meter, day * 48 + START, day * 48 + END, day * 48 + START - 2, np.full(count, is_down), np.full(count, declared_kwh)
    )


def deliver(net_kwh: Floats, events: Dispatches, share: float) -> Floats:
    """The loads once every asset delivered a share of what it declares."""
    flat = net_kwh.reshape(len(net_kwh), -1).copy()
    for meter, start, end, is_down, declared in zip(
        events.meter, events.start_slot, events.end_slot, events.is_down, events.declared_kwh, strict=True
    ):
        flat[meter, start:end] += (-1 if is_down else 1) * share * declared / (end - start)
    return flat.reshape(net_kwh.shape)


def check(net_kwh: Floats, events: Dispatches) -> CheckedEvents:
    """The events on these loads."""
    return check_dispatches(lay_days(net_kwh), events)


@pytest.mark.parametrize("is_down", [True, False])
def test_an_honest_delivery_is_observed_whichever_its_direction(is_down: bool) -> None:
    events = dispatch(60, 8.0, is_down)
    found = check(deliver(simulate_loads(60), events, 1.0), events).checks
    assert np.abs(found.observed_kwh - 8.0).mean() < 1.5
    assert ((found.lower95_kwh < 8.0) & (found.upper95_kwh > 8.0)).mean() > 0.9
    assert (found.lower80_kwh > found.lower95_kwh).all()
    assert (found.verdict == checks.CONSISTENT).mean() > 0.95


@pytest.mark.parametrize("is_down", [True, False])
def test_nothing_delivered_is_implausible_whichever_its_direction(is_down: bool) -> None:
    events = dispatch(6, 8.0, is_down)
    loads = simulate_loads()
    found = check(loads, events)
    assert (found.checks.verdict == checks.IMPLAUSIBLE).all()
    concluded = conclude_assets(events, found.checks, 6)
    assert (concluded.verdict == verdicts.SUSPECT).all()
    assert concluded.shares.share.max() < 0.3


def test_the_half_hours_of_an_event_teach_nothing() -> None:
    events = dispatch(2, 8.0)
    loads = simulate_loads(2)
    plain, moved = check(loads, events), check(deliver(loads, events, 1.0), events)
    np.testing.assert_allclose(plain.baselines.expected_kwh, moved.baselines.expected_kwh)


def test_an_exporting_meter_is_checked_by_its_net_energy() -> None:
    events = dispatch(3, 8.0)
    found = check(deliver(simulate_loads(3) - 12.0, events, 1.0), events)
    assert (found.baselines.expected_kwh < 0).all()
    assert np.abs(found.checks.observed_kwh - 8.0).mean() < 1.5


def test_another_assets_energy_is_taken_off_what_is_observed_but_never_off_what_is_credited() -> None:
    one, two = dispatch(1, 8.0), dispatch(1, 8.0)._replace(asset=np.ones(len(EVENT_DAYS), dtype=np.int64))
    both = Dispatches(*(np.concatenate(pair) for pair in zip(one, two, strict=True)))
    np.testing.assert_allclose(sum_of_others(both), 8.0)
    found = check(deliver(simulate_loads(1), one, 1.0), both)
    assert np.abs(found.checks.observed_kwh).mean() < 1.5
    concluded = conclude_assets(both, found.checks, 2)
    assert concluded.verdict.tolist() == [verdicts.ONE_OF_SEVERAL] * 2
    assert not concluded.shares.is_separable.any()


def test_two_assets_are_distinguished_where_their_events_differ_in_time() -> None:
    one = dispatch(1, 8.0)
    two = one._replace(asset=np.ones(len(EVENT_DAYS), dtype=np.int64))
    two = two._replace(
        start_slot=two.start_slot + np.where(np.arange(10) % 2, 0, 48), end_slot=two.end_slot + np.where(np.arange(10) % 2, 0, 48)
    )
    both = Dispatches(*(np.concatenate(pair) for pair in zip(one, two, strict=True)))
    found = check(deliver(simulate_loads(1), one, 1.0), both)
    concluded = conclude_assets(both, found.checks, 2)
    assert concluded.verdict.tolist() == [verdicts.CONSISTENT, verdicts.SUSPECT]
    assert concluded.shares.share[0] == pytest.approx(1.0, abs=0.2)


def test_what_cannot_be_checked_has_its_reason() -> None:
    events = dispatch(1, 8.0)
    declared, days = events.declared_kwh.copy(), events.start_slot // 48
    declared[0], declared[1] = np.nan, 0.1
    loads = simulate_loads(1)
    loads[0, days[2], START] = np.nan
    early = events._replace(declared_kwh=declared, start_slot=np.where(days == days[3], 5 * 48, events.start_slot))
    early = early._replace(
        end_slot=np.where(days == days[3], 5 * 48 + 4, events.end_slot), notice_slot=np.minimum(events.notice_slot, early.start_slot)
    )
    found = check(loads, early).checks
    assert [checks.REASONS[code] for code in found.reason[:4]] == ["not_declared", "asset_too_small", "half_hours_unread", "too_few_days"]
    assert np.isnan(found.p_value[[0, 2, 3]]).all()


def test_nothing_is_found_of_no_events() -> None:
    none = Dispatches(*(column[:0] for column in dispatch(1, 8.0)))
    found = check(simulate_loads(1), none)
    assert len(found.checks.p_value) == 0
    assert conclude_assets(none, found.checks, 2).verdict.tolist() == [verdicts.NOT_ASSESSABLE] * 2


def test_half_hours_from_the_notice_to_the_end_of_the_rebound_are_marked() -> None:
    events = dispatch(1, 8.0)
    marked = mark_dispatched((1, DAYS, 48), events).reshape(-1)
    first = int(events.start_slot[0])
    assert np.flatnonzero(marked[: first + 40]).tolist() == list(range(first - 2, first + 4 + 8))


def test_the_defaults_of_the_settings_are_the_rules_that_were_measured() -> None:
    settings, rules = DeliverySettings(), VerificationRules()
    assert settings.tolerance == rules.verdict.check.tolerance
    assert settings.suspect_rate == rules.verdict.evidence.rate
    assert settings.history_days >= rules.warm_up_days + rules.in_day.look_back_days
