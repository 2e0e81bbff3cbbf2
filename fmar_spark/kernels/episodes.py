"""Finds steps up in a batch of load series and the plateaus that follow them.

Only the steps are followed, never every slot: a home rises by more than an appliance a few times a day, so a batch of
years costs a few passes over the load plus a short look ahead from each step.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints

FIRST_LOOK_SLOTS: Final = 6
"""Most plateaus end within this, so only the rest are followed to the end. Source: speed, no answer depends on it."""


class SlotGrid(NamedTuple):
    """Load of a batch as one flat array with NaN between meters, so that looks behind and ahead stay inside."""

    flat_kw: Floats
    """Shape (meters x width,), float32."""
    width: int
    """Places a meter."""
    first: int
    """Place of a meter's first slot."""
    meters: int
    slots_per_day: int
    longest: int
    """Furthest look ahead, slots."""

    @property
    def step_hours(self) -> float:
        """Length of a slot."""
        return 24.0 / self.slots_per_day

    def meter_of(self, place: Ints) -> Ints:
        """Rows of the batch."""
        return place // self.width

    def slot_of(self, place: Ints) -> Ints:
        """Slots counted from the meter's first one."""
        return place % self.width - self.first


class Rises(NamedTuple):
    """Steps up: parallel arrays, one entry a step, ordered by meter then slot."""

    place: Ints
    """Where in the flat load the rise happens; that slot may be only partly at the new level."""
    step_kw: Floats
    """Level one slot later minus level one slot earlier: the whole step, whenever in the slot it happened."""


class Plateaus(NamedTuple):
    """What follows each rise: parallel arrays, one entry a rise."""

    length: Ints
    """Whole slots that stay at or above the level, from the slot after the rise; missing slots end it."""
    lowest_kw: Floats
    """Lowest load in those slots; infinite where there are none."""
    after_kw: Floats
    """Lower of the two levels after the end, leaving out the slot in which it ends; NaN where unread."""
    ending_kw: Floats
    """Load in the slot in which the plateau ends; NaN where unread."""


def build_slot_grid(load_kw: Floats, longest: int, lookback: int) -> SlotGrid:
    """Lay the load out so that every slot has ``lookback`` places before it and ``longest`` after it.

    Args:
        load_kw: shape (meters, days, slots a day), kW, NaN where unread.
        longest: furthest look ahead, slots.
        lookback: furthest look behind, slots.
    """
    meters, days, slots_per_day = load_kw.shape
    slots = days * slots_per_day
    first = lookback + 2
    width = first + slots + longest + 4
    padded = np.empty((meters, width), dtype=np.float32)
    padded[:, :first] = np.nan
    padded[:, first + slots :] = np.nan
    padded[:, first : first + slots] = load_kw.reshape(meters, slots)
    return SlotGrid(padded.ravel(), width, first, meters, slots_per_day, longest)


def find_rises(grid: SlotGrid, floor_kw: Floats) -> Rises:
    """Find every locally steepest step over two slots that is at least ``floor_kw`` high.

    A charger that starts within a slot splits its step over two; the difference over two slots sees all of it.
    One missing slot (NaN) at a step is stepped over; two hide it.

    Args:
        grid: the load.
        floor_kw: lowest step of each meter, shape (meters,); infinite to leave a meter out.
    """
    step = np.full_like(grid.flat_kw, np.nan)
    np.subtract(grid.flat_kw[2:], grid.flat_kw[:-2], out=step[1:-1])
    high = step.reshape(grid.meters, grid.width) >= floor_kw.astype(np.float32)[:, None]
    place = np.flatnonzero(high)
    here = step[place]
    steepest = ~(step[place - 1] >= here) & ~(step[place + 1] > here)
    return Rises(place=place[steepest], step_kw=here[steepest])


def seek_idle(grid: SlotGrid, place: Ints, lookback: int) -> Floats:
    """The lowest load of the ``lookback`` slots before each place, missing ones passed over, NaN if all are."""
    lowest = grid.flat_kw[place - 1]
    for back in range(2, lookback + 1):
        lowest = np.fmin(lowest, grid.flat_kw[place - back])
    return lowest


def follow_rises(grid: SlotGrid, place: Ints, level_kw: Floats) -> Plateaus:
    """Follow the load after each place for as long as it stays at or above its ``level_kw``.

    Args:
        grid: the load; its ``longest`` bounds the look ahead.
        place: where the rise is; the plateau begins in the next slot.
        level_kw: level to stay above, one a place.
    """
    level = level_kw.astype(np.float32)
    length, lowest = _follow(grid, place, level, min(FIRST_LOOK_SLOTS, grid.longest))
    lasting = np.flatnonzero(length == FIRST_LOOK_SLOTS)
    length[lasting], lowest[lasting] = _follow(grid, place[lasting], level[lasting], grid.longest)
    end = place + 1 + length
    return Plateaus(
        length=length,
        lowest_kw=lowest,
        after_kw=np.fmin(grid.flat_kw[end + 1], grid.flat_kw[end + 2]),
        ending_kw=grid.flat_kw[end],
    )


def _follow(grid: SlotGrid, place: Ints, level_kw: Floats, reach: int) -> tuple[Ints, Floats]:
    """Length, at most ``reach`` slots, and lowest load of the plateau after each place."""
    ahead = np.empty((place.size, reach + 1), dtype=np.float32)
    np.take(grid.flat_kw, place[:, None] + np.arange(1, reach + 1), out=ahead[:, :reach])
    ahead[:, reach] = np.nan
    length = np.argmin(ahead >= level_kw[:, None], axis=1)
    ahead[np.arange(reach + 1) >= length[:, None]] = np.inf
    return length, ahead.min(axis=1, initial=np.inf)


def drop_overlaps(key: Ints, start: Ints, end: Ints) -> Ints:
    """Indices of the episodes that begin at or after the end of every earlier one with the same key.

    Args:
        key: series of each episode, ascending.
        start: first slot, ascending within a key, not negative.
        end: slot after the last one.
    """
    if key.size == 0:
        return np.zeros(0, dtype=np.int64)
    stride = max(int(end.max()), int(start.max())) + 1
    reached = np.maximum.accumulate(key * stride + end)
    free = np.ones(key.size, dtype=np.bool_)
    free[1:] = key[1:] * stride + start[1:] >= reached[:-1]
    return np.flatnonzero(free)


def sum_runs(on: Bools, power_kw: Floats) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    """Row, first slot, slot after the last, sum and maximum of every unbroken run.

    Args:
        on: shape (rows, slots); rows of whole days end to end, so that a run may pass midnight.
        power_kw: same shape.
    """
    rows, width = on.shape
    flags = np.zeros(rows * (width + 1) + 1, dtype=np.bool_)
    flags[:-1].reshape(rows, width + 1)[:, 1:] = on
    edges = np.flatnonzero(flags[1:] != flags[:-1])
    first, last = edges[0::2], edges[1::2]
    row, start = np.divmod(first, width + 1)
    end = start + last - first
    if not first.size:
        return row, start, end, np.zeros(0), np.zeros(0)
    power = power_kw[on]
    length = last - first
    bounds = np.cumsum(length) - length
    sums, peaks = np.add.reduceat(power, bounds), np.maximum.reduceat(power, bounds)
    return row, start, end, sums.astype(np.float64), peaks.astype(np.float64)
