"""When a battery charged and discharged, and how big it must be for that.

A battery that serves its site holds net power near zero in the dark: what it gives is what the site usually draws then. What it
takes shows as flat blocks of one power in cheap hours, or, from the sun, as the first hours in which the site needs nothing.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.episodes import build_slot_grid, find_rises, sum_runs
from fmar_spark.kernels.ev.charging import find_power_peaks
from fmar_spark.kernels.ev.search import EvSearch
from fmar_spark.kernels.ev.sessions import find_flat_blocks
from fmar_spark.kernels.exchange import ExchangeRules, Powers, find_powers
from fmar_spark.kernels.solar.fit import BLOCK_DAYS
from fmar_spark.kernels.usage_patterns import Blocks
from fmar_spark.kernels.window import Bools, Events, Floats, Ints, Sizes
from fmar_spark.units import HOURS_PER_SLOT

FILLING: Final = EvSearch(lowest_kw=0.8, least_step_kw=0.6, longest_hours=8.0)
"""Blocks that may be charging from the network: weaker than a car's and shorter."""
CHEAP_SLOTS: Final = np.r_[44:48, 0:12, 22:30]
"""Clock slots in which charging from the network starts: night rates and the early afternoon."""
SAME_POWER: Final = 0.15
"""How far the power of one charge may lie from that which recurs, relative."""
LEAST_FILLS: Final = 10
"""Fewest charges of one power that speak for a battery."""
LEAST_FILL_SHARE: Final = 0.12
"""Days with a block of that power below which it is not the battery's."""
FILL_POWERS: Final = 4
"""Powers among which that of a battery before or after an extension is sought. Source: speed; of more the evidence is thin."""
EXTENSIONS: Final = ExchangeRules(most_high_left=0.2, most_low_left=0.1, least_frequency=0.2, only_grows=True)
"""Batteries that were extended. Source: of 134 in four simulated fleets of which many are (seeds 9101 to 9104), which may fill from the
network, these rules date 29 within a week, and say the same of 7 of 524 others, 2 of them always there and unchanged."""
LEAST_OPEN_DAYS: Final = 6
"""Days of a block on which a dark clock slot must run free for its own mean to count as the usual load."""
SUN_HOURS: Final = 4.0
"""Storage over the power at which a roof fills it: mornings have less to spare than the battery could take."""
FULL_SHARE: Final = 0.9
"""Quantile of daily energy that counts as emptying the battery once."""
HIDDEN_SHARE: Final = 0.33
"""How far, in logarithms, the estimate lies from what a night takes to the usual storage: a night takes no more than the site draws.
Source: chosen by hand; a recorded battery was seen 12 % too large, those added to recorded homes by rule 39 % too small."""
LEAST_KWH: Final = 0.1
"""Of a discharge. Source: nothing smaller is sold."""
LEAST_DAYS: Final = 10
"""Days with a discharge below which storage is not estimated."""
NOON_SLOT: Final = 24
"""Clock slot at which a day of discharging begins and ends. Source: definition."""


class StorageRules(NamedTuple):
    """What is assumed of batteries on sale where the readings do not show it; settings of a user who knows better."""

    usual_hours: float = 2.6
    """Storage over power, where power itself cannot be seen."""
    round_trip: float = 0.85
    """Energy given over energy taken. Source: usual figure of lithium-ion batteries with their inverter."""
    usual_kwh: float = 8.5
    """Storage of a home's battery, where only what a night takes from it can be seen. Source: the middle of what is sold, 5 to 13.5 kWh."""


class Traits(NamedTuple):
    """What the detector already knows of a few meters; arrays (meters, blocks, 28, 48) unless said otherwise."""

    load_kw: Floats
    net_kw: Floats
    is_held: Bools
    """Net power near zero or going out."""
    dark: Bools
    """No sun at that clock slot of the block, shape (meters, blocks, 48)."""
    may_fill: Bools
    """Meters whose nights or afternoons rise regularly, shape (meters,)."""


class Workings(NamedTuple):
    """How a battery would have worked in each meter."""

    events: Events
    sizes: Sizes
    moved_kwh: Floats
    """Discharged a day, or charged from the network if that is more, shape (meters, days of the blocks)."""


