"""How far the episodes of one class lie on those of another: one block of energy is not two assets at once."""

import numpy as np

from fmar_spark.kernels.window import Events, Floats, Ints


def share_overlap(of: Events, by: Events, meters: int, slots: int) -> Floats:
    """Share of the imported energy of one class's episodes that lies in slots on which another class's draw, shape (meters,).

    NaN where the first has none. Energy is taken as even over an episode.

    Args:
        of: episodes whose energy is looked at.
        by: episodes that may explain it.
        meters: rows there are.
        slots: half-hours of the window.
    """
    mine, others = of.is_import & (of.energy_kwh > 0), by.is_import
    meter, start, end = of.meter[mine], of.start_slot[mine], np.minimum(of.end_slot[mine], slots)
    energy = of.energy_kwh[mine]
    taken = _count_slots(by.meter[others], by.start_slot[others], np.minimum(by.end_slot[others], slots), (meters, slots))
    inside = taken[meter, end] - taken[meter, start]
    shared = np.bincount(meter, energy * inside / np.maximum(end - start, 1), meters)
    whole = np.bincount(meter, energy, meters)
    return np.asarray(shared / np.where(whole > 0, whole, np.nan))


def _count_slots(meter: Ints, start: Ints, end: Ints, shape: tuple[int, int]) -> Ints:
    """Slots before each edge on which an episode runs, shape (meters, slots + 1)."""
    meters, slots = shape
    edges = np.zeros((meters, slots + 2), dtype=np.int32)
    np.add.at(edges, (meter, start + 1), 1)
    np.add.at(edges, (meter, end + 1), -1)
    running = np.cumsum(edges[:, :-1], axis=1, dtype=np.int32) > 0
    return np.cumsum(running, axis=1, dtype=np.int32)
