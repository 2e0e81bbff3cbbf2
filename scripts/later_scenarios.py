"""More behaviours of GB homes, by rule, written when one bundled classifier was fixed; those after it were chosen with them in sight.

Used by ``behaviour_homes.py``. Semi-synthetic; the rules share no code with the detectors or with the simulator.
"""

from functools import partial
from typing import Final, NamedTuple

import numpy as np
from home_scenarios import (
    BATTERY_KW,
    CAR_KW,
    SLOTS_A_DAY,
    Energies,
    Flags,
    Home,
    Outcome,
    Scenario,
    draw_array,
    draw_heat_pump,
    draw_runs,
    draw_temperatures,
    net,
    run_store,
    switch_below_least,
)

from fmar_spark.domain.assets import AssetClass
from fmar_spark.units import HOURS_PER_SLOT

WORKDAYS: Final = (0, 1, 2, 3, 4)
ALL_DAYS: Final = (*WORKDAYS, 5, 6)
ALL_MONTHS: Final = tuple(range(1, 13))
COLD_MONTHS: Final = (10, 11, 12, 1, 2, 3, 4)
SWIMMING_MONTHS: Final = (5, 6, 7, 8, 9)
DIVERTER_KW: Final = 3.0
HEAT_PUMP_KW: Final = 2.5
LEAST_SURPLUS_KW: Final = 1.4
MOST_SURPLUS_KW: Final = 7.2


class Runs(NamedTuple):
    """A load of constant power that starts once on each of some days."""

    kw: float
    start_hours: tuple[float, ...]
    """One of them is drawn for each day; by the local clock."""
    start_spread: float
    """Standard deviation of the start, hours."""
    hours: float
    hours_spread: float
    """Standard deviation of the logarithm of a run's hours."""
    share: float
    """Of the days below on which it runs."""
    weekdays: tuple[int, ...] = ALL_DAYS
    months: tuple[int, ...] = ALL_MONTHS
    duty: float = 1.0
    """Share of half-hours of a run in which a thermostat lets it draw."""


def draw_load(rng: np.random.Generator, home: Home, runs: Runs) -> Energies:
    """Energy of each half-hour, kWh, shape (slots,)."""
    midnights = home.local[home.hour == 0][: home.days]
    is_due = np.isin(midnights.dayofweek, runs.weekdays) & np.isin(midnights.month, runs.months)
    days = np.flatnonzero(is_due & (rng.random(len(midnights)) < runs.share))
    starts = rng.choice(runs.start_hours, days.size) + runs.start_spread * rng.standard_normal(days.size)
    hours = runs.hours * np.exp(runs.hours_spread * rng.standard_normal(days.size))
    is_on = rng.random(len(home.kwh)) < runs.duty
    return runs.kw * HOURS_PER_SLOT * draw_runs(home, days, np.maximum(starts, 0.0), hours) * is_on


def add_loads(loads: tuple[Runs, ...], rng: np.random.Generator, home: Home) -> Outcome:
    """The home with loads added."""
    return Outcome(home.kwh + sum(draw_load(rng, home, runs) for runs in loads))


def add_car(loads: tuple[Runs, ...], rng: np.random.Generator, home: Home) -> Outcome:
    """The same, and all of them are a car."""
    return add_loads(loads, rng, home)._replace(sizes={"ev_kw": max(runs.kw for runs in loads)})


def find_cheap(rng: np.random.Generator, home: Home, slots: int) -> Flags:
    """The cheapest half-hours of each day of a half-hourly tariff: most before dawn, on windy or sunny days others."""
    cheap = np.zeros(len(home.kwh), dtype=np.bool_)
    night = -np.cos(2 * np.pi * (np.arange(SLOTS_A_DAY) - 7) / SLOTS_A_DAY)
    for midnight in np.flatnonzero(home.hour == 0):
        order = midnight + np.argsort(night + 0.5 * rng.standard_normal(SLOTS_A_DAY))[:slots]
        cheap[order[order < cheap.size]] = True
    return cheap


def charge_cheaply(rng: np.random.Generator, home: Home) -> Outcome:
    """A car in the four cheapest half-hours of seven days in ten."""
    is_day = np.repeat(rng.random(home.days + 2) < 0.7, SLOTS_A_DAY)[: len(home.kwh)]
    return Outcome(home.kwh + CAR_KW * HOURS_PER_SLOT * (find_cheap(rng, home, 4) & is_day), sizes={"ev_kw": CAR_KW})