class _Filling(NamedTuple):
    """Charging from the network."""

    blocks: Blocks
    power_kw: Floats
    """Shape (meters,), NaN where there is none; of the later of two batteries."""
    changed_day: Ints
    """First day of the later one, 0 where there is one alone, shape (meters,)."""


def find_episodes(traits: Traits, rules: StorageRules | None = None) -> Workings:
    """Episodes and sizes as if there were a battery.

    Args:
        traits: of a few meters.
        rules: what is assumed of the battery; None = the defaults.
    """
    rules = rules or StorageRules()
    meters, blocks = traits.load_kw.shape[:2]
    days = blocks * BLOCK_DAYS
    read = ~np.isnan(traits.net_kw)
    given_kw = _estimate_given(traits, read).reshape(meters, days * SLOTS_PER_DAY)
    by_noon = np.zeros((meters, days + 1))
    half_days = given_kw.reshape(meters, days * 2, NOON_SLOT).sum(axis=2) * HOURS_PER_SLOT
    by_noon[:, 1:] = _join_from_noon(half_days)
    filling = _find_filling(traits)
    emptied_kwh = _high_of_positive(by_noon[:, 1:])
    sizes = _size_batteries(emptied_kwh, filling, rules)
    free = traits.is_held & ~traits.dark[:, :, None]
    by_sun_kw = np.where(np.isfinite(filling.power_kw), 0.0, np.nan_to_num(emptied_kwh / SUN_HOURS))
    taken_kw = _fill_by_sun(free.reshape(meters, days, SLOTS_PER_DAY), by_noon[:, 1:] / rules.round_trip, by_sun_kw)
    parts = [
        _to_events(given_kw, False),
        _to_events(taken_kw.reshape(meters, days * SLOTS_PER_DAY), True),
        _blocks_to_events(filling, days * SLOTS_PER_DAY),
    ]
    daily = half_days[:, 0::2] + half_days[:, 1::2]
    place = filling.blocks.meter * days + filling.blocks.start // SLOTS_PER_DAY
    filled = np.bincount(place, filling.blocks.energy_kwh, meters * days).reshape(meters, days)
    return Workings(_join_events(parts), sizes, np.maximum(daily, filled))


def _estimate_given(traits: Traits, read: Bools) -> Floats:
    """Power given in each dark slot that is held, shape of the load: what the site usually draws, and what goes out besides.

    Up to two slots between held ones count as well: there the load was more than the battery's power.
    """
    held = traits.is_held & traits.dark[:, :, None]
    usual_kw = _find_usual(traits, held)
    meters, blocks = held.shape[:2]
    flat = held.reshape(meters, blocks * BLOCK_DAYS * SLOTS_PER_DAY)
    inside = _bridge(flat).reshape(held.shape) & traits.dark[:, :, None] & read
    level_kw = usual_kw.astype(np.float32)[:, :, None]
    power = np.fmin(traits.net_kw, level_kw)
    np.subtract(level_kw, power, out=power)
    power[~held] = 0.0
    np.copyto(power, level_kw, where=inside)
    return power


def _bridge(held: Bools) -> Bools:
    """Slots of gaps of one or two between held ones, shape (meters, slots)."""
    meters, slots = held.shape
    padded = np.zeros((meters, slots + 4), dtype=np.bool_)
    padded[:, 2 : slots + 2] = held
    before, after = padded[:, 1 : slots + 1], padded[:, 3 : slots + 3]
    further_before, further_after = padded[:, :slots], padded[:, 4:]
    return np.asarray(~held & ((before & (after | further_after)) | (further_before & after)))


def _find_usual(traits: Traits, held: Bools) -> Floats:
    """Load of the dark slots that are not held, by block and clock slot, shape (meters, blocks, 48), kW.

    A clock slot that is nearly always held takes the mean of the meter's other dark slots.
    """
    is_open = ~held & traits.dark[:, :, None] & ~np.isnan(traits.load_kw)
    load = np.where(is_open, np.maximum(traits.load_kw, 0.0), 0.0)
    count = is_open.sum(axis=2, dtype=np.int16)
    total = load.sum(axis=2)
    overall = total.sum(axis=(1, 2)) / np.maximum(count.sum(axis=(1, 2)), 1)
    ceiling = 3.0 * overall[:, None, None]
    own = np.minimum(total / np.maximum(count, 1), ceiling)
    return np.asarray(np.where(count >= LEAST_OPEN_DAYS, own, overall[:, None, None]))


