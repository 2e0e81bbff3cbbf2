"""Electric vehicles: when they are plugged in, the energy they need, and when they charge, by the behaviours of the catalogue.

Ranges of sessions follow public facts (Sorensen and others, Data in Brief 2024), read off its sites OSL and ASK alone, so that the others
stay fit for tests: starts spread by four hours within a driver, and cars of under 4 kW charge more often and less at a time. Those sites
know no night tariff; behaviours on one follow its terms: the start is fixed, the power is the charger's, and the energy and so the end
vary from night to night.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.behaviour import Timing
from fmar_spark.simulate.behaviours.draws import (
    draw_between,
    draw_choices,
    draw_off_peak,
    draw_within,
    read_each,
    read_ranges,
)
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.loads import Uses, build_load, join_uses, select_uses
from fmar_spark.simulate.plan import Bools, FleetPlan, Floats, Ints
from fmar_spark.simulate.population import Life, Population, draw_life, size_track
from fmar_spark.simulate.weather import correlated_noise
from fmar_spark.units import HOURS_PER_SLOT

LEAST_SURPLUS_KW: Final = 1.4
"""Power from which a charge point can follow surplus generation: 6 A (EN 61851)."""
LATE_KWH: Final = 1.0
"""Energy that surplus did not give, from which the night makes up for it."""
PAUSING_SHARE: Final = 0.2
"""Drivers with one pause of weeks or months. Source: chosen by hand after gaps of the sites OSL and ASK."""
LONGEST_PAUSE_DAYS: Final = 150.0
LOOSE_SHARE: Final = 0.35
"""Chargers that begin a piece up to half an hour after the supplier's half-hour. Source: chosen by hand."""
NIGHT_SLOTS: Final = (42, 63)
"""Local slots in which a supplier chooses: 21:00 to 07:30."""


class Vehicles(NamedTuple):
    """Power of the charge points of each meter, kW, (meters, slots), and their lifetimes."""

    power_kw: Floats
    life: Life


class _Driver(NamedTuple):
    """Arrays of shape (meters,): one car at each meter."""

    is_there: Floats
    timing: NDArray[np.str_]
    """Of ``Timing``."""
    day_chance: Floats
    on_working_days: Bools
    """Hardly a session on other days."""
    weekly_day: Ints
    """The one day of the week of a weekly driver, -1 of the others."""
    energy_kwh: Floats
    energy_spread: Floats
    share_of_rating: Floats
    start: Floats
    start_spread: Floats
    again_share: Floats
    """Second sessions of a day, for each first one."""
    limit_kw: Floats
    """What the car itself can draw."""
    tariff_start: Floats
    tariff_length: Floats
    steadiness: Floats
    """0 charges by the week's needs, 1 every day alike."""
    only_surplus: Bools
    """Nothing but surplus generation is taken where there is any."""
    forgotten_share: Floats
    """Sessions that start on arrival although a timer is set."""
    delayed_share: Floats
    """Sessions that start some time after the cheap hours begin."""
    ends_with_tariff: Bools
    """Charging stops when the cheap hours end."""


