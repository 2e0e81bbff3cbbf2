"""From the power at the boundary to what registers say."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.simulate.metering import Registers, read_registers, slow_start_track, split_directions
from fmar_spark.simulate.plan import CONFUSERS, Bools, FleetPlan, Floats, Mix, mix_from
from fmar_spark.simulate.population import Population, draw_population

FAULTLESS = {"unread": 0.0, "hourly": 0.0, "no_export_register": 0.0, "domestic": 1.0}
SLOTS = 60 * 48


class Read(NamedTuple):
    """A boundary and what was read of it."""

    net_kw: Floats
    population: Population
    registers: Registers


def people_of(meters: int, mix: Mix, plan: FleetPlan) -> Population:
    return draw_population(plan._replace(mix=mix), 0, meters)


def read(plan: FleetPlan, shares: dict[str, float], generates: Bools, seed: int = 1) -> Read:
    """Forty meters whose net power swings about a load that is negative for a third of the time."""
    rng = np.random.default_rng(seed)
    meters = len(generates)
    mix = mix_from(FAULTLESS | shares)
    net_kw = np.where(rng.random((meters, SLOTS)) < 0.35, -1.0, 1.0) * rng.gamma(2.0, 0.4, (meters, SLOTS))
    population = people_of(meters, mix, plan)
    return Read(net_kw, population, read_registers(rng, population, mix, (net_kw, 0.2 * np.abs(net_kw)), generates))


@settings(max_examples=200, deadline=None)
@given(st.floats(-20, 20), st.floats(0, 10))
def test_import_less_export_is_the_net_and_neither_is_negative(net: float, swing: float) -> None:
    drawn, given_back = split_directions(np.array([[net]]), np.array([[swing]]))
    assert drawn[0, 0] >= 0
    assert given_back[0, 0] >= 0
    assert drawn[0, 0] - given_back[0, 0] == pytest.approx(net, abs=1e-2 * swing + 1e-9)


def test_a_half_hour_in_balance_both_imports_and_exports() -> None:
    drawn, given_back = split_directions(np.zeros((1, 1)), np.ones((1, 1)))
    assert drawn[0, 0] == given_back[0, 0] == pytest.approx(1 / np.sqrt(2 * np.pi))


def test_what_is_read_is_the_boundary_up_to_the_steps_of_the_register(plan: FleetPlan) -> None:
    found = read(plan, {}, np.ones(40, dtype=bool))
    net_kwh = found.registers.import_kwh.astype(np.float64) - found.registers.export_kwh
    off = np.abs(np.cumsum(net_kwh - found.net_kw / 2, axis=1)).max(axis=1)
    assert np.median(off) < 0.02
    assert (off < 0.03).mean() > 0.55


def test_a_register_counts_whole_watt_hours(plan: FleetPlan) -> None:
    kwh = read(plan, {}, np.ones(40, dtype=bool)).registers.import_kwh.astype(np.float64)
    np.testing.assert_allclose(kwh * 1000, np.rint(kwh * 1000), atol=2e-3)
    assert (kwh >= 0).all()


def test_the_two_halves_of_an_hourly_meters_hour_are_equal_and_lost_together(plan: FleetPlan) -> None:
    found = read(plan, {"hourly": 1.0, "unread": 1.0}, np.ones(40, dtype=bool)).registers
    assert (found.interval_minutes == 60).all()
    np.testing.assert_array_equal(found.import_kwh[:, ::2], found.import_kwh[:, 1::2])
    assert np.isnan(found.import_kwh).any()


def test_a_meter_that_cannot_generate_never_exports(plan: FleetPlan) -> None:
    found = read(plan, {}, np.zeros(40, dtype=bool)).registers
    assert not found.has_export_register.any()
    assert np.isnan(found.export_kwh).all()


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 40, 40), (1.0, 0, 0), (0.5, 10, 30)])
def test_export_is_read_of_as_many_generating_meters_as_the_mix_says(plan: FleetPlan, share: float, least: int, most: int) -> None:
    found = read(plan, {"no_export_register": share}, np.ones(40, dtype=bool)).registers
    assert least <= found.has_export_register.sum() <= most
    np.testing.assert_array_equal(np.isnan(found.export_kwh).all(axis=1), ~found.has_export_register)


@pytest.mark.parametrize("unread", [0.0, 1.0])
def test_gaps_are_the_same_in_both_registers_and_only_of_meters_that_have_any(plan: FleetPlan, unread: float) -> None:
    found = read(plan, {"unread": unread}, np.ones(40, dtype=bool)).registers
    lost = np.isnan(found.import_kwh)
    np.testing.assert_array_equal(lost, np.isnan(found.export_kwh))
    assert (lost.any(axis=1).mean() > 0.8) == bool(unread)
    assert lost.any() == bool(unread)


def test_a_slow_start_holds_the_first_weeks_down_and_changes_no_other_meter(plan: FleetPlan) -> None:
    population = people_of(40, mix_from({"confuser_scale": 8.0, "plain": 0.0}), plan)
    factor = slow_start_track(np.random.default_rng(1), population, 200)
    slow = population.is_lookalike[:, CONFUSERS.index("slow_start")]
    assert 0 < slow.sum() < 40
    assert (factor[~slow] == 1).all()
    assert (factor[slow, 0] <= 0.2).all()
    assert (factor[:, -1] == 1).all()
    assert (np.diff(factor, axis=1) >= 0).all()
