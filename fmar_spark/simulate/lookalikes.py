"""Loads that can be mistaken for an asset: water, storage and panel heating, showers, hot tubs, air conditioning, machines."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.simulate.behaviours.behaviour import Absence, Cooling
from fmar_spark.simulate.behaviours.draws import (
    draw_between,
    draw_choices,
    draw_within,
    read_each,
    read_ranges,
)
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.heat_pumps import lag_weather
from fmar_spark.simulate.homes import Occupancy
from fmar_spark.simulate.loads import Uses, build_load, cycle_at_demand
from fmar_spark.simulate.plan import Bools, Floats, Ints
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.weather import correlated_noise
from fmar_spark.units import HOURS_PER_SLOT

LONGEST_COOLING_SLOTS: Final = 26.0
"""Rooms that are cooled by hand are not cooled from one day into the next evening."""

TIMED_SHARE: Final = 0.3
"""Diverters with a timer, that leave the first surplus of a day. Source: chosen by hand."""


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
    """Water heating by the behaviours of the catalogue, but for what follows surplus generation."""
    meters, days = around.days_shape
    number = around.population.water[around.rows]
    kw = draw_within(rng, read_ranges("immersion", number, lambda how: how.kw)) * np.sqrt(around.factor)
    spread = draw_within(rng, read_ranges("immersion", number, lambda how: how.spread))[:, None]
    wobble = draw_choices(rng, "immersion", number, lambda how: how.wobble_slots)[:, None]
    chance = draw_within(rng, read_ranges("immersion", number, lambda how: how.days))[:, None]
    drawn_at_all_hours = read_each("immersion", number, lambda how: how.is_thermostat)
    by_clock = ~drawn_at_all_hours & ~read_each("immersion", number, lambda how: how.follows_surplus)
    off_peak = around.population.off_peak[around.rows]
    starts = read_each("immersion", number, lambda how: [*how.starts, *[how.starts[-1] if how.starts else (0.0, 0.0)] * 2][:2])
    runs = read_each("immersion", number, lambda how: len(how.starts))
    total = np.zeros(around.shape, np.float32)
    for run in range(int(runs.max(initial=1))):
        first = np.where(runs > 0, draw_within(rng, starts[:, run].T), off_peak)
        usual = 2 * draw_between(rng, read_ranges("immersion", number, lambda how: how.hours))
        used = (by_clock & (run < np.maximum(runs, 1)))[:, None] & (rng.random((meters, days)) < chance)
        length = usual[:, None] * np.exp(spread * rng.standard_normal((meters, days)))
        total += _daily_blocks(around, used, first[:, None] + wobble * rng.standard_normal((meters, days)), length, kw)
    drawn = np.where(around.is_home, 0.13, 0.035) * drawn_at_all_hours[:, None]
    uses = cycle_at_demand(drawn, rng.uniform(0.3, 1.6, meters))
    return total + build_load(Uses(uses.meter, uses.start, uses.length, kw[uses.meter]), *around.shape)


def _storage_heating(rng: np.random.Generator, around: Surroundings) -> Floats:
    """Storage charged in the off-peak hours, for longer before cold days; some boost in the evening."""
    meters, days = around.days_shape
    want = np.clip((rng.uniform(12, 17, (meters, 1)) - _average_days(around)) / rng.uniform(8, 15, (meters, 1)), 0, 1)
    total = np.zeros(around.shape, np.float32)
    first = around.population.off_peak[around.rows][:, None]
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
    followed = np.where(rng.random((meters, 1)) < 0.5, cycled, want * is_wanted * kw[:, None])
    by_hand = ~read_each("air_conditioning", around.population.cooling[around.rows], lambda how: how.is_thermostat)
    return np.where(by_hand[:, None], _cool_by_hand(rng, around), followed).astype(np.float32)


def _cool_by_hand(rng: np.random.Generator, around: Surroundings) -> Floats:
    """Switched on at usual hours of warm days, at one power."""
    meters, days = around.days_shape
    number = around.population.cooling[around.rows]

    def draw(read: Callable[[Cooling], tuple[float, float]]) -> Floats:
        return draw_within(rng, read_ranges("air_conditioning", number, read))[:, None]

    daily = _average_days(around)
    used = (daily > draw(lambda how: how.warm_c)) & (rng.random((meters, days)) < rng.uniform(0.5, 1.0, (meters, 1)))
    at = draw(lambda how: how.starts) + draw(lambda how: how.wobble_slots) * rng.standard_normal((meters, days))
    usual = 2.0 * draw(lambda how: how.hours)
    length = usual * np.exp(rng.uniform(0.05, 0.5, (meters, 1)) * rng.standard_normal((meters, days)))
    return _daily_blocks(around, used, at, np.minimum(length, LONGEST_COOLING_SLOTS), draw(lambda how: how.kw)[:, 0])


def _average_days(around: Surroundings) -> Floats:
    """Mean outdoor temperature of each day, shape (meters, days)."""
    whole = around.shape[1] // SLOTS_PER_DAY
    daily = np.zeros(around.days_shape)
    daily[:, :whole] = around.temp_c[:, : whole * SLOTS_PER_DAY].reshape(len(daily), whole, SLOTS_PER_DAY).mean(axis=2)
    daily[:, whole:] = daily[:, whole - 1 : whole]
    return daily


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
    on = (rng.random((meters, 1)) < 0.4) | ((day >= start) & (day < start + weeks))
    hours = np.repeat(rng.choice([24.0, 36.0, 20.0], (meters, 1)), days, axis=1)
    always_home = around._replace(is_away=np.zeros_like(around.is_away))
    at_dusk = rng.random((meters, 1)) < 0.4
    at = np.repeat(np.where(at_dusk, rng.normal(37.0, 2.5, (meters, 1)), rng.uniform(0, 47, (meters, 1))), days, axis=1)
    return _daily_blocks(always_home, on, at, hours, rng.uniform(0.2, 4.0, meters))


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


def _night_load(rng: np.random.Generator, around: Surroundings) -> Floats:
    """Load that is off at some hours: by the sun, by a timer, by spells, or in the evening only; lows that no array or battery makes."""
    meters, slots = around.shape
    declination = -0.409 * np.cos(around.calendar.year_phase + 0.17)
    half_day = np.arccos(np.clip(-np.tan(0.93) * np.tan(declination), -1, 1)) * 24 / np.pi
    dark = np.abs(np.arange(slots) % 48 - 24)[None] > around.calendar.spread_days(half_day[None])
    clock = around.calendar.local_slot[None]
    off, on = rng.normal(16.0, 3.0, (meters, 1)), rng.normal(35.0, 4.0, (meters, 1))
    timed = (clock < off) | (clock >= on)
    spells = correlated_noise(rng.standard_normal((meters, slots), np.float32), 60.0) > rng.uniform(-1.0, 0.5, (meters, 1))
    rests = ~((clock >= rng.uniform(30, 36, (meters, 1))) & (clock < rng.uniform(38, 46, (meters, 1))))
    kw = np.exp(rng.uniform(np.log(0.03), np.log(0.6), (meters, 1))) * around.factor[:, None]
    kept = (rng.random((meters, 1)) < 0.6) | around.calendar.spread_days(rng.random(around.days_shape) < 0.8)
    style = rng.choice(4, (meters, 1), p=(0.25, 0.3, 0.2, 0.25))
    runs = np.select([style == 0, style == 1, style == 2], [dark, timed, spells], rests)
    return np.asarray(runs * kept * kw, dtype=np.float32)


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
    "night_load": _night_load,
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


def follow_absence(rng: np.random.Generator, population: Population, calendar: Calendar) -> Floats:
    """Share of a home's load that is left on, shape (meters, slots): 1 but in the hours in which nobody is in."""
    number, days = population.absence, calendar.days
    meters = len(number)

    def draw(read: Callable[[Absence], tuple[float, float]]) -> Floats:
        return draw_within(rng, read_ranges("hours_away", number, read))[:, None]

    works = read_each("hours_away", number, lambda how: how.on_rest_days)[:, None] | ~calendar.is_rest_day[None]
    gone = works & (rng.random((meters, days)) < draw(lambda how: how.days)) & population.looks_like("hours_away")[:, None]
    wobble = draw(lambda how: how.wobble_slots)
    leaves = draw(lambda how: how.leaves) + wobble * rng.standard_normal((meters, days))
    lasts = np.maximum(draw(lambda how: how.returns) + wobble * rng.standard_normal((meters, days)) - leaves, 0.0)
    off = _cover(calendar, gone, leaves, lasts)
    return np.asarray(1.0 - off * (1.0 - draw(lambda how: how.left_share)), dtype=np.float32)


