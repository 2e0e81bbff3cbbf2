"""Energies of classes that run at once add up to no more than the load: one block of energy is not two assets."""

from collections.abc import Sequence

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.window import Bools, Events, Floats, Ints
from fmar_spark.units import HOURS_PER_SLOT


def share_load(parts: Sequence[Events], load_kw: Floats) -> list[Events]:
    """The episodes, their energies reduced in proportion in half-hours in which several classes draw more together than the load.

    Energy is taken as even over an episode. Export and half-hours with one class alone are left as they are; where nothing was read
    nothing is reduced.

    Args:
        parts: episodes of each class.
        load_kw: import less export plus generation, shape (meters, days, 48), NaN where unread.
    """
    meters, days, _ = load_kw.shape
    slots = days * SLOTS_PER_DAY
    drawn = [events.is_import & (events.end_slot > events.start_slot) for events in parts]
    rows = _find_shared(parts, drawn, meters)
    place = np.full(meters, -1)
    place[rows] = np.arange(rows.size)
    total, running = np.zeros((rows.size, slots)), np.zeros((rows.size, slots), dtype=np.int8)
    mine = [wanted & (place[events.meter] >= 0) for events, wanted in zip(parts, drawn, strict=True)]
    for events, wanted in zip(parts, mine, strict=True):
        power_kw = _lay_power(events, wanted, place, (rows.size, slots))
        total += power_kw
        running += power_kw > 0
    limit = np.maximum(load_kw[rows].reshape(rows.size, slots), 0.0)
    is_over = (running > 1) & (total > limit)
    ratio = np.divide(limit, total, out=np.ones_like(total), where=is_over)
    before = np.zeros((rows.size, slots + 1))
    np.cumsum(ratio, axis=1, out=before[:, 1:])
    return [_reduce(events, wanted, place, before) for events, wanted in zip(parts, mine, strict=True)]


def _find_shared(parts: Sequence[Events], drawn: Sequence[Bools], meters: int) -> Ints:
    """Meters in which more than one class draws."""
    classes = np.zeros(meters, dtype=np.int64)
    for events, wanted in zip(parts, drawn, strict=True):
        classes[np.unique(events.meter[wanted])] += 1
    return np.flatnonzero(classes > 1)


def _lay_power(events: Events, wanted: Bools, place: Ints, shape: tuple[int, int]) -> Floats:
    """Mean power of the chosen episodes in each half-hour, kW, (meters, slots)."""
    meters, slots = shape
    start, end = events.start_slot[wanted], np.minimum(events.end_slot[wanted], slots)
    row = place[events.meter[wanted]] * (slots + 1)
    power_kw = events.energy_kwh[wanted] / (HOURS_PER_SLOT * np.maximum(end - start, 1))
    edges = np.bincount(np.concatenate([row + start, row + end]), np.concatenate([power_kw, -power_kw]), meters * (slots + 1))
    drawn_kw = np.cumsum(edges.reshape(meters, slots + 1), axis=1)[:, :slots]
    drawn_kw[drawn_kw < np.finfo(np.float32).eps] = 0.0
    return np.asarray(drawn_kw)


def _reduce(events: Events, wanted: Bools, place: Ints, before: Floats) -> Events:
    """The episodes with the energy that is left, from the sums of what is left of each half-hour before each."""
    row = place[events.meter[wanted]]
    start, end = events.start_slot[wanted], np.minimum(events.end_slot[wanted], before.shape[1] - 1)
    energy = events.energy_kwh.copy()
    energy[wanted] *= (before[row, end] - before[row, start]) / np.maximum(end - start, 1)
    return events._replace(energy_kwh=energy)