def _draw_driver(rng: np.random.Generator, number: Ints, is_there: Floats, tariff: tuple[Floats, Floats]) -> _Driver:
    """One car of each meter, whose behaviour has that number."""
    car = AssetClass.EV
    meters = len(number)
    timing = read_each(car, number, lambda how: how.timing)
    is_work = timing == Timing.WORK
    nights = draw_within(rng, read_ranges(car, number, lambda how: how.nights))
    is_weekly = read_each(car, number, lambda how: how.is_weekly)
    is_steady = read_each(car, number, lambda how: how.is_steady)
    sometimes = rng.random((2, meters)) < 0.5
    careful = rng.random(meters) < 0.8
    rating_share = np.where(careful, rng.normal(0.97, 0.025, meters), rng.uniform(0.86, 1.0, meters)).clip(0.86, 1.02)
    home_start = np.where(rng.random(meters) < 0.75, rng.normal(35.0, 4.0, meters), rng.uniform(14, 46, meters))
    own_start = draw_within(rng, read_ranges(car, number, lambda how: how.arrives or (np.nan, np.nan)))
    home_start = np.where(np.isnan(own_start), home_start, own_start)
    own_spread = draw_within(rng.spawn(1)[0], read_ranges(car, number, lambda how: how.start_spread or (np.nan, np.nan)))
    scatter = rng.gamma(5.0, 1.35, meters)
    most_again = read_each(car, number, lambda how: how.most_again or np.nan)
    usual_again = rng.random(meters) ** 2 * np.where(timing == Timing.ON_ARRIVAL, 0.8, 0.1)
    often = np.where(np.isnan(most_again), usual_again, rng.random(meters) * most_again)
    return _Driver(
        is_there=is_there,
        timing=timing,
        day_chance=np.where(is_weekly, 0.92, nights.clip(0.03, 0.99)),
        on_working_days=is_work | read_each(car, number, lambda how: how.on_working_days),
        weekly_day=np.where(is_weekly, rng.integers(0, 7, meters), -1),
        energy_kwh=draw_between(rng, read_ranges(car, number, lambda how: how.energy_kwh)),
        energy_spread=draw_within(rng, read_ranges(car, number, lambda how: how.energy_spread)),
        share_of_rating=rating_share,
        start=np.where(is_work, rng.normal(17.5, 1.2, meters), home_start),
        start_spread=np.where(is_work, rng.uniform(0.5, 3, meters), np.where(np.isnan(own_spread), scatter, own_spread)),
        again_share=np.where(is_weekly, 0.0, often),
        limit_kw=draw_choices(rng, car, number, lambda how: how.kw),
        tariff_start=tariff[0],
        tariff_length=tariff[1],
        steadiness=np.where(is_steady, rng.uniform(0.2, 1.0, (2, meters)).max(axis=0), rng.uniform(0.0, 0.5, meters)),
        only_surplus=read_each(car, number, lambda how: how.only_surplus),
        forgotten_share=np.where(sometimes[0], rng.uniform(0.0, 0.2, meters), 0.0),
        delayed_share=np.where(sometimes[1], rng.uniform(0.0, 0.3, meters), 0.0),
        ends_with_tariff=rng.random(meters) < 0.5,
    )


def _sessions(rng: np.random.Generator, driver: _Driver, calendar: Calendar) -> tuple[Ints, Ints, Floats]:
    """Meter, day and energy of each session, with weeks away and weeks of more driving."""
    meters, days = len(driver.is_there), calendar.days
    varies = 1.0 - driver.steadiness[:, None]
    swing = np.exp(0.6 * varies * correlated_noise(rng.standard_normal((meters, days)), 12.0))
    gone = correlated_noise(rng.standard_normal((meters, days)), 8.0) > rng.uniform(1.6, 3.0, (meters, 1))
    pause = rng.uniform(-LONGEST_PAUSE_DAYS, days, meters)[:, None]
    lasts = np.where(rng.random(meters) < PAUSING_SHARE, rng.uniform(25.0, LONGEST_PAUSE_DAYS, meters), 0.0)[:, None]
    gone |= (np.arange(days) >= pause) & (np.arange(days) < pause + lasts)
    weekly = (rng.gamma(6.0, 1 / 6.0, (meters, 7)) ** varies)[:, calendar.weekday]
    works = driver.on_working_days[:, None]
    chance = driver.day_chance[:, None] * swing * weekly * np.where(works & calendar.is_rest_day[None], 0.08, 1.0)
    fixed = np.where(driver.weekly_day[:, None] == calendar.weekday[None], driver.day_chance[:, None], 0.01)
    chance = np.where(driver.weekly_day[:, None] >= 0, fixed, chance)
    chance = np.where(gone, 0.0, np.minimum(chance, 0.99)) * driver.is_there[:, None]
    twice = rng.random((meters, days)) < chance * driver.again_share[:, None]
    meter, day = np.nonzero(rng.random((meters, days)) < chance)
    again = np.nonzero(twice)
    meter, day = np.concatenate([meter, again[0]]), np.concatenate([day, again[1]])
    cold = 1 + 0.12 * np.cos(calendar.year_phase[day] - 0.3)
    energy = driver.energy_kwh[meter] * np.exp(driver.energy_spread[meter] * rng.standard_normal(len(meter))) * cold
    short = rng.random(len(meter)) < 0.07
    return meter, day, np.where(short, energy * rng.uniform(0.03, 0.3, len(meter)), energy).clip(0.2, 75.0)


def _plug_in(rng: np.random.Generator, driver: _Driver, meter: Ints, civil_weekend: Floats) -> Floats:
    """Local slot at which charging may begin, by how it is timed."""
    count = len(meter)
    arrive = driver.start[meter] + rng.standard_normal(count) * driver.start_spread[meter] - 3.0 * civil_weekend
    odd = rng.random(count) < 0.10
    arrive = np.where(odd, rng.uniform(10, 52, count), arrive)
    delay = np.where(rng.random(count) < driver.delayed_share[meter], rng.exponential(1.5, count), 0.0)
    off_peak = driver.tariff_start[meter] + 48.0 + delay
    late = np.maximum(off_peak - np.where(driver.tariff_start[meter] > 30, 48.0, 0.0), np.where(arrive > 36, arrive, 0.0))
    forgotten = rng.random(count) < driver.forgotten_share[meter]
    timed = ((driver.timing[meter] == Timing.OFF_PEAK) & ~forgotten) | (driver.timing[meter] == Timing.SURPLUS)
    return np.where(timed, late, arrive)


