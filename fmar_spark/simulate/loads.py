"""Uses of appliances become mean power in half-hours, for all meters at once."""

from typing import NamedTuple

import numpy as np

from fmar_spark.simulate.plan import Bools, Floats, Ints


class Uses(NamedTuple):
    """Uses of appliances: parallel arrays. Times are in slots since the first UTC slot and may be fractions."""

    meter: Ints
    start: Floats
    length: Floats
    kw: Floats


def join_uses(parts: list[Uses]) -> Uses:
    """All uses in one set, in the order of the parts."""
    if not parts:
        none = np.zeros(0)
        return Uses(none.astype(np.int64), none, none, none)
    return Uses(*(np.concatenate([np.asarray(part[field]) for part in parts]) for field in range(4)))


def select_uses(uses: Uses, wanted: Bools) -> Uses:
    """The uses for which ``wanted`` is true."""
    return Uses(uses.meter[wanted], uses.start[wanted], uses.length[wanted], uses.kw[wanted])


def build_load(uses: Uses, meters: int, slots: int) -> Floats:
    """Mean power of each half-hour, shape (meters, slots), float32; what lies outside the slots is cut off.

    Each use is a step up and a step down; a step within a slot is shared between that slot and the next, and the running
    sum of the steps is the power.
    """
    width = slots + 2
    start = np.clip(uses.start, 0.0, slots)
    end = np.clip(uses.start + uses.length, 0.0, slots)
    at = np.concatenate([start, end])
    rise = np.concatenate([uses.kw, -uses.kw])
    row = np.concatenate([uses.meter, uses.meter]).astype(np.int64)
    whole = np.floor(at).astype(np.int64)
    late = at - whole
    cell = row * width + whole
    shares = np.concatenate([rise * (1 - late), rise * late])
    steps = np.bincount(np.concatenate([cell, cell + 1]), weights=shares, minlength=meters * width + 1)[: meters * width]
    power = np.cumsum(steps.reshape(meters, width), axis=1)[:, :slots].astype(np.float32)
    power[np.abs(power) < 1e-6] = 0.0
    return power


def cycle_at_demand(demand_share: Floats, run_slots: Floats) -> Uses:
    """Full-power runs whose mean is the required share of full power.

    A run starts when the demand since the last one equals its energy, as with a thermostat.

    Args:
        demand_share: 0..1, shape (meters, slots).
        run_slots: length of a run, shape (meters,).

    Returns:
        Runs at 1 kW: scale ``kw`` by the appliance's power.
    """
    filled = np.cumsum(np.clip(demand_share, 0.0, 1.0), axis=1, dtype=np.float64) / run_slots[:, None]
    before = np.concatenate([np.zeros((len(filled), 1)), filled[:, :-1]], axis=1)
    begun = np.floor(filled).astype(np.int64) - np.floor(before).astype(np.int64)
    meter, slot = np.nonzero(begun)
    count = begun[meter, slot]
    meter, slot = np.repeat(meter, count), np.repeat(slot, count)
    order = np.arange(len(meter)) - np.repeat(np.cumsum(count) - count, count)
    level = np.floor(before[meter, slot]) + 1 + order
    rise = np.maximum(filled[meter, slot] - before[meter, slot], 1e-9)
    return Uses(
        meter=meter,
        start=slot + (level - before[meter, slot]) / rise,
        length=run_slots[meter],
        kw=np.ones(len(meter)),
    )


def average_square_wave(period_slots: Floats, duty: Floats, phase: Floats) -> Floats:
    """Mean on-share in each slot of square waves, shape of ``phase``.

    Args:
        period_slots: length of a cycle, shape (meters,).
        duty: share of a cycle that is on, shape (meters,).
        phase: time in slots since a switching-on at the start of each slot, shape (meters, slots).
    """
    period, share = period_slots[:, None], duty[:, None]

    def integrate(time: Floats) -> Floats:
        cycles = np.floor(time / period)
        return np.asarray(cycles * share * period + np.minimum(time - cycles * period, share * period))

    return np.asarray(integrate(phase + 1) - integrate(phase))
