"""Flat blocks of any power in a batch of loads, and the sessions of one power."""

from typing import Final

import numpy as np

from fmar_spark.kernels.episodes import Plateaus, Rises, SlotGrid, drop_overlaps, follow_rises, seek_idle
from fmar_spark.kernels.ev.search import EvSearch
from fmar_spark.kernels.usage_patterns import Blocks
from fmar_spark.kernels.window import Bools, Floats, Ints

NEAR_LOG: Final = 0.1
"""Half-width of what counts as the same power, log ratio."""
TAPER_SHARE: Final = 0.4
"""A slot of this share of the power may be followed by a last one of less: a battery that is nearly full."""
BESIDE_FROM_LOG: Final = 0.16
"""Where the powers beside a power begin, log ratio."""
BESIDE_TO_LOG: Final = 0.46
"""Where they end, log ratio."""


def find_flat_blocks(grid: SlotGrid, rises: Rises, search: EvSearch) -> Blocks:
    """Find plateaus of any power that fill at least an hour."""
    least = round(1.0 / grid.step_hours)
    place, step = rises
    before = grid.flat_kw[place - 1]
    lasting = (step >= search.lowest_kw) & (grid.flat_kw[place + least] - before >= 0.7 * step)
    place, step = place[lasting], step[lasting]
    idle = _seek_idle(grid, place, search)
    after = follow_rises(grid, place, idle + 0.7 * step)
    power = after.lowest_kw - np.fmin(idle, after.after_kw)
    kept = (after.length >= least) & (after.length < grid.longest)
    kept &= (power >= search.lowest_kw) & (power <= search.highest_kw)
    return _cut_blocks(grid, place, idle, after, np.maximum(power, search.lowest_kw), search.partial_share).take(kept)


def _seek_idle(grid: SlotGrid, place: Ints, search: EvSearch) -> Floats:
    return seek_idle(grid, place, round(search.lookback_hours / grid.step_hours))


def _cut_blocks(grid: SlotGrid, place: Ints, idle_kw: Floats, after: Plateaus, height_kw: Floats, partial: float) -> Blocks:
    """Blocks of ``height_kw`` over idle, with the first and last slot counted by their share."""
    floor_kw = np.fmin(idle_kw, after.after_kw)
    power = after.lowest_kw - floor_kw
    first = np.clip((grid.flat_kw[place] - idle_kw) / height_kw, 0.0, 1.0)
    last = np.clip((after.ending_kw - floor_kw) / height_kw, 0.0, 1.0)
    first, last = np.where(first >= partial, first, 0.0), np.where(last >= partial, last, 0.0)
    tail = np.clip((grid.flat_kw[place + 2 + after.length] - floor_kw) / height_kw, 0.0, 1.0)
    tail = np.where((tail >= 1.5 * partial) & (tail <= last) & (last >= TAPER_SHARE), tail, 0.0)
    step_up = grid.flat_kw[place + 1] - idle_kw
    step_down = grid.flat_kw[place + after.length] - after.after_kw
    hours = (after.length + first + last + tail) * grid.step_hours
    slot = grid.slot_of(place)
    return Blocks(
        meter=grid.meter_of(place),
        start=slot + (first == 0.0),
        end=slot + 1 + after.length + (last > 0.0) + (tail > 0.0),
        hours=hours,
        power_kw=power,
        energy_kwh=hours * np.minimum(power, height_kw),
        mismatch=np.abs(step_up - step_down) / height_kw,
    )


def trust_short_blocks(flat: Blocks, rated_kw: Floats, search: EvSearch) -> Bools:
    """Whether short blocks of the charger's power clearly outnumber those of powers beside it, shape (meters,).

    Cooking and washing give short blocks of every power; a charger's stand out. The geometric mean of the counts below
    and above is what a smooth spread of powers would give between them, and one other appliance cannot raise it much.
    """
    meters = rated_kw.size
    short = flat.take(flat.hours <= search.doubtful_hours)
    apart = np.log(short.power_kw / rated_kw[short.meter])
    below = (apart < -BESIDE_FROM_LOG) & (apart >= -BESIDE_TO_LOG)
    above = (apart > BESIDE_FROM_LOG) & (apart <= BESIDE_TO_LOG)
    at_power = np.bincount(short.meter[np.abs(apart) <= NEAR_LOG], minlength=meters)
    sides = np.bincount(short.meter[below], minlength=meters) * np.bincount(short.meter[above], minlength=meters)
    background = np.sqrt(sides) * 2.0 * NEAR_LOG / (BESIDE_TO_LOG - BESIDE_FROM_LOG)
    return np.asarray(at_power > search.doubtful_excess * background + 1.0)


