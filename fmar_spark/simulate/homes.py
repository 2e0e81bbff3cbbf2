"""The load of a home before any asset: what never sleeps, and what its people switch on."""

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.simulate.appliances import use_appliances
from fmar_spark.simulate.civil import Civil
from fmar_spark.simulate.paint import hum_squarely, paint_uses
from fmar_spark.simulate.plan import Floats
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.usage_patterns import Habits
from fmar_spark.simulate.weather import wander


def _hum_fridges(rng: np.random.Generator, meters: int, slots: int, warmth: Floats) -> Floats:
    """Two cold appliances a home, whose compressors cycle out of step with the half-hours."""
    total = np.zeros((meters, slots), np.float32)
    for owners in (0.97, 0.5):
        period = rng.uniform(0.7, 4.5, meters)
        duty = rng.uniform(0.2, 0.65, meters)
        kw = np.where(rng.random(meters) < owners, rng.lognormal(np.log(0.085), 0.45, meters), 0.0)
        pace = 1 + 0.06 * wander(rng.standard_normal((meters, slots), np.float32), 12.0) + 0.01 * (warmth - 10)
        phase = np.cumsum(pace, axis=1) + rng.uniform(0, 9, meters)[:, None]
        total += (kw[:, None] * hum_squarely(period, duty, phase)).astype(np.float32)
    return total


def _standing_load(rng: np.random.Generator, people: Population, slots: int) -> Floats:
    """Routers, pumps and chargers: flat, with a few lasting steps as things come and go."""
    meters = len(people.area)
    base = 0.065 * (people.scale_kw / 0.3) ** 0.8 * np.exp(0.65 * rng.standard_normal(meters))
    load = np.repeat(base[:, None], slots, axis=1).astype(np.float32)
    slot = np.arange(slots)[None]
    for _ in range(4):
        at = rng.integers(0, slots, meters)[:, None]
        until = at + rng.integers(2 * SLOTS_PER_DAY, 200 * SLOTS_PER_DAY, meters)[:, None]
        step = base * rng.normal(0, 0.35, meters) * (rng.random(meters) < 0.6)
        load += np.where((slot >= at) & (slot < until), step[:, None], 0).astype(np.float32)
    noise = wander(rng.standard_normal((meters, slots), np.float32), 5.0)
    load *= 1 + rng.uniform(0.0, 0.12, meters)[:, None] * noise
    return np.maximum(load, 0.0)


def simulate_homes(rng: np.random.Generator, people: Population, habits: Habits, civil: Civil, temp_c: Floats) -> Floats:
    """Mean power without assets or look-alikes, kW, (meters, slots); 0 for businesses.

    Args:
        rng: stream of the homes.
        people: the meters.
        habits: their days.
        civil: the calendar.
        temp_c: outdoor temperature of each meter, (meters, slots).
    """
    meters, slots = temp_c.shape
    power = paint_uses(use_appliances(rng, people, habits, civil), meters, slots)
    standing = _standing_load(rng, people, slots)
    emptied = civil.spread_days((habits.is_away * rng.uniform(0.0, 0.6, (meters, 1))).astype(np.float32))
    power += standing * (1 - emptied)
    power += _hum_fridges(rng, meters, slots, temp_c)
    power *= people.is_domestic[:, None]
    return power
