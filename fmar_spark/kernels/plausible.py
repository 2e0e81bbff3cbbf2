"""Which energies of a series a meter cannot have measured: error codes, spikes, and what was counted up while nothing was read.

One rule for every path that readings take. It rests on the series' own energies and not on a share of them, so that it holds
however many of them are wrong: whatever lies above a gap of a factor of ten has no half-hour between it and the rest, which
a load that is switched on and off within half-hours cannot avoid.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints
from fmar_spark.units import SLOT_MINUTES

PLAUSIBLE, ERROR_CODE, SPIKE, LUMP = range(4)
IMPLAUSIBLE: Final = {"error_code": ERROR_CODE, "spike": SPIKE, "lump": LUMP}
"""Verdicts on energies that no answer rests on, by the names that tables give them."""
GAP_RATIO: Final = 10.0
"""Neighbouring energies of one series are never further apart than this, once one of them is large."""
LEAST_SUSPECT_KWH: Final = 20.0
"""A half-hour below this (40 kW, a household's largest supply) is never suspected of standing above a gap."""
LEAST_SPIKE_KWH: Final = 100.0
"""A half-hour below this (200 kW) is never a spike by its height alone."""
SPIKE_RATIO: Final = 50.0
"""How far a spike stands above the 99.5th percentile of the rest."""
SPIKE_SHARE: Final = 0.01
MANY_RUNS: Final = 3
"""So many separate runs above a gap, and never a half-hour within it, are no load."""
LUMP_GAP_MINUTES: Final = 4 * 60
LUMP_ZERO_MINUTES: Final = 24 * 60
"""Nothing but zeros for so long counts as a gap."""
LEAST_LUMP_KWH: Final = 5.0
LUMP_SHARE: Final = 0.001

_FULL_SCALE: Final = (2**15 - 1, 2**16 - 1, 2**23 - 1, 2**24 - 1, 2**31 - 1, 2**32 - 1)
_LONG: Final = 2**23 - 1
_NINES: Final = tuple(10**digits - 1 for digits in range(4, 10))
_RESOLUTIONS: Final = (1.0, 0.1, 0.01, 0.001, 1e-4, 1e-6)


class Energies(NamedTuple):
    """Energies of series, ordered by series and time: parallel arrays without NaN."""

    owner: Ints
    """Number of the series, ascending."""
    start_minute: Ints
    minutes: Ints
    """Length of the interval."""
    kwh: Floats


def _list_codes(counts: tuple[int, ...], least_kwh: float, resolutions: tuple[float, ...]) -> Floats:
    codes = np.asarray([(count + extra) * step for count in counts for extra in (0, 1) for step in resolutions])
    return np.unique(codes[codes >= least_kwh])


CODES_KWH: Final = np.union1d(
    _list_codes(_FULL_SCALE, LEAST_SUSPECT_KWH, _RESOLUTIONS), _list_codes(_NINES, LEAST_SUSPECT_KWH, _RESOLUTIONS)
)
"""Full scale of the counters in use, at the resolutions in use: what is written where nothing was measured. Far above the rest of a
series such a value is no energy."""
CERTAIN_CODES_KWH: Final = _list_codes(tuple(count for count in _FULL_SCALE if count >= _LONG), 1000.0, (0.001, 1e-4, 1e-6))
"""Those of them that no meter meets by chance, since they have seven figures or more: 4294.967, 16777.215 and their kind."""


def is_error_code(kwh: Floats) -> Bools:
    """Which energies are codes for certain, whatever else the meter measured; same shape as ``kwh``, NaN is none."""
    flat = np.asarray(kwh, dtype=np.float64).ravel()
    found = np.zeros(len(flat), dtype=np.bool_)
    large = np.flatnonzero(flat > CERTAIN_CODES_KWH[0] - 1)
    found[large] = _is_listed(flat[large], CERTAIN_CODES_KWH)
    return found.reshape(np.shape(kwh))


def find_implausible(energies: Energies) -> Ints:
    """``PLAUSIBLE``, ``ERROR_CODE``, ``SPIKE`` or ``LUMP`` for each energy, shape as the arrays."""
    verdict = np.full(len(energies.kwh), PLAUSIBLE, dtype=np.int8)
    if len(verdict) == 0:
        return verdict
    verdict[is_error_code(energies.kwh)] = ERROR_CODE
    rate = energies.kwh * (SLOT_MINUTES / energies.minutes)
    for owner in np.unique(energies.owner[rate > LEAST_SUSPECT_KWH]):
        first, last = np.searchsorted(energies.owner, [owner, owner + 1])
        verdict[first:last] = _compare_heights(energies.kwh[first:last], rate[first:last], verdict[first:last])
    verdict[_find_lumps(energies, rate, verdict)] = LUMP
    return verdict


def screen_matrix(kwh: Floats) -> Ints:
    """The verdict of ``find_implausible`` on each half-hour of many meters, shape (meters, slots); NaN was never read and is plausible.

    Args:
        kwh: energy of each half-hour in order of time, shape (meters, slots).
    """
    found = np.full(kwh.shape, PLAUSIBLE, dtype=np.int8)
    suspects = np.flatnonzero(np.fmax.reduce(kwh, axis=1, initial=0.0) > LEAST_LUMP_KWH)
    suspects = suspects[_may_be_wrong(kwh[suspects])]
    if len(suspects):
        row, slot = np.nonzero(~np.isnan(kwh[suspects]))
        read = Energies(row, slot * SLOT_MINUTES, np.full(len(row), SLOT_MINUTES), kwh[suspects][row, slot].astype(np.float64))
        found[suspects[row], slot] = find_implausible(read)
    return found


def _may_be_wrong(kwh: Floats) -> Bools:
    """Meters that a closer look is worth: large half-hours far from the rest, or one right after a gap; shape (meters,)."""
    found = np.asarray([_may_have_a_gap(own) for own in kwh], dtype=np.bool_)
    is_idle_before = np.concatenate([np.zeros((len(kwh), 1), dtype=np.bool_), ~(kwh[:, :-1] > 0)], axis=1)
    least = LUMP_GAP_MINUTES // SLOT_MINUTES
    row, slot = np.nonzero((kwh > LEAST_LUMP_KWH) & is_idle_before)
    row, slot = row[slot >= least], slot[slot >= least]
    idle = ~(kwh[row[:, None], slot[:, None] - np.arange(1, least + 1)] > 0).any(axis=1)
    found[row[idle]] = True
    return found


def _may_have_a_gap(kwh: Floats) -> bool:
    """Whether octaves between the small and the large half-hours of one meter are empty, or the largest is far above the mean."""
    positive = kwh[kwh > 0]
    highest = float(positive.max(initial=0.0))
    if highest <= LEAST_SUSPECT_KWH:
        return False
    octave = np.frexp(positive)[1]
    is_empty = np.bincount(octave - octave.min()) == 0
    return bool(is_empty.any()) or highest > max(LEAST_SPIKE_KWH, SPIKE_RATIO * float(positive.mean()))


def _is_listed(kwh: Floats, codes: Floats) -> Bools:
    place = np.clip(np.searchsorted(codes, kwh), 1, len(codes) - 1)
    nearest = np.where(np.abs(codes[place] - kwh) < np.abs(codes[place - 1] - kwh), codes[place], codes[place - 1])
    found: Bools = np.abs(nearest - kwh) <= np.maximum(6e-4, 1.2e-7 * nearest)
    return found


def _compare_heights(kwh: Floats, rate: Floats, before: Ints) -> Ints:
    """Verdicts for one series by how its energies compare."""
    verdict = before.copy()
    known = np.sort(rate[before == PLAUSIBLE])
    positive = known[known > 0]
    if len(positive) == 0:
        return verdict
    above_gap = np.flatnonzero((positive[1:] > LEAST_SUSPECT_KWH) & (positive[1:] > GAP_RATIO * positive[:-1]))
    floor = positive[above_gap[0] + 1] if len(above_gap) else np.inf
    rest = positive[positive < floor]
    usual = float(np.quantile(rest, 0.995, method="lower"))
    open_ = before == PLAUSIBLE
    above = open_ & (rate >= floor)
    verdict[above & _is_listed(kwh, CODES_KWH)] = ERROR_CODE
    left = above & (verdict == PLAUSIBLE)
    if left.any():
        _, repeats = np.unique(np.round(kwh[left], 3), return_counts=True)
        is_constant = left.sum() > 1 and repeats.max() >= 0.9 * left.sum()
        runs = int(np.sum(np.diff(above.astype(np.int8), prepend=0) == 1))
        if is_constant or runs >= MANY_RUNS:
            verdict[left] = ERROR_CODE if is_constant else SPIKE
    is_rare = left.sum() <= max(1, SPIKE_SHARE * len(positive))
    limit = max(LEAST_SPIKE_KWH, SPIKE_RATIO * usual)
    is_high = open_ & (verdict == PLAUSIBLE) & (rate > limit)
    verdict[is_high & (is_rare | ~above)] = SPIKE
    return verdict


def _find_lumps(energies: Energies, rate: Floats, verdict: Ints) -> Ints:
    """Places whose energy was counted up while nothing was read: the first after a gap, as much as the gap, and alone in its height."""
    is_large = (rate > LEAST_LUMP_KWH) & (verdict == PLAUSIBLE)
    if not is_large.any():
        return np.zeros(0, dtype=np.int64)
    is_first = np.diff(energies.owner, prepend=-1) != 0
    end = energies.start_minute + energies.minutes
    gap = np.where(is_first, 0, energies.start_minute - np.concatenate([[0], end[:-1]]))
    idle = np.maximum(gap, _measure_zeros(energies, is_first))
    long = (gap >= LUMP_GAP_MINUTES) | (idle >= LUMP_ZERO_MINUTES)
    found = []
    for place in np.flatnonzero(long & is_large).tolist():
        first, last = np.searchsorted(energies.owner, [energies.owner[place], energies.owner[place] + 1])
        own = rate[first:last]
        usable = verdict[first:last] == PLAUSIBLE
        level = (own[usable].sum() - rate[place]) / max(int(usable.sum()) - 1, 1)
        gathered = energies.kwh[place] / max(level * idle[place] / SLOT_MINUTES, 1e-9)
        is_lower_next = place + 1 == last or rate[place + 1] < rate[place] / 4
        is_alone = (own[usable] > rate[place] / 2).sum() <= 1 + LUMP_SHARE * int(usable.sum())
        if 0.2 <= gathered <= 4 and is_lower_next and is_alone:
            found.append(place)
    return np.asarray(found, dtype=np.int64)


def _measure_zeros(energies: Energies, is_first: Bools) -> Ints:
    """Minutes of nothing but zeros right before each energy of the same series."""
    is_zero = energies.kwh == 0
    end = energies.start_minute + energies.minutes
    starts_run = is_zero & (is_first | ~np.concatenate([[False], is_zero[:-1]]))
    run_start = np.maximum.accumulate(np.where(starts_run, np.arange(len(is_zero)), 0))
    length = np.where(is_zero, end - energies.start_minute[run_start], 0)
    before = np.concatenate([[0], length[:-1]])
    return np.where(is_first, 0, before)
