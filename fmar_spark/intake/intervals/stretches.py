"""Finds the length of every interval from the distances to its neighbours, stretch by stretch: a meter's step may change."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.units import SLOT_MINUTES

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STEPS: Final = (15, 30, 60)
"""Minutes that are supported."""
SHORTEST_RUN: Final = 3
"""So many equal distances in a row make a stretch."""
SHORTEST_COARSE_RUN: Final = 4
"""The same where missing rows of a finer step could look like it."""
CHANCE: Final = 1e-3
"""Rows that are missing by chance make a stretch of a coarser step in one series of a thousand."""


class Steps(NamedTuple):
    """One entry a row, in the order of the rows."""

    minutes: Ints
    """15, 30 or 60; 0 where the step is another one."""
    is_on_grid: Bools
    """Whether the row starts where the rows of its stretch start."""


class _Runs(NamedTuple):
    """Rows of one series with equal distances to the next row: parallel arrays, one entry a run."""

    first: Ints
    length: Ints
    minutes: Ints
    """Distance; 0 where there is no next row, or it is not a whole number of minutes away."""
    owner: Ints


def find_steps(series: Ints, second: Ints) -> Steps:
    """The step of each row of series without duplicates, sorted by series and time.

    Within a stretch a single longer distance is a missing row, not a longer interval. A series whose distances make no
    stretch has the commonest of its distances as its step; one row alone is a half-hour.
    """
    rows = len(series)
    if rows == 0:
        return Steps(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_))
    runs = _find_runs(series, second)
    is_stretch = _find_stretches(runs)
    step = np.where(np.isin(runs.minutes, STEPS), runs.minutes, 0)
    phase = second[runs.first] % np.maximum(step * 60, 1)
    run_of = np.repeat(np.arange(len(runs.first)), runs.length)
    source = _carry(np.repeat(is_stretch, runs.length), series)
    has_source = source >= 0
    minutes, offset = _fall_back(series, second, runs)
    minutes[has_source] = step[run_of[source[has_source]]]
    offset[has_source] = phase[run_of[source[has_source]]]
    grid = np.maximum(minutes * 60, 1)
    is_aligned = offset % np.minimum(grid, SLOT_MINUTES * 60) == 0
    return Steps(minutes, (second % grid == offset) & is_aligned)


def find_steps_of_ends(series: Ints, second: Ints) -> Steps:
    """The same for rows that are stamped with the end of their interval."""
    if len(series) == 0:
        return find_steps(series, second)
    turned = find_steps(series[-1] - series[::-1], -second[::-1])
    return Steps(turned.minutes[::-1], turned.is_on_grid[::-1])


def _find_runs(series: Ints, second: Ints) -> _Runs:
    ahead = np.zeros(len(series), dtype=np.int64)
    ahead[:-1] = np.where(np.diff(series) == 0, np.diff(second), 0)
    minutes = np.where(ahead % 60 == 0, ahead // 60, 0)
    is_new = np.ones(len(series), dtype=np.bool_)
    is_new[1:] = (np.diff(minutes) != 0) | (np.diff(series) != 0)
    first = np.flatnonzero(is_new)
    length = np.diff(np.append(first, len(series)))
    return _Runs(first, length, minutes[first], series[first])


def _find_stretches(runs: _Runs) -> Bools:
    """Which runs are long enough to say what the step is there."""
    count = int(runs.owner[-1]) + 1
    is_step = (runs.minutes > 0) & (runs.minutes <= max(STEPS))
    is_long = is_step & (runs.length >= SHORTEST_RUN)
    never = np.iinfo(np.int64).max
    finest = np.full(count, never)
    np.minimum.at(finest, runs.owner[is_long], runs.minutes[is_long])
    is_coarse = is_step & (runs.minutes > finest[runs.owner])
    is_loss = is_coarse & (runs.length < SHORTEST_COARSE_RUN)
    total = np.bincount(runs.owner, runs.length, minlength=count)
    share = np.clip(np.bincount(runs.owner, is_loss * runs.length, minlength=count) / np.maximum(total, 1), 0.0, 0.9)
    with np.errstate(divide="ignore"):
        by_chance = np.ceil(np.log(CHANCE / np.maximum(total, 1)) / np.log(share))
    shortest = np.maximum(SHORTEST_COARSE_RUN, by_chance)
    has_any = np.bincount(runs.owner, is_long, minlength=count) > 0
    is_far = (runs.minutes > max(STEPS)) & (runs.length >= SHORTEST_COARSE_RUN) & ~has_any[runs.owner]
    return np.asarray((is_long & (~is_coarse | (runs.length >= shortest[runs.owner]))) | is_far)


def _carry(is_known: Bools, series: Ints) -> Ints:
    """For each row the nearest row before it that is marked, else the nearest after it, of its series; -1 where there is none."""
    place = np.arange(len(series))
    before = np.maximum.accumulate(np.where(is_known, place, -1))
    after = np.minimum.accumulate(np.where(is_known, place, len(series))[::-1])[::-1]
    has_before = (before >= 0) & (series[np.maximum(before, 0)] == series)
    clipped = np.minimum(after, len(series) - 1)
    has_after = (after < len(series)) & (series[clipped] == series)
    return np.select([has_before, has_after], [before, clipped], -1)


def _fall_back(series: Ints, second: Ints, runs: _Runs) -> tuple[Ints, Ints]:
    """Step and phase of the rows of series without a stretch: the commonest distance of the series, of equals the finest."""
    count = int(series[-1]) + 1
    kind = np.select([runs.minutes == step for step in STEPS], range(len(STEPS)), len(STEPS))
    is_vote = runs.minutes > 0
    votes = np.bincount(runs.owner[is_vote] * 4 + kind[is_vote], runs.length[is_vote], minlength=4 * count).reshape(count, 4)
    best = np.asarray([*STEPS, 0])[votes.argmax(axis=1)]
    best = np.where(votes.sum(axis=1) == 0, SLOT_MINUTES, best)
    on_half = np.bincount(series, second % 3600 == SLOT_MINUTES * 60, minlength=count)
    size = np.maximum(np.bincount(series, minlength=count), 1)
    offset = np.where((best == 60) & (on_half > size / 2), SLOT_MINUTES * 60, 0)
    return best[series].astype(np.int64), offset[series].astype(np.int64)
