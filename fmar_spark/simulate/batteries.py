"""Stationary batteries: self-consumption of solar, tariff arbitrage, or both; half-hour by half-hour."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.catalogue import name_behaviours
from fmar_spark.simulate.behaviours.draws import draw_behaviours, draw_off_peak
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.plan import Bools, FleetPlan, Floats, Ints
from fmar_spark.simulate.population import Life, Population, draw_life, size_track
from fmar_spark.units import HOURS_PER_SLOT

MODES: Final = name_behaviours(AssetClass.BATTERY)
SELF_USE, ARBITRAGE, BOTH, PEAK_SHAVING, DYNAMIC = range(len(MODES))

TIMED_SHARE: Final = 0.15
"""Batteries that are charged from a set hour of the day on. Source: chosen by hand."""


class Batteries(NamedTuple):
    """Power at the AC side, kW, (meters, slots): charging positive, discharging negative. ``mode`` indexes ``MODES``."""

    power_kw: Floats
    life: Life
    storage_kwh: Floats
    mode: Ints


class _Rules(NamedTuple):
    """How each battery is controlled; shape (batteries,) or (batteries, slots)."""

    charges: Bools
    """(batteries, slots) charged from the network."""
    holds: Bools
    """(batteries, slots) neither charged by surplus nor discharged."""
    exports: Bools
    """(batteries, slots) discharged at full power whatever the load."""
    uses_surplus: Bools
    """(batteries, slots)"""
    floor_share: Floats
    ceiling_share: Floats
    """(batteries, slots)"""
    one_way_efficiency: Floats
    threshold_kw: Floats
    """Net load below which the battery stays idle."""


def _hours(calendar: Calendar, start: Floats, length: Floats) -> Bools:
    return np.asarray((calendar.local_slot[None] - start[:, None]) % 48 < length[:, None])


def _draw_rules(rng: np.random.Generator, mode: Ints, calendar: Calendar, price: Floats) -> _Rules:
    """Off-peak hours to charge in, peak hours to serve, seasons when a tariff is not worth it."""
    count = len(mode)
    slots = len(calendar.local_slot)
    tariff = mode != SELF_USE
    start, length = draw_off_peak(rng, count)
    is_afternoon = rng.random(count) < 0.12
    off_peak = _hours(calendar, np.where(is_afternoon, 26.0, start), np.where(is_afternoon, 6.0, length))
    peak = _hours(calendar, rng.choice([32.0, 33.0, 34.0], count), rng.choice([4.0, 5.0, 6.0, 8.0], count))
    by_price = mode == DYNAMIC
    off_peak = np.where(by_price[:, None], price[None] < -0.85, off_peak)
    peak = np.where(by_price[:, None], price[None] > 0.85, peak)
    phase = calendar.year_phase[calendar.local_day][None]
    winter_only = ((mode == BOTH) & (rng.random(count) < 0.6))[:, None] & (np.cos(phase - 0.1) < -0.2)
    shaving = (mode == PEAK_SHAVING)[:, None]
    sells = (tariff & (rng.random(count) < 0.35))[:, None]
    is_peak_only = (tariff & (rng.random(count) < 0.35))[:, None]
    ceiling = np.where(rng.random(count) < 0.5, 1.0, rng.uniform(0.5, 1.0, count))[:, None] * np.ones((1, slots))
    return _Rules(
        charges=np.asarray(tariff[:, None] & off_peak & ~winter_only),
        holds=np.asarray((is_peak_only & ~peak) | (tariff[:, None] & off_peak & (rng.random((count, 1)) < 0.8)) | (shaving & ~peak)),
        exports=np.asarray(sells & peak),
        uses_surplus=np.asarray((mode != ARBITRAGE) | (rng.random(count) < 0.7))[:, None] & _wait_by_day(rng.spawn(1)[0], count, calendar),
        floor_share=rng.choice([0.0, 0.04, 0.1, 0.2], count),
        ceiling_share=ceiling,
        one_way_efficiency=np.sqrt(rng.uniform(0.78, 0.94, count)),
        threshold_kw=np.where(rng.random(count) < 0.4, rng.uniform(0.0, 0.25, count), 0.0),
    )


def _wait_by_day(rng: np.random.Generator, count: int, calendar: Calendar) -> Bools:
    """Slots in which each battery may take surplus: some leave the first hours of a day to others, (batteries, slots)."""
    begins = np.where(rng.random(count) < TIMED_SHARE, rng.uniform(18.0, 26.0, count), 0.0)
    return np.asarray(calendar.local_slot[None] >= begins[:, None])


def _run(rules: _Rules, net_kw: Floats, rating_kw: Floats, storage_kwh: Floats, spare: Floats) -> Floats:
    """Step every battery through time together; returns AC power, (batteries, slots).

    Half-hour means hide that load and sun vary within the slot: ``spare`` is the share of the net load that the battery
    does not follow, so import does not fall to zero while it runs. The set-point does not depend on the state of charge, so
    only the two limits of storage are left to the loop.
    """
    eff = rules.one_way_efficiency[:, None]
    beyond = np.maximum(np.abs(net_kw) - rules.threshold_kw[:, None], 0) * (1 - spare)
    surplus = np.where(rules.uses_surplus & (net_kw < 0), beyond, 0.0)
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


def _sizes(rng: np.random.Generator, population: Population) -> tuple[Floats, Floats]:
    """Rated kW and usable kWh."""
    meters = len(population.area)
    tiny = rng.random(meters) < 0.10
    home_kw = np.where(tiny, rng.uniform(0.25, 1.2, meters), rng.choice([2.4, 2.6, 3.0, 3.6, 3.68, 5.0, 6.0, 10.0], meters))
    hours = np.where(tiny, rng.uniform(2.5, 5.0, meters), rng.uniform(1.3, 3.8, meters))
    firm_kw = (population.scale_kw * rng.uniform(0.3, 2.0, meters)).clip(5.0, 1500.0)
    kw = np.where(population.is_domestic, home_kw * rng.uniform(0.93, 1.0, meters), firm_kw)
    kwh = np.where(population.is_domestic, (kw * hours).clip(1.0, 27.0), kw * rng.uniform(0.9, 2.5, meters))
    return kw, kwh


def simulate_batteries(
    rng: np.random.Generator, population: Population, calendar: Calendar, plan: FleetPlan, site: tuple[Floats, Floats]
) -> Batteries:
    """Batteries of every meter.

    Args:
        rng: stream of batteries.
        population: the meters.
        calendar: of the plan.
        plan: dates and shares.
        site: net load of each meter before its battery, (meters, slots) kW, and the day-ahead price index, (slots,).
    """
    net_kw, price = site
    meters = len(population.area)
    kw, kwh = _sizes(rng, population)
    life = draw_life(rng, population.ever(AssetClass.BATTERY), plan, kw, rng.uniform(1.4, 2.0, meters))
    mode = draw_behaviours(rng, AssetClass.BATTERY, ~population.ever(AssetClass.SOLAR_PV))
    power = np.zeros(net_kw.shape, np.float32)
    rows = np.flatnonzero(life.is_ever)
    if not len(rows):
        return Batteries(power, life, kwh, mode)
    rules = _draw_rules(rng, mode[rows], calendar, price)
    rating = size_track(life, plan.slots)[rows]
    storage = rating * (kwh[rows] / kw[rows])[:, None]
    spare = np.clip(rng.uniform(0.0, 0.10, (len(rows), 1)) + 0.04 * rng.standard_normal((len(rows), plan.slots)), 0, 0.35)
    faulty = rng.random((len(rows), calendar.days)) < rng.uniform(0, 0.03, (len(rows), 1))
    rating = np.where(calendar.spread_days(faulty), 0.0, rating)
    power[rows] = _run(rules, net_kw[rows], rating, storage, spare)
    return Batteries(power, life, kwh, mode)
