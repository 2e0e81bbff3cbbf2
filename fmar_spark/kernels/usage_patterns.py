"""When, how long and how often blocks of load happen: what distinguishes a driver from a thermostat."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.window import Bools, Floats, Ints

FEWEST_BLOCKS: Final = 3
"""Blocks below which no spread is formed."""
SHORTEST_SPAN_DAYS: Final = 30
"""Least number of days between the first and the last block that the share of active days is taken of."""
LONG_HOURS: Final = 2.5
"""Length from which a block is long."""
FEWEST_SEASON_DAYS: Final = 30
"""Days seen of winter, and of summer, below which they are not compared."""
FEWEST_ACTIVE_DAYS: Final = 8
"""Days with energy below which their steps say nothing."""


class Blocks(NamedTuple):
    """Plateaus of nearly one power, parallel arrays ordered by meter then start."""

    meter: Ints
    start: Ints
    """First slot."""
    end: Ints
    """Slot after the last one."""
    hours: Floats
    """Length with the first and last slot counted by their share."""
    power_kw: Floats
    """Lowest level of the plateau over the idle level around it."""
    energy_kwh: Floats
    mismatch: Floats
    """Step up against step down, relative to the power; NaN where one of them was not seen."""

    def take(self, wanted: Bools | Ints) -> "Blocks":
        """The wanted blocks, in their order."""
        return Blocks(
            self.meter[wanted],
            self.start[wanted],
            self.end[wanted],
            self.hours[wanted],
            self.power_kw[wanted],
            self.energy_kwh[wanted],
            self.mismatch[wanted],
        )


class UsagePattern(NamedTuple):
    """What each meter's blocks have in common, shape (meters,) each; NaN where there are too few blocks."""

    day_share: Floats
    """Observed days on which a block starts."""
    active_day_share: Floats
    """The same between the first and the last block."""
    kwh_per_day: Floats
    hours_mean: Floats
    hours_cv: Floats
    """Standard deviation of the length over its mean: a thermostat's is low, a driver's is not."""
    long_share: Floats
    start_spread: Floats
    """Blocks that start outside the busiest hour and a half."""
    end_spread: Floats
    gap_cv: Floats
    """Standard deviation over mean of the days from one active day to the next."""
    per_active_day: Floats
    mismatch: Floats


