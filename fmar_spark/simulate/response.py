"""Demand response: load reduced on request, on price or on a timetable, with the rebound afterwards."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.catalogue import name_behaviours
from fmar_spark.simulate.behaviours.draws import draw_behaviours
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.loads import Uses, build_load, select_uses
from fmar_spark.simulate.plan import PREMISES, FleetPlan, Floats, Ints, open_stream
from fmar_spark.simulate.population import Life, Population, draw_life, size_track
from fmar_spark.simulate.weather import Weather, correlated_noise

SCHEMES: Final = name_behaviours(AssetClass.DEMAND_RESPONSE)
DYNAMIC: Final = SCHEMES.index("response_dynamic_tariff")


class Response(NamedTuple):
    """``change_kw`` (meters, slots): negative while load is reduced, positive during the rebound."""

    change_kw: Floats
    held_back_kw: Floats
    """(meters, slots), positive, without the rebound."""
    life: Life
    scheme: Ints


def price_index(plan: FleetPlan, calendar: Calendar, weather: Weather) -> Floats:
    """A day-ahead price, mean 0 and variance about 1, high on winter evenings and on cold still days, (slots,)."""
    rng = open_stream(plan.seed, 0, "price")
    clock = calendar.local_slot
    evening = np.exp(-0.5 * ((clock - 35.5) / 3.0) ** 2)
    morning = 0.5 * np.exp(-0.5 * ((clock - 16.5) / 3.0) ** 2)
    night = -0.9 * np.exp(-0.5 * (((clock - 7 + 24) % 48 - 24) / 5.0) ** 2)
    winter = 1 + 0.5 * np.cos(calendar.year_phase[calendar.local_day])
    cold = -0.06 * (weather.temp_c.mean(axis=0) - 10)
    sun = -weather.ghi_w_m2.mean(axis=0) / 900.0
    wind = 0.8 * correlated_noise(rng.standard_normal((1, plan.slots)), 70.0)[0]
    quick = 0.25 * correlated_noise(rng.standard_normal((1, plan.slots)), 3.0)[0]
    price = 1.7 * winter * (evening + morning) + 0.7 * night + cold + sun + wind + quick
    return np.asarray((price - price.mean()) / price.std())


def _rank_down(values: Floats) -> Floats:
    """0 for the highest .. nearly 1 for the lowest."""
    return np.asarray(np.argsort(np.argsort(-values)) / max(len(values), 1))


def _event_days(rng: np.random.Generator, scheme: Ints, price: Floats, calendar: Calendar) -> tuple[Ints, Ints]:
    """Meter and day of every event; days of high price are the same for all."""
    meters, days = len(scheme), calendar.days
    peak = np.full(days, -9.0)
    np.maximum.at(peak, calendar.local_day, price)
    winter = np.cos(calendar.year_phase) > 0.5
    working = ~calendar.is_rest_day
    yearly = np.exp(rng.uniform(np.log(5), np.log(90), meters))[:, None] / 365.0
    by_scheme = np.stack(
        [
            _rank_down(np.where(working & winter, peak, -9.0))[None] < np.maximum(yearly * 0.7, 0.02),
            np.repeat((working & winter)[None], meters, axis=0),
            _rank_down(peak)[None] < yearly * 1.6,
            working[None] & (rng.random((meters, days)) < yearly * 1.4),
            working[None] & ~winter[None] & (rng.random((meters, days)) < yearly * 1.4),
            rng.random((meters, days)) < np.maximum(yearly, 0.05),
        ]
    )
    has_event = np.take_along_axis(by_scheme, scheme[None, :, None], axis=0)[0]
    has_event &= rng.random((meters, days)) < rng.uniform(0.6, 1.0, (meters, 1))
    meter, day = np.nonzero(has_event)
    return meter, day


def _draw_events(rng: np.random.Generator, scheme: Ints, price: Floats, calendar: Calendar) -> Uses:
    """Start and length of every event that each meter is called for; ``kw`` is 1."""
    meters = len(scheme)
    meter, day = _event_days(rng, scheme, price, calendar)
    count = len(meter)
    by_day = np.full((calendar.days, 48), -9.0)
    by_day[calendar.local_day, calendar.local_slot] = price
    peak_slot = by_day.argmax(axis=1)
    own = rng.integers(32, 34, meters)
    usual = rng.choice([1, 2, 2, 3, 4, 4, 6, 8], meters)
    length = np.where(rng.random(count) < 0.7, usual[meter], rng.choice([1, 2, 3, 4, 6], count))
    kind = scheme[meter]
    length = np.where(kind == DYNAMIC, rng.choice([6, 6, 8, 12, 12, 24], count), length)
    any_hour = 2 * rng.integers(0, 24, count)
    hour = np.select(
        [kind == 0, kind == 1, kind == 2, kind == 3, kind == DYNAMIC],
        [
            33 + rng.integers(0, 4, count),
            own[meter],
            peak_slot[day] - length // 2,
            rng.integers(14, 40, count),
            any_hour,
        ],
        rng.integers(20, 34, count),
    )
    start = day * 48 + hour - calendar.utc_shift_slots[day]
    return Uses(meter, start.astype(np.float64), length.astype(np.float64), np.ones(count))


def _draw_cheap_hours(rng: np.random.Generator, scheme: Ints, depth: Floats, calendar: Calendar) -> Uses:
    """Hours of a dynamic tariff that are cheaper than usual, in which its customers draw more; ``kw`` is the share of load."""
    wanted = rng.random((len(scheme), calendar.days)) < rng.uniform(0.0, 0.2, (len(scheme), 1)) * (scheme == DYNAMIC)[:, None]
    meter, day = np.nonzero(wanted)
    count = len(meter)
    start = day * 48 + 2 * rng.integers(0, 24, count) - calendar.utc_shift_slots[day]
    length = rng.choice([6.0, 12.0, 24.0, 36.0], count)
    share = depth[meter] * rng.normal(1.0, 0.5, count).clip(0.0, 2.0)
    return Uses(meter, start.astype(np.float64), length, share)


def simulate_response(
    rng: np.random.Generator, population: Population, calendar: Calendar, plan: FleetPlan, site: tuple[Floats, Floats]
) -> Response:
    """Events of every meter with demand response, as a reduction of what it would have drawn.

    Args:
        rng: stream of demand response.
        population: the meters.
        calendar: of the plan.
        plan: dates and shares.
        site: load that can be held back, (meters, slots) kW, and the day-ahead price index, (slots,).
    """
    load_kw, price = site
    meters, slots = len(load_kw), plan.slots
    depth = rng.uniform(0.10, 0.62, meters)
    life = draw_life(rng, population.ever(AssetClass.DEMAND_RESPONSE), plan, np.ones(meters), np.ones(meters))
    scheme = draw_behaviours(rng, AssetClass.DEMAND_RESPONSE, ~population.is_domestic)
    is_shared = population.premises == PREMISES.index("shared_building")
    scheme = np.where(is_shared & (rng.random(meters) < 0.6), DYNAMIC, scheme)
    events = _draw_events(rng, scheme, price, calendar)
    there = life.is_ever[events.meter]
    events = select_uses(events, there)
    strength = rng.normal(1.0, 0.22, len(events.meter)).clip(0.1, 1.5) * np.where(rng.random(len(events.meter)) < 0.07, 0.1, 1.0)
    share = (depth[events.meter] * strength).clip(0.0, 0.75)
    late = rng.choice([0.0, 0.0, 0.0, 0.2, 0.5], len(events.meter))
    cut = build_load(Uses(events.meter, events.start + late, events.length - late, share), meters, slots)
    active = size_track(life, slots)
    held = np.minimum(cut, 0.8) * active * np.maximum(load_kw, 0)
    back = np.where(rng.random(meters) < 0.7, rng.uniform(0.2, 1.0, meters), 0.0)[events.meter]
    rebound_length = rng.choice([1.0, 2.0, 4.0, 6.0], meters)[events.meter]
    rebound = build_load(
        Uses(events.meter, events.start + events.length, rebound_length, share * back * events.length / rebound_length),
        meters,
        slots,
    )
    early = (rng.random(meters) < 0.15)[events.meter]
    ahead = Uses(events.meter[early], events.start[early] - 2, np.full(int(early.sum()), 2.0), 0.4 * share[early])
    cheap = _draw_cheap_hours(rng, np.where(life.is_ever, scheme, 0), depth, calendar)
    more = np.minimum(rebound, 0.8) + build_load(ahead, meters, slots) + np.minimum(build_load(cheap, meters, slots), 1.0)
    change = -held + more * active * np.maximum(load_kw, 0)
    return Response(change.astype(np.float32), held.astype(np.float32), life, scheme)
