"""Loads that are taken for an asset and are none."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.simulate.behaviours.catalogue import name_behaviours
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.homes import awake_at_home, draw_occupancy
from fmar_spark.simulate.lookalikes import follow_absence, simulate_lookalikes
from fmar_spark.simulate.plan import CONFUSERS, Floats
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.weather import Weather

ADDS_NO_LOAD = {"vacancy", "habit_change", "new_occupants", "slow_start", "empty_home", "second_home", "hours_away", "low_standing_load"}
NOT_IN_THE_COLD = {"air_conditioning"}


@pytest.fixture(scope="module")
def add_load(calendar: Calendar, weather: Weather, draw_homes: Callable[..., Population]) -> Callable[[str], Floats]:
    """A function from the name of a look-alike to what it adds to twenty homes, half of which have it."""

    def add(name: str) -> Floats:
        population = draw_homes(20)
        chosen = np.zeros((20, len(CONFUSERS)), dtype=bool)
        chosen[:10, CONFUSERS.index(name)] = True
        population = population._replace(is_lookalike=chosen)
        rng = np.random.default_rng(1)
        occupancy = draw_occupancy(rng, population, calendar)
        return simulate_lookalikes(
            rng, population, occupancy, (calendar, weather.temp_c[population.area]), awake_at_home(occupancy, calendar)
        )

    return add


@pytest.mark.parametrize("name", [name for name in CONFUSERS if name not in ADDS_NO_LOAD | NOT_IN_THE_COLD])
def test_each_look_alike_adds_load_to_the_meters_that_have_it_and_to_no_other(add_load: Callable[[str], Floats], name: str) -> None:
    added = add_load(name)
    assert (added >= 0).all()
    assert (added[10:] == 0).all()
    assert (added[:10].max(axis=1) > 0.03).mean() > 0.7


def test_storage_heating_charges_at_night_and_follows_the_cold(add_load: Callable[[str], Floats], calendar: Calendar) -> None:
    added = add_load("storage_heating")[:10].sum(axis=0)
    night = (calendar.local_slot >= 44) | (calendar.local_slot < 18)
    assert added[night].sum() > 0.75 * added.sum()


def test_a_shower_is_powerful_and_ends_within_the_half_hour(add_load: Callable[[str], Floats]) -> None:
    added = add_load("electric_shower")[:10]
    on = added > 0.2
    runs = np.diff(np.pad(on.astype(int), ((0, 0), (1, 1))), axis=1)
    length = np.nonzero(runs == -1)[1] - np.nonzero(runs == 1)[1]
    assert np.median(length) <= 2
    assert added.max() > 1.5


def choose(population: Population, name: str) -> Population:
    """The same meters, half of which have one look-alike, each of its behaviours in turn."""
    count = len(population.area)
    chosen = np.zeros((count, len(CONFUSERS)), dtype=bool)
    chosen[: count // 2, CONFUSERS.index(name)] = True
    numbers = np.arange(count) % len(name_behaviours(name))
    field = {"hours_away": "absence", "air_conditioning": "cooling"}[name]
    return population._replace(is_lookalike=chosen, **{field: numbers})


def test_a_home_with_nobody_in_uses_less_at_its_own_hours_and_is_untouched_elsewhere(
    calendar: Calendar, draw_homes: Callable[..., Population]
) -> None:
    population = choose(draw_homes(60), "hours_away")
    left = follow_absence(np.random.default_rng(1), population, calendar)
    assert (left[30:] == 1).all()
    assert ((left > 0) & (left <= 1)).all()
    noon, night = (np.isin(calendar.local_slot, slots) for slots in ([24, 25, 26], [1, 2, 3]))
    by_night = population.absence[:30] == name_behaviours("hours_away").index("away_at_night")
    assert left[:30][~by_night][:, noon].mean() < 0.75
    assert (left[:30][~by_night][:, night] == 1).all()
    assert left[:30][by_night][:, night].mean() < 0.75
    assert left[:30][by_night][:, noon].mean() > 0.95


def test_rooms_cooled_by_hand_are_cooled_on_warm_days_alone(calendar: Calendar, draw_homes: Callable[..., Population]) -> None:
    population = choose(draw_homes(60), "air_conditioning")
    rng = np.random.default_rng(1)
    occupancy = draw_occupancy(rng, population, calendar)
    is_home = awake_at_home(occupancy, calendar)
    cold, warm = (
        simulate_lookalikes(rng, population, occupancy, (calendar, np.full(is_home.shape, temp_c, np.float32)), is_home)
        for temp_c in (8.0, 24.0)
    )
    assert not cold.any()
    by_hand = population.cooling[:30] != name_behaviours("air_conditioning").index("cooling_by_thermostat")
    highest = warm[:30][by_hand].max(axis=1)
    assert (highest > 0.4).all()
    assert highest.max() < 2.9