def find_sessions(grid: SlotGrid, rises: Rises, rated_kw: Floats, trusted: Bools, search: EvSearch) -> Blocks:
    """Blocks of each meter's charger power, with those too short to fill a slot where nothing else is as strong."""
    place = rises.place
    wanted = rated_kw[grid.meter_of(place)]
    brief_kw = np.maximum(search.brief_share * wanted, search.brief_kw / np.sqrt(2.0 * grid.step_hours))
    top = np.fmax(grid.flat_kw[place], np.fmax(grid.flat_kw[place + 1], grid.flat_kw[place + 2]))
    full_kw = (1.0 - search.power_tolerance) * wanted
    started = (rises.step_kw >= search.least_step_kw) & (rises.step_kw >= search.least_step_share * wanted)
    started &= top >= np.fmin(full_kw, brief_kw)
    place, wanted, brief_kw, full_kw = place[started], wanted[started], brief_kw[started], full_kw[started]
    idle = _seek_idle(grid, place, search)
    after = follow_rises(grid, place, idle + full_kw)
    blocks = _cut_blocks(grid, place, idle, after, wanted, search.partial_share)
    strong = brief_kw < wanted
    tolerance = np.where((after.length > 2) | strong, search.power_tolerance, search.short_tolerance)
    excess = blocks.power_kw - wanted
    kept = np.abs(excess) <= tolerance * wanted
    kept |= strong & (excess >= 0) & (excess <= search.company_kw)
    kept &= (after.length >= 1) & (after.length < grid.longest)
    kept &= (after.length > 1) | strong | (blocks.mismatch <= search.power_tolerance)
    kept &= strong | trusted[blocks.meter] | (blocks.hours > search.doubtful_hours)
    brief, is_brief = _cut_brief(grid, place, idle, wanted, search)
    is_brief &= (after.length == 0) & strong & (brief.power_kw >= brief_kw)
    whole_count = np.bincount(blocks.meter[kept], minlength=grid.meters)
    brief_count = np.bincount(brief.meter[is_brief], minlength=grid.meters)
    is_brief &= (brief_count <= 2.0 * grid.step_hours * search.most_brief * whole_count)[brief.meter]
    brief = brief._replace(power_kw=wanted)
    blocks = Blocks(*(np.where(is_brief, short, whole) for short, whole in zip(brief, blocks, strict=True))).take(kept | is_brief)
    return blocks.take(drop_overlaps(blocks.meter, blocks.start, blocks.end))


def _cut_brief(grid: SlotGrid, place: Ints, idle_kw: Floats, rated_kw: Floats, search: EvSearch) -> tuple[Blocks, Bools]:
    """Charging over up to three slots without filling any, its height as ``power_kw``, and whether it ends in time."""
    floor_kw = np.fmin(idle_kw, grid.flat_kw[place + 3])
    over = np.nan_to_num(grid.flat_kw[place[:, None] + np.arange(4)] - floor_kw[:, None])
    tallest = over[:, :3].max(axis=1)
    share = np.clip(over / rated_kw[:, None], 0.0, 1.0)
    ends = (share[:, 3] < 2 * search.partial_share) & (tallest <= rated_kw + search.company_kw)
    used = np.where(share[:, :3] >= search.partial_share, share[:, :3], 0.0)
    hours = used.sum(axis=1) * grid.step_hours
    slot = grid.slot_of(place)
    start = slot + np.argmax(used > 0, axis=1)
    end = slot + 3 - np.argmax(used[:, ::-1] > 0, axis=1)
    unseen = np.full(hours.size, np.nan)
    return Blocks(grid.meter_of(place), start, end, hours, tallest, hours * rated_kw, unseen), ends


def refine_charger(sessions: Blocks, rated_kw: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """Charger power as the mean of its sessions, and their relative spread, shape (meters,)."""
    meters = rated_kw.size
    sessions = sessions.take(np.abs(sessions.power_kw / rated_kw[sessions.meter] - 1.0) <= tolerance)
    weight = np.minimum(sessions.hours, 4.0) ** 2
    mean = average(sessions.power_kw, weight, sessions.meter, meters)
    centre = np.where(np.isnan(mean), rated_kw, mean)
    off = (sessions.power_kw / centre[sessions.meter] - 1.0) ** 2
    return centre, np.sqrt(average(off, weight, sessions.meter, meters))


def average(values: Floats, weight: Floats, group: Ints, groups: int) -> Floats:
    """Weighted mean of each group, shape (groups,); NaN where nothing has weight."""
    total = np.bincount(group, weight, groups)
    return np.asarray(np.bincount(group, values * weight, groups) / np.where(total > 0, total, np.nan))
