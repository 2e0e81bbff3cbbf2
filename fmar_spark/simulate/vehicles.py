"""Electric vehicles: arrival, energy needed, and how charging is timed.

Ranges follow public facts on residential sessions (Sorensen and others, Data in Brief 2024), read off its sites OSL and ASK alone, so that
the others stay fit for tests. Two kinds of car show: two in five draw under 4 kW (plug-in hybrids and older cars), on a median of 44 % of
days, often twice a day, 9 kWh a time; the rest draw more, on 30 % of days, 18 kWh a time. Starts spread by four hours within a driver.

Those sites know no night tariff. In Great Britain most cars on one charge in its hours (00:30 to 04:30 or 05:30, 23:30 to 05:30, midnight
to 05:00), three of four by a timer every night or nearly, whatever was driven: the start is fixed, the power is the charger's, and the
energy and so the end vary from night to night. Shares are assumptions.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.loads import Uses, build_load, join_uses, select_uses
from fmar_spark.simulate.plan import Bools, FleetPlan, Floats, Ints
from fmar_spark.simulate.population import Life, Population, draw_life, size_track
from fmar_spark.simulate.weather import correlated_noise

TIMINGS: Final = ("at_once", "off_peak", "smart", "work", "top_up")
OFF_PEAK_EV: Final = TIMINGS.index("off_peak")
LOW_POWER_SHARE: Final = 0.4
NIGHTLY_SHARE: Final = 0.75
NIGHTLY_SHARE_ELSE: Final = 0.2
"""Drivers who charge nearly every night: of those on a night tariff, and of the others."""


class Vehicles(NamedTuple):
    """Power of the charge points of each meter, kW, (meters, slots), and their lifetimes; ``timing`` indexes ``TIMINGS``."""

    power_kw: Floats
    life: Life
    timing: Ints


class _Driver(NamedTuple):
    """Arrays of shape (meters,): one car at each meter."""

    is_there: Floats
    day_chance: Floats
    energy_kwh: Floats
    energy_spread: Floats
    share_of_rating: Floats
    start: Floats
    start_spread: Floats
    again_share: Floats
    """Second sessions of a day, for each first one."""
    limit_kw: Floats
    """What the car itself can draw."""
    timing: Ints
    tariff_start: Floats
    tariff_length: Floats
    steadiness: Floats
    """0 charges by the week's needs, 1 every night alike."""
    forgotten_share: Floats
    """Sessions that start on arrival although a timer is set."""
    delayed_share: Floats
    """Sessions that start some time after the cheap hours begin."""
    ends_with_tariff: Bools
    """Charging stops when the cheap hours end."""


def _draw_driver(rng: np.random.Generator, timing: Ints, is_low_power: Bools, is_there: Floats) -> _Driver:
    meters = len(timing)
    work = timing == TIMINGS.index("work")
    is_nightly = ~work & (rng.random(meters) < np.where(timing == OFF_PEAK_EV, NIGHTLY_SHARE, NIGHTLY_SHARE_ELSE))
    home_chance = np.where(is_low_power, rng.beta(1.9, 2.4, meters), rng.beta(1.5, 3.2, meters))
    home_chance = np.where(is_nightly, 1.0 - 0.6 * rng.random(meters) ** 2, home_chance)
    day_chance = np.clip(np.where(work, rng.beta(3, 2, meters), home_chance), 0.03, 0.99)
    usual = np.where(is_low_power, 9.0, 16.0) * (0.33 / day_chance) ** rng.uniform(0.1, 0.7, meters)
    sometimes = rng.random((2, meters)) < 0.5
    careful = rng.random(meters) < 0.8
    rating_share = np.where(careful, rng.normal(0.97, 0.025, meters), rng.uniform(0.86, 1.0, meters)).clip(0.86, 1.02)
    home_start = np.where(rng.random(meters) < 0.75, rng.normal(35.0, 4.0, meters), rng.uniform(14, 46, meters))
    low_kw = rng.choice([2.3, 2.8, 3.3, 3.6], meters, p=(0.06, 0.08, 0.18, 0.68))
    return _Driver(
        is_there=is_there,
        day_chance=day_chance,
        energy_kwh=(usual * np.exp(rng.normal(0, 0.55, meters))).clip(2.0, np.where(is_low_power, 28.0, 60.0)),
        energy_spread=rng.uniform(0.12, 0.8, meters),
        share_of_rating=rating_share,
        start=np.where(work, rng.normal(17.5, 1.2, meters), home_start),
        start_spread=np.where(work, rng.uniform(0.5, 3, meters), rng.gamma(5.0, 1.35, meters)),
        again_share=rng.random(meters) ** 2 * np.where(is_low_power, 0.9, 0.45),
        limit_kw=np.where(is_low_power, low_kw, 99.0),
        timing=timing,
        tariff_start=rng.choice([-1.0, 0.0, 1.0, 2.0, 4.0, 47.0, 43.0, 46.0], meters, p=(0.1, 0.1, 0.45, 0.1, 0.05, 0.1, 0.05, 0.05)),
        tariff_length=rng.choice([8.0, 9.0, 10.0, 12.0, 14.0], meters, p=(0.1, 0.05, 0.4, 0.3, 0.15)),
        steadiness=np.where(is_nightly, rng.uniform(0.2, 1.0, (2, meters)).max(axis=0), 0.0),
        forgotten_share=np.where(sometimes[0], rng.uniform(0.0, 0.2, meters), 0.0),
        delayed_share=np.where(sometimes[1], rng.uniform(0.0, 0.4, meters), 0.0),
        ends_with_tariff=rng.random(meters) < 0.5,
    )


