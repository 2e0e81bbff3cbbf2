"""Heat pumps: building inertia, thermostat or inverter control, hot water, defrost and occasional immersion boost."""

from typing import Final, NamedTuple

import numpy as np
from scipy.signal import lfilter

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.behaviours.catalogue import name_behaviours
from fmar_spark.simulate.behaviours.draws import draw_behaviours
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.loads import Uses, build_load, cycle_at_demand
from fmar_spark.simulate.plan import FleetPlan, Floats, Ints
from fmar_spark.simulate.population import Life, Population, draw_life, size_track

KINDS: Final = name_behaviours(AssetClass.HEAT_PUMP)


class HeatPumps(NamedTuple):
    """Electrical power of the heat pumps, kW, (meters, slots); ``kind`` indexes ``KINDS``."""

    power_kw: Floats
    life: Life
    kind: Ints


def lag_weather(temp_c: Floats, lag_slots: Floats) -> Floats:
    """Temperature as a building of that time constant feels it; each meter has its own lag, (meters, slots).

    Meters are sorted into eight lags so that the filter runs over many at once.
    """
    felt = np.empty(temp_c.shape, np.float32)
    edges = np.quantile(lag_slots, np.linspace(0, 1, 9)[1:-1]) if len(lag_slots) else np.zeros(7)
    group = np.searchsorted(edges, lag_slots)
    for member in np.unique(group):
        rows = np.flatnonzero(group == member)
        keep = float(np.exp(-1.0 / lag_slots[rows].mean()))
        felt[rows] = lfilter([1 - keep], [1, -keep], temp_c[rows], axis=1, zi=keep * temp_c[rows, :1])[0]
    return felt


def _wanted_temperature(rng: np.random.Generator, meters: int, calendar: Calendar) -> Floats:
    """Room set-point: constant, night setback, or two heating periods a day; (meters, slots)."""
    clock = calendar.local_slot[None].astype(np.float32)
    day = rng.normal(20.3, 1.3, (meters, 1))
    style = rng.random((meters, 1))
    drop = np.where(style < 0.35, 0.0, np.where(style < 0.8, rng.uniform(0.8, 3.5, (meters, 1)), rng.uniform(3, 6, (meters, 1))))
    wake, bed = rng.normal(12, 2, (meters, 1)), rng.normal(44, 2.5, (meters, 1))
    rest = (rng.random((meters, 1)) < 0.5) * calendar.is_rest_day[calendar.local_day][None] * 2.0
    night = (clock < wake + rest) | (clock >= bed)
    midday = (style > 0.85) & (clock > 19) & (clock < 32)
    return np.asarray(day - drop * (night | midday))


def _heat_demand(rng: np.random.Generator, wanted: Floats, temp_c: Floats, sun_w_m2: Floats) -> Floats:
    """Heat demand as a share of the pump's output at design conditions, with a boost after each setback."""
    meters = len(wanted)
    felt = lag_weather(temp_c, np.exp(rng.uniform(np.log(4), np.log(90), meters)))
    gains = rng.uniform(1.5, 5.0, (meters, 1)) + rng.uniform(0.0, 0.009, (meters, 1)) * sun_w_m2
    design = rng.uniform(17.0, 36.0, (meters, 1))
    steady = (wanted - gains - felt) / design
    keep = float(np.exp(-1 / rng.uniform(3, 14)))
    room = lfilter([1 - keep], [1, -keep], wanted, axis=1, zi=keep * wanted[:, :1])[0]
    boost = rng.uniform(0.02, 0.22, (meters, 1)) * (wanted - room)
    season = np.where(steady + boost > 0, steady + boost, 0.0)
    return np.asarray(np.clip(season, 0.0, 1.0))


def _electric_share(rng: np.random.Generator, heat: Floats, temp_c: Floats) -> Floats:
    """Electrical demand as a share of the rating: colder air and hotter water cost more."""
    meters = len(heat)
    slope = rng.uniform(0.012, 0.032, (meters, 1))
    relative_cop = np.clip(1 + slope * (temp_c + 3.0), 0.7, 1.9)
    compensated = 1 - rng.uniform(0.0, 0.18, (meters, 1)) * (1 - heat)
    share = heat * compensated / relative_cop * rng.uniform(0.85, 1.15, (meters, 1))
    frosty = np.exp(-(((temp_c - 1.0) / 3.5) ** 2)) * (heat > 0.1)
    defrost = 1 + frosty * rng.uniform(0.0, 0.22, (meters, 1)) * rng.standard_normal(heat.shape, np.float32)
    return np.asarray(np.clip(share * defrost, 0.0, 1.0))


def _modulate(rng: np.random.Generator, share: Floats, kind: Ints) -> Floats:
    """Power as a share of the rating: inverters follow demand down to a least power and cycle below it, others cycle."""
    meters, slots = share.shape
    least = np.where(kind == 1, rng.uniform(0.85, 1.0, meters), rng.uniform(0.18, 0.45, meters))
    run = np.where(kind == 1, rng.uniform(0.4, 4.0, meters), rng.uniform(0.25, 1.8, meters))
    below = share < least[:, None]
    uses = cycle_at_demand(np.where(below, share / least[:, None], 0.0), run)
    cycled = build_load(Uses(uses.meter, uses.start, uses.length, least[uses.meter]), meters, slots)
    hunting = 1 + rng.uniform(0.0, 0.08, (meters, 1)) * rng.standard_normal((meters, slots), np.float32)
    return np.asarray(cycled + np.where(below, 0.0, share * hunting))


