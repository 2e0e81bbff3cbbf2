"""What else happens at recorded homes, by rule: nobody in, heat pumps, arrays, batteries, air conditioning, a car that comes or goes.

Used by ``behaviour_homes.py``. Semi-synthetic; the rules share no code with the detectors or with the simulator.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fmar_spark.clock import LONDON
from fmar_spark.domain.assets import AssetClass
from fmar_spark.units import HOURS_PER_SLOT

Energies = NDArray[np.float64]
Flags = NDArray[np.bool_]
LATITUDE_RAD: Final = np.deg2rad(51.5)
WINTER_DAYS: Final = 71
WINTER_MONTHS: Final = (12, 1, 2)
ROUND_TRIP: Final = 0.87
BATTERY_KW: Final = 3.6
CAR_KW: Final = 7.2
LEAST_HEAT_PUMP_KW: Final = 0.6
SLOTS_A_DAY: Final = 48


class Home(NamedTuple):
    """One recorded home."""

    kwh: Energies
    """Import of each half-hour, shape (slots,), NaN where unread."""
    starts: pd.DatetimeIndex
    """Their UTC starts, from midnight on."""

    @property
    def local(self) -> pd.DatetimeIndex:
        """The same by the local clock."""
        return self.starts.tz_convert(LONDON)

    @property
    def hour(self) -> Energies:
        """Local hour of the day, with the half-hour as a fraction."""
        return np.asarray(self.local.hour + self.local.minute / 60, dtype=np.float64)

    @property
    def days(self) -> int:
        """Whole days."""
        return len(self.starts) // SLOTS_A_DAY


class Outcome(NamedTuple):
    """A home with a scenario added."""

    import_kwh: Energies
    export_kwh: Energies | None = None
    """None = no register of exports."""
    kept: slice = slice(None)
    """Half-hours that are delivered."""
    appeared: pd.Timestamp | None = None
    """Local day on which the car comes."""
    removed: pd.Timestamp | None = None
    """Local day from which on it is gone."""
    sizes: Mapping[str, float] = MappingProxyType({})
    """What was added, by the names that labels have for sizes."""


class Scenario(NamedTuple):
    """What is added, and which classes are there then."""

    name: str
    has: tuple[AssetClass, ...]
    add: Callable[[np.random.Generator, Home], Outcome]


def leave_by_day(rng: np.random.Generator, home: Home) -> Outcome:
    """Nobody is in from 08:00 to 17:00."""
    share = rng.uniform(0.2, 0.3)
    return Outcome(home.kwh * np.where((home.hour >= 8) & (home.hour < 17), share, 1.0))


def idle(rng: np.random.Generator, home: Home) -> Energies:
    """A refrigerator and what stands by."""
    return np.asarray(rng.uniform(0.03, 0.06) + 0.03 * (rng.random(len(home.kwh)) < 0.4))


def leave_empty(rng: np.random.Generator, home: Home) -> Outcome:
    """Nobody lives there."""
    return Outcome(idle(rng, home))


def come_at_weekends(rng: np.random.Generator, home: Home) -> Outcome:
    """A second home."""
    return Outcome(np.where(home.local.weekday >= 5, home.kwh, idle(rng, home)))


def work_at_night(rng: np.random.Generator, home: Home) -> Outcome:
    """The day is turned round, by 11 to 13 hours."""
    return Outcome(np.roll(home.kwh, int(rng.integers(22, 27))))


def move_out(rng: np.random.Generator, home: Home) -> Outcome:
    """Nobody lives there any more, from somewhere between half and three quarters of the history on."""
    return Outcome(np.where(np.arange(len(home.kwh)) > rng.uniform(0.5, 0.75) * len(home.kwh), idle(rng, home), home.kwh))


def keep_winter(home: Home, kwh: Energies) -> Outcome:
    """Only the longest stretch of December to February is delivered, 71 days of it at most."""
    is_winter = np.isin(home.local.month, WINTER_MONTHS)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_winter, [False])).astype(np.int8)))
    longest = int(np.argmax(edges[1::2] - edges[::2])) if edges.size else 0
    first, end = (int(edges[2 * longest]), int(edges[2 * longest + 1])) if edges.size else (0, 0)
    return Outcome(kwh, kept=slice(first, min(end, first + WINTER_DAYS * SLOTS_A_DAY)))


def draw_temperatures(rng: np.random.Generator, home: Home) -> Energies:
    """Daily mean outdoor temperature by season, with spells of three days, repeated for each half-hour."""
    day = home.local[::SLOTS_A_DAY].dayofyear.to_numpy()[: home.days]
    spells = np.convolve(rng.standard_normal(home.days + 8), np.ones(9) / 3, "valid")
    return np.resize(np.repeat(10.5 - 6.5 * np.cos(2 * np.pi * (day - 25) / 365) + 2.5 * spells, SLOTS_A_DAY), len(home.kwh))


def switch_below_least(rng: np.random.Generator, kw: Energies) -> Energies:
    """Power of a heat pump that goes on and off where less than its least is wanted."""
    return np.where(kw < LEAST_HEAT_PUMP_KW, LEAST_HEAT_PUMP_KW * (rng.random(kw.size) < kw / LEAST_HEAT_PUMP_KW), kw)


def draw_heat_pump(rng: np.random.Generator, home: Home) -> tuple[Energies, float]:
    """A modulating heat pump that cycles on mild days, in half of homes set back at night, and hot water after 13:00; and its kW."""
    share = np.clip((15.5 - draw_temperatures(rng, home)) / 17, 0, 1)
    size_kw = rng.uniform(1.5, 3.0)
    kw = share * size_kw
    if rng.random() < 0.5:
        kw = kw * np.where((home.hour < 5) | (home.hour >= 22.5), 0.45, 1.0)
    kw = kw * (1 + 0.1 * rng.standard_normal(kw.size))
    kw = switch_below_least(rng, kw)
    water = (home.hour >= 13) & (home.hour < 13 + rng.uniform(0.5, 1.0))
    return np.asarray((kw + 2.0 * water) * HOURS_PER_SLOT), size_kw


def add_heat_pump(rng: np.random.Generator, home: Home) -> Outcome:
    """A heat pump all year."""
    drawn, size_kw = draw_heat_pump(rng, home)
    return Outcome(home.kwh + drawn, sizes={"heat_pump_kw": size_kw})


def add_heat_pump_in_winter(rng: np.random.Generator, home: Home) -> Outcome:
    """A heat pump seen for one winter."""
    outcome = add_heat_pump(rng, home)
    return keep_winter(home, outcome.import_kwh)._replace(sizes=outcome.sizes)


def heat_directly(rng: np.random.Generator, home: Home) -> Outcome:
    """Panel heaters in the morning and in the evening of cold days."""
    used = ((home.hour >= 6) & (home.hour < 9)) | ((home.hour >= 16) & (home.hour < 22))
    kw = np.clip((14 - draw_temperatures(rng, home)) / 14, 0, 1) * used * rng.uniform(1.5, 4.0) * (rng.random(len(home.kwh)) < 0.7)
    return Outcome(home.kwh + kw * HOURS_PER_SLOT)


def cool_in_the_evening(rng: np.random.Generator, home: Home) -> Outcome:
    """Air conditioning from about 17:00 for two to six hours on warm days."""
    warm = (draw_temperatures(rng, home)[::SLOTS_A_DAY][: home.days] > 14.5) & (rng.random(home.days) < 0.9)
    start, hours = 17 + rng.standard_normal(home.days), rng.uniform(2, 6, home.days)
    kwh = rng.uniform(0.8, 2.5) * HOURS_PER_SLOT * draw_runs(home, np.flatnonzero(warm), start[warm], hours[warm])
    return Outcome(home.kwh + kwh)


def draw_runs(home: Home, days: NDArray[np.int64], start_hour: Energies, hours: Energies) -> Energies:
    """Share of each half-hour in which a load runs that starts once on each of some days, shape (slots,)."""
    edges = np.arange(len(home.kwh) + 1, dtype=np.float64)
    ran = np.zeros(edges.size)
    midnights = np.flatnonzero(home.hour == 0)
    for day, start, length in zip(days, start_hour, hours, strict=True):
        if day < midnights.size:
            ran += np.clip(edges - midnights[day] - start / HOURS_PER_SLOT, 0.0, length / HOURS_PER_SLOT)
    return np.diff(ran)


def draw_array(rng: np.random.Generator, home: Home) -> tuple[Energies, float]:
    """Generation of 2 to 6 kWp under days of all kinds of cloud, and its kWp; hour angles by UTC, as in London."""
    day, hour = home.starts.dayofyear.to_numpy(), home.starts.hour.to_numpy() + home.starts.minute.to_numpy() / 60 + 0.25
    tilt_rad = np.deg2rad(23.45) * np.sin(2 * np.pi * (day - 81) / 365)
    height = np.sin(LATITUDE_RAD) * np.sin(tilt_rad) + np.cos(LATITUDE_RAD) * np.cos(tilt_rad) * np.cos(np.pi * (hour - 12) / 12)
    turned = np.clip(1 + rng.uniform(-0.8, 0.8) * (hour - 12) / 8, 0.3, 1.7)
    clear = np.resize(np.repeat(np.clip(rng.beta(1.2, 1.0, home.days + 1), 0.08, 1), SLOTS_A_DAY), height.size)
    cloud = np.clip(1 + 0.25 * rng.standard_normal(height.size), 0.2, 1.2)
    size_kwp = rng.uniform(2, 6)
    generated = size_kwp * 0.8 * np.maximum(height, 0) ** 1.15 * turned * clear * cloud * HOURS_PER_SLOT
    return np.asarray(generated), size_kwp


def net(kwh: Energies, *, has_export: bool) -> Outcome:
    """What the meter registers of a net flow; unread stays unread."""
    return Outcome(np.maximum(kwh, 0.0), np.maximum(-kwh, 0.0) if has_export else None)


def add_array(rng: np.random.Generator, home: Home) -> Outcome:
    """Solar PV whose export is metered."""
    generated, size_kwp = draw_array(rng, home)
    return net(home.kwh - generated, has_export=True)._replace(sizes={"pv_kwp": size_kwp})


def add_array_import_only(rng: np.random.Generator, home: Home) -> Outcome:
    """Solar PV without a register of exports."""
    return add_array(rng, home)._replace(export_kwh=None)


def run_store(net_kwh: Energies, fills: Flags, gives: Flags, size: tuple[float, float]) -> Energies:
    """What a battery takes (positive) or gives: full in some half-hours, emptied in others, else to the load and from surplus.

    Args:
        net_kwh: of the home, shape (slots,).
        fills: half-hours in which it fills from the network.
        gives: half-hours in which it gives all that it can.
        size: kW and kWh.
    """
    most, storage, stored, one_way = size[0] * HOURS_PER_SLOT, size[1], 2.0, np.sqrt(ROUND_TRIP)
    flow = np.zeros(net_kwh.size)
    for slot, kwh in enumerate(np.nan_to_num(net_kwh)):
        wanted = most if fills[slot] else -most if gives[slot] else -kwh
        flow[slot] = min(wanted, most, (storage - stored) / one_way) if wanted > 0 else -min(-wanted, most, stored * one_way)
        stored += flow[slot] * one_way if flow[slot] > 0 else flow[slot] / one_way
    return flow


def run_battery(rng: np.random.Generator, net_kwh: Energies, cheap: Flags) -> tuple[Energies, Mapping[str, float]]:
    """What a battery of 3.6 kW and 6 to 11 kWh takes (positive) or gives: full in cheap hours, from surplus, given to the load.

    And its sizes.
    """
    storage = rng.uniform(6.0, 11.0)
    flow = run_store(net_kwh, cheap, np.zeros_like(cheap), (BATTERY_KW, storage))
    return flow, {"battery_kw": BATTERY_KW, "battery_kwh": storage}


def add_battery(rng: np.random.Generator, home: Home) -> Outcome:
    """A battery that fills from 00:30 to 05:30 and empties by day."""
    cheap = (home.hour >= 0.5) & (home.hour < 5.5)
    flow, sizes = run_battery(rng, home.kwh, cheap)
    return net(home.kwh + flow, has_export=False)._replace(sizes=sizes)


def add_array_and_battery(rng: np.random.Generator, home: Home) -> Outcome:
    """A battery that fills from an array's surplus."""
    generated, size_kwp = draw_array(rng, home)
    surplus = home.kwh - generated
    flow, sizes = run_battery(rng, surplus, np.zeros(surplus.size, dtype=np.bool_))
    return net(surplus + flow, has_export=True)._replace(sizes={"pv_kwp": size_kwp, **sizes})


