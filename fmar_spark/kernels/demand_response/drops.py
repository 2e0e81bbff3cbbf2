"""Where a load falls below what similar days lead one to expect, and comes back: dips with two sharp edges."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.window import Bools, Floats, Ints, LocalCalendar

FIRST_WEEKEND_DAY: Final = 6
"""Saturday. Source: definition."""
BLOCK_METERS: Final = 8
"""Meters scanned together: their temporaries stay in the processor's cache. Source: speed, no answer depends on it."""
WORKDAYS_EACH_SIDE: Final = 8
"""Working days before and after that a working day is compared with; a power of two, as the running sums are doubled."""
REST_DAYS_EACH_SIDE: Final = 4
"""The same of days of rest."""
SCAN_SLOTS: Final = (2, 4, 8, 16)
"""Lengths that every day is scanned for, half-hours."""
LENGTH_SLOTS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24)
"""Lengths that the deepest dips are fitted with, half-hours."""
EDGE_SLOTS: Final = 2
"""Half-hours before and after a dip that it is measured against."""
START_SHIFTS: Final = (0, -1, 1, -2, 2)
"""Half-hours by which the start that the scan found may move."""
MARGIN_SLOTS: Final = 8
"""Half-hours before a candidate that are examined."""
STANDARD_LIMIT: Final = 5.0
"""Standardised deviations are cut here: one spike proves nothing."""
SHOULDER_LIMIT: Final = np.float32(1.0)
"""Most by which the load beside a dip may stand above expectation, in units of the usual deviation."""
LEAST_NOISE: Final = 0.01
"""Noise is taken as at least this share of the mean load."""
SAMPLE_STEP: Final = 7
"""Every so many slots one counts for the usual dip."""


class DayTypes(NamedTuple):
    """Working days and days of rest, which are never compared with each other."""

    order: Ints
    """Day indices, working days first, each kind in order of time, shape (days,)."""
    rank: Ints
    """Position of each day in ``order``."""
    is_rest: Bools
    workdays: int


class DailyDips(NamedTuple):
    """The deepest dip and the highest bump of every day, in units of the meter's own usual dip."""

    drop: Floats
    """Shape (meters, days); NaN on days that could not be scanned."""
    rise: Floats
    drop_slot: Ints
    """Clock slot at which the deepest dip starts, shape (meters, days)."""
    expected_kw: Floats
    """What similar days lead one to expect, shape (meters, days, 48); NaN where unread."""
    noise_kw: Floats
    """Usual deviation from it by day type (working, rest) and clock slot, shape (meters, 2, 48)."""
    scale: Floats
    """Usual dip of each scanned length, in standardised units, shape (meters, lengths of the scan)."""


class Drops(NamedTuple):
    """Dips found on the days with the deepest ones, arrays of shape (meters, candidates), deepest first."""

    day: Ints
    start_slot: Ints
    """Counted from the window's first midnight."""
    length_slots: Ints
    score: Floats
    """Depth over the usual dip of that length; NaN where there is no candidate."""
    sharpness: Floats
    """Share of the depth that lies in the single steps at start and end, about 0..1."""


