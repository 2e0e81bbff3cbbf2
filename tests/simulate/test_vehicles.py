"""Cars that charge at their charger's power, when their drivers come home or the tariff says."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.plan import TARIFFS, FleetPlan
from fmar_spark.simulate.population import Life, Population
from fmar_spark.simulate.vehicles import TIMINGS, Vehicles, limit_life, scale_life, simulate_vehicles


@pytest.fixture(scope="module")
def cars(plan: FleetPlan, calendar: Calendar, draw_homes: Callable[..., Population]) -> Vehicles:
    population = draw_homes(160, home_ev=0.9)._replace(tariff=np.arange(160) % 3)
    return simulate_vehicles(np.random.default_rng(1), population, calendar, plan)


def test_only_homes_with_a_car_charge_and_never_above_the_charge_point(cars: Vehicles, plan: FleetPlan) -> None:
    largest = np.maximum(cars.life.size_kw, cars.life.size_after_kw)
    assert (cars.power_kw[~cars.life.is_ever] == 0).all()
    assert (cars.power_kw.max(axis=1) <= 1.021 * largest).all()
    assert (cars.power_kw >= 0).all()
    assert cars.power_kw.shape == (160, plan.slots)


def test_sizes_are_those_of_charge_points_or_low_power_cars_and_every_timing_occurs(cars: Vehicles) -> None:
    sizes = cars.life.size_kw.tolist()
    assert set(sizes) <= {2.3, 3.7, 7.4, 11.0, 22.0, 2.8, 3.3, 3.6}
    assert set(sizes) >= {3.6, 7.4}
    assert set(cars.timing[cars.life.is_ever].tolist()) >= {TIMINGS.index(name) for name in ("at_once", "off_peak", "smart", "top_up")}


def test_drivers_differ_in_how_often_and_how_much_they_charge(cars: Vehicles) -> None:
    mine = cars.life.is_ever & (cars.life.from_slot == 0)
    by_day = cars.power_kw[mine].reshape(mine.sum(), -1, 48).sum(axis=2) / 2
    day_share = (by_day > 0.5).mean(axis=1)
    low, high = np.quantile(day_share, (0.1, 0.9))
    assert low < 0.25
    assert high > 0.5
    assert 2 < np.median(by_day.mean(axis=1)) < 12


def test_timed_cars_charge_at_night_and_others_mostly_do_not(cars: Vehicles, calendar: Calendar) -> None:
    night = (calendar.local_slot >= 46) | (calendar.local_slot < 14)
    share = cars.power_kw[:, night].sum(axis=1) / np.maximum(cars.power_kw.sum(axis=1), 1e-9)
    timed = cars.life.is_ever & (cars.timing == TIMINGS.index("off_peak"))
    at_once = cars.life.is_ever & (cars.timing == TIMINGS.index("at_once"))
    assert np.median(share[timed]) > 0.7
    assert np.median(share[at_once]) < 0.55


def test_workplaces_charge_on_working_days(plan: FleetPlan, calendar: Calendar, draw_homes: Callable[..., Population]) -> None:
    population = draw_homes(60, domestic=0.0, business_ev=1.0)._replace(tariff=np.full(60, TARIFFS.index("flat")))
    cars = simulate_vehicles(np.random.default_rng(1), population, calendar, plan)
    working = cars.power_kw[cars.timing == TIMINGS.index("work")]
    is_rest = calendar.spread_days(calendar.is_rest_day[None])[0]
    assert len(working) > 20
    assert working[:, ~is_rest].mean() > 5 * working[:, is_rest].mean()


def test_a_low_power_car_limits_the_charge_point_and_hides_its_upgrade() -> None:
    columns = ((True,) * 3, (0,) * 3, (10,) * 3, (5, 5, 10), (3.7, 3.7, 7.4), (7.4, 7.4, 7.4))
    life = limit_life(Life(*map(np.array, columns)), np.array([99.0, 3.6, 3.6]), never=10)
    assert life.size_kw.tolist() == [3.7, 3.6, 3.6]
    assert life.size_after_kw.tolist() == [7.4, 3.6, 3.6]
    assert life.upgrade_slot.tolist() == [5, 10, 10]


def test_several_points_multiply_the_size() -> None:
    life = Life(*(np.array([value]) for value in (True, 0, 10, 10, 7.4, 11.0)))
    assert [float(column[0]) for column in scale_life(life, np.array([3.0]))[4:]] == pytest.approx([22.2, 33.0])
