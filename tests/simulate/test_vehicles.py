"""Cars that charge at their charger's power, when their drivers come home, a tariff says or the sun shines."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.catalogue import name_behaviours
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.plan import TARIFFS, FleetPlan, Floats, Ints
from fmar_spark.simulate.population import Life, Population
from fmar_spark.simulate.vehicles import LEAST_SURPLUS_KW, Vehicles, scale_life, simulate_vehicles

NAMES = name_behaviours(AssetClass.EV)
METERS = 160
CHARGING = np.arange(METERS) % (len(NAMES) - 1)
"""Every behaviour of a home in turn."""


def charge(plan: FleetPlan, calendar: Calendar, population: Population, surplus_kw: Floats | None = None) -> Vehicles:
    none = np.zeros((len(population.area), plan.slots))
    return simulate_vehicles(np.random.default_rng(1), population, calendar, plan, none if surplus_kw is None else surplus_kw)


@pytest.fixture(scope="module")
def cars(plan: FleetPlan, calendar: Calendar, draw_homes: Callable[..., Population]) -> Vehicles:
    return charge(plan, calendar, draw_homes(METERS, home_ev=0.9)._replace(charging=CHARGING))


def of(name: str, cars: Vehicles) -> Ints:
    """Rows with that behaviour that had the car from the first day."""
    return np.flatnonzero((NAMES.index(name) == CHARGING) & cars.life.is_ever & (cars.life.from_slot == 0))


def by_day(cars: Vehicles, rows: Ints) -> Floats:
    return np.asarray(cars.power_kw[rows].reshape(len(rows), -1, 48).sum(axis=2) / 2)


def test_only_homes_with_a_car_charge_and_never_above_the_charge_point(cars: Vehicles, plan: FleetPlan) -> None:
    largest = np.maximum(cars.life.size_kw, cars.life.size_after_kw)
    assert (cars.power_kw[~cars.life.is_ever] == 0).all()
    assert (cars.power_kw.max(axis=1) <= 1.021 * largest).all()
    assert (cars.power_kw >= 0).all()
    assert cars.power_kw.shape == (METERS, plan.slots)


def test_drivers_differ_in_how_often_and_how_much_they_charge(cars: Vehicles) -> None:
    mine = np.flatnonzero(cars.life.is_ever & (cars.life.from_slot == 0))
    day_share = (by_day(cars, mine) > 0.5).mean(axis=1)
    low, high = np.quantile(day_share, (0.1, 0.9))
    assert low < 0.3
    assert high > 0.6
    assert 2 < np.median(by_day(cars, mine).mean(axis=1)) < 12


def test_cars_on_an_off_peak_tariff_charge_at_night_and_those_on_arrival_mostly_do_not(cars: Vehicles, calendar: Calendar) -> None:
    night = (calendar.local_slot >= 46) | (calendar.local_slot < 16)
    share = cars.power_kw[:, night].sum(axis=1) / np.maximum(cars.power_kw.sum(axis=1), 1e-9)
    assert np.median(share[of("ev_off_peak_nightly_7kw", cars)]) > 0.7
    assert np.median(share[of("ev_smart_pieces", cars)]) > 0.6
    assert np.median(share[of("ev_daily_top_up", cars)]) < 0.55


def test_energy_varies_from_night_to_night_while_power_does_not(cars: Vehicles) -> None:
    rows = of("ev_off_peak_nightly_7kw", cars)
    daily = by_day(cars, rows)
    spread = np.array([day[day > 0.5].std() / day[day > 0.5].mean() for day in daily])
    assert np.median(spread) > 0.2
    top = np.quantile(cars.power_kw[rows], 0.999, axis=1)
    assert (np.abs(top / cars.life.size_kw[rows] - 0.95) < 0.12).all()


def test_a_weekly_driver_charges_about_once_a_week(cars: Vehicles) -> None:
    assert ((by_day(cars, of("ev_weekly_fill", cars)) > 5).mean(axis=1) < 0.35).all()


def test_pieces_are_whole_half_hours_apart(cars: Vehicles) -> None:
    for row in of("ev_smart_pieces", cars):
        on = cars.power_kw[row] > 0.5 * cars.life.size_kw[row]
        assert (np.diff(np.flatnonzero(on)) > 1).mean() > 0.15


def test_surplus_is_followed_from_six_amperes_on_and_the_night_gives_the_rest(
    plan: FleetPlan, calendar: Calendar, draw_homes: Callable[..., Population]
) -> None:
    number = NAMES.index("ev_solar_divert")
    population = draw_homes(20, home_ev=1.0)._replace(charging=np.full(20, number))
    sunny = np.zeros((20, plan.slots))
    sunny[:, (np.arange(plan.slots) % 48 >= 20) & (np.arange(plan.slots) % 48 < 28)] = 2.0
    sunny[:, np.arange(plan.slots) % 48 == 19] = LEAST_SURPLUS_KW - 0.1
    cars = charge(plan, calendar, population, sunny)
    here = cars.life.is_ever & (cars.life.from_slot == 0) & (cars.life.to_slot == plan.slots)
    noon = cars.power_kw[here][:, np.arange(plan.slots) % 48 == 22]
    assert (np.isclose(noon, 2.0).mean(axis=1) > 0.2).all()
    assert cars.power_kw[here].max() > 4.0


def test_a_charge_point_for_surplus_alone_takes_nothing_else(
    plan: FleetPlan, calendar: Calendar, draw_homes: Callable[..., Population]
) -> None:
    population = draw_homes(20, home_ev=1.0)._replace(charging=np.full(20, NAMES.index("ev_solar_only")))
    is_noon = (np.arange(plan.slots) % 48 >= 20) & (np.arange(plan.slots) % 48 < 28)
    sunny = np.zeros((20, plan.slots))
    sunny[:10, is_noon] = 2.0
    cars = charge(plan, calendar, population, sunny)
    here = cars.life.is_ever & (cars.life.from_slot == 0)
    assert (cars.power_kw[:10][:, ~is_noon] == 0).all()
    assert (cars.power_kw[:10][here[:10]].max(axis=1) > 1.9).all()
    assert (cars.power_kw[10:][here[10:]].max(axis=1) > 4.0).all()


def test_the_same_drive_each_day_takes_nearly_the_same_energy(cars: Vehicles) -> None:
    daily = by_day(cars, of("ev_same_each_night", cars))
    spread = [day[day > 0.5].std() / day[day > 0.5].mean() for day in daily]
    wider = by_day(cars, of("ev_off_peak_nightly_7kw", cars))
    assert np.median(spread) < 0.35
    assert np.median(spread) < np.median([day[day > 0.5].std() / day[day > 0.5].mean() for day in wider])


def test_cars_that_come_home_after_work_charge_on_working_days_in_the_evening(cars: Vehicles, calendar: Calendar) -> None:
    power_kw = cars.power_kw[of("ev_after_work", cars)]
    is_rest = calendar.spread_days(calendar.is_rest_day[None])[0]
    evening = (calendar.local_slot >= 30) & (calendar.local_slot < 46)
    assert power_kw[:, ~is_rest].mean() > 4 * power_kw[:, is_rest].mean()
    assert power_kw[:, evening].sum() > 0.6 * power_kw.sum()


def test_workplaces_charge_on_working_days(plan: FleetPlan, calendar: Calendar, draw_homes: Callable[..., Population]) -> None:
    population = draw_homes(60, domestic=0.0, business_ev=1.0)._replace(tariff=np.full(60, TARIFFS.index("flat")))
    working = charge(plan, calendar, population).power_kw[population.charging == NAMES.index("ev_workplace")]
    is_rest = calendar.spread_days(calendar.is_rest_day[None])[0]
    assert len(working) > 20
    assert working[:, ~is_rest].mean() > 5 * working[:, is_rest].mean()


def test_several_points_multiply_the_size() -> None:
    life = Life(*(np.array([value]) for value in (True, 0, 10, 10, 7.4, 11.0)))
    assert [float(column[0]) for column in scale_life(life, np.array([3.0]))[4:]] == pytest.approx([22.2, 33.0])
