"""Behaviours of GB homes, by rule, written before the bundled classifier was fitted; how its examples count was chosen with them in sight.

Used by ``behaviour_homes.py``. Semi-synthetic; the rules share no code with the detectors or with the simulator.
"""

from functools import partial
from typing import Final

import numpy as np
from home_scenarios import (
    CAR_KW,
    Home,
    Outcome,
    Scenario,
    draw_array,
    draw_heat_pump,
    draw_runs,
    net,
    run_store,
)
from later_scenarios import COLD_MONTHS, WORKDAYS, Runs, add_car, add_loads, draw_load, store_sizes

from fmar_spark.domain.assets import AssetClass
from fmar_spark.units import HOURS_PER_SLOT

LEAVES_AT_HOUR: Final = 7.0
STRONG_STORE: Final = (10.0, 13.5)
WINTER_DAYS: Final = (80, 300)
"""Days of the year between which a winter's battery rests."""


def charge_by_departure(rng: np.random.Generator, home: Home) -> Outcome:
    """A car that is full at 07:00 on six days in ten: the end is fixed, and the start follows the need."""
    days = np.flatnonzero(rng.random(home.days) < 0.6)
    hours = np.minimum(1.4 * np.exp(0.35 * rng.standard_normal(days.size)), LEAVES_AT_HOUR)
    ran = draw_runs(home, days, LEAVES_AT_HOUR - hours, hours)
    return Outcome(home.kwh + CAR_KW * HOURS_PER_SLOT * ran, sizes={"ev_kw": CAR_KW})


def charge_two_cars(rng: np.random.Generator, home: Home) -> Outcome:
    """One car of 7.2 kW after work and one of 3.6 kW from 00:30, on days of their own."""
    loads = (Runs(7.2, (18.0,), 0.7, 0.9, 0.2, 0.7, WORKDAYS), Runs(3.6, (0.5,), 0.0, 2.0, 0.2, 0.6))
    return add_car(loads, rng, home)


def heat_and_charge(rng: np.random.Generator, home: Home) -> Outcome:
    """A heat pump, and a car that takes about 8 kWh each night."""
    drawn, size_kw = draw_heat_pump(rng, home)
    car = draw_load(rng, home, Runs(CAR_KW, (0.5,), 0.0, 1.1, 0.15, 0.9))
    return Outcome(home.kwh + drawn + car, sizes={"heat_pump_kw": size_kw, "ev_kw": CAR_KW})


def store_strongly(rng: np.random.Generator, home: Home) -> Outcome:
    """A battery of 10 kW and 13.5 kWh that fills from 23:30."""
    fills = (home.hour >= 23.5) | (home.hour < 5.5)
    flow = run_store(home.kwh, fills, np.zeros_like(fills), STRONG_STORE)
    return net(home.kwh + flow, has_export=False)._replace(sizes=store_sizes(STRONG_STORE))


def store_in_winter(rng: np.random.Generator, home: Home) -> Outcome:
    """An array, and a battery that fills off-peak in winter alone."""
    generated, size_kwp = draw_array(rng, home)
    surplus, size = home.kwh - generated, (3.6, rng.uniform(6.0, 11.0))
    day = home.local.dayofyear.to_numpy()
    fills = ((day < WINTER_DAYS[0]) | (day > WINTER_DAYS[1])) & (home.hour >= 0.5) & (home.hour < 4.5)
    flow = run_store(surplus, fills, np.zeros_like(fills), size)
    return net(surplus + flow, has_export=True)._replace(sizes={"pv_kwp": size_kwp, **store_sizes(size)})


_CAR: Final = (AssetClass.EV,)
_STORE: Final = (AssetClass.BATTERY,)
_LOADS: Final = (
    ("7.4 kW, 5 kWh before each workday, from 02:00", _CAR, (Runs(7.4, (2.0,), 0.02, 0.68, 0.1, 0.92, WORKDAYS),)),
    ("3.6 kW, about 7 kWh each evening", _CAR, (Runs(3.6, (18.2,), 0.5, 1.95, 0.12, 0.9),)),
    ("7.2 kW twice a day, half an hour", _CAR, (Runs(7.2, (8.7,), 0.4, 0.55, 0.25, 0.7), Runs(7.2, (17.6,), 0.5, 0.6, 0.25, 0.7))),
    ("7 kW, 20 kWh on two fixed nights a week", _CAR, (Runs(7.0, (0.5,), 0.0, 2.85, 0.15, 0.95, (1, 4)),)),
    ("2.3 kW, 5 kWh each night", _CAR, (Runs(2.3, (23.0,), 0.2, 2.2, 0.12, 0.9),)),
    ("lamps, 1.2 kW, 20:00 to 08:00", (), (Runs(1.2, (20.0,), 0.0, 12.0, 0.0, 1.0),)),
    ("lamps, 0.6 kW, 05:00 to 23:00", (), (Runs(0.6, (5.0,), 0.0, 18.0, 0.0, 1.0),)),
    ("swim spa, 3 kW, twice a day", (), (Runs(3.0, (3.0,), 0.2, 2.5, 0.2, 1.0), Runs(3.0, (13.0,), 0.3, 1.5, 0.3, 1.0))),
    (
        "electric boiler, 9 kW, by thermostat",
        (),
        (
            Runs(9.0, (6.0,), 0.2, 2.5, 0.2, 1.0, months=COLD_MONTHS, duty=0.5),
            Runs(9.0, (17.0,), 0.3, 5.0, 0.2, 1.0, months=COLD_MONTHS, duty=0.4),
        ),
    ),
    ("dishwasher and dryer after 21:00", (), (Runs(2.0, (21.0,), 0.4, 0.9, 0.1, 0.8), Runs(2.4, (22.0,), 0.4, 1.3, 0.3, 0.4))),
)
NEWEST_SCENARIOS: Final = (
    *(Scenario(name, has, partial(add_car if has else add_loads, loads)) for name, has, loads in _LOADS),
    Scenario("7.2 kW that is full at 07:00", _CAR, charge_by_departure),
    Scenario("two cars, one after work and one at night", _CAR, charge_two_cars),
    Scenario("heat pump and a car each night", (*_CAR, AssetClass.HEAT_PUMP), heat_and_charge),
    Scenario("battery, 10 kW, from 23:30", _STORE, store_strongly),
    Scenario("solar PV and battery, off-peak in winter", (AssetClass.SOLAR_PV, *_STORE), store_in_winter),
)