def charge(rng: np.random.Generator, home: Home, days: NDArray[np.int64]) -> Energies:
    """A 7.2 kW car on some evenings or nights of the given days."""
    used = days[rng.random(days.size) < rng.uniform(0.3, 0.8)]
    hour, scatter = (0.5, 0.0) if rng.random() < 0.5 else (18.0, 1.5)
    hours = rng.uniform(6, 14) / CAR_KW * np.exp(0.4 * rng.standard_normal(used.size))
    return CAR_KW * HOURS_PER_SLOT * draw_runs(home, used, np.maximum(hour + scatter * rng.standard_normal(used.size), 0.0), hours)


def bring_car(rng: np.random.Generator, home: Home) -> Outcome:
    """A car that comes between a fifth and four fifths of the history."""
    first = int(rng.uniform(0.2, 0.8) * home.days)
    kwh = home.kwh + charge(rng, home, np.arange(first, home.days))
    return Outcome(kwh, appeared=home.local[home.hour == 0][first], sizes={"ev_kw": CAR_KW})


def take_car(rng: np.random.Generator, home: Home) -> Outcome:
    """A car that goes between a fifth and four fifths of the history."""
    last = int(rng.uniform(0.2, 0.8) * home.days)
    kwh = home.kwh + charge(rng, home, np.arange(last))
    return Outcome(kwh, removed=home.local[home.hour == 0][last], sizes={"ev_kw": CAR_KW})


