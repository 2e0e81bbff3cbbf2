"""What an asset can do, read from the episodes that it was seen in.

Every table here has two directions on its last axis or a direction argument: 0 = import (drawing), 1 = export (giving).
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from fmar_spark.clock import DAYS_PER_WEEK, SLOTS_PER_DAY
from fmar_spark.kernels.window import Bools, Events, Floats, Ints, LocalCalendar, count_read
from fmar_spark.units import SLOT_MINUTES

DIRECTIONS: Final = 2
"""Import and export. Source: definition."""
SEASONS_A_YEAR: Final = 4
"""Winter to autumn. Source: definition."""
RATING_DAYS: Final = 365
"""Days at the end of the window whose episodes rate the asset."""
QUANTILES: Final = (0.1, 0.5, 0.9)
"""Of episode peaks and durations."""


class Capability(NamedTuple):
    """Observed capability, float32 arrays of shape (meters, 2): import, export. NaN where no episode shows it."""

    rated_kw_p10: Floats
    """Tenth percentile of episode peaks over the last 12 months of the window."""
    rated_kw_p50: Floats
    rated_kw_p90: Floats
    rated_kw_max: Floats
    duration_minutes_min: Floats
    """Shortest episode seen whole: one that a gap or the window's edge cuts is left out of every duration."""
    duration_minutes_p10: Floats
    duration_minutes_p50: Floats
    duration_minutes_p90: Floats
    duration_minutes_max: Floats
    ramp_kw_per_min_lower_bound: Floats
    """Median change at episode start and end over one step of the meter: the true ramp is at least this."""
    energy_kwh_day: Floats
    """Mean over the observed days on which the asset was present."""
    events_seen: Floats
    """Number of episodes."""
    events_cut: Floats
    """Episodes that were still going on when a gap or the window's end began."""


class Availability(NamedTuple):
    """When the asset operates: float32 arrays of shape (meters, seasons 4, weekdays 7 from Monday, 48)."""

    probability: Floats
    """Share of the observed weeks of the season in which the asset was operating in the slot; NaN with no week."""
    weeks_observed: Floats
    kw_p50: Floats
    """Median over those weeks of the mean power of the episode that covers the slot; NaN where none ever did."""


def group_quantiles(values: Floats, group: Ints, groups: int, quantiles: tuple[float, ...]) -> NDArray[np.float64]:
    """Quantiles of the values of each group, shape (groups, quantiles); NaN for an empty group.

    The same as ``numpy.quantile`` with linear interpolation, group by group. NaN values are left out.
    """
    kept = ~np.isnan(values)
    values, group = values[kept].astype(np.float64), group[kept].astype(np.int64)
    if not values.size:
        return np.full((groups, len(quantiles)), np.nan)
    by_value = np.argsort(values)
    # A stable sort of small integers is linear.
    narrow = np.uint16 if groups <= np.iinfo(np.uint16).max else np.int64
    ordered = values[by_value[np.argsort(group[by_value].astype(narrow), kind="stable")]]
    count = np.bincount(group, minlength=groups)
    first = np.concatenate(([0], np.cumsum(count)[:-1]))
    rank = np.asarray(quantiles)[None, :] * np.maximum(count - 1, 0)[:, None]
    below = np.floor(rank).astype(np.int64)
    low = np.minimum(first[:, None] + below, ordered.size - 1)
    high = np.minimum(first[:, None] + np.minimum(below + 1, np.maximum(count - 1, 0)[:, None]), ordered.size - 1)
    between = ordered[low] + (rank - below) * (ordered[high] - ordered[low])
    return np.where(count[:, None] > 0, between, np.nan)


def mark_right_censored(events: Events, load_kw: Floats) -> Bools:
    """Mark the episodes that were still going on when a gap or the window's end began, shape (events,)."""
    flat = _by_slot(load_kw)
    after = np.minimum(events.end_slot, flat.shape[1] - 1)
    return np.asarray((events.end_slot >= flat.shape[1]) | np.isnan(flat[events.meter, after]))


def mark_left_censored(events: Events, load_kw: Floats) -> Bools:
    """Mark the episodes that were already going on when reading began or a gap ended, shape (events,)."""
    flat = _by_slot(load_kw)
    before = np.maximum(events.start_slot - 1, 0)
    return np.asarray((events.start_slot <= 0) | np.isnan(flat[events.meter, before]))


