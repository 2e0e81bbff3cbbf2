"""The load of a home before any asset: occupancy, the appliances in use, and the base load."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.loads import Uses, average_square_wave, build_load, join_uses
from fmar_spark.simulate.plan import Bools, Floats, Ints
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.weather import correlated_noise

HOUSEHOLDS = 2
"""A home has a first and a second household: new occupants, or the same ones with other usage patterns; most keep the first."""


class Occupancy(NamedTuple):
    """When each home is occupied, in local slots, shape (meters, days) unless stated."""

    household: Ints
    """0 or 1: which of the two lives there that day."""
    wake: Floats
    leave: Floats
    back: Floats
    bed: Floats
    is_out: Bools
    """Empty between ``leave`` and ``back``."""
    is_away: Bools
    """Empty all day: holiday or vacancy."""
    activity: Floats
    """Use of appliances relative to the mean day, mean about 1."""
    regularity: Floats
    """(meters,) spread of the daily times, slots: small in homes of fixed routine."""


def _find_household(rng: np.random.Generator, population: Population, days: int) -> Ints:
    """Which household lives there on each day, shape (meters, days) of 0 or 1."""
    meters = len(population.area)
    changed = population.looks_like("new_occupants") | population.looks_like("habit_change")
    at = (rng.uniform(0.12, 0.88, meters) * days).astype(np.int64)
    lasting = np.where(population.looks_like("new_occupants"), days, rng.integers(30, 160, meters))
    day = np.arange(days)[None]
    return np.asarray(changed[:, None] & (day >= at[:, None]) & (day < (at + lasting)[:, None])).astype(np.int64)


def _absences(rng: np.random.Generator, population: Population, weekday: Ints) -> Bools:
    """Days on which nobody is there: trips, months without anyone, homes that stand empty and second homes, (meters, days)."""
    meters, days = len(population.area), len(weekday)
    away = np.zeros((meters, days), bool)
    day = np.arange(days)[None]
    trips = rng.poisson(np.where(population.is_domestic, rng.gamma(1.5, 1.6, meters), 0.0) * days / 365.0)
    for trip in range(7):
        start = rng.integers(0, max(days, 1), meters)
        length = np.minimum(2 + rng.geometric(0.14, meters), 28)
        gone = (trips > trip)[:, None]
        away |= gone & (day >= start[:, None]) & (day < (start + length)[:, None])
    start = rng.integers(0, max(days - 20, 1), meters)
    length = rng.integers(25, 200, meters)
    away |= population.looks_like("vacancy")[:, None] & (day >= start[:, None]) & (day < (start + length)[:, None])
    from_day = np.where(rng.random(meters) < 0.5, 0.0, rng.uniform(0.0, 0.6, meters)) * days
    away |= population.looks_like("empty_home")[:, None] & (day >= from_day[:, None]) & (rng.random((meters, days)) < 0.98)
    visited = rng.random((meters, days // 7 + 2)) < rng.uniform(0.05, 0.6, (meters, 1))
    is_visit = visited[:, day[0] // 7] & (weekday >= 4)[None]
    return np.asarray(away | (population.looks_like("second_home")[:, None] & ~is_visit))


def draw_occupancy(rng: np.random.Generator, population: Population, calendar: Calendar) -> Occupancy:
    """Occupancy of every home: weekends, shift work and rotas, working from home, trips, and activity that drifts."""
    meters, days = len(population.area), calendar.days
    household = _find_household(rng, population, days)
    row = np.arange(meters)[:, None]
    rest = calendar.is_rest_day[None]
    shape = (HOUSEHOLDS, meters)
    wake = rng.normal(13.6, 1.8, shape)[household, row] + rest * rng.gamma(2.0, 0.8, shape)[household, row]
    bed = rng.normal(45.8, 2.2, shape)[household, row] + rest * rng.gamma(1.5, 0.7, shape)[household, row]
    shift = rng.choice([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 14.0, 24.0, -6.0], shape)[household, row]
    rota = (calendar.local_day[0] + np.arange(days))[None] // np.array([4, 7, 10**6])[rng.integers(0, 3, shape)][household, row] % 2
    shift = shift * np.where(rng.random(shape)[household, row] < 0.4, rota, 1)
    regular = np.exp(rng.normal(0.35, 0.75, shape))
    wobble = rng.standard_normal((4, meters, days)) * regular[household, row]
    out_chance = np.array([0.02, 0.25, 0.6, 0.9])[rng.choice(4, shape, p=(0.25, 0.25, 0.2, 0.3))]
    rest_chance = rng.beta(1.5, 3.0, shape)
    works = out_chance[household, row] * (1 - rest) + rest * rest_chance[household, row]
    confined = population.looks_like("habit_change")[:, None] & (household == 1) & (rng.random((meters, 1)) < 0.6)
    is_out = rng.random((meters, days)) < np.where(confined, 0.05, works)
    leave = wake + 2.2 + np.abs(wobble[1]) + rest * 4
    lasting = rng.normal(17.5, 4.0, shape)[household, row]
    back = np.maximum(leave + 2, leave + lasting + wobble[2] * 1.5)
    busy = rng.gamma(6.0, 1 / 6.0, (meters, days)) * np.exp(0.22 * correlated_noise(rng.standard_normal((meters, days)), 9.0))
    busy = busy * np.where(rest, rng.normal(1.12, 0.12, (meters, 1)).clip(0.7, 1.6), 1.0)
    return Occupancy(
        household=household,
        wake=wake + shift + wobble[0],
        leave=leave + shift,
        back=back + shift,
        bed=np.maximum(bed + wobble[3], wake + 20) + shift,
        is_out=is_out,
        is_away=_absences(rng, population, calendar.weekday),
        activity=busy,
        regularity=regular[0],
    )


def awake_at_home(occupancy: Occupancy, calendar: Calendar) -> Bools:
    """Whether the home is occupied and its people awake, on UTC slots, shape (meters, slots)."""
    clock = np.asarray(calendar.local_slot, dtype=np.float32)[None]

    def within(start: Floats, end: Floats) -> Bools:
        first = calendar.spread_days(start.astype(np.float32))
        return np.asarray((clock - first) % SLOTS_PER_DAY < calendar.spread_days((end - start).astype(np.float32)))

    out = within(occupancy.leave, occupancy.back) & calendar.spread_days(occupancy.is_out)
    return np.asarray(within(occupancy.wake, occupancy.bed) & ~out & ~calendar.spread_days(occupancy.is_away))


class Appliance(NamedTuple):
    """Ranges across homes (low, high), from which each home draws its own power, duration and rate of use."""

    name: str
    kw: tuple[float, float]
    minutes: tuple[float, float]
    uses_per_day: tuple[float, float]
    hours: str
    """Five weights: on waking, midday, on return, evening, any hour of the day or night."""
    owners: float
    winter: float = 0.0
    """Relative increase of the rate in mid-winter."""
    has_fixed_hours: bool = False
    """Used at fixed hours of the home rather than around the common ones."""


APPLIANCES: Final = (
    Appliance("kettle", (1.8, 3.0), (1.5, 4.5), (1.5, 9.0), "42331", 0.96),
    Appliance("toaster", (0.8, 1.6), (2, 5), (0.2, 2.0), "81110", 0.8),
    Appliance("microwave", (0.9, 1.5), (1.5, 9), (0.3, 3.0), "23421", 0.9),
    Appliance("hob", (1.0, 2.4), (8, 35), (0.3, 2.0), "12620", 0.55),
    Appliance("oven", (1.2, 2.6), (20, 70), (0.1, 0.9), "02710", 0.75, has_fixed_hours=True),
    Appliance("wash", (1.8, 2.3), (12, 28), (0.1, 1.0), "33221", 0.95, has_fixed_hours=True),
    Appliance("wash_spin", (0.2, 0.5), (30, 90), (0.1, 1.0), "33221", 0.9),
    Appliance("dishwasher", (1.7, 2.3), (14, 34), (0.15, 1.1), "12154", 0.5, has_fixed_hours=True),
    Appliance("dryer", (0.7, 2.8), (30, 100), (0.05, 0.7), "23221", 0.5, 0.8, True),
    Appliance("iron", (1.2, 2.6), (8, 40), (0.02, 0.3), "21241", 0.7),
    Appliance("vacuum", (0.6, 1.8), (8, 35), (0.05, 0.5), "25210", 0.9),
    Appliance("hair_dryer", (0.9, 2.1), (3, 12), (0.1, 1.3), "71021", 0.5),
    Appliance("screen", (0.06, 0.35), (45, 260), (0.6, 3.0), "11471", 0.97, 0.2),
    Appliance("computer", (0.05, 0.55), (60, 420), (0.2, 2.0), "24242", 0.8),
    Appliance("lights", (0.03, 0.35), (60, 280), (0.8, 3.0), "31681", 1.0, 1.0),
    Appliance("fan_heater", (0.8, 3.0), (15, 160), (0.02, 0.7), "41452", 0.16, 3.0),
    Appliance("dehumidifier", (0.18, 0.7), (90, 500), (0.1, 1.2), "22226", 0.14, 1.2),
    Appliance("towel_rail", (0.1, 0.5), (40, 200), (0.6, 2.0), "81231", 0.12, 0.8, True),
    Appliance("tools", (0.4, 2.2), (4, 50), (0.02, 0.5), "15310", 0.25),
    Appliance("air_fryer", (1.1, 1.9), (10, 28), (0.2, 1.3), "13710", 0.4),
    Appliance("electric_blanket", (0.06, 0.2), (40, 400), (0.2, 1.0), "00190", 0.2, 3.0),
    Appliance("pump_or_filter", (0.3, 1.2), (20, 300), (0.3, 2.0), "22222", 0.06, 0.0, True),
    Appliance("bath_heater", (1.0, 2.6), (8, 35), (0.3, 1.6), "61131", 0.08, 1.5),
)


class DailyTimes(NamedTuple):
    """Times around which appliances are used, local slots, shape (meters, days) each."""

    rising: Floats
    midday: Floats
    homecoming: Floats
    evening: Floats


def _daily_times(occupancy: Occupancy) -> DailyTimes:
    home = np.where(occupancy.is_out, occupancy.back + 1.0, (occupancy.wake + occupancy.bed) / 2 + 5.0)
    return DailyTimes(
        rising=occupancy.wake + 0.7,
        midday=(occupancy.wake + occupancy.bed) / 2 - 3.0,
        homecoming=home,
        evening=np.maximum(occupancy.bed - 5.0, home + 1.0),
    )


def _start_times(
    rng: np.random.Generator, times: DailyTimes, occupancy: Occupancy, uses: tuple[Ints, Ints], appliance: Appliance
) -> Floats:
    """Local slots, and NaN for a use that falls while the home is empty."""
    meter, day = uses
    weight = np.array([float(digit) for digit in appliance.hours])
    taste = rng.gamma(np.maximum(weight, 0.02) * 1.2, 1.0, (len(occupancy.regularity), 5))
    share = np.cumsum(taste / taste.sum(axis=1, keepdims=True), axis=1)
    pick = np.minimum((rng.random(len(meter))[:, None] > share[meter]).sum(axis=1), 4)
    at = np.choose(np.minimum(pick, 3), [time[meter, day] for time in times])
    own = rng.normal(0, 2.2 if appliance.has_fixed_hours else 0.8, (HOUSEHOLDS, len(occupancy.regularity)))[
        occupancy.household[meter, day], meter
    ]
    spread = occupancy.regularity[meter] * (0.7 if appliance.has_fixed_hours else 1.8)
    at = at + own + rng.standard_normal(len(meter)) * spread
    at = np.where(pick == 4, rng.uniform(0, 48, len(meter)), at)
    out = occupancy.is_out[meter, day] & (at > occupancy.leave[meter, day]) & (at < occupancy.back[meter, day])
    return np.where(out & (rng.random(len(meter)) < 0.9), np.nan, at)


def use_appliances(rng: np.random.Generator, population: Population, occupancy: Occupancy, calendar: Calendar) -> Uses:
    """Every use of an appliance in every home, on UTC slots."""
    meters = len(occupancy.household)
    times = _daily_times(occupancy)
    cold = 0.5 + 0.5 * np.cos(calendar.year_phase - 0.25)[None]
    demand = population.scale_kw[:, None] ** 0.6 / 0.3**0.6 * occupancy.activity * np.where(occupancy.is_away, 0.0, 1.0)
    demand = demand * population.is_domestic[:, None]
    row = np.arange(meters)[:, None]
    parts = []
    for appliance in APPLIANCES:
        owned = rng.random((HOUSEHOLDS, meters)) < appliance.owners
        low, high = np.log(appliance.uses_per_day)
        rate = owned * np.exp(rng.normal((low + high) / 2, (high - low) / 2.6, (HOUSEHOLDS, meters)))
        low, high = np.log(appliance.kw)
        power = np.exp(rng.uniform(low, high, (HOUSEHOLDS, meters)))
        low, high = np.log(appliance.minutes)
        minutes = np.exp(rng.uniform(low, high, (HOUSEHOLDS, meters)))
        seasonal = np.maximum(1 + appliance.winter * (cold - 0.4), 0.05)
        count = rng.poisson(np.minimum(rate[occupancy.household, row] * demand * seasonal, 14.0))
        meter, day = np.nonzero(count)
        repeat = count[meter, day]
        meter, day = np.repeat(meter, repeat), np.repeat(day, repeat)
        start = _start_times(rng, times, occupancy, (meter, day), appliance)
        kept = np.isfinite(start)
        meter, day, start = meter[kept], day[kept], start[kept]
        household = occupancy.household[meter, day]
        length = minutes[household, meter] / 30.0 * np.exp(0.4 * rng.standard_normal(len(meter)))
        kw = power[household, meter] * np.where(length > 1.5, rng.uniform(0.55, 1.0, len(meter)), rng.uniform(0.85, 1.0, len(meter)))
        parts.append(Uses(meter, day * 48 + start - calendar.utc_shift_slots[day], length, kw))
    return join_uses(parts)


def _refrigeration(rng: np.random.Generator, meters: int, slots: int, warmth: Floats) -> Floats:
    """Two fridges or freezers a home, whose compressors cycle independently of the half-hours."""
    total = np.zeros((meters, slots), np.float32)
    for owners in (0.97, 0.5):
        period = rng.uniform(0.7, 4.5, meters)
        duty = rng.uniform(0.2, 0.65, meters)
        kw = np.where(rng.random(meters) < owners, rng.lognormal(np.log(0.085), 0.45, meters), 0.0)
        pace = 1 + 0.06 * correlated_noise(rng.standard_normal((meters, slots), np.float32), 12.0) + 0.01 * (warmth - 10)
        phase = np.cumsum(pace, axis=1) + rng.uniform(0, 9, meters)[:, None]
        total += (kw[:, None] * average_square_wave(period, duty, phase)).astype(np.float32)
    return total


def _base_load(rng: np.random.Generator, population: Population, slots: int) -> Floats:
    """Routers, pumps and chargers: flat, with a few lasting steps as devices are added or removed."""
    meters = len(population.area)
    base = 0.065 * (population.scale_kw / 0.3) ** 0.8 * np.exp(0.65 * rng.standard_normal(meters))
    base *= np.where(population.looks_like("low_standing_load"), rng.spawn(1)[0].uniform(0.02, 0.35, meters), 1.0)
    load = np.repeat(base[:, None], slots, axis=1).astype(np.float32)
    slot = np.arange(slots)[None]
    for _ in range(4):
        at = rng.integers(0, slots, meters)[:, None]
        until = at + rng.integers(2 * SLOTS_PER_DAY, 200 * SLOTS_PER_DAY, meters)[:, None]
        step = base * rng.normal(0, 0.35, meters) * (rng.random(meters) < 0.6)
        load += np.where((slot >= at) & (slot < until), step[:, None], 0).astype(np.float32)
    noise = correlated_noise(rng.standard_normal((meters, slots), np.float32), 5.0)
    load *= 1 + rng.uniform(0.0, 0.12, meters)[:, None] * noise
    return np.maximum(load, 0.0)


def simulate_homes(rng: np.random.Generator, population: Population, occupancy: Occupancy, calendar: Calendar, temp_c: Floats) -> Floats:
    """Mean power without assets or look-alikes, kW, (meters, slots); 0 for businesses.

    Args:
        rng: stream of the homes.
        population: the meters.
        occupancy: of the homes.
        calendar: of the plan.
        temp_c: outdoor temperature of each meter, (meters, slots).
    """
    meters, slots = temp_c.shape
    power = build_load(use_appliances(rng, population, occupancy, calendar), meters, slots)
    standing = _base_load(rng, population, slots)
    emptied = calendar.spread_days((occupancy.is_away * rng.uniform(0.0, 0.6, (meters, 1))).astype(np.float32))
    power += standing * (1 - emptied)
    power += _refrigeration(rng, meters, slots, temp_c)
    power *= population.is_domestic[:, None]
    return power