def charge_within_a_limit(rng: np.random.Generator, home: Home) -> Outcome:
    """A charge point that leaves the home's own load its share of 7.2 kW."""
    share = draw_load(rng, home, Runs(1.0, (0.5,), 0.3, 2.6, 0.3, 0.5)) / HOURS_PER_SLOT
    left = np.clip(CAR_KW - np.nan_to_num(home.kwh) / HOURS_PER_SLOT - 0.8 * rng.random(len(home.kwh)), 1.4, CAR_KW)
    return Outcome(home.kwh + share * left * HOURS_PER_SLOT, sizes={"ev_kw": CAR_KW})


def charge_in_pieces(rng: np.random.Generator, home: Home) -> Outcome:
    """A supplier's choice of up to three pieces, of half an hour to one and a half, by night and by day."""
    pieces = [draw_load(rng, home, Runs(CAR_KW, (23.5, 0.5, 2.0, 3.5, 4.5, 13.0, 21.0), 0.0, 0.9, 0.4, 0.5)) for _ in range(3)]
    return Outcome(home.kwh + np.minimum(sum(pieces), CAR_KW * HOURS_PER_SLOT), sizes={"ev_kw": CAR_KW})


def follow_the_sun(rng: np.random.Generator, home: Home) -> Outcome:
    """A charge point that takes nothing but surplus, on half of the days; the export is metered."""
    generated, size_kwp = draw_array(rng, home)
    surplus_kw = (generated - np.nan_to_num(home.kwh)) / HOURS_PER_SLOT
    is_here = np.repeat(rng.random(home.days + 2) < 0.5, SLOTS_A_DAY)[: surplus_kw.size]
    taken = np.where(is_here & (surplus_kw > LEAST_SURPLUS_KW), np.minimum(surplus_kw, MOST_SURPLUS_KW), 0.0)
    outcome = net(home.kwh - generated + taken * HOURS_PER_SLOT, has_export=True)
    return outcome._replace(sizes={"pv_kwp": size_kwp, "ev_kw": MOST_SURPLUS_KW})


def store_cheaply(rng: np.random.Generator, home: Home) -> Outcome:
    """A battery that fills in the five cheapest half-hours of a half-hourly tariff."""
    size = (BATTERY_KW, rng.uniform(5.0, 13.0))
    flow = run_store(home.kwh, find_cheap(rng, home, 5), np.zeros(len(home.kwh), dtype=np.bool_), size)
    return net(home.kwh + flow, has_export=False)._replace(sizes=store_sizes(size))


def store_three_times(rng: np.random.Generator, home: Home) -> Outcome:
    """A battery that fills in three spells of a heat pump tariff: 04:00 to 07:00, 13:00 to 16:00, from 22:00."""
    fills = ((home.hour >= 4) & (home.hour < 7)) | ((home.hour >= 13) & (home.hour < 16)) | (home.hour >= 22)
    size = (BATTERY_KW, rng.uniform(5.0, 13.0))
    flow = run_store(home.kwh, fills, np.zeros_like(fills), size)
    return net(home.kwh + flow, has_export=False)._replace(sizes=store_sizes(size))


def sell_in_the_evening(rng: np.random.Generator, home: Home) -> Outcome:
    """An array and a battery that fills from 02:00 to 05:00 and gives all it can from 16:00 to 19:00."""
    generated, size_kwp = draw_array(rng, home)
    size = (5.0, rng.uniform(9.0, 13.0))
    surplus = home.kwh - generated
    flow = run_store(surplus, (home.hour >= 2) & (home.hour < 5), (home.hour >= 16) & (home.hour < 19), size)
    return net(surplus + flow, has_export=True)._replace(sizes={"pv_kwp": size_kwp, **store_sizes(size)})


def store_sun_import_only(rng: np.random.Generator, home: Home) -> Outcome:
    """An array and a battery of 5 kWh without a register of exports."""
    generated, size_kwp = draw_array(rng, home)
    surplus, never, size = home.kwh - generated, np.zeros(len(home.kwh), dtype=np.bool_), (BATTERY_KW, 5.0)
    outcome = net(surplus + run_store(surplus, never, never, size), has_export=False)
    return outcome._replace(sizes={"pv_kwp": size_kwp, **store_sizes(size)})