def measure_steps(events: Events, load_kw: Floats, *, holds_back: bool = False) -> Floats:
    """The smaller-noise view of the step at each episode's two ends: their mean, kW, shape (events,).

    A step is the change of the site's load towards the asset's direction, never below 0 nor above the episode's peak;
    an end that touches unread data is left out, and both unread give NaN.

    Args:
        events: episodes of one asset class.
        load_kw: mean power of the site, shape (meters, days, 48); for PV import minus export.
        holds_back: True where an episode lowers the load although it counts as import (demand response).
    """
    flat = _by_slot(load_kw)
    last = flat.shape[1] - 1
    rows = events.meter
    sign = np.where(events.is_import, 1.0, -1.0) * (-1.0 if holds_back else 1.0)
    rise = flat[rows, np.minimum(events.start_slot, last)] - flat[rows, np.maximum(events.start_slot - 1, 0)]
    fall = flat[rows, np.maximum(events.end_slot - 1, 0)] - flat[rows, np.minimum(events.end_slot, last)]
    steps = np.stack((np.where(events.start_slot > 0, rise, np.nan), np.where(events.end_slot <= last, fall, np.nan))) * sign
    steps = np.clip(steps, 0.0, events.peak_kw)
    read = ~np.isnan(steps)
    total = np.where(read, steps, 0.0).sum(axis=0)
    return np.asarray(np.where(read.any(axis=0), total / np.maximum(read.sum(axis=0), 1), np.nan))