def _cover(calendar: Calendar, used: Bools, start: Floats, length: Floats) -> Floats:
    """Share of each slot that lies in one spell of some days, shape (meters, slots)."""
    meter, day = np.nonzero(used)
    at = day * SLOTS_PER_DAY + start[meter, day] - calendar.utc_shift_slots[day]
    uses = Uses(meter, at, length[meter, day], np.ones(len(meter)))
    return np.minimum(build_load(uses, len(used), len(calendar.local_slot)), 1.0)


def divert_surplus(rng: np.random.Generator, population: Population, calendar: Calendar, surplus_kw: Floats) -> Floats:
    """Generation that diverters turn into hot water until the tank is hot, kW, (meters, slots)."""
    follows = population.looks_like("immersion") & read_each("immersion", population.water, lambda how: how.follows_surplus)
    rows = np.flatnonzero(follows)
    taken = np.zeros(surplus_kw.shape, np.float32)
    if not len(rows):
        return taken
    kw = draw_within(rng, read_ranges("immersion", population.water[rows], lambda how: how.kw))
    is_timed = rng.random((len(rows), 1)) < TIMED_SHARE
    begins = np.where(is_timed, rng.uniform(16.0, 27.0, (len(rows), 1)), 0.0)
    taken[rows] = np.where(calendar.local_slot[None] >= begins, np.minimum(surplus_kw[rows], kw[:, None]), 0.0)
    wanted = rng.uniform(2.0, 8.0, (len(rows), 1)) * np.exp(0.35 * rng.standard_normal((len(rows), calendar.days)))
    days = surplus_kw.shape[1] // SLOTS_PER_DAY
    by_day = taken[rows, : days * SLOTS_PER_DAY].reshape(len(rows), days, SLOTS_PER_DAY)
    heated = np.minimum(np.cumsum(by_day, axis=2) * HOURS_PER_SLOT, wanted[:, :days, None])
    taken[rows, : days * SLOTS_PER_DAY] = (np.diff(heated, axis=2, prepend=0.0) / HOURS_PER_SLOT).reshape(len(rows), -1)
    return taken
