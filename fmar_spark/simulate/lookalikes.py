"""Loads that can be mistaken for an asset: water, storage and panel heating, showers, hot tubs, air conditioning, machines."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.heat_pumps import lag_weather
from fmar_spark.simulate.homes import Occupancy
from fmar_spark.simulate.loads import Uses, build_load, cycle_at_demand
from fmar_spark.simulate.plan import Bools, Floats, Ints
from fmar_spark.simulate.population import Population


class Surroundings(NamedTuple):
    """What the look-alikes of some meters depend on; rows are those meters only."""

    rows: Ints
    """Rows of the block."""
    population: Population
    calendar: Calendar
    temp_c: Floats
    """(rows, slots)"""
    is_away: Bools
    """(rows, days)"""
    is_home: Bools
    """(rows, slots) occupied and awake, or the business open."""
    factor: Floats
    """(rows,) 1 for homes, more for businesses."""

    @property
    def shape(self) -> tuple[int, int]:
        """Meters and slots."""
        return len(self.temp_c), int(self.temp_c.shape[1])

    @property
    def days_shape(self) -> tuple[int, int]:
        """Meters and days."""
        return len(self.temp_c), self.calendar.days


def _daily_blocks(around: Surroundings, used: Bools, start: Floats, length: Floats, kw: Floats) -> Floats:
    """One use on some days: whether, start and length (meters, days) in local slots, ``kw`` (meters,)."""
    meter, day = np.nonzero(used & ~around.is_away)
    uses = Uses(meter, day * 48 + start[meter, day] - around.calendar.utc_shift_slots[day], length[meter, day], kw[meter])
    return build_load(uses, *around.shape)


def _immersion(rng: np.random.Generator, around: Surroundings) -> Floats:
    """Twice a day by timer, on the night rate, by thermostat at any time, or switched by hand."""
    meters, days = around.days_shape
    is_three_kw = rng.random(meters) < 0.75
    kw = np.where(is_three_kw, rng.normal(2.9, 0.13, meters), rng.uniform(2.0, 3.7, meters)) * np.sqrt(around.factor)
    style = rng.choice(4, meters, p=(0.4, 0.25, 0.2, 0.15))
    total = np.zeros(around.shape, np.float32)
    wobble = np.where(style == 3, 5.0, rng.choice([0.02, 0.1, 0.6], meters))[:, None]
    for spell, at in enumerate(([10.0, 12.0, 13.0, 1.0], [32.0, 34.0, 36.0, 25.0])):
        first = np.where(style == 1, rng.choice([0.0, 1.0, 4.0, 47.0], meters), rng.choice(at, meters) + rng.normal(0, 1, meters))
        used = (style != 2)[:, None] & (rng.random((meters, days)) < np.where(style == 3, 0.35, rng.uniform(0.8, 1.0, meters))[:, None])
        used &= (spell == 0) | (style != 1)[:, None]
        usual = np.where(style == 1, rng.uniform(1.5, 6.0, meters), rng.uniform(0.6, 4.0, meters))
        length = usual[:, None] * np.exp(rng.uniform(0.05, 0.4, (meters, 1)) * rng.standard_normal((meters, days)))
        total += _daily_blocks(around, used, first[:, None] + wobble * rng.standard_normal((meters, days)), length, kw)
    drawn = np.where(around.is_home, 0.13, 0.035) * (style == 2)[:, None]
    uses = cycle_at_demand(drawn, rng.uniform(0.3, 1.6, meters))
    return total + build_load(Uses(uses.meter, uses.start, uses.length, kw[uses.meter]), *around.shape)


def _storage_heating(rng: np.random.Generator, around: Surroundings) -> Floats:
    """Storage charged in the off-peak hours, for longer before cold days; some boost in the evening."""
    meters, days = around.days_shape
    daily = np.zeros((meters, days))
    whole = around.shape[1] // 48
    daily[:, :whole] = around.temp_c[:, : whole * 48].reshape(meters, whole, 48).mean(axis=2)
    daily[:, whole:] = daily[:, whole - 1 : whole]
    want = np.clip((rng.uniform(12, 17, (meters, 1)) - daily) / rng.uniform(8, 15, (meters, 1)), 0, 1)
    total = np.zeros(around.shape, np.float32)
    first = rng.choice([1.0, 0.0, 47.0, 2.0], meters)[:, None]
    for _ in range(3):
        kw = rng.choice([0.0, 1.7, 2.55, 3.4], meters) * rng.uniform(0.93, 1.03, meters) * around.factor
        length = want * 14.0 * rng.uniform(0.6, 1.0, (meters, 1)) + rng.normal(0, 0.3, (meters, days))
        total += _daily_blocks(around, length > 0.3, np.repeat(first, days, axis=1), np.maximum(length, 0), kw)
    boost = rng.random((meters, days)) < want * rng.uniform(0, 0.5, (meters, 1))
    at = 36 + 3 * rng.standard_normal((meters, days))
    return total + _daily_blocks(around, boost, at, rng.uniform(1, 7, (meters, days)), rng.uniform(0.8, 2.2, meters))


def _electric_shower(rng: np.random.Generator, around: Surroundings) -> Floats:
    meters, days = around.days_shape
    kw = rng.uniform(7.0, 10.8, meters)
    total = np.zeros(around.shape, np.float32)
    for _ in range(4):
        used = rng.random((meters, days)) < rng.beta(1.5, 2.0, (meters, 1))
        centre = np.where(rng.random(meters) < 0.6, rng.normal(14.5, 1.5, meters), rng.normal(42, 3, meters))
        at = centre[:, None] + rng.gamma(2, 0.6, (meters, 1)) * rng.standard_normal((meters, days))
        length = rng.uniform(3, 12, (meters, 1)) / 30 * np.exp(0.3 * rng.standard_normal((meters, days)))
        total += _daily_blocks(around, used, at, length, kw)
    return total


def _direct_heating(rng: np.random.Generator, around: Surroundings) -> Floats:
    """Panel heaters and boilers on thermostats: they cycle, run longer when colder, and often only while the home is occupied."""
    meters = around.shape[0]
    felt = lag_weather(around.temp_c, np.exp(rng.uniform(np.log(2), np.log(50), meters)))
    kw = rng.uniform(1.0, 9.0, meters) * around.factor
    want = np.clip((rng.uniform(11, 18, (meters, 1)) - felt) / rng.uniform(14, 30, (meters, 1)), 0, 1)
    present = np.where(around.is_home, 1.0, rng.choice([0.0, 0.15, 0.5, 1.0], (meters, 1)))
    uses = cycle_at_demand(want * present, np.exp(rng.uniform(np.log(0.15), np.log(3.0), meters)))
    part = rng.choice([0.33, 0.66, 1.0], len(uses.meter)) ** (rng.random(meters) < 0.5)[uses.meter]
    return build_load(Uses(uses.meter, uses.start, uses.length, kw[uses.meter] * part), *around.shape)


def _hot_tub(rng: np.random.Generator, around: Surroundings) -> Floats:
    meters, days = around.days_shape
    loss = np.clip((38 - around.temp_c) / 34.0, 0.1, 1.2) * rng.uniform(0.06, 0.3, (meters, 1))
    owned = np.cos(around.calendar.year_phase - rng.uniform(0, 6.3, (meters, 1))) < rng.uniform(-0.3, 1.2, (meters, 1))
    night = (around.calendar.local_slot[None] < 14) & (rng.random((meters, 1)) < 0.3)
    uses = cycle_at_demand(loss * around.calendar.spread_days(owned) * np.where(night, 2.5, 1.0), rng.uniform(0.5, 5.0, meters))
    heat = build_load(Uses(uses.meter, uses.start, uses.length, rng.uniform(1.4, 3.1, meters)[uses.meter]), *around.shape)
    used = (rng.random((meters, days)) < rng.uniform(0.05, 0.5, (meters, 1))) & owned
    at = 40 + 3 * rng.standard_normal((meters, days))
    return heat + _daily_blocks(around, used, at, rng.uniform(1, 6, (meters, days)), rng.uniform(1.5, 3.4, meters))


def _air_conditioning(rng: np.random.Generator, around: Surroundings) -> Floats:
    meters = around.shape[0]
    felt = lag_weather(around.temp_c, rng.uniform(2, 16, meters))
    want = np.clip((felt - rng.uniform(15, 23, (meters, 1))) / rng.uniform(4, 12, (meters, 1)), 0, 1)
    want = want * np.where(around.is_home, 1.0, rng.choice([0.0, 0.3, 1.0], (meters, 1)))
    is_wanted = around.calendar.spread_days(rng.random(around.days_shape) < rng.uniform(0.3, 1.0, (meters, 1)))
    kw = rng.uniform(0.6, 3.6, meters) * around.factor
    uses = cycle_at_demand(want * is_wanted, rng.uniform(0.2, 3.0, meters))
    cycled = build_load(Uses(uses.meter, uses.start, uses.length, kw[uses.meter]), *around.shape)
    return np.where(rng.random((meters, 1)) < 0.5, cycled, want * is_wanted * kw[:, None]).astype(np.float32)


def _oven_heavy(rng: np.random.Generator, around: Surroundings) -> Floats:
    """A large oven or range, at dinner nearly every day or occasionally at any hour: it heats up, then its thermostat holds it."""
    meters, days = around.days_shape
    used = rng.random((meters, days)) < rng.uniform(0.1, 1.0, (meters, 1))
    spread = np.where(rng.random((meters, 1)) < 0.6, rng.uniform(0.3, 2.5, (meters, 1)), rng.uniform(2.5, 8.0, (meters, 1)))
    at = rng.normal(34, 3.5, (meters, 1)) + spread * rng.standard_normal((meters, days))
    length = rng.uniform(0.8, 4.5, (meters, 1)) * np.exp(rng.uniform(0.15, 0.7, (meters, 1)) * rng.standard_normal((meters, days)))
    kw = rng.uniform(1.8, 4.5, meters)
    heating_up = np.minimum(length, rng.uniform(0.4, 1.2, (meters, 1)))
    held = _daily_blocks(around, used, at + heating_up, length - heating_up, kw * rng.uniform(0.2, 0.6, meters))
    return _daily_blocks(around, used, at, heating_up, kw) + held


def _pool_pump(rng: np.random.Generator, around: Surroundings) -> Floats:
    meters, days = around.days_shape
    season = np.cos(around.calendar.year_phase - 3.4)[None] > rng.uniform(-1.2, 0.4, (meters, 1))
    at = np.repeat(rng.uniform(0, 40, (meters, 1)), days, axis=1)
    length = np.repeat(rng.uniform(5, 18, (meters, 1)), days, axis=1)
    always_home = around._replace(is_away=np.zeros_like(around.is_away))
    return _daily_blocks(always_home, season, at, length, rng.uniform(0.5, 1.7, meters))


def _portable_heater(rng: np.random.Generator, around: Surroundings) -> Floats:
    """Flat blocks of one to three kilowatts for hours, on winter evenings or in a home office, at no fixed hour."""
    meters, days = around.days_shape
    cold = np.clip(0.5 + 0.6 * np.cos(around.calendar.year_phase - 0.3), 0, 1)[None]
    used = rng.random((meters, days)) < cold * rng.uniform(0.1, 0.9, (meters, 1))
    at = rng.choice([12.0, 18.0, 36.0, 40.0], (meters, 1)) + rng.gamma(2, 1.2, (meters, 1)) * rng.standard_normal((meters, days))
    length = np.exp(rng.normal(1.3, 0.6, (meters, days)))
    return _daily_blocks(around, used, at, length, rng.choice([1.0, 1.5, 2.0, 3.0], meters) * rng.uniform(0.92, 1.03, meters))


def _grow_lights(rng: np.random.Generator, around: Surroundings) -> Floats:
    meters, days = around.days_shape
    start = rng.integers(0, days, (meters, 1))
    weeks = rng.integers(30, 366, (meters, 1))
    day = np.arange(days)[None]
    on = (day >= start) & (day < start + weeks)
    hours = np.repeat(rng.choice([24.0, 36.0, 20.0], (meters, 1)), days, axis=1)
    always_home = around._replace(is_away=np.zeros_like(around.is_away))
    return _daily_blocks(always_home, on, np.repeat(rng.uniform(0, 47, (meters, 1)), days, axis=1), hours, rng.uniform(0.2, 4.0, meters))


def _tumble_dryer(rng: np.random.Generator, around: Surroundings) -> Floats:
    meters, days = around.days_shape
    wash_day = rng.gamma(1.5, 0.3, (meters, 7))[:, around.calendar.weekday]
    total = np.zeros(around.shape, np.float32)
    for _ in range(2):
        used = rng.random((meters, days)) < wash_day
        at = rng.uniform(18, 42, (meters, 1)) + rng.gamma(3, 1.2, (meters, 1)) * rng.standard_normal((meters, days))
        total += _daily_blocks(around, used, at, rng.uniform(1.0, 5.0, (meters, days)), rng.uniform(1.9, 3.0, meters))
    return total


def _works_machine(rng: np.random.Generator, around: Surroundings) -> Floats:
    """A kiln, oven or compressor: hours at one power on some days, at night or by day."""
    meters, days = around.days_shape
    used = (rng.random((meters, days)) < rng.uniform(0.05, 0.8, (meters, 1))) & (
        ~around.calendar.is_rest_day[None] | (rng.random((meters, 1)) < 0.3)
    )
    at = rng.uniform(8, 44, (meters, 1)) + rng.gamma(2, 1.0, (meters, 1)) * rng.standard_normal((meters, days))
    length = np.exp(rng.normal(1.6, 0.7, (meters, 1)) + rng.uniform(0.05, 0.6, (meters, 1)) * rng.standard_normal((meters, days)))
    return _daily_blocks(around, used, at, length, rng.uniform(3.0, 12.0, meters) * around.factor**0.7)


MAKERS: Final[dict[str, Callable[[np.random.Generator, Surroundings], Floats]]] = {
    "immersion": _immersion,
    "storage_heating": _storage_heating,
    "electric_shower": _electric_shower,
    "direct_heating": _direct_heating,
    "hot_tub": _hot_tub,
    "air_conditioning": _air_conditioning,
    "oven_heavy": _oven_heavy,
    "pool_pump": _pool_pump,
    "portable_heater": _portable_heater,
    "grow_lights": _grow_lights,
    "tumble_dryer": _tumble_dryer,
    "works_machine": _works_machine,
}
"""Look-alikes that add load; the others (vacancy, new occupants and so on) change the load itself."""


def simulate_lookalikes(
    rng: np.random.Generator, population: Population, occupancy: Occupancy, sky: tuple[Calendar, Floats], is_home: Bools
) -> Floats:
    """What every look-alike adds, kW, (meters, slots).

    Args:
        rng: stream of the look-alikes.
        population: the meters.
        occupancy: of the homes.
        sky: calendar, and outdoor temperature of each meter (meters, slots).
        is_home: occupied and awake, or open for business, (meters, slots).
    """
    calendar, temp_c = sky
    total = np.zeros(temp_c.shape, np.float32)
    factor = np.where(population.is_domestic, 1.0, np.maximum(population.scale_kw / 4.0, 1.0))
    for name, make in MAKERS.items():
        rows = np.flatnonzero(population.looks_like(name))
        child = rng.spawn(1)[0]
        if not len(rows):
            continue
        away = occupancy.is_away[rows] & population.is_domestic[rows, None]
        around = Surroundings(rows, population, calendar, temp_c[rows], away, is_home[rows], factor[rows])
        total[rows] += make(child, around)
    return total