def derive_capability(
    events: Events, load_kw: Floats, interval_minutes: Ints, present: Bools | None = None, *, holds_back: bool = False
) -> Capability:
    """Derive ratings, durations, ramp and daily energy of every meter from the episodes of one asset class.

    Args:
        events: episodes, ordered in any way.
        load_kw: mean power of the site, shape (meters, days, 48), NaN where unread; for PV import minus export.
        interval_minutes: finest step of each meter, shape (meters,).
        present: days on which the asset is there, shape (meters, days); None = all.
        holds_back: True for demand response, whose episodes lower the load.
    """
    meters, days = load_kw.shape[:2]
    groups = meters * DIRECTIONS
    group = events.meter.astype(np.int64) * DIRECTIONS + ~events.is_import
    recent = events.start_slot >= (days - RATING_DAYS) * SLOTS_PER_DAY
    cut_right = mark_right_censored(events, load_kw)
    whole = ~cut_right & ~mark_left_censored(events, load_kw)
    minutes = (events.end_slot - events.start_slot) * float(SLOT_MINUTES)
    rated = group_quantiles(np.where(recent, events.peak_kw, np.nan), group, groups, (*QUANTILES, 1.0))
    duration = group_quantiles(np.where(whole, minutes, np.nan), group, groups, (0.0, *QUANTILES, 1.0))
    step_kw = measure_steps(events, load_kw, holds_back=holds_back)
    ramp = group_quantiles(step_kw / interval_minutes[events.meter], group, groups, (0.5,))
    observed: Bools = count_read(load_kw) > 0
    counted = observed if present is None else observed & present
    day = np.clip(events.start_slot // SLOTS_PER_DAY, 0, max(days - 1, 0))
    energy = np.bincount(group, np.where(counted[events.meter, day], events.energy_kwh, 0.0), minlength=groups)
    counted_days = np.repeat(counted.sum(axis=1), DIRECTIONS)
    energy_day = np.where(counted_days > 0, energy / np.maximum(counted_days, 1), np.nan)
    seen = np.bincount(group, minlength=groups)
    cut = np.bincount(group, cut_right, minlength=groups)
    energy_day[seen == 0] = np.nan
    columns = (*rated.T, *duration.T, ramp[:, 0], energy_day, seen, cut)
    return Capability(*(column.reshape(meters, DIRECTIONS).astype(np.float32) for column in columns))


def count_weeks(load_kw: Floats, calendar: LocalCalendar, present: Bools | None = None) -> Floats:
    """Count the weeks in which each slot of each season and weekday was read, shape (meters, 4, 7, 48).

    Args:
        load_kw: shape (meters, days, 48), NaN where unread.
        calendar: civil days of the window.
        present: days to count, shape (meters, days); None = all.
    """
    meters = load_kw.shape[0]
    read = ~np.isnan(load_kw)
    if present is not None:
        read &= present[:, :, None]
    cell = _cells_of_days(calendar)
    weeks = np.zeros((meters, SEASONS_A_YEAR * DAYS_PER_WEEK, SLOTS_PER_DAY), dtype=np.float32)
    for index in np.unique(cell):
        weeks[:, index] = read[:, cell == index].sum(axis=1, dtype=np.int16)
    return weeks.reshape(meters, SEASONS_A_YEAR, DAYS_PER_WEEK, SLOTS_PER_DAY)


def derive_availability(
    events: Events, weeks_observed: Floats, calendar: LocalCalendar, present: Bools | None = None, *, is_import: bool
) -> Availability:
    """Derive how often an asset operates in each slot of the week, season by season.

    Power in a slot is taken as the mean power of the episode that covers it, so the shape within an episode (a taper,
    a PV noon) is not resolved.

    Args:
        events: episodes of one asset class; those of one meter and direction do not overlap.
        weeks_observed: what ``count_weeks`` gave for the same ``present``.
        calendar: civil days of the window.
        present: days to count, shape (meters, days); None = all.
        is_import: which direction is wanted.
    """
    cells = SEASONS_A_YEAR * DAYS_PER_WEEK * SLOTS_PER_DAY
    meters = weeks_observed.shape[0]
    slots = calendar.weekday.size * SLOTS_PER_DAY
    length = np.minimum(events.end_slot, slots) - events.start_slot
    wanted = np.flatnonzero((events.is_import == is_import) & (length > 0))
    mean_kw = events.energy_kwh[wanted] / (length[wanted] * (SLOT_MINUTES / 60))
    by_power = np.argsort(mean_kw, kind="stable")
    wanted, mean_kw, length = wanted[by_power], mean_kw[by_power], length[wanted[by_power]]
    owner = np.repeat(np.arange(wanted.size), length)
    within = np.arange(owner.size) - np.repeat(np.cumsum(length) - length, length)
    slot = events.start_slot[wanted][owner] + within
    meter, day = events.meter[wanted][owner], slot // SLOTS_PER_DAY
    kept = slice(None) if present is None else present[meter, day]
    row = (meter * cells + _cells_of_days(calendar)[day] * SLOTS_PER_DAY + slot % SLOTS_PER_DAY)[kept]
    active, kw_p50 = _count_and_median(row, mean_kw[owner][kept], meters * cells)
    observed = weeks_observed.reshape(-1)
    probability = np.where(observed > 0, np.minimum(active / np.maximum(observed, 1), 1.0), np.nan)
    shape = weeks_observed.shape
    return Availability(probability.astype(np.float32).reshape(shape), weeks_observed, kw_p50.astype(np.float32).reshape(shape))


def _by_slot(load_kw: Floats) -> Floats:
    """The days end to end, shape (meters, days * 48)."""
    meters, days, slots = load_kw.shape
    return load_kw.reshape(meters, days * slots)


def _cells_of_days(calendar: LocalCalendar) -> NDArray[np.int64]:
    """Season x weekday of each day, 0..27, shape (days,)."""
    return calendar.season.astype(np.int64) * DAYS_PER_WEEK + calendar.weekday.astype(np.int64) - 1


def _count_and_median(row: Ints, ascending: Floats, rows: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Count and median of the values of each row, values already in ascending order.

    A sparse matrix is built row by row in linear time and keeps the order within a row: a counting sort.
    """
    if not row.size:
        return np.zeros(rows, dtype=np.int64), np.full(rows, np.nan)
    table = coo_array((ascending + 0.0, (row, np.arange(row.size))), shape=(rows, row.size)).tocsr()
    count = np.diff(table.indptr).astype(np.int64)
    last = row.size - 1
    low = np.minimum(table.indptr[:-1] + np.maximum(count - 1, 0) // 2, last)
    high = np.minimum(table.indptr[:-1] + count // 2, last)
    return count, np.where(count > 0, (table.data[low] + table.data[high]) / 2, np.nan)
