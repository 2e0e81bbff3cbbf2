"""Stationary batteries: kept for the home's own sun, for a tariff's cheap hours, or both; half-hour by half-hour."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.domain.words import AssetClass
from fmar_spark.simulate.civil import Civil
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
    serves_load: Bools
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
        serves_load=np.ones(count, bool),
        floor_share=rng.choice([0.0, 0.04, 0.1, 0.2], count),
        ceiling_share=ceiling,
        one_way_efficiency=np.sqrt(rng.uniform(0.78, 0.94, count)),
        threshold_kw=np.where(rng.random(count) < 0.4, rng.uniform(0.0, 0.25, count), 0.0),
    )


def _run(rules: _Rules, net_kw: Floats, rating_kw: Floats, storage_kwh: Floats, spare: Floats) -> Floats:
    """Step every battery through time together; returns AC power, (batteries, slots).

    Half-hour means hide that load and sun swing within the slot: ``spare`` is the share of the net load that the battery
    fails to follow, so imports do not vanish wholly while it runs.
    """
    count, slots = net_kw.shape
    power = np.zeros((slots, count))
    stored = storage_kwh[:, 0] * 0.4
    eff = rules.one_way_efficiency
    net_t, rating_t, size_t = net_kw.T.copy(), rating_kw.T.copy(), storage_kwh.T.copy()
    charges_t, holds_t, exports_t, ceiling_t = (
        np.ascontiguousarray(rule.T) for rule in (rules.charges, rules.holds, rules.exports, rules.ceiling_share)
    )
    follow_t = (1 - spare).T.copy()
    for slot in range(slots):
        net, rating, size = net_t[slot], rating_t[slot], size_t[slot]
        room = np.maximum(size * ceiling_t[slot] - stored, 0) / (eff * HOURS_PER_SLOT)
        have = np.maximum(stored - rules.floor_share * size, 0) * eff / HOURS_PER_SLOT
        surplus = np.where(rules.uses_surplus, np.maximum(-net - rules.threshold_kw, 0) * follow_t[slot], 0)
        draw = np.minimum(np.where(charges_t[slot], rating, surplus), np.minimum(room, rating))
        need = np.maximum(net - rules.threshold_kw, 0) * follow_t[slot]
        need = np.where(holds_t[slot] | charges_t[slot], 0, need)
        need = np.where(exports_t[slot], rating, need)
        give = np.where(draw > 0, 0, np.minimum(need, np.minimum(have, rating)))
        stored = np.minimum(stored + (draw * eff - give / eff) * HOURS_PER_SLOT, size)
        power[slot] = draw - give
    return power.T


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