FIRST_SCENARIOS: Final = (
    Scenario("nobody in by day", (), leave_by_day),
    Scenario("empty home", (), leave_empty),
    Scenario("home at weekends only", (), come_at_weekends),
    Scenario("night shift", (), work_at_night),
    Scenario("moved out", (), move_out),
    Scenario("nothing added, 71 winter days", (), lambda _, home: keep_winter(home, home.kwh)),
    Scenario("air conditioning in the evening", (), cool_in_the_evening),
    Scenario("direct heating", (), heat_directly),
    Scenario("heat pump, whole year", (AssetClass.HEAT_PUMP,), add_heat_pump),
    Scenario("heat pump, 71 winter days", (AssetClass.HEAT_PUMP,), add_heat_pump_in_winter),
    Scenario("solar PV, export metered", (AssetClass.SOLAR_PV,), add_array),
    Scenario("solar PV, import only", (AssetClass.SOLAR_PV,), add_array_import_only),
    Scenario("battery that fills at night", (AssetClass.BATTERY,), add_battery),
    Scenario("solar PV and battery", (AssetClass.SOLAR_PV, AssetClass.BATTERY), add_array_and_battery),
    Scenario("7.2 kW car that comes", (AssetClass.EV,), bring_car),
    Scenario("7.2 kW car that goes", (AssetClass.EV,), take_car),
)
