"""The load of businesses: opening hours, seasons, machines and base load."""

from typing import Final, NamedTuple

import numpy as np
from scipy.signal import lfilter

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.simulate.calendars import Calendar
from fmar_spark.simulate.loads import Uses, average_square_wave, build_load, cycle_at_demand, join_uses
from fmar_spark.simulate.plan import BUSINESSES, HOMES, Floats, Ints
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.weather import correlated_noise


class Trade(NamedTuple):
    """Ranges (low, high) that a site of this trade draws from; powers relative to its typical mean power."""

    base: tuple[float, float]
    """Base load, as a share."""
    opens: tuple[float, float]
    """Hour of the local day."""
    shuts: tuple[float, float]
    saturday: tuple[float, float]
    """Activity relative to a working day."""
    sunday: tuple[float, float]
    term_break: tuple[float, float]
    """Activity in school holidays."""
    cooling: tuple[float, float]
    """Relative load per degree above a site's own balance point."""
    heating: tuple[float, float]
    machines: tuple[float, float]
    """Share of the activity that is switched machines."""


TRADES: Final = {
    "school": Trade((0.15, 0.85), (6.0, 8.5), (15.5, 20.0), (0.0, 0.3), (0.0, 0.15), (0.05, 0.6), (0, 0.01), (0, 0.04), (0.05, 0.3)),
    "shop": Trade((0.15, 0.65), (6.0, 9.5), (17.0, 23.5), (0.7, 1.2), (0.1, 1.0), (0.9, 1.15), (0, 0.03), (0, 0.03), (0.02, 0.3)),
    "office": Trade((0.25, 0.94), (6.0, 9.0), (16.5, 20.0), (0.0, 0.4), (0.0, 0.3), (0.7, 1.0), (0, 0.03), (0, 0.03), (0.0, 0.2)),
    "cold_store": Trade((0.4, 0.85), (0.0, 8.0), (15.0, 24.0), (0.3, 1.1), (0.1, 1.0), (0.9, 1.1), (0.005, 0.04), (0, 0), (0.1, 0.6)),
    "workshop": Trade((0.05, 0.4), (5.5, 9.0), (15.5, 22.0), (0.0, 0.8), (0.0, 0.3), (0.8, 1.0), (0, 0.01), (0, 0.03), (0.3, 0.8)),
    "farm": Trade((0.1, 0.6), (3.5, 7.0), (16.0, 21.0), (0.8, 1.1), (0.7, 1.1), (0.9, 1.1), (0, 0.02), (0, 0.03), (0.3, 0.8)),
    "laboratory": Trade((0.55, 0.985), (6.0, 9.0), (17.0, 22.0), (0.1, 0.7), (0.1, 0.6), (0.7, 1.05), (0, 0.03), (0, 0.02), (0.0, 0.2)),
    "hospitality": Trade((0.2, 0.6), (6.0, 11.5), (20.0, 25.5), (0.9, 1.5), (0.7, 1.4), (0.9, 1.3), (0, 0.02), (0, 0.03), (0.1, 0.5)),
    "always_on": Trade((0.9, 1.0), (7.0, 9.0), (17.0, 19.0), (0.6, 1.0), (0.6, 1.0), (0.9, 1.0), (0, 0.02), (0, 0.005), (0.0, 0.1)),
    "shared_building": Trade((0.3, 0.6), (6.0, 8.0), (21.5, 24.0), (0.9, 1.2), (0.9, 1.25), (0.95, 1.0), (0, 0.01), (0, 0.03), (0.0, 0.1)),
}


def _draw_range(rng: np.random.Generator, trades: Ints, field: str) -> Floats:
    """One draw a meter, uniform in its trade's range; shape (meters,)."""
    ranges = np.array([getattr(TRADES[name], field) for name in BUSINESSES])
    low, high = ranges[trades].T
    return np.asarray(low + (high - low) * rng.random(len(trades)))


