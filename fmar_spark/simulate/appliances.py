"""What a household switches on: kettles to tumble dryers, each with its own power, length, hours and owners."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.simulate.civil import Civil
from fmar_spark.simulate.paint import Uses, join_uses
from fmar_spark.simulate.plan import Floats, Ints
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.usage_patterns import LIVES, Habits


class Appliance(NamedTuple):
    """Ranges across homes (low, high); a home draws its own power, length and rate from them."""

    name: str
    kw: tuple[float, float]
    minutes: tuple[float, float]
    uses_per_day: tuple[float, float]
    hours: str
    """Five weights: on rising, midday, coming home, evening, any hour of the day or night."""
    owners: float
    winter: float = 0.0
    """Relative rise of the rate in mid-winter."""
    is_habitual: bool = False
    """Used at the home's own hours rather than at everyone's."""


APPLIANCES: Final = (
    Appliance("kettle", (1.8, 3.0), (1.5, 4.5), (1.5, 9.0), "42331", 0.96),
    Appliance("toaster", (0.8, 1.6), (2, 5), (0.2, 2.0), "81110", 0.8),
    Appliance("microwave", (0.9, 1.5), (1.5, 9), (0.3, 3.0), "23421", 0.9),
    Appliance("hob", (1.0, 2.4), (8, 35), (0.3, 2.0), "12620", 0.55),
    Appliance("oven", (1.2, 2.6), (20, 70), (0.1, 0.9), "02710", 0.75, is_habitual=True),
    Appliance("wash", (1.8, 2.3), (12, 28), (0.1, 1.0), "33221", 0.95, is_habitual=True),
    Appliance("wash_spin", (0.2, 0.5), (30, 90), (0.1, 1.0), "33221", 0.9),
    Appliance("dishwasher", (1.7, 2.3), (14, 34), (0.15, 1.1), "12154", 0.5, is_habitual=True),
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


class Anchors(NamedTuple):
    """The moments around which things are used, local slots, shape (meters, days) each."""

    rising: Floats
    midday: Floats
    homecoming: Floats
    evening: Floats


def _anchors(habits: Habits) -> Anchors:
    home = np.where(habits.is_out, habits.back + 1.0, (habits.wake + habits.bed) / 2 + 5.0)
    return Anchors(
        rising=habits.wake + 0.7,
        midday=(habits.wake + habits.bed) / 2 - 3.0,
        homecoming=home,
        evening=np.maximum(habits.bed - 5.0, home + 1.0),
    )


def _start_times(rng: np.random.Generator, anchors: Anchors, habits: Habits, uses: tuple[Ints, Ints], appliance: Appliance) -> Floats:
    """Local slots, and NaN for a use that falls while nobody is in."""
    meter, day = uses
    weight = np.array([float(digit) for digit in appliance.hours])
    taste = rng.gamma(np.maximum(weight, 0.02) * 1.2, 1.0, (len(habits.regularity), 5))
    share = np.cumsum(taste / taste.sum(axis=1, keepdims=True), axis=1)
    pick = np.minimum((rng.random(len(meter))[:, None] > share[meter]).sum(axis=1), 4)
    at = np.choose(np.minimum(pick, 3), [anchor[meter, day] for anchor in anchors])
    own = rng.normal(0, 2.2 if appliance.is_habitual else 0.8, (LIVES, len(habits.regularity)))[habits.life[meter, day], meter]
    spread = habits.regularity[meter] * (0.7 if appliance.is_habitual else 1.8)
    at = at + own + rng.standard_normal(len(meter)) * spread
    at = np.where(pick == 4, rng.uniform(0, 48, len(meter)), at)
    out = habits.is_out[meter, day] & (at > habits.leave[meter, day]) & (at < habits.back[meter, day])
    return np.where(out & (rng.random(len(meter)) < 0.9), np.nan, at)


def use_appliances(rng: np.random.Generator, people: Population, habits: Habits, civil: Civil) -> Uses:
    """Every switching of every home, on UTC slots."""
    meters = len(habits.life)
    anchors = _anchors(habits)
    cold = 0.5 + 0.5 * np.cos(civil.year_phase - 0.25)[None]
    demand = people.scale_kw[:, None] ** 0.6 / 0.3**0.6 * habits.activity * np.where(habits.is_away, 0.0, 1.0)
    demand = demand * people.is_domestic[:, None]
    row = np.arange(meters)[:, None]
    parts = []
    for appliance in APPLIANCES:
        owned = rng.random((LIVES, meters)) < appliance.owners
        low, high = np.log(appliance.uses_per_day)
        rate = owned * np.exp(rng.normal((low + high) / 2, (high - low) / 2.6, (LIVES, meters)))
        low, high = np.log(appliance.kw)
        power = np.exp(rng.uniform(low, high, (LIVES, meters)))
        low, high = np.log(appliance.minutes)
        minutes = np.exp(rng.uniform(low, high, (LIVES, meters)))
        count = rng.poisson(np.minimum(rate[habits.life, row] * demand * np.maximum(1 + appliance.winter * (cold - 0.4), 0.05), 14.0))
        meter, day = np.nonzero(count)
        repeat = count[meter, day]
        meter, day = np.repeat(meter, repeat), np.repeat(day, repeat)
        start = _start_times(rng, anchors, habits, (meter, day), appliance)
        kept = np.isfinite(start)
        meter, day, start = meter[kept], day[kept], start[kept]
        life = habits.life[meter, day]
        length = minutes[life, meter] / 30.0 * np.exp(0.4 * rng.standard_normal(len(meter)))
        kw = power[life, meter] * np.where(length > 1.5, rng.uniform(0.55, 1.0, len(meter)), rng.uniform(0.85, 1.0, len(meter)))
        parts.append(Uses(meter, day * 48 + start - civil.utc_shift_slots[day], length, kw))
    return join_uses(parts)
