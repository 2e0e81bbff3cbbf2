"""Heat pumps that answer the cold."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.heat_pumps import KINDS, HeatPumps, lag_weather, simulate_heat_pumps
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.weather import Weather


@pytest.fixture(scope="module")
def population(draw_homes: Callable[..., Population]) -> Population:
    return draw_homes(80, home_heat_pump=0.9)


@pytest.fixture(scope="module")
def pumps(plan: FleetPlan, calendar: Calendar, weather: Weather, population: Population) -> HeatPumps:
    sky = (weather.temp_c[population.area], weather.ghi_w_m2[population.area])
    return simulate_heat_pumps(np.random.default_rng(1), population, calendar, plan, sky)


def test_a_building_lags_the_weather_more_the_heavier_it_is() -> None:
    temp_c = np.repeat(np.where(np.arange(480) < 240, 0.0, 10.0)[None], 2, axis=0).astype(np.float32)
    felt = lag_weather(temp_c, np.array([5.0, 50.0]))
    assert (felt[:, :240] == 0).all()
    assert felt[0, 245] == pytest.approx(10 * (1 - np.exp(-1)), abs=1.0)
    assert felt[1, 290] == pytest.approx(10 * (1 - np.exp(-1)), abs=1.0)


def test_every_kind_of_pump_occurs_and_none_runs_where_there_is_none(pumps: HeatPumps) -> None:
    assert set(pumps.kind[pumps.life.is_ever].tolist()) == set(range(len(KINDS)))
    assert (pumps.power_kw[~pumps.life.is_ever] == 0).all()
    assert (pumps.power_kw >= 0).all()


def test_pumps_draw_more_on_colder_days(pumps: HeatPumps, population: Population, weather: Weather) -> None:
    steady = pumps.life.is_ever & (pumps.life.from_slot == 0) & (pumps.kind < 2)
    daily_kw = pumps.power_kw[steady].reshape(steady.sum(), -1, 48).mean(axis=2)
    daily_c = weather.temp_c[population.area[steady]].reshape(steady.sum(), -1, 48).mean(axis=2)
    correlation = [np.corrcoef(kw, temp)[0, 1] for kw, temp in zip(daily_kw, daily_c, strict=True)]
    assert steady.sum() > 20
    assert np.mean([one < -0.3 for one in correlation]) > 0.85


def test_a_pump_that_arrives_draws_nothing_before(pumps: HeatPumps) -> None:
    arrived = np.flatnonzero(pumps.life.is_ever & (pumps.life.from_slot > 0))
    assert arrived.size >= 3
    for meter in arrived:
        assert pumps.power_kw[meter, : pumps.life.from_slot[meter]].max() == 0
        assert pumps.power_kw[meter, pumps.life.from_slot[meter] :].max() > 0