def _choose_pieces(rng: np.random.Generator, uses: Uses, calendar: Calendar, by_day: Floats) -> Uses:
    """Sessions in the half-hours of the night that are cheapest to the supplier, the same for all its cars, on some days one by day.

    Args:
        rng: the stream.
        uses: start on the evening, length in slots.
        calendar: of the plan.
        by_day: share of days with a piece by day, shape (meters,).
    """
    first, beyond = NIGHT_SLOTS
    count, width = len(uses.meter), beyond - first
    day = np.clip((uses.start // SLOTS_PER_DAY).astype(np.int64), 0, calendar.days - 1)
    price = correlated_noise(rng.standard_normal((calendar.days, width)), 2.0)[day] + 0.5 * rng.standard_normal((count, width))
    pieces = np.clip(np.round(uses.length), 1, width).astype(np.int64)
    rank = np.argsort(np.argsort(price, axis=1), axis=1)
    row, slot = np.nonzero(rank < pieces[:, None])
    start = day[row] * SLOTS_PER_DAY + first + slot - calendar.utc_shift_slots[day[row]]
    moved = (rank[row, slot] == 0) & (rng.random(len(row)) < by_day[uses.meter[row]])
    start = np.where(moved, start + rng.integers(18, 34, len(row)) - first - slot, start)
    late = rng.uniform(0.0, 0.3, len(by_day)) * (rng.random(len(by_day)) < 0.3)
    loose = rng.spawn(1)[0]
    strays = loose.uniform(0.0, 1.0, len(by_day)) * (loose.random(len(by_day)) < LOOSE_SHARE)
    late_by = late[uses.meter[row]] + strays[uses.meter[row]] * loose.random(len(row))
    return Uses(uses.meter[row], start + late_by, np.ones(len(row)), uses.kw[row])


def _taper(rng: np.random.Generator, uses: Uses) -> Uses:
    """The last part of a session that ends at a full battery, at decreasing power in three steps."""
    filling = rng.random(len(uses.meter)) < 0.55
    tail = np.where(filling, np.minimum(uses.length * 0.3, rng.gamma(2.0, 0.5, len(uses.meter))), 0.0)
    parts = [Uses(uses.meter, uses.start, uses.length - tail, uses.kw)]
    for step, share in enumerate((0.75, 0.5, 0.25)):
        third = tail * 0.55
        parts.append(
            Uses(uses.meter[filling], (uses.start + uses.length - tail + step * third)[filling], third[filling], uses.kw[filling] * share)
        )
    return join_uses(parts)


def _shape_sessions(rng: np.random.Generator, uses: Uses, driver: _Driver, calendar: Calendar) -> Uses:
    in_pieces = driver.timing[uses.meter] == Timing.PIECES
    by_day = rng.uniform(0.0, 0.3, len(driver.timing))
    pieces = _choose_pieces(rng, select_uses(uses, in_pieces), calendar, by_day)
    return join_uses([_taper(rng, select_uses(uses, ~in_pieces)), pieces])


def _charge_points(rng: np.random.Generator, population: Population, plan: FleetPlan) -> Life:
    meters = len(population.area)
    size = draw_choices(rng, AssetClass.EV, population.charging, lambda how: how.kw)
    growth = np.where(size < 5, 2.0, np.where(size < 8, rng.choice([0.5, 1.486], meters), 0.673))
    return draw_life(rng, population.ever(AssetClass.EV), plan, size, growth)


def _charge(rng: np.random.Generator, driver: _Driver, calendar: Calendar, site: tuple[Floats, Floats]) -> Uses:
    """Every session of one car at each meter, at the power of the charge point of that day or of the car if that is less.

    Args:
        rng: the stream.
        driver: of each meter.
        calendar: of the plan.
        site: power of the charge point in each slot, 0 where it is not there, and what surplus generation gave each local day, kWh;
            (meters, slots) and (meters, days).
    """
    rating, from_surplus = site
    slots = rating.shape[1]
    meter, day, energy = _sessions(rng, driver, calendar)
    from_sun = np.where(driver.timing[meter] == Timing.SURPLUS, from_surplus[meter, day], 0.0)
    energy = np.where(from_sun > 0, np.maximum(energy - from_sun, 0.0), energy)
    start = day * 48 + _plug_in(rng, driver, meter, calendar.is_rest_day[day].astype(float)) - calendar.utc_shift_slots[day]
    slot = np.clip(start, 0, slots - 1).astype(np.int64)
    kw = np.minimum(rating[meter, slot], driver.limit_kw[meter]) * driver.share_of_rating[meter]
    kw = kw * (1 + 0.012 * rng.standard_normal(len(meter)))
    waits_for_sun = driver.only_surplus & (from_surplus.sum(axis=1) > 0)
    there = (kw > 0) & ((from_sun == 0) | (energy > LATE_KWH)) & ~waits_for_sun[meter]
    meter, start, kw = meter[there], start[there], kw[there]
    length = np.minimum(2 * energy[there] / kw, 30.0)
    is_cut = (driver.timing[meter] == Timing.OFF_PEAK) & driver.ends_with_tariff[meter]
    length = np.where(is_cut, np.minimum(length, driver.tariff_length[meter]), length)
    return _shape_sessions(rng, Uses(meter, start, length, kw), driver, calendar)


def _follow_surplus(rng: np.random.Generator, rows: Ints, surplus_kw: Floats, calendar: Calendar, wanted_kwh: Floats) -> Floats:
    """Power that charge points take from surplus generation until each day's car is full, (rows, slots)."""
    days = calendar.days
    plugged = rng.random((len(rows), days)) < rng.uniform(0.3, 0.9, (len(rows), 1))
    follows = np.where((surplus_kw >= LEAST_SURPLUS_KW) & calendar.spread_days(plugged), surplus_kw, 0.0)
    before = np.cumsum(follows, axis=1) * HOURS_PER_SLOT
    first = np.searchsorted(calendar.local_day, np.arange(days))
    base = np.concatenate([np.zeros((len(rows), 1)), before], axis=1)[:, np.minimum(first, before.shape[1])]
    used = before - calendar.spread_days(base)
    wanted = wanted_kwh[:, None] * np.exp(0.4 * rng.standard_normal((len(rows), days)))
    return np.where(used <= calendar.spread_days(wanted), follows, 0.0).astype(np.float32)


def simulate_vehicles(
    rng: np.random.Generator, population: Population, calendar: Calendar, plan: FleetPlan, surplus_kw: Floats
) -> Vehicles:
    """Charging of every meter's cars; a workplace has several points and more cars.

    Args:
        rng: stream of the cars.
        population: the meters.
        calendar: of the plan.
        plan: dates and shares.
        surplus_kw: generation that the site does not use, (meters, slots), 0 or more.
    """
    meters = len(population.area)
    number = population.charging
    life = _charge_points(rng, population, plan)
    rating = size_track(life, plan.slots)
    pairs = read_each(AssetClass.EV, number, lambda how: how.cars)
    pairs = np.where(rng.random(meters) < 0.1, 2, pairs)
    cars = np.where(population.is_domestic, pairs, rng.integers(1, 9, meters))
    points = np.where(population.is_domestic, 1, rng.integers(1, 5, meters))
    tariff = draw_off_peak(rng, meters)
    power, by_sun = np.zeros((meters, plan.slots), np.float32), np.zeros((meters, calendar.days))
    timing = read_each(AssetClass.EV, number, lambda how: how.timing)
    rows = np.flatnonzero((timing == Timing.SURPLUS) & life.is_ever)
    if len(rows):
        taken = _follow_surplus(rng, rows, np.minimum(surplus_kw[rows], rating[rows]), calendar, rng.uniform(6.0, 18.0, len(rows)))
        power[rows] = taken
        for day, first in enumerate(np.searchsorted(calendar.local_day, np.arange(calendar.days))):
            by_sun[rows, day] = taken[:, first : first + SLOTS_PER_DAY].sum(axis=1) * HOURS_PER_SLOT
    parts = []
    for car in range(int(cars.max())):
        driver = _draw_driver(rng, number, (life.is_ever & (cars > car)).astype(float), tariff)
        driver = driver._replace(limit_kw=np.where(car == 0, np.inf, driver.limit_kw))
        parts.append(_charge(rng, driver, calendar, (rating, by_sun)))
    power += build_load(join_uses(parts), meters, plan.slots)
    power = np.minimum(power, rating * points[:, None] * 1.02)
    power = np.where(rating > 0, power, 0.0).astype(np.float32)
    return Vehicles(power_kw=power, life=scale_life(life, points.astype(float)))


def scale_life(life: Life, factor: Floats) -> Life:
    """The same life with its sizes multiplied."""
    return life._replace(size_kw=life.size_kw * factor, size_after_kw=life.size_after_kw * factor)
