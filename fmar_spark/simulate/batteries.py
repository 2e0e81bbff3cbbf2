"""Stationary batteries: kept for the home's own sun, for a tariff's cheap hours, or both; half-hour by half-hour."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.calendars import Civil
from fmar_spark.simulate.plan import Bools, FleetPlan, Floats, Ints
from fmar_spark.simulate.population import Life, Population, draw_life, size_track
from fmar_spark.units import HOURS_PER_SLOT

MODES: Final = ("self_use", "arbitrage", "both", "peak_shaving", "dynamic")


class Batteries(NamedTuple):
    """Power at the AC side, kW, (meters, slots): positive draws, negative gives. ``mode`` indexes ``MODES``."""

    power_kw: Floats
    life: Life
    storage_kwh: Floats
    mode: Ints


class _Rules(NamedTuple):
    """How each battery is run; shape (batteries,) or (batteries, slots)."""

    charges: Bools
    """(batteries, slots) filled from the network."""
    holds: Bools
    """(batteries, slots) neither charged by surplus nor discharged."""
    exports: Bools
    """(batteries, slots) emptied at full power whatever the load."""
    uses_surplus: Bools
    floor_share: Floats
    ceiling_share: Floats
    """(batteries, slots)"""
    one_way_efficiency: Floats
    threshold_kw: Floats
    """Net load below which the battery stays idle."""


def _hours(civil: Civil, start: Floats, length: Floats) -> Bools:
    return np.asarray((civil.local_slot[None] - start[:, None]) % 48 < length[:, None])


def _draw_rules(rng: np.random.Generator, mode: Ints, civil: Civil, price: Floats) -> _Rules:
    """Cheap hours to fill in, dear hours to serve, seasons when a tariff is not worth it."""
    count = len(mode)
    slots = len(civil.local_slot)
    tariff = mode != MODES.index("self_use")
    cheap = _hours(civil, rng.choice([1.0, 0.0, 2.0, 4.0, 47.0, 26.0], count), rng.choice([4.0, 6.0, 8.0, 10.0, 12.0, 14.0], count))
    dear = _hours(civil, rng.choice([32.0, 33.0, 34.0], count), rng.choice([4.0, 5.0, 6.0, 8.0], count))
    by_price = mode == MODES.index("dynamic")
    cheap = np.where(by_price[:, None], price[None] < -0.85, cheap)
    dear = np.where(by_price[:, None], price[None] > 0.85, dear)
    phase = civil.year_phase[civil.local_day][None]
    winter_only = ((mode == MODES.index("both")) & (rng.random(count) < 0.6))[:, None] & (np.cos(phase - 0.1) < -0.2)
    shaving = (mode == MODES.index("peak_shaving"))[:, None]
    sells = (tariff & (rng.random(count) < 0.35))[:, None]
    only_dear = (tariff & (rng.random(count) < 0.35))[:, None]
    ceiling = np.where(rng.random(count) < 0.5, 1.0, rng.uniform(0.5, 1.0, count))[:, None] * np.ones((1, slots))
    return _Rules(
        charges=np.asarray(tariff[:, None] & cheap & ~winter_only),
        holds=np.asarray((only_dear & ~dear) | (tariff[:, None] & cheap & (rng.random((count, 1)) < 0.8)) | (shaving & ~dear)),
        exports=np.asarray(sells & dear),
        uses_surplus=np.asarray((mode != MODES.index("arbitrage")) | (rng.random(count) < 0.7)),
        floor_share=rng.choice([0.0, 0.04, 0.1, 0.2], count),
        ceiling_share=ceiling,
        one_way_efficiency=np.sqrt(rng.uniform(0.78, 0.94, count)),
        threshold_kw=np.where(rng.random(count) < 0.4, rng.uniform(0.0, 0.25, count), 0.0),
    )


def _run(rules: _Rules, net_kw: Floats, rating_kw: Floats, storage_kwh: Floats, spare: Floats) -> Floats:
    """Step every battery through time together; returns AC power, (batteries, slots).

    Half-hour means hide that load and sun swing within the slot: ``spare`` is the share of the net load that the battery
    fails to follow, so imports do not vanish wholly while it runs. What is wanted of a battery does not depend on what it
    holds, so only the two limits of storage are left to the loop.
    """
    eff = rules.one_way_efficiency[:, None]
    beyond = np.maximum(np.abs(net_kw) - rules.threshold_kw[:, None], 0) * (1 - spare)
    surplus = np.where(rules.uses_surplus[:, None] & (net_kw < 0), beyond, 0.0)
    draw = np.minimum(np.where(rules.charges, rating_kw, surplus), rating_kw)
    need = np.where((net_kw > 0) & ~rules.holds & ~rules.charges, beyond, 0.0)
    need = np.minimum(np.where(rules.exports, rating_kw, need), rating_kw)
    give = np.where(draw > 0, 0.0, need)
    into = np.ascontiguousarray((draw * eff * HOURS_PER_SLOT).T)
    out = np.ascontiguousarray((give / eff * HOURS_PER_SLOT).T)
    full = np.ascontiguousarray((storage_kwh * rules.ceiling_share).T)
    least = np.ascontiguousarray((storage_kwh * rules.floor_share[:, None]).T)
    stored = full[0] * 0.4
    for slot in range(len(into)):
        step = np.minimum(into[slot], full[slot] - stored)
        into[slot] = np.maximum(step, 0.0, out=step)
        stored += step
        step = np.minimum(out[slot], stored - least[slot])
        out[slot] = np.maximum(step, 0.0, out=step)
        stored -= step
    return np.asarray(into.T / eff - out.T * eff) / HOURS_PER_SLOT


def _sizes(rng: np.random.Generator, people: Population) -> tuple[Floats, Floats]:
    """Rated kW and usable kWh."""
    meters = len(people.area)
    tiny = rng.random(meters) < 0.10
    home_kw = np.where(tiny, rng.uniform(0.25, 1.2, meters), rng.choice([2.4, 2.6, 3.0, 3.6, 3.68, 5.0, 6.0, 10.0], meters))
    hours = np.where(tiny, rng.uniform(2.5, 5.0, meters), rng.uniform(1.3, 3.8, meters))
    firm_kw = (people.scale_kw * rng.uniform(0.3, 2.0, meters)).clip(5.0, 1500.0)
    kw = np.where(people.is_domestic, home_kw * rng.uniform(0.93, 1.0, meters), firm_kw)
    kwh = np.where(people.is_domestic, (kw * hours).clip(1.0, 27.0), kw * rng.uniform(0.9, 2.5, meters))
    return kw, kwh


def simulate_batteries(
    rng: np.random.Generator, people: Population, civil: Civil, plan: FleetPlan, site: tuple[Floats, Floats]
) -> Batteries:
    """Batteries of every meter.

    Args:
        rng: stream of batteries.
        people: the meters.
        civil: the calendar.
        plan: dates and shares.
        site: net load of each meter before its battery, (meters, slots) kW, and the day-ahead price index, (slots,).
    """
    net_kw, price = site
    meters = len(people.area)
    kw, kwh = _sizes(rng, people)
    life = draw_life(rng, people.ever(AssetClass.BATTERY), plan, kw, rng.uniform(1.4, 2.0, meters))
    has_sun = people.ever(AssetClass.SOLAR_PV)
    pick = rng.random(meters)
    sunny = np.select([pick < 0.48, pick < 0.58, pick < 0.88], [0, 1, 2], 4)
    dark = np.select([pick < 0.7, pick < 0.82], [1, 3], 4)
    mode = np.where(has_sun, sunny, dark)
    power = np.zeros(net_kw.shape, np.float32)
    rows = np.flatnonzero(life.is_ever)
    if not len(rows):
        return Batteries(power, life, kwh, mode)
    rules = _draw_rules(rng, mode[rows], civil, price)
    rating = size_track(life, plan.slots)[rows]
    storage = rating * (kwh[rows] / kw[rows])[:, None]
    spare = np.clip(rng.uniform(0.0, 0.10, (len(rows), 1)) + 0.04 * rng.standard_normal((len(rows), plan.slots)), 0, 0.35)
    faulty = rng.random((len(rows), civil.days)) < rng.uniform(0, 0.03, (len(rows), 1))
    rating = np.where(civil.spread_days(faulty), 0.0, rating)
    power[rows] = _run(rules, net_kw[rows], rating, storage, spare)
    return Batteries(power, life, kwh, mode)