def sort_days(calendar: LocalCalendar) -> DayTypes:
    """Separate working days from weekends and public holidays."""
    is_rest: Bools = (calendar.weekday >= FIRST_WEEKEND_DAY) | calendar.is_holiday
    order = np.argsort(is_rest, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return DayTypes(order, rank, is_rest, int((~is_rest).sum()))


def scan_days(load_kw: Floats, types: DayTypes) -> DailyDips:
    """Scan every day of every meter for its deepest dip and highest bump against similar days.

    A dip is the lesser of its two falls, from the two slots before and from the two after: a load that falls and stays low
    (closing time) is none, nor is a day that is low as a whole. Unread slots take part in no dip.

    Args:
        load_kw: shape (meters, days, 48), NaN where unread.
        types: of the window's days.
    """
    meters, days = load_kw.shape[:2]
    shape = (meters, days)
    found = DailyDips(
        drop=np.full(shape, np.nan, dtype=np.float32),
        rise=np.full(shape, np.nan, dtype=np.float32),
        drop_slot=np.zeros(shape, dtype=np.int16),
        expected_kw=np.full(load_kw.shape, np.nan, dtype=np.float32),
        noise_kw=np.full((meters, 2, SLOTS_PER_DAY), np.nan, dtype=np.float32),
        scale=np.full((meters, len(SCAN_SLOTS)), np.nan, dtype=np.float32),
    )
    for first in range(0, meters, BLOCK_METERS):
        block = slice(first, first + BLOCK_METERS)
        found.expected_kw[block], found.noise_kw[block] = expect_load(load_kw[block], types)
        standard = standardise(load_kw[block] - found.expected_kw[block], found.noise_kw[block], types)
        drop, rise, found.scale[block] = _scan(standard.reshape(standard.shape[0], -1))
        drop, rise = drop.reshape(standard.shape), rise.reshape(standard.shape)
        slot = drop.argmax(axis=2)
        found.drop_slot[block] = slot
        found.drop[block] = np.take_along_axis(drop, slot[..., None], axis=2)[..., 0]
        found.rise[block] = rise.max(axis=2)
    found.drop[~np.isfinite(found.drop)] = np.nan
    found.rise[~np.isfinite(found.rise)] = np.nan
    return found


def expect_load(load_kw: Floats, types: DayTypes) -> tuple[Floats, Floats]:
    """Mean of the similar days around each day, itself left out, and the usual deviation from it.

    Returns:
        Expected load (meters, days, 48), kW, NaN where unread; mean absolute deviation (meters, 2, 48), kW.
    """
    ordered = np.take(load_kw, types.order, axis=1)
    unread = np.flatnonzero(np.isnan(ordered))
    expected = np.empty_like(ordered)
    noise = np.full((load_kw.shape[0], 2, SLOTS_PER_DAY), np.nan, dtype=np.float32)
    meter, slot = unread // (ordered.shape[1] * SLOTS_PER_DAY), unread % SLOTS_PER_DAY
    is_rest = unread // SLOTS_PER_DAY % max(ordered.shape[1], 1) >= types.workdays
    floor_kw = _mean_load(ordered, meter, unread) * LEAST_NOISE
    ordered.reshape(-1)[unread] = 0.0
    parts = ((slice(0, types.workdays), WORKDAYS_EACH_SIDE), (slice(types.workdays, None), REST_DAYS_EACH_SIDE))
    for kind, (part, each_side) in enumerate(parts):
        read = ordered[:, part]
        if not read.shape[1]:
            continue
        inside = is_rest == bool(kind)
        missing = np.zeros((read.shape[0], SLOTS_PER_DAY))
        np.add.at(missing, (meter[inside], slot[inside]), 1)
        profile = read.sum(axis=1) / np.maximum(read.shape[1] - missing, 1)
        ordered.reshape(-1)[unread[inside]] = profile[meter[inside], slot[inside]]
        expected[:, part] = average_neighbours(read, each_side)
        ordered.reshape(-1)[unread[inside]] = expected.reshape(-1)[unread[inside]]
        deviation = np.abs(read - expected[:, part]).sum(axis=1) / np.maximum(read.shape[1] - missing, 1)
        noise[:, kind] = np.maximum(deviation, floor_kw[:, None])
    expected.reshape(-1)[unread] = np.nan
    return np.take(expected, types.rank, axis=1), noise


def average_neighbours(days_kw: Floats, each_side: int) -> Floats:
    """Mean of the ``each_side`` days before and after each day, fewer at the ends; ``each_side`` is a power of two.

    Args:
        days_kw: shape (meters, days, 48) without NaN.
        each_side: days taken on either side.
    """
    meters, days, slots = days_kw.shape
    padded = np.zeros((meters, days + 2 * each_side, slots), dtype=np.float32)
    padded[:, each_side : each_side + days] = days_kw
    total, width = padded, 1
    while width < each_side:
        total = total[:, :-width] + total[:, width:]
        width *= 2
    total = total[:, :days] + total[:, each_side + 1 : each_side + 1 + days]
    position = np.arange(days)
    count = np.minimum(position, each_side) + np.minimum(days - 1 - position, each_side)
    total *= (1 / np.maximum(count, 1)).astype(np.float32)[:, None]
    return total


def standardise(residual_kw: Floats, noise_kw: Floats, types: DayTypes) -> Floats:
    """Deviations in units of the usual one of their day type and slot, cut at ``STANDARD_LIMIT``; NaN stays."""
    weight = (1 / np.where(noise_kw > 0, noise_kw, np.inf)).astype(np.float32)
    standard = residual_kw * np.take(weight, types.is_rest.astype(np.int64), axis=1)
    return np.clip(standard, -STANDARD_LIMIT, STANDARD_LIMIT, out=standard)


def refine_drops(load_kw: Floats, dips: DailyDips, types: DayTypes, candidates: int) -> Drops:
    """Find start and length of the dip on each meter's days of deepest dips.

    Args:
        load_kw: shape (meters, days, 48).
        dips: what ``scan_days`` found in it.
        types: of the window's days.
        candidates: days examined of each meter.
    """
    meters, days = dips.drop.shape
    candidates = min(candidates, days)
    depth = np.where(np.isnan(dips.drop), -np.inf, dips.drop)
    day = np.argpartition(-depth, candidates - 1, axis=1)[:, :candidates] if candidates else np.zeros((meters, 0), dtype=np.int64)
    coarse = day * SLOTS_PER_DAY + np.take_along_axis(dips.drop_slot, day, axis=1)
    scale = np.stack([np.interp(np.log(LENGTH_SLOTS), np.log(SCAN_SLOTS), row) for row in dips.scale]) if meters else np.zeros((0, 14))
    around = _around(load_kw, dips, types, coarse)
    best = np.full(day.shape, -np.inf, dtype=np.float32)
    start, length = np.zeros(day.shape, dtype=np.int64), np.ones(day.shape, dtype=np.int64)
    total = np.concatenate((np.zeros((*day.shape, 1)), np.cumsum(around, axis=2)), axis=2)
    # Slot by slot, so that all candidates of one slot lie together.
    by_slot = np.ascontiguousarray(np.moveaxis(total, 2, 0))
    edge = np.minimum((by_slot[EDGE_SLOTS:] - by_slot[:-EDGE_SLOTS]) / EDGE_SLOTS, SHOULDER_LIMIT)
    for shift in START_SHIFTS:
        at = MARGIN_SLOTS + shift
        for column, slots in enumerate(LENGTH_SLOTS):
            end = at + slots
            inside = (by_slot[end] - by_slot[at]) / slots
            score = (np.minimum(edge[at - EDGE_SLOTS], edge[end]) - inside) / scale[:, None, column]
            better = score > best
            np.copyto(best, score, where=better, casting="same_kind")
            np.copyto(start, shift, where=better)
            np.copyto(length, slots, where=better)
    sharp = _sharpness(around, total, MARGIN_SLOTS + start, length)
    by_depth = np.argsort(-best, axis=1, kind="stable")
    columns = (day, coarse + start, length, np.where(np.isfinite(best), best, np.nan), sharp)
    return Drops(*(np.take_along_axis(column, by_depth, axis=1) for column in columns))


def _mean_load(ordered: Floats, meter: Ints, unread: Ints) -> NDArray[np.float64]:
    """Mean load of each meter over what was read, kW."""
    size = ordered.shape[1] * ordered.shape[2]
    count = size - np.bincount(meter, minlength=ordered.shape[0])
    if size == 0:
        return np.zeros(len(count))
    total = np.nansum(ordered, axis=(1, 2)) if unread.size else ordered.sum(axis=(1, 2))
    return np.asarray(total / np.maximum(count, 1))


def _scan(standard: Floats) -> tuple[Floats, Floats, Floats]:
    """Deepest dip and highest bump that start in each slot, and the usual dip of each length.

    Args:
        standard: standardised deviations, shape (meters, slots).
    """
    drop = np.full(standard.shape, -np.inf, dtype=np.float32)
    rise = np.full(standard.shape, -np.inf, dtype=np.float32)
    scale = np.full((standard.shape[0], len(SCAN_SLOTS)), np.nan, dtype=np.float32)
    mean = 0.5 * (standard[:, :-1] + standard[:, 1:])
    edge, width = mean, EDGE_SLOTS
    for column, slots in enumerate(SCAN_SLOTS):
        while width < slots:
            mean = 0.5 * (mean[:, :-width] + mean[:, width:])
            width *= 2
        count = standard.shape[1] - slots - 2 * EDGE_SLOTS + 1
        if count <= 0:
            break
        before, after = edge[:, :count], edge[:, slots + EDGE_SLOTS :][:, :count]
        inside = mean[:, EDGE_SLOTS:][:, :count]
        dip = np.minimum(np.minimum(before, after), SHOULDER_LIMIT) - inside
        sample = np.abs(dip[:, ::SAMPLE_STEP])
        read = ~np.isnan(sample)
        usual = np.where(read, sample, 0).sum(axis=1) / np.maximum(read.sum(axis=1), 1)
        scale[:, column] = np.where(usual > 0, usual, np.nan)
        weight = (1 / scale[:, column])[:, None]
        inner = slice(EDGE_SLOTS, EDGE_SLOTS + count)
        np.fmax(drop[:, inner], dip * weight, out=drop[:, inner])
        np.subtract(inside, np.maximum(np.maximum(before, after), -SHOULDER_LIMIT), out=dip)
        np.fmax(rise[:, inner], dip * weight, out=rise[:, inner])
    return drop, rise, scale


def _around(load_kw: Floats, dips: DailyDips, types: DayTypes, start: Ints) -> Floats:
    """Standardised deviations around candidate starts, shape (meters, candidates, slots); 0 outside the window."""
    meters, days = dips.drop.shape
    width = MARGIN_SLOTS + LENGTH_SLOTS[-1] + EDGE_SLOTS + max(START_SHIFTS)
    slot = start[..., None] - MARGIN_SLOTS + np.arange(width)
    inside = (slot >= 0) & (slot < days * SLOTS_PER_DAY)
    slot = np.where(inside, slot, 0)
    row = np.arange(meters)[:, None, None]
    place = row * (days * SLOTS_PER_DAY) + slot
    kind = np.repeat(types.is_rest * SLOTS_PER_DAY, SLOTS_PER_DAY) + np.tile(np.arange(SLOTS_PER_DAY), days)
    residual = np.take(load_kw, place) - np.take(dips.expected_kw, place)
    usual = np.where(dips.noise_kw > 0, dips.noise_kw, np.inf)
    noise = np.take(usual, row * (2 * SLOTS_PER_DAY) + np.take(kind, slot))
    standard = np.clip(residual / noise, -STANDARD_LIMIT, STANDARD_LIMIT)
    return np.asarray(np.where(inside, standard, 0.0))


def _sharpness(around: Floats, total: Floats, start: Ints, length: Ints) -> Floats:
    """The two single steps at a dip's ends over its two falls, 0..2, about 1 for square edges; shape of ``start``."""

    def at(values: Floats, position: Ints) -> Floats:
        return np.asarray(np.take_along_axis(values, position[..., None], axis=2)[..., 0])

    end = start + length
    steps = at(around, start - 1) - at(around, start) + at(around, end) - at(around, end - 1)
    edges = at(total, start) - at(total, start - EDGE_SLOTS) + at(total, end + EDGE_SLOTS) - at(total, end)
    falls = edges / EDGE_SLOTS - 2 * (at(total, end) - at(total, start)) / length
    return np.asarray(np.where(falls > 0, np.clip(steps / np.where(falls > 0, falls, 1.0), 0.0, 2.0), 0.0))
