"""Batteries that hold only what they took."""

import numpy as np
import pytest

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.batteries import MODES, Batteries, simulate_batteries
from fmar_spark.simulate.calendars import build_calendar
from fmar_spark.simulate.plan import FleetPlan, Floats, mix_from
from fmar_spark.simulate.population import Population, draw_population


@pytest.fixture(scope="module")
def population(plan: FleetPlan) -> Population:
    shares = {"plain": 0.0, "home_battery": 1.0, "business_battery": 1.0, "home_solar_pv": 0.5}
    return draw_population(plan._replace(mix=mix_from(shares)), 0, 60)


@pytest.fixture(scope="module")
def net_kw(plan: FleetPlan, population: Population) -> Floats:
    rng = np.random.default_rng(1)
    sun = np.clip(np.sin(np.pi * (np.arange(plan.slots) % 48 - 12) / 24), 0, None)
    return population.scale_kw[:, None] * (
        rng.gamma(2.0, 0.5, (60, plan.slots)) - 3.0 * sun * population.ever(AssetClass.SOLAR_PV)[:, None]
    )


@pytest.fixture(scope="module")
def batteries(plan: FleetPlan, population: Population, net_kw: Floats) -> Batteries:
    price = np.sin(2 * np.pi * (np.arange(plan.slots) % 48 - 26) / 48) * 1.4
    return simulate_batteries(np.random.default_rng(2), population, build_calendar(plan), plan, (net_kw, price))


def test_a_battery_never_exceeds_its_power(batteries: Batteries) -> None:
    largest = np.maximum(batteries.life.size_kw, batteries.life.size_after_kw)
    assert batteries.life.is_ever.sum() > 30
    assert (np.abs(batteries.power_kw).max(axis=1) <= largest * 1.001).all()
    assert (batteries.power_kw[~batteries.life.is_ever] == 0).all()


def test_a_battery_discharges_no_more_than_it_charged_less_its_losses(batteries: Batteries) -> None:
    drawn = np.clip(batteries.power_kw, 0, None).sum(axis=1) / 2
    given_back = -np.clip(batteries.power_kw, None, 0).sum(axis=1) / 2
    worked = drawn > 20 * batteries.storage_kwh
    assert worked.sum() > 10
    assert (given_back <= drawn + batteries.storage_kwh * 2).all()
    ratio = given_back[worked] / drawn[worked]
    assert ((ratio > 0.7) & (ratio < 0.96)).all()


def test_in_no_period_does_a_battery_discharge_more_than_it_charged_and_held(batteries: Batteries) -> None:
    balance_kwh = np.cumsum(batteries.power_kw.astype(np.float64) / 2, axis=1)
    released = (np.maximum.accumulate(np.pad(balance_kwh, ((0, 0), (1, 0))), axis=1)[:, :-1] - balance_kwh).max(axis=1)
    largest = batteries.storage_kwh * np.maximum(batteries.life.size_after_kw / batteries.life.size_kw, 1.0)
    assert (released <= largest + 1e-3).all()
    assert (released > 0.3 * largest)[batteries.life.is_ever].mean() > 0.6


def test_a_battery_for_self_use_draws_only_surplus_and_serves_only_load(batteries: Batteries, net_kw: Floats) -> None:
    mine = batteries.life.is_ever & (batteries.mode == MODES.index("battery_self_use"))
    power, net = batteries.power_kw[mine], net_kw[mine]
    assert mine.sum() >= 5
    assert (power[net > 0] <= 1e-6).all()
    assert (power[net < 0] >= -1e-6).all()
    after, rounding = net + power, 1e-6 * np.maximum(np.abs(net), 1.0)
    assert (after >= -rounding)[net > 0].all()
    assert (after <= rounding)[net < 0].all()
