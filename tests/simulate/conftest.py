"""What tests of the simulation share: one small fleet with some of everything."""

from datetime import date

import pytest

from fmar_spark.simulate.fleet import Fleet, simulate_fleet
from fmar_spark.simulate.permissions import Permissions, draw_permissions
from fmar_spark.simulate.plan import FleetPlan, mix_from

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
    """What the fleet's people allowed."""
    return draw_permissions(plan, 0, fleet)