def _hot_water(rng: np.random.Generator, meters: int, calendar: Calendar, slots: int) -> Floats:
    """Cylinder runs once or twice a day as a share of the rating, and a weekly pasteurising boost by immersion."""
    days = calendar.days
    total = np.zeros((meters, slots), np.float32)
    often = rng.choice([0, 1, 2, 2], meters)
    for spell in range(2):
        at = rng.choice([3.0, 8.0, 11.0, 26.0, 30.0, 37.0, 44.0], meters) + rng.normal(0, 0.7, meters)
        spread = rng.uniform(0.02, 2.0, meters)
        meter, day = np.nonzero((often > spell)[:, None] & (rng.random((meters, days)) < rng.uniform(0.75, 1.0, (meters, 1))))
        start = day * 48 + at[meter] + spread[meter] * rng.standard_normal(len(meter)) - calendar.utc_shift_slots[day]
        length = (rng.uniform(0.7, 2.6, meters)[meter] * np.exp(0.35 * rng.standard_normal(len(meter)))).clip(0.2, 5)
        total += build_load(Uses(meter, start, length, rng.uniform(0.55, 1.0, meters)[meter]), meters, slots)
    return total


def _boost(rng: np.random.Generator, meters: int, calendar: Calendar, slots: int) -> Floats:
    """Weekly 3 kW immersion runs against legionella, kW, in the two pumps of five that have them."""
    on_day = rng.integers(0, 7, meters)
    has = rng.random(meters) < 0.4
    meter, day = np.nonzero(has[:, None] & (calendar.weekday[None] == on_day[:, None]))
    start = day * 48 + rng.uniform(0, 44, meters)[meter] - calendar.utc_shift_slots[day]
    length = rng.uniform(0.8, 2.5, meters)[meter]
    return build_load(Uses(meter, start, length, rng.uniform(2.6, 3.1, meters)[meter]), meters, slots)


def _size(rng: np.random.Generator, population: Population) -> Floats:
    meters = len(population.area)
    home = np.exp(rng.normal(np.log(2.4), 0.42, meters)).clip(0.8, 5.5)
    firm = (population.scale_kw * rng.uniform(0.3, 1.6, meters)).clip(2.0, 400.0)
    return np.where(population.is_domestic, home, firm)


def simulate_heat_pumps(
    rng: np.random.Generator, population: Population, calendar: Calendar, plan: FleetPlan, sky: tuple[Floats, Floats]
) -> HeatPumps:
    """Heat pumps of every meter.

    Args:
        rng: stream of heat pumps.
        population: the meters.
        calendar: of the plan.
        plan: dates and shares.
        sky: temperature and irradiance of each meter, (meters, slots) each.
    """
    temp_c, sun_w_m2 = sky
    life = draw_life(rng, population.ever(AssetClass.HEAT_PUMP), plan, _size(rng, population), rng.uniform(1.3, 1.9, len(population.area)))
    kind = draw_behaviours(rng, AssetClass.HEAT_PUMP, ~population.is_domestic)
    power = np.zeros(temp_c.shape, np.float32)
    rows = np.flatnonzero(life.is_ever)
    if not len(rows):
        return HeatPumps(power, life, kind)
    meters, slots = len(rows), plan.slots
    temp, mode = temp_c[rows], kind[rows]
    wanted = _wanted_temperature(rng, meters, calendar)
    heat = _heat_demand(rng, wanted, temp, sun_w_m2[rows])
    heat = np.where((mode == 2)[:, None] & (temp < rng.uniform(0, 5, (meters, 1))), 0.0, heat)
    part_time = calendar.spread_days(rng.random((meters, calendar.days)) < rng.uniform(0.4, 1.0, (meters, 1)))
    heat = np.where((mode == 3)[:, None] & ~part_time, 0.0, heat)
    cooling = np.clip((temp - rng.uniform(19, 26, (meters, 1))) / 14.0, 0, 1) * ((mode == 3) & (rng.random(meters) < 0.6))[:, None]
    share = _modulate(rng, _electric_share(rng, heat, temp) + cooling, mode)
    water = np.where((mode == 3)[:, None], 0.0, _hot_water(rng, meters, calendar, slots))
    share = np.where(water > 0.3, np.maximum(water, share * 0.3), share)
    rating = size_track(life, slots)[rows]
    standby = rng.uniform(0.005, 0.03, (meters, 1)) * (rating > 0)
    boost = _boost(rng, meters, calendar, slots) * ((mode < 2) & population.is_domestic[rows])[:, None] * (rating > 0)
    power[rows] = np.minimum(share, 1.02) * rating + standby + boost
    return HeatPumps(power, life, kind)
