"""Steps up of charger size, whether or not a session can be followed from them."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.episodes import Rises, SlotGrid
from fmar_spark.kernels.window import Bools, Floats, Ints

NIGHT_FROM_HOUR: Final = 22
"""Clock hour at which night begins."""
NIGHT_TO_HOUR: Final = 6
"""Clock hour at which night ends."""
RISE_KW: Final = (2.5, 3.3, 4.5, 6.0, 9.0)
"""Steps up that part chargers from what else a home switches on in a half-hour."""
BEST_KW: Final = (3.3, 6.0)
"""Steps up that are counted in a meter's best weeks as well: a car that came late or left early."""
BEST_DAYS: Final = 56
"""Days of the best weeks."""
STEP_RANGE_KW: Final = (2.5, 25.0)
"""Steps whose sizes are compared."""
STEP_BINS: Final = 58
"""Bins of their histogram, in equal ratios of 4 %."""
FEWEST_STEPS: Final = 8
"""Steps below which nothing is said of their sizes."""


class Steps(NamedTuple):
    """How often a load steps up, and by how much; shape (meters,) unless said."""

    day_shares: Floats
    """Share of read days with a step up of at least each of ``RISE_KW``, at any hour and then at night, shape (meters, 2 x 5)."""
    best_day_shares: Floats
    """Share of days with a step up of at least each of ``BEST_KW`` in the best eight weeks, shape (meters, 2)."""
    usual_kw: Floats
    """Size of step up that recurs most; NaN with few steps."""
    agreement: Floats
    """Share of the steps up that have this size within 6 %; NaN with few steps."""


def describe_steps(grid: SlotGrid, rises: Rises, seen: Bools) -> Steps:
    """Count steps up by day and compare their sizes.

    A session that is too short to fill a slot, or that runs beside something else, leaves no flat block, but its step is there.

    Args:
        grid: the load.
        rises: its steps up.
        seen: days that were read well enough, shape (meters, days).
    """
    meters, days = seen.shape
    slot = grid.slot_of(rises.place) + 1
    day = np.minimum(slot // grid.slots_per_day, days - 1)
    hour = slot % grid.slots_per_day * grid.step_hours
    at_night = (hour >= NIGHT_FROM_HOUR) | (hour < NIGHT_TO_HOUR)
    read_days = np.maximum(seen.sum(axis=1), 1)
    meter = grid.meter_of(rises.place)
    place = meter * days + day
    shares: list[Floats] = []
    best: list[Floats] = []
    for counted in (np.ones(slot.size, dtype=np.bool_), at_night):
        highest = np.zeros(meters * days, dtype=np.float32)
        np.maximum.at(highest, place[counted], rises.step_kw[counted])
        by_day = highest.reshape(meters, days)
        shares += [(by_day >= kw).sum(axis=1) / read_days for kw in RISE_KW]
        if not best:
            best = [_share_of_best_days(by_day >= kw) for kw in BEST_KW]
    counts = _count_sizes(meter, rises.step_kw, meters)
    near = counts[:, :-2] + counts[:, 1:-1] + counts[:, 2:]
    total = counts.sum(axis=1)
    enough = total >= FEWEST_STEPS
    usual = near.argmax(axis=1) + 1
    ratio = STEP_RANGE_KW[1] / STEP_RANGE_KW[0]
    usual_kw = STEP_RANGE_KW[0] * ratio ** ((usual + 0.5) / STEP_BINS)
    return Steps(
        day_shares=np.stack(shares, axis=1),
        best_day_shares=np.stack(best, axis=1),
        usual_kw=np.where(enough, usual_kw, np.nan),
        agreement=np.where(enough, near.max(axis=1) / np.maximum(total, 1), np.nan),
    )


def _share_of_best_days(is_marked: Bools) -> Floats:
    """Largest share of marked days among spells of ``BEST_DAYS``, shape (meters,)."""
    meters, days = is_marked.shape
    before = np.zeros((meters, days + 1), dtype=np.int32)
    np.cumsum(is_marked, axis=1, out=before[:, 1:])
    length = min(BEST_DAYS, days)
    most = (before[:, length:] - before[:, : days + 1 - length]).max(axis=1, initial=0)
    return np.asarray(most / max(length, 1))


def _count_sizes(meter: Ints, step_kw: Floats, meters: int) -> Ints:
    """Histogram of the sizes of each meter's steps, shape (meters, ``STEP_BINS``)."""
    low, high = STEP_RANGE_KW
    wanted = (step_kw >= low) & (step_kw < high)
    place = (np.log(step_kw[wanted] / low) * (STEP_BINS / np.log(high / low))).astype(np.int64)
    tally = np.bincount(meter[wanted] * STEP_BINS + np.minimum(place, STEP_BINS - 1), minlength=meters * STEP_BINS)
    return tally.reshape(meters, STEP_BINS)