def _join_from_noon(half_days: Floats) -> Floats:
    """Sums of days that run from noon to noon, so that an evening and its night are one discharge."""
    joined = half_days[:, 1::2].copy()
    joined[:, :-1] += half_days[:, 2::2]
    return joined


def _find_filling(traits: Traits) -> _Filling:
    """Flat blocks of the power that recurs most in cheap hours, in meters whose nights rise regularly; of two after an extension."""
    meters, blocks = traits.load_kw.shape[:2]
    days = blocks * BLOCK_DAYS
    rows = np.flatnonzero(traits.may_fill)
    power_kw = np.full(meters, np.nan)
    load = traits.load_kw[rows].reshape(rows.size, days, SLOTS_PER_DAY)
    grid = build_slot_grid(load, int(FILLING.longest_hours / HOURS_PER_SLOT), int(FILLING.lookback_hours / HOURS_PER_SLOT))
    found = find_flat_blocks(grid, find_rises(grid, np.full(rows.size, FILLING.least_step_kw)), FILLING)
    found = found.take(np.isin(found.start % SLOTS_PER_DAY, CHEAP_SLOTS))
    seen = np.asarray((~np.isnan(load)).any(axis=2))
    powers = _find_extended(found, seen)
    near_kw = powers.on(found.meter, found.start // SLOTS_PER_DAY)
    found = found.take(np.abs(found.power_kw / near_kw - 1.0) <= SAME_POWER)
    count = np.bincount(found.meter, minlength=rows.size)
    enough = (count >= LEAST_FILLS) & (count >= LEAST_FILL_SHARE * np.maximum(seen.sum(axis=1), 1))
    last = found.take(~powers.is_before(found.meter, found.start // SLOTS_PER_DAY))
    mean = np.bincount(last.meter, last.power_kw, rows.size) / np.maximum(np.bincount(last.meter, minlength=rows.size), 1)
    power_kw[rows] = np.where(enough, mean, np.nan)
    changed_day = np.zeros(meters, dtype=np.int64)
    changed_day[rows] = powers.changed_day
    found = found.take(enough[found.meter])
    return _Filling(found._replace(meter=rows[found.meter]), power_kw, changed_day)


def _find_extended(found: Blocks, seen: Bools) -> Powers:
    """The power that recurs most in each meter, and that of the battery before or after an extension.

    Args:
        found: blocks in cheap hours.
        seen: days with readings, shape (meters, days).
    """
    meters, days = seen.shape
    peaks = np.stack(find_power_peaks(found, np.ones(found.meter.size), meters, FILLING._replace(most_candidates=FILL_POWERS)))
    day_kwh = np.zeros((FILL_POWERS, meters * days))
    place = found.meter * days + found.start // SLOTS_PER_DAY
    for kind, peak in enumerate(peaks):
        near = np.flatnonzero(np.abs(found.power_kw / peak[found.meter] - 1.0) <= SAME_POWER)
        day_kwh[kind] = np.bincount(place[near], found.energy_kwh[near], meters * days)
    first: Ints = np.zeros(meters, dtype=np.int64)
    everywhere: Bools = np.ones(peaks.shape, dtype=np.bool_)
    return find_powers(peaks, first, everywhere, day_kwh.reshape(FILL_POWERS, meters, days), seen, EXTENSIONS)


def _size_batteries(emptied_kwh: Floats, filling: _Filling, rules: StorageRules) -> Sizes:
    """Both from the last battery's fullest charges in cheap hours, else from the fullest discharges, which bound them from below."""
    meters = len(emptied_kwh)
    filled_kwh = np.full(meters, np.nan)
    last = filling.blocks.take(filling.blocks.start // SLOTS_PER_DAY >= filling.changed_day[filling.blocks.meter])
    meter, energy = last.meter, last.energy_kwh
    order = np.lexsort((energy, meter))
    bounds = np.searchsorted(meter[order], np.arange(meters + 1))
    count = np.diff(bounds)
    some = count > 0
    filled_kwh[some] = energy[order][bounds[:-1][some] + (FULL_SHARE * (count[some] - 1)).astype(np.int64)]
    hidden_share = np.where(emptied_kwh < rules.usual_kwh, HIDDEN_SHARE, 0.0)
    likely_kwh = emptied_kwh * (rules.usual_kwh / np.maximum(emptied_kwh, LEAST_KWH)) ** hidden_share
    storage_kwh = np.where(some, np.sqrt(rules.round_trip) * filled_kwh, likely_kwh)
    power_kw = np.where(some, filling.power_kw, storage_kwh / rules.usual_hours)
    spread = np.where(some, 0.2, 0.5)
    known = np.isfinite(storage_kwh) & (storage_kwh > 0)
    power_kw, storage_kwh = np.where(known, power_kw, np.nan), np.where(known, storage_kwh, np.nan)
    return Sizes(
        rated_import_kw=power_kw,
        rated_export_kw=power_kw,
        spread=np.where(known, spread, np.nan),
        storage_kwh=storage_kwh,
        peak_kwp=np.full(meters, np.nan),
        is_least=np.where(known, ~some, np.nan),
    )


def _high_of_positive(daily: Floats) -> Floats:
    """High quantile of each row's positive days, NaN where there are fewer than ten, shape (meters,)."""
    ordered = np.sort(daily, axis=1)
    count = (daily > 0).sum(axis=1)
    place = daily.shape[1] - 1 - np.floor((1 - FULL_SHARE) * count).astype(np.int64)
    if not daily.shape[1]:
        return np.full(len(daily), np.nan)
    return np.where(count >= LEAST_DAYS, np.take_along_axis(ordered, place[:, None], axis=1)[:, 0], np.nan)


def _fill_by_sun(free: Bools, spent_kwh: Floats, power_kw: Floats) -> Floats:
    """Charging power in the first sunny slots in which the site draws nothing, until what was given since is made up for.

    Args:
        free: sun, and net power near zero or going out, shape (meters, days, 48).
        spent_kwh: energy that a discharge from noon to noon takes to be made up for, shape (meters, days).
        power_kw: of the battery, shape (meters,); 0 where the sun does not fill it.
    """
    wanted = np.zeros_like(spent_kwh)
    wanted[:, 1:] = spent_kwh[:, :-1]
    wanted = np.where(wanted > 0, wanted, spent_kwh)
    taken_kw = np.zeros(free.shape, dtype=np.float32)
    meter, day = np.nonzero((wanted > 0) & (power_kw > 0)[:, None])
    chosen = free[meter, day]
    row, slot = np.nonzero(chosen)
    before = np.cumsum(chosen, axis=1, dtype=np.int8)[row, slot] - 1
    meter, day = meter[row], day[row]
    step = power_kw[meter] * HOURS_PER_SLOT
    taken_kw[meter, day, slot] = np.clip(wanted[meter, day] - before * step, 0.0, step) / HOURS_PER_SLOT
    return taken_kw


def _to_events(power_kw: Floats, is_import: bool) -> Events:
    """Runs of positive power, shape (meters, slots), as events."""
    meter, start, end, energy, peak = sum_runs(power_kw > 0, power_kw)
    return Events(
        meter=meter,
        start_slot=start,
        end_slot=end,
        energy_kwh=energy * HOURS_PER_SLOT,
        peak_kw=peak,
        is_import=np.full(meter.size, is_import),
        probability=np.where(end - start >= 3, 0.8, 0.6),
    )


def _blocks_to_events(filling: _Filling, slots: int) -> Events:
    blocks = filling.blocks
    return Events(
        meter=blocks.meter,
        start_slot=blocks.start,
        end_slot=np.minimum(blocks.end, slots),
        energy_kwh=blocks.energy_kwh.astype(np.float64),
        peak_kw=blocks.power_kw.astype(np.float64),
        is_import=np.ones(blocks.meter.size, dtype=np.bool_),
        probability=np.full(blocks.meter.size, 0.8),
    )


def _join_events(parts: list[Events]) -> Events:
    """All parts, ordered by meter then start."""
    order = np.lexsort((np.concatenate([part.start_slot for part in parts]), np.concatenate([part.meter for part in parts])))
    return Events(*(np.concatenate(columns)[order] for columns in zip(*parts, strict=True)))