def store_sizes(size: tuple[float, float]) -> dict[str, float]:
    """Sizes of a battery as labels name them."""
    return {"battery_kw": size[0], "battery_kwh": size[1]}


def add_small_array(rng: np.random.Generator, home: Home) -> Outcome:
    """An array of 1.2 kWp without a register of exports."""
    generated, size_kwp = draw_array(rng, home)
    return net(home.kwh - generated * 1.2 / size_kwp, has_export=False)._replace(sizes={"pv_kwp": 1.2})


def divert_sun(rng: np.random.Generator, home: Home) -> Outcome:
    """An array whose surplus heats water, 3 to 8 kWh a day, before it is exported."""
    generated, size_kwp = draw_array(rng, home)
    surplus = np.maximum(generated - np.nan_to_num(home.kwh), 0.0)
    taken, room, hours = np.zeros(surplus.size), 0.0, home.hour
    for slot in range(surplus.size):
        room = rng.uniform(3.0, 8.0) if hours[slot] == 0 else room
        taken[slot] = min(surplus[slot], room, DIVERTER_KW * HOURS_PER_SLOT)
        room -= taken[slot]
    return net(home.kwh - generated + taken, has_export=True)._replace(sizes={"pv_kwp": size_kwp})


def heat_with_water_at_night(rng: np.random.Generator, home: Home) -> Outcome:
    """A heat pump that heats water at 03:30 as well."""
    drawn, size_kw = draw_heat_pump(rng, home)
    water = draw_load(rng, home, Runs(2.2, (3.5,), 0.0, 0.8, 0.2, 1.0))
    return Outcome(home.kwh + drawn + water, sizes={"heat_pump_kw": size_kw})


def heat_with_gas_in_frost(rng: np.random.Generator, home: Home) -> Outcome:
    """A hybrid: a boiler takes over below 4 °C."""
    temperatures = draw_temperatures(rng, home)
    kw = np.where(temperatures < 4, 0.0, np.clip((15.5 - temperatures) / 17, 0, 1) * HEAT_PUMP_KW) * (
        1 + 0.1 * rng.standard_normal(len(home.kwh))
    )
    return Outcome(home.kwh + switch_below_least(rng, kw) * HOURS_PER_SLOT, sizes={"heat_pump_kw": HEAT_PUMP_KW})


def heat_in_cheap_spells(rng: np.random.Generator, home: Home) -> Outcome:
    """A heat pump that runs harder from 04:00 to 07:00 and 13:00 to 16:00, and hardly from 16:00 to 19:00."""
    share = np.clip((15.5 - draw_temperatures(rng, home)) / 17, 0, 1)
    cheap = ((home.hour >= 4) & (home.hour < 7)) | ((home.hour >= 13) & (home.hour < 16))
    pace = np.where(cheap, 1.7, np.where((home.hour >= 16) & (home.hour < 19), 0.15, 0.8))
    kw = HEAT_PUMP_KW * share * pace * (1 + 0.1 * rng.standard_normal(len(home.kwh)))
    return Outcome(home.kwh + kw * HOURS_PER_SLOT, sizes={"heat_pump_kw": HEAT_PUMP_KW})