def _sessions(rng: np.random.Generator, driver: _Driver, calendar: Calendar) -> tuple[Ints, Ints, Floats]:
    """Meter, day and energy of each session, with weeks away and weeks of more driving."""
    meters, days = len(driver.is_there), calendar.days
    varies = 1.0 - driver.steadiness[:, None]
    swing = np.exp(0.6 * varies * correlated_noise(rng.standard_normal((meters, days)), 12.0))
    gone = correlated_noise(rng.standard_normal((meters, days)), 8.0) > rng.uniform(1.6, 3.0, (meters, 1))
    weekly = (rng.gamma(6.0, 1 / 6.0, (meters, 7)) ** varies)[:, calendar.weekday]
    work = (driver.timing == TIMINGS.index("work"))[:, None]
    chance = driver.day_chance[:, None] * swing * weekly * np.where(work & calendar.is_rest_day[None], 0.08, 1.0)
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
    timed = (driver.timing[meter] == OFF_PEAK_EV) & ~forgotten
    return np.where(timed, late, arrive)


def _fragment(rng: np.random.Generator, uses: Uses) -> Uses:
    """Sessions cut into half-hours chosen by price within the night."""
    pieces = rng.integers(1, 5, len(uses.meter))
    index = np.repeat(np.arange(len(uses.meter)), pieces)
    order = np.arange(len(index)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    length = uses.length[index] / pieces[index]
    window = np.maximum(20.0 - uses.length, 1.0)[index]
    offset = (order + rng.random(len(index)) * 0.8) * window / pieces[index]
    start = np.round(uses.start[index] + offset + order * length)
    return Uses(uses.meter[index], start, length, uses.kw[index])


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


def _shape_sessions(rng: np.random.Generator, uses: Uses, timing: Ints) -> Uses:
    smart = timing[uses.meter] == TIMINGS.index("smart")
    return join_uses([_taper(rng, select_uses(uses, ~smart)), _fragment(rng, select_uses(uses, smart))])


def _charge_points(rng: np.random.Generator, population: Population, plan: FleetPlan) -> Life:
    meters = len(population.area)
    home = rng.choice([2.3, 3.7, 7.4, 11.0, 22.0], meters, p=(0.08, 0.26, 0.56, 0.08, 0.02))
    work = rng.choice([3.7, 7.4, 11.0, 22.0], meters, p=(0.08, 0.46, 0.20, 0.26))
    size = np.where(population.is_domestic, home, work)
    growth = np.where(size < 5, 2.0, np.where(size < 8, rng.choice([0.5, 1.486], meters), 0.673))
    return draw_life(rng, population.ever(AssetClass.EV), plan, size, growth)


def _charge(rng: np.random.Generator, driver: _Driver, calendar: Calendar, rating: Floats) -> Uses:
    """Every session of one car at each meter, at the power of the charge point of that day or of the car if that is less."""
    slots = rating.shape[1]
    meter, day, energy = _sessions(rng, driver, calendar)
    energy = energy * np.where(driver.timing == TIMINGS.index("top_up"), 0.35, 1.0)[meter]
    start = day * 48 + _plug_in(rng, driver, meter, calendar.is_rest_day[day].astype(float)) - calendar.utc_shift_slots[day]
    slot = np.clip(start, 0, slots - 1).astype(np.int64)
    kw = np.minimum(rating[meter, slot], driver.limit_kw[meter]) * driver.share_of_rating[meter]
    kw = kw * (1 + 0.012 * rng.standard_normal(len(meter)))
    there = kw > 0
    meter, start, kw = meter[there], start[there], kw[there]
    length = np.minimum(2 * energy[there] / kw, 30.0)
    is_cut = (driver.timing[meter] == OFF_PEAK_EV) & driver.ends_with_tariff[meter]
    length = np.where(is_cut, np.minimum(length, driver.tariff_length[meter]), length)
    return _shape_sessions(rng, Uses(meter, start, length, kw), driver.timing)


def simulate_vehicles(rng: np.random.Generator, population: Population, calendar: Calendar, plan: FleetPlan) -> Vehicles:
    """Charging of every meter's cars; a workplace has several points and more cars."""
    meters = len(population.area)
    life = _charge_points(rng, population, plan)
    rating = size_track(life, plan.slots)
    pick = rng.random(meters)
    by_tariff = [np.where(pick < 0.7, 1, 2), np.where(pick < 0.7, 2, 0), np.where(pick < 0.75, 1, 0)]
    timing = np.select([population.tariff == 2, population.tariff == 3, population.tariff == 1], by_tariff, 0)
    timing = np.where(population.is_domestic, np.where((timing == 0) & (pick > 0.9), 4, timing), np.where(pick < 0.8, 3, 1))
    cars = np.where(population.is_domestic, rng.choice([1, 1, 1, 1, 2], meters), rng.integers(1, 9, meters))
    is_low_power = rng.random((int(cars.max()), meters)) < LOW_POWER_SHARE
    is_not_timed = population.is_domestic & is_low_power[0] & (rng.random(meters) < 0.4)
    timing = np.where(is_not_timed, TIMINGS.index("at_once"), timing)
    points = np.where(population.is_domestic, 1, rng.integers(1, 5, meters))
    strongest_kw = np.where(population.is_domestic, 0.0, np.inf)
    parts = []
    for car in range(int(cars.max())):
        driver = _draw_driver(rng, timing, is_low_power[car], (life.is_ever & (cars > car)).astype(float))
        strongest_kw = np.where(cars > car, np.maximum(strongest_kw, driver.limit_kw), strongest_kw)
        parts.append(_charge(rng, driver, calendar, rating))
    power = build_load(join_uses(parts), meters, plan.slots)
    life = limit_life(life, strongest_kw, plan.slots)
    rating = size_track(life, plan.slots)
    power = np.minimum(power, rating * points[:, None] * 1.02)
    power = np.where(rating > 0, power, 0.0).astype(np.float32)
    return Vehicles(power_kw=power, life=scale_life(life, points.astype(float)), timing=timing)


def limit_life(life: Life, strongest_kw: Floats, never: int) -> Life:
    """What a home can draw: no more than its strongest car, whatever the charge point; an upgrade beyond that is none.

    Args:
        life: of the charge points.
        strongest_kw: shape (meters,).
        never: slot that stands for no upgrade.
    """
    size, after = np.minimum(life.size_kw, strongest_kw), np.minimum(life.size_after_kw, strongest_kw)
    return life._replace(size_kw=size, size_after_kw=after, upgrade_slot=np.where(size == after, never, life.upgrade_slot))


def scale_life(life: Life, factor: Floats) -> Life:
    """The same life with its sizes multiplied."""
    return life._replace(size_kw=life.size_kw * factor, size_after_kw=life.size_after_kw * factor)