def _daily_activity(rng: np.random.Generator, trades: Ints, calendar: Calendar) -> Floats:
    """Activity of each day, (meters, days), about 1 on a working day."""
    meters, days = len(trades), calendar.days
    level = np.ones((meters, days))
    saturday, sunday = _draw_range(rng, trades, "saturday")[:, None], _draw_range(rng, trades, "sunday")[:, None]
    level = np.where(calendar.weekday == 5, saturday, level)
    level = np.where((calendar.weekday == 6) | calendar.is_holiday, sunday, level)
    level = level * np.where(calendar.is_school_break, _draw_range(rng, trades, "term_break")[:, None], 1.0)
    season = rng.normal(0, 0.10, (meters, 1)) * np.cos(calendar.year_phase - rng.uniform(0, 6.3, (meters, 1)))
    drift = 0.10 * rng.random((meters, 1)) * correlated_noise(rng.standard_normal((meters, days)), 25.0)
    noise = rng.uniform(0.01, 0.14, (meters, 1)) * rng.standard_normal((meters, days))
    extra = rng.random((meters, days)) < rng.uniform(0, 0.02, (meters, 1))
    level = np.where(extra, level * rng.uniform(0.2, 1.5, (meters, days)), level)
    christmas = (calendar.year_phase > 6.15) | (calendar.year_phase < 0.03)
    level = level * np.where(christmas[None], rng.uniform(0.1, 1.0, (meters, 1)), 1.0)
    return np.maximum(level * (1 + season + drift + noise), 0.0)


def _daily_shape(rng: np.random.Generator, trades: Ints, activity: Floats, calendar: Calendar) -> Floats:
    """Activity within the day, (meters, slots), with gradual rise and fall at opening and closing."""
    meters, days = activity.shape
    wobble = rng.normal(0, 1, (2, meters, days)) * rng.uniform(0.05, 0.9, (2, meters, 1))
    rest_shift = rng.uniform(0, 3, (meters, 1)) * calendar.is_rest_day[None]
    opens = 2 * _draw_range(rng, trades, "opens")[:, None] + wobble[0] + rest_shift
    shuts = 2 * _draw_range(rng, trades, "shuts")[:, None] + wobble[1] - rest_shift
    edge = rng.uniform(0.15, 2.5, (2, meters, 1))
    clock = calendar.local_slot[None].astype(np.float32) + 0.5
    rise = calendar.spread_days(opens.astype(np.float32))
    fall = calendar.spread_days(shuts.astype(np.float32))
    wrapped = np.where(clock < rise - 6, clock + SLOTS_PER_DAY, clock)
    shape = 1 / (1 + np.exp(np.clip(-(clock - rise) / edge[0], -30, 30)))
    shape = np.maximum(shape, (wrapped > SLOTS_PER_DAY)) * 1 / (1 + np.exp(np.clip((wrapped - fall) / edge[1], -30, 30)))
    bumps = np.ones_like(shape)
    for _ in range(3):
        centre, width = rng.uniform(14, 42, (meters, 1)), rng.uniform(1.5, 7, (meters, 1))
        bumps += rng.normal(0, 0.22, (meters, 1)) * np.exp(-0.5 * ((clock - centre) / width) ** 2)
    return np.asarray(np.maximum(shape * bumps, 0.0) * calendar.spread_days(activity.astype(np.float32)))


def _machine_blocks(rng: np.random.Generator, active: Floats, calendar: Calendar) -> Floats:
    """Switched machines that follow the activity: blocks of a few powers, short or long, with about the mean of ``active``."""
    meters, slots = len(active), len(calendar.local_slot)
    parts = []
    for _ in range(3):
        run = np.exp(rng.uniform(np.log(0.3), np.log(10.0), meters))
        duty = rng.uniform(0.15, 0.8, meters)
        jitter = np.exp(0.5 * correlated_noise(rng.standard_normal((meters, slots), np.float32), 6.0))
        share = np.clip(active * duty[:, None] * jitter, 0, 1)
        uses = cycle_at_demand(share, run)
        kw = (rng.gamma(2.0, 0.5, meters) / 3 / duty)[uses.meter] * rng.uniform(0.7, 1.15, len(uses.meter))
        parts.append(Uses(uses.meter, uses.start, uses.length, kw))
    return build_load(join_uses(parts), meters, slots)