_CAR: Final = (AssetClass.EV,)
_SHOWER: Final = Runs(9.5, (6.8, 7.2, 7.6, 20.0, 21.5), 0.4, 0.13, 0.3, 0.9)
_LOADS: Final = (
    ("7.2 kW, one day in five, at any hour", _CAR, (Runs(7.2, (9.0, 12.0, 15.0, 18.0, 21.0), 1.5, 1.4, 0.6, 0.2),)),
    ("7.2 kW, Saturdays at 10:00", _CAR, (Runs(7.2, (10.0,), 1.2, 3.9, 0.2, 0.85, (5,)),)),
    ("2.2 kW, all night, half of the nights", _CAR, (Runs(2.2, (18.5,), 1.0, 7.0, 0.3, 0.55),)),
    ("7.2 kW that ends slowly", _CAR, (Runs(7.3, (0.5,), 0.0, 2.2, 0.3, 0.45), Runs(2.5, (3.0,), 0.3, 0.6, 0.2, 0.45))),
    ("11 kW, evenings, two a week", _CAR, (Runs(11.0, (20.0,), 1.5, 2.2, 0.35, 0.25),)),
    ("7.2 kW, 45 minutes each workday at 17:50", _CAR, (Runs(7.2, (17.8,), 0.4, 0.76, 0.25, 0.85, WORKDAYS),)),
    ("kiln, 7 kW, one day in ten", (), (Runs(7.0, (9.0,), 1.0, 7.0, 0.15, 0.1),)),
    ("hot tub by thermostat", (), (Runs(2.8, (0.0,), 0.0, 24.0, 0.0, 1.0, duty=0.2),)),
    ("sauna, 6 kW, two evenings a week", (), (Runs(6.0, (19.0,), 1.0, 1.4, 0.2, 0.25),)),
    ("four electric showers a day", (), (_SHOWER,) * 4),
    ("pool pump", (), (Runs(1.1, (9.0,), 0.0, 8.0, 0.0, 1.0, months=SWIMMING_MONTHS),)),
    (
        "washing at night",
        (),
        (Runs(2.1, (0.5,), 0.1, 0.8, 0.1, 0.6), Runs(2.2, (1.0,), 0.1, 0.65, 0.1, 0.5), Runs(2.5, (2.5,), 0.1, 1.4, 0.2, 0.4)),
    ),
    ("heater of a home office", (), (Runs(2.0, (9.0,), 0.3, 7.0, 0.1, 0.8, WORKDAYS, COLD_MONTHS, 0.65),)),
    ("heater of a bedroom", (), (Runs(2.0, (22.0,), 0.2, 9.0, 0.05, 1.0, months=COLD_MONTHS, duty=0.5),)),
    ("range cooker that heats at night", (), (Runs(2.9, (23.5,), 0.0, 5.0, 0.2, 1.0),)),
    ("lamps for plants, 18:00 to 06:00", (), (Runs(2.4, (18.0,), 0.0, 12.0, 0.0, 1.0),)),
    ("bread at 04:30, half of the days", (), (Runs(3.2, (4.5,), 0.3, 2.2, 0.2, 0.5),)),
    ("air conditioning by day", (), (Runs(1.5, (11.0,), 1.0, 7.0, 0.15, 0.7, months=(6, 7, 8)),)),
)
_STORE: Final = (AssetClass.BATTERY,)
_ARRAY: Final = (AssetClass.SOLAR_PV,)
LATER_SCENARIOS: Final = (
    *(Scenario(name, has, partial(add_car if has else add_loads, loads)) for name, has, loads in _LOADS),
    Scenario("7.2 kW in the cheapest half-hours", _CAR, charge_cheaply),
    Scenario("7.2 kW within the home's limit", _CAR, charge_within_a_limit),
    Scenario("7.2 kW in a supplier's pieces", _CAR, charge_in_pieces),
    Scenario("solar PV and a car that follows the sun", (*_ARRAY, *_CAR), follow_the_sun),
    Scenario("battery in the cheapest half-hours", _STORE, store_cheaply),
    Scenario("battery that fills three times a day", _STORE, store_three_times),
    Scenario("solar PV and battery that sells from 16:00", (*_ARRAY, *_STORE), sell_in_the_evening),
    Scenario("solar PV and battery, import only", (*_ARRAY, *_STORE), store_sun_import_only),
    Scenario("solar PV of 1.2 kWp, import only", _ARRAY, add_small_array),
    Scenario("solar PV that heats water", _ARRAY, divert_sun),
    Scenario("heat pump, water at night", (AssetClass.HEAT_PUMP,), heat_with_water_at_night),
    Scenario("heat pump, boiler in frost", (AssetClass.HEAT_PUMP,), heat_with_gas_in_frost),
    Scenario("heat pump, cheap spells", (AssetClass.HEAT_PUMP,), heat_in_cheap_spells),
    Scenario("7.2 kW, the same 6 kWh each night from 00:30", _CAR, partial(add_car, (Runs(7.2, (0.5,), 0.0, 0.83, 0.12, 0.9),))),
)
