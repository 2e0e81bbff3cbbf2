"""How a household lives: when it is up, out, away and awake, day by day, and how that changes."""

from typing import NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.simulate.civil import Civil
from fmar_spark.simulate.plan import Bools, Floats, Ints
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.weather import wander

LIVES = 2
"""A home has a first and a second life: new occupants, or the same ones with changed habits; most never reach the second."""


class Habits(NamedTuple):
    """Daily frame of each home in local slots, shape (meters, days) unless said."""

    life: Ints
    """0 or 1: which set of habits holds that day."""
    wake: Floats
    leave: Floats
    back: Floats
    bed: Floats
    is_out: Bools
    """Nobody in between ``leave`` and ``back``."""
    is_away: Bools
    """Nobody in all day: holiday or vacancy."""
    activity: Floats
    """How busy the day is, mean about 1."""
    regularity: Floats
    """(meters,) spread of habitual times, slots: small for people of fixed habits."""


def _change_days(rng: np.random.Generator, people: Population, days: int) -> Ints:
    """Row of the day from which the second life holds, ``days`` where it never does, shape (meters, days) of 0 or 1."""
    meters = len(people.area)
    changed = people.looks_like("new_occupants") | people.looks_like("habit_change")
    at = (rng.uniform(0.12, 0.88, meters) * days).astype(np.int64)
    lasting = np.where(people.looks_like("new_occupants"), days, rng.integers(30, 160, meters))
    day = np.arange(days)[None]
    return np.asarray(changed[:, None] & (day >= at[:, None]) & (day < (at + lasting)[:, None])).astype(np.int64)


def _absences(rng: np.random.Generator, people: Population, days: int) -> Bools:
    meters = len(people.area)
    away = np.zeros((meters, days), bool)
    day = np.arange(days)[None]
    trips = rng.poisson(np.where(people.is_domestic, rng.gamma(1.5, 1.6, meters), 0.0) * days / 365.0)
    for trip in range(7):
        start = rng.integers(0, max(days, 1), meters)
        length = np.minimum(2 + rng.geometric(0.14, meters), 28)
        gone = (trips > trip)[:, None]
        away |= gone & (day >= start[:, None]) & (day < (start + length)[:, None])
    start = rng.integers(0, max(days - 20, 1), meters)
    length = rng.integers(25, 200, meters)
    away |= people.looks_like("vacancy")[:, None] & (day >= start[:, None]) & (day < (start + length)[:, None])
    return away


def draw_habits(rng: np.random.Generator, people: Population, civil: Civil) -> Habits:
    """Days of every home: rota, lie-ins, shift work, working from home, trips and a busyness that wanders."""
    meters, days = len(people.area), civil.days
    life = _change_days(rng, people, days)
    row = np.arange(meters)[:, None]
    rest = civil.is_rest_day[None]
    shape = (LIVES, meters)
    wake = rng.normal(13.6, 1.8, shape)[life, row] + rest * rng.gamma(2.0, 0.8, shape)[life, row]
    bed = rng.normal(45.8, 2.2, shape)[life, row] + rest * rng.gamma(1.5, 0.7, shape)[life, row]
    shift = rng.choice([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 14.0, 24.0, -6.0], shape)[life, row]
    rota = (civil.local_day[0] + np.arange(days))[None] // np.array([4, 7, 10**6])[rng.integers(0, 3, shape)][life, row] % 2
    shift = shift * np.where(rng.random(shape)[life, row] < 0.4, rota, 1)
    regular = np.exp(rng.normal(0.35, 0.75, shape))
    wobble = rng.standard_normal((4, meters, days)) * regular[life, row]
    out_chance = np.array([0.02, 0.25, 0.6, 0.9])[rng.choice(4, shape, p=(0.25, 0.25, 0.2, 0.3))]
    rest_chance = rng.beta(1.5, 3.0, shape)
    works = out_chance[life, row] * (1 - rest) + rest * rest_chance[life, row]
    confined = people.looks_like("habit_change")[:, None] & (life == 1) & (rng.random((meters, 1)) < 0.6)
    is_out = rng.random((meters, days)) < np.where(confined, 0.05, works)
    leave = wake + 2.2 + np.abs(wobble[1]) + rest * 4
    lasting = rng.normal(17.5, 4.0, shape)[life, row]
    back = np.maximum(leave + 2, leave + lasting + wobble[2] * 1.5)
    busy = rng.gamma(6.0, 1 / 6.0, (meters, days)) * np.exp(0.22 * wander(rng.standard_normal((meters, days)), 9.0))
    busy = busy * np.where(rest, rng.normal(1.12, 0.12, (meters, 1)).clip(0.7, 1.6), 1.0)
    return Habits(
        life=life,
        wake=wake + shift + wobble[0],
        leave=leave + shift,
        back=back + shift,
        bed=np.maximum(bed + wobble[3], wake + 20) + shift,
        is_out=is_out,
        is_away=_absences(rng, people, days),
        activity=busy,
        regularity=regular[0],
    )


def awake_at_home(habits: Habits, civil: Civil) -> Bools:
    """Whether somebody is up and in, on UTC slots, shape (meters, slots)."""
    clock = np.asarray(civil.local_slot, dtype=np.float32)[None]

    def within(start: Floats, end: Floats) -> Bools:
        first = civil.spread_days(start.astype(np.float32))
        return np.asarray((clock - first) % SLOTS_PER_DAY < civil.spread_days((end - start).astype(np.float32)))

    out = within(habits.leave, habits.back) & civil.spread_days(habits.is_out)
    return np.asarray(within(habits.wake, habits.bed) & ~out & ~civil.spread_days(habits.is_away))