def describe_usage(blocks: Blocks, seen: Bools, slots_per_day: int, kinds: int = 1) -> UsagePattern:
    """Sum up each meter's blocks.

    Args:
        blocks: of any meters of the batch; of several kinds at once if ``meter`` is kind x meters + row.
        seen: days that were read well enough, shape (meters, days).
        slots_per_day: 48, or 24 for hourly meters.
        kinds: how many kinds; the answer has shape (kinds x meters,).
    """
    meters = seen.shape[0] * kinds
    meter = blocks.meter
    count = np.bincount(meter, minlength=meters)
    some = np.where(count > 0, count, np.nan)
    enough = np.where(count >= FEWEST_BLOCKS, 1.0, np.nan)
    days = _count_active_days(meter, blocks.start // slots_per_day, seen, kinds)
    observed_days = np.where(days.observed > 0, days.observed, np.nan)
    hours_mean = np.bincount(meter, blocks.hours, meters) / some
    hours_var = np.bincount(meter, blocks.hours**2, meters) / some - hours_mean**2
    mismatch = np.minimum(np.nan_to_num(blocks.mismatch, nan=0.3), 1.0)
    return UsagePattern(
        day_share=days.active / observed_days,
        active_day_share=days.active / np.maximum(days.span, SHORTEST_SPAN_DAYS),
        kwh_per_day=np.bincount(meter, blocks.energy_kwh, meters) / observed_days,
        hours_mean=hours_mean,
        hours_cv=enough * np.sqrt(np.maximum(hours_var, 0.0)) / hours_mean,
        long_share=np.bincount(meter, blocks.hours >= LONG_HOURS, meters) / some,
        start_spread=enough * _spread_over_day(meter, blocks.start % slots_per_day, meters, slots_per_day),
        end_spread=enough * _spread_over_day(meter, blocks.end % slots_per_day, meters, slots_per_day),
        gap_cv=days.gap_cv,
        per_active_day=count / np.where(days.active > 0, days.active, np.nan),
        mismatch=np.bincount(meter, mismatch, meters) / some,
    )


def contrast_seasons(daily_kwh: Floats, season: Ints) -> Floats:
    """Winter against summer energy, -1 (all in summer) to 1 (all in winter), shape (meters,).

    NaN unless 30 days of both were seen.

    Args:
        daily_kwh: shape (meters, days), NaN where unknown.
        season: 0 winter .. 3 autumn, shape (days,).
    """
    winter, summer = (_mean_of_days(daily_kwh[:, season == wanted]) for wanted in (0, 2))
    total = winter + summer
    return np.asarray((winter - summer) / np.where(total > 0, total, np.nan))


def measure_roughness(daily_kwh: Floats) -> Floats:
    """How far one active day's energy lies from the next one's, half the mean square step over the variance, shape (meters,).

    About 1 where each day stands alone, as driving does; near 0 where energy drifts with the season (von Neumann, 1941). NaN with fewer
    than eight active days or where all are equal.

    Args:
        daily_kwh: shape (meters, days), NaN where unknown.
    """
    meters = daily_kwh.shape[0]
    meter, day = np.nonzero(np.nan_to_num(daily_kwh) > 0)
    energy = daily_kwh[meter, day].astype(np.float64)
    count = np.bincount(meter, minlength=meters)
    enough = np.where(count >= FEWEST_ACTIVE_DAYS, count, np.nan)
    centred = energy - (np.bincount(meter, energy, meters) / np.maximum(count, 1))[meter]
    variance = np.bincount(meter, centred**2, meters) / enough
    same = meter[1:] == meter[:-1]
    step = np.bincount(meter[1:][same], np.diff(centred)[same] ** 2, meters) / (enough - 1)
    return np.asarray(step / (2 * np.where(variance > 0, variance, np.nan)))


def _tally_slots(meter: Ints, slot: Ints, meters: int, slots_per_day: int) -> Ints:
    """How many of a meter's moments fall in each slot of the day, shape (meters, slots_per_day)."""
    place = meter * slots_per_day + slot % slots_per_day
    return np.bincount(place, minlength=meters * slots_per_day).reshape(meters, slots_per_day)


def measure_sharpness(meter: Ints, slot: Ints, meters: int, slots_per_day: int) -> Floats:
    """Share of a meter's moments that fall in its busiest slot of the day, shape (meters,); NaN with fewer than three.

    Args:
        meter: row of each moment.
        slot: its slot since the window's start.
        meters: rows there are.
        slots_per_day: 48, or 24 for hourly meters.
    """
    tally = _tally_slots(meter, slot, meters, slots_per_day)
    count = tally.sum(axis=1)
    return np.asarray(tally.max(axis=1) / np.where(count >= FEWEST_BLOCKS, count, np.nan))


def measure_second_spread(meter: Ints, slot: Ints, meters: int, slots_per_day: int) -> Floats:
    """Share of a meter's moments outside its two busiest hour-and-a-halfs (of hourly meters hours), shape (meters,).

    Near 0 where a timer starts a load once or twice a day, whatever it takes. NaN with fewer than three moments.

    Args:
        meter: row of each moment.
        slot: its slot since the window's start.
        meters: rows there are.
        slots_per_day: 48, or 24 for hourly meters.
    """
    tally = _tally_slots(meter, slot, meters, slots_per_day)
    count = tally.sum(axis=1)
    reach = 1 if slots_per_day == SLOTS_PER_DAY else 0
    inside = np.zeros(meters, dtype=np.int64)
    column = np.arange(slots_per_day)
    for _ in range(2):
        near = np.sum([np.roll(tally, shift, axis=1) for shift in range(-reach, reach + 1)], axis=0)
        busiest = near.argmax(axis=1)
        inside += near[np.arange(meters), busiest] if meters else 0
        apart = np.abs(column - busiest[:, None])
        tally = np.where(np.minimum(apart, slots_per_day - apart) <= reach, 0, tally)
    return np.asarray(1.0 - inside / np.where(count >= FEWEST_BLOCKS, count, np.nan))


def find_high_energy(blocks: Blocks, meters: int, share: float) -> Floats:
    """Energy below which that share of a meter's blocks lies, kWh, shape (meters,); NaN with fewer than three."""
    order = np.lexsort((blocks.energy_kwh, blocks.meter))
    begin = np.searchsorted(blocks.meter[order], np.arange(meters + 1))
    count = np.diff(begin)
    found = np.full(meters, np.nan)
    some = count >= FEWEST_BLOCKS
    found[some] = blocks.energy_kwh[order][begin[:-1][some] + np.round(share * (count[some] - 1)).astype(np.int64)]
    return found


def _mean_of_days(daily_kwh: Floats) -> Floats:
    known = np.count_nonzero(~np.isnan(daily_kwh), axis=1)
    return np.asarray(np.nansum(daily_kwh, axis=1) / np.where(known >= FEWEST_SEASON_DAYS, known, np.nan))


class _ActiveDays(NamedTuple):
    active: Ints
    span: Ints
    observed: Ints
    gap_cv: Floats


def _count_active_days(meter: Ints, day: Ints, seen: Bools, kinds: int) -> _ActiveDays:
    """Days with a block, observed days between the first and last of them, and how unequal the gaps between them are."""
    meters = seen.shape[0] * kinds
    is_new = np.ones(meter.size, dtype=np.bool_)
    is_new[1:] = (meter[1:] != meter[:-1]) | (day[1:] != day[:-1])
    meter, day = meter[is_new], day[is_new]
    active = np.bincount(meter, minlength=meters)
    begin = np.searchsorted(meter, np.arange(meters))
    beyond = begin + active
    some = active > 0
    first, last = np.zeros(meters, dtype=np.int64), np.full(meters, -1)
    first[some], last[some] = day[begin[some]], day[beyond[some] - 1]
    seen_before = np.zeros((seen.shape[0], seen.shape[1] + 1), dtype=np.int32)
    np.cumsum(seen, axis=1, dtype=np.int32, out=seen_before[:, 1:])
    row = np.arange(meters) % max(seen.shape[0], 1)
    span = seen_before[row, last + 1] - seen_before[row, first]
    same = meter[1:] == meter[:-1]
    gap, owner = np.diff(day)[same].astype(np.float64), meter[1:][same]
    gaps = np.bincount(owner, minlength=meters)
    gaps = np.where(gaps >= FEWEST_BLOCKS, gaps, np.nan)
    mean = np.bincount(owner, gap, meters) / gaps
    variance = np.bincount(owner, gap**2, meters) / gaps - mean**2
    return _ActiveDays(active, span, seen_before[row, -1], np.sqrt(np.maximum(variance, 0.0)) / mean)


def _spread_over_day(meter: Ints, slot: Ints, meters: int, slots_per_day: int) -> Floats:
    """Share of blocks outside the busiest 1.5 hours (of hourly meters the busiest hour), shape (meters,)."""
    tally = np.bincount(meter * slots_per_day + slot, minlength=meters * slots_per_day).reshape(meters, slots_per_day)
    if slots_per_day == SLOTS_PER_DAY:
        tally = tally + np.roll(tally, 1, axis=1) + np.roll(tally, -1, axis=1)
        return np.asarray(1.0 - 3.0 * tally.max(axis=1) / np.maximum(tally.sum(axis=1), 1))
    return np.asarray(1.0 - tally.max(axis=1) / np.maximum(tally.sum(axis=1), 1))
