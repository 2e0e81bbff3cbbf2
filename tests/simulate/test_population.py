"""Who the meters are, and the life of every asset behind them."""

import numpy as np
import pytest

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.catalogue import name_behaviours
from fmar_spark.simulate.plan import BUSINESSES, CONFUSERS, HOMES, PREMISES, TARIFFS, FleetPlan, mix_from
from fmar_spark.simulate.population import (
    BUSINESS_CONFUSER,
    HOME_CONFUSER,
    NIGHT_TANK_SHARE,
    SHORTEST_STAY_DAYS,
    TYPICAL_BUSINESS_KW,
    Life,
    draw_life,
    draw_population,
    size_track,
)

MANY = 4000


def test_every_kind_of_premises_and_look_alike_is_known_and_occurs(plan: FleetPlan) -> None:
    assert set(HOME_CONFUSER) | set(BUSINESS_CONFUSER) == set(CONFUSERS)
    assert set(TYPICAL_BUSINESS_KW) == set(BUSINESSES)
    population = draw_population(plan, 0, MANY)
    assert set(population.premises.tolist()) == set(range(len(PREMISES)))
    assert population.is_lookalike.any(axis=0).all()
    assert population.is_asset.any(axis=0).all()
    assert set(population.tariff.tolist()) == set(range(len(TARIFFS)))
    np.testing.assert_array_equal(population.premises < len(HOMES), population.is_domestic)


@pytest.mark.parametrize(
    ("shares", "asset", "wanted"),
    [
        ({"domestic": 1.0, "plain": 0.0, "home_ev": 0.3}, AssetClass.EV, 0.3),
        ({"domestic": 0.0, "plain": 0.0, "business_heat_pump": 0.4}, AssetClass.HEAT_PUMP, 0.4),
        ({"domestic": 1.0, "plain": 0.5, "home_solar_pv": 0.6}, AssetClass.SOLAR_PV, 0.3),
        ({"domestic": 0.0, "plain": 0.0, "business_demand_response": 0.2}, AssetClass.DEMAND_RESPONSE, 0.2),
        ({"domestic": 1.0, "plain": 0.0, "home_battery": 0.5, "home_solar_pv": 0.0}, AssetClass.BATTERY, 0.3),
    ],
)
def test_assets_are_as_common_as_the_mix_says(plan: FleetPlan, shares: dict[str, float], asset: AssetClass, wanted: float) -> None:
    population = draw_population(plan._replace(mix=mix_from(shares)), 0, MANY)
    assert population.ever(asset).mean() == pytest.approx(wanted, abs=0.03)


def test_plain_meters_have_neither_assets_nor_look_alikes(plan: FleetPlan) -> None:
    population = draw_population(plan._replace(mix=mix_from({"plain": 0.4})), 0, MANY)
    assert population.is_plain.mean() == pytest.approx(0.4, abs=0.03)
    assert not population.is_asset[population.is_plain].any()
    assert not population.is_lookalike[population.is_plain].any()


def test_most_homes_with_storage_heating_heat_their_water_in_the_same_hours(plan: FleetPlan) -> None:
    population = draw_population(plan._replace(mix=mix_from({"domestic": 1.0, "plain": 0.0, "confuser_scale": 3.0})), 0, MANY)
    has_storage, has_tank = (population.is_lookalike[:, CONFUSERS.index(name)] for name in ("storage_heating", "immersion"))
    at_night = has_tank & (population.water == name_behaviours("immersion").index("immersion_off_peak"))
    assert at_night[has_storage].mean() == pytest.approx(NIGHT_TANK_SHARE, abs=0.1)
    assert at_night[~has_storage].mean() < 0.5 * NIGHT_TANK_SHARE


def test_sizes_of_premises_range_over_more_than_an_order(plan: FleetPlan) -> None:
    population = draw_population(plan, 0, MANY)
    for mine in (population.is_domestic, ~population.is_domestic):
        low, high = np.quantile(population.scale_kw[mine], (0.02, 0.98))
        assert high / low > 5


def test_lifetimes_begin_end_and_grow_within_the_plan_with_a_stay_before_and_after(plan: FleetPlan) -> None:
    mix = mix_from({"appears": 0.5, "removed": 0.5, "upgraded": 0.5})
    long = plan._replace(mix=mix, last_date=plan.first_date.replace(year=plan.first_date.year + 1))
    ever = np.arange(MANY) % 4 > 0
    life = draw_life(np.random.default_rng(1), ever, long, np.full(MANY, 3.0), np.full(MANY, 2.0))
    stay, end = SHORTEST_STAY_DAYS * 48, long.slots
    appears, leaves, grows = life.from_slot > 0, life.to_slot < end, life.upgrade_slot < end
    assert min(appears.sum(), leaves.sum(), grows.sum()) > 300
    assert not (appears | leaves | grows)[~ever].any()
    assert (life.from_slot[appears] >= stay).all()
    assert (life.to_slot - life.from_slot >= stay).all()
    assert (life.upgrade_slot - life.from_slot >= stay)[grows].all()
    assert (life.to_slot - life.upgrade_slot >= 0.9 * stay)[grows].all()
    np.testing.assert_array_equal(life.size_after_kw, np.where(grows, 6.0, 3.0))


def test_a_plan_of_a_few_weeks_changes_no_asset(plan: FleetPlan) -> None:
    short = plan._replace(last_date=plan.first_date.replace(day=28))
    life = draw_life(np.random.default_rng(1), np.ones(50, dtype=bool), short, np.ones(50), np.ones(50))
    assert (life.from_slot == 0).all()
    assert (life.to_slot == short.slots).all()
    assert (life.upgrade_slot == short.slots).all()


def test_the_size_of_an_asset_follows_its_lifetime() -> None:
    life = Life(np.array([True, False]), np.array([2, 0]), np.array([7, 9]), np.array([4, 9]), np.array([3.0, 3.0]), np.array([5.0, 3.0]))
    assert size_track(life, 9).tolist() == [[0, 0, 3, 3, 5, 5, 5, 0, 0], [0] * 9]