def _weather_load(rng: np.random.Generator, trades: Ints, open_share: Floats, temp_c: Floats) -> Floats:
    """Heating and cooling of a building that follows the weather with a lag, relative to the typical power.

    Boilers burn no electricity, but their pumps and fans run as long as the heating does, day and night in many buildings.
    """
    meters = len(trades)
    lag = rng.uniform(6, 40)
    keep = float(np.exp(-1 / lag))
    felt = lfilter([1 - keep], [1, -keep], temp_c, axis=1, zi=keep * temp_c[:, :1])[0]
    cooling = _draw_range(rng, trades, "cooling") * (rng.random(meters) < 0.5)
    heating = 1.5 * _draw_range(rng, trades, "heating") * (rng.random(meters) < 0.7)
    degrees = np.maximum(rng.uniform(11, 17, (meters, 1)) - felt, 0)
    hot = np.maximum(felt - rng.uniform(11, 20, (meters, 1)), 0) * cooling[:, None]
    always = rng.random((meters, 1)) < 0.45
    pumps = (
        (rng.random((meters, 1)) < 0.5)
        * rng.uniform(0.02, 0.25, (meters, 1))
        * np.minimum(degrees / rng.uniform(0.5, 6.0, (meters, 1)), 1.0)
    )
    return np.asarray((hot + degrees * heating[:, None] + pumps) * np.where(always, 1.0, np.minimum(open_share, 1.0)))


def simulate_businesses(rng: np.random.Generator, population: Population, calendar: Calendar, temp_c: Floats) -> Floats:
    """Mean power without assets or look-alikes, kW, (meters, slots); only the rows of businesses are filled."""
    power = np.zeros(temp_c.shape, np.float32)
    rows = np.flatnonzero(~population.is_domestic)
    if not len(rows):
        return power
    trades = population.premises[rows] - len(HOMES)
    meters, slots = len(rows), temp_c.shape[1]
    active = _daily_shape(rng, trades, _daily_activity(rng, trades, calendar), calendar)
    base = _draw_range(rng, trades, "base")[:, None]
    machines = _draw_range(rng, trades, "machines")[:, None]
    blocks = _machine_blocks(rng, active, calendar)
    load = base + 2.0 * (1 - base) * ((1 - machines) * active + machines * blocks)
    load += _weather_load(rng, trades, active, temp_c[rows])
    slow = correlated_noise(rng.standard_normal((meters, slots), np.float32), 400.0)
    quick = correlated_noise(rng.standard_normal((meters, slots), np.float32), 3.0)
    grain = rng.standard_normal((meters, slots), np.float32)
    load *= 1 + rng.uniform(0.0, 0.15, (meters, 1)) * slow + rng.lognormal(-3.6, 0.8, (meters, 1)) * quick
    load *= 1 + rng.lognormal(-4.0, 0.9, (meters, 1)) * grain
    period = np.exp(rng.uniform(np.log(0.8), np.log(12.0), meters))
    hum = average_square_wave(period, rng.uniform(0.3, 0.7, meters), np.cumsum(1 + 0.05 * quick, axis=1) + rng.uniform(0, 9, (meters, 1)))
    load *= 1 + (rng.random((meters, 1)) < 0.4) * rng.uniform(0, 0.3, (meters, 1)) * (hum - 0.5)
    at = (rng.random((2, meters)) * slots)[:, :, None]
    level = 1 + rng.normal(0, 0.12, (2, meters))[:, :, None] * (rng.random((2, meters)) < 0.3)[:, :, None]
    for step in range(2):
        load *= np.where(np.arange(slots)[None] >= at[step], level[step], 1.0)
    own = np.where(trades == BUSINESSES.index("shared_building"), 0.25, 1.0) * population.scale_kw[rows]
    power[rows] = np.maximum(load, 0.0) * own[:, None]
    return power
