"""What tests of the simulation share: one small fleet with some of everything."""

from collections.abc import Callable
from datetime import date

import pytest

from fmar_spark.simulate.calendars import Calendar, build_calendar
from fmar_spark.simulate.fleet import Fleet, simulate_fleet
from fmar_spark.simulate.permissions import Permissions, draw_permissions
from fmar_spark.simulate.plan import FleetPlan, mix_from
from fmar_spark.simulate.population import Population, draw_population
from fmar_spark.simulate.weather import Weather, make_weather

MANY = {"plain": 0.1, "home_ev": 0.5, "home_solar_pv": 0.6, "appears": 0.4, "removed": 0.3, "upgraded": 0.3, "opted_out": 0.2}


@pytest.fixture(scope="session")
def plan() -> FleetPlan:
    """Sixty meters over a hundred days in which the clocks go forward."""
    return FleetPlan(60, date(2023, 2, 1), date(2023, 5, 11), seed=7, mix=mix_from(MANY))


@pytest.fixture(scope="session")
def fleet(plan: FleetPlan) -> Fleet:
    """The fleet of the plan."""
    return simulate_fleet(plan)


@pytest.fixture(scope="session")
def permissions(plan: FleetPlan, fleet: Fleet) -> Permissions:
    """Permissions of the fleet."""
    return draw_permissions(plan, 0, fleet)


@pytest.fixture(scope="session")
def calendar(plan: FleetPlan) -> Calendar:
    """London's calendar under the plan."""
    return build_calendar(plan)


@pytest.fixture(scope="session")
def weather(plan: FleetPlan) -> Weather:
    """Weather of the plan."""
    return make_weather(plan)


@pytest.fixture(scope="session")
def draw_homes(plan: FleetPlan) -> Callable[..., Population]:
    """A function from shares to eighty meters that have nothing else, homes unless stated."""

    def draw(meters: int = 80, **shares: float) -> Population:
        return draw_population(plan._replace(mix=mix_from({"plain": 0.0, "domestic": 1.0, "confuser_scale": 0.0} | shares)), 0, meters)

    return draw
