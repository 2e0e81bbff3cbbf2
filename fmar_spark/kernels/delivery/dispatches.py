"""Dispatch events on a batch of meters: when each asset was asked to act, and what was declared of it."""

from typing import NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints


class Dispatches(NamedTuple):
    """Parallel arrays, one entry for each event of one asset; slots count from the window's first local midnight."""

    meter: Ints
    """Row of the batch."""
    asset: Ints
    """Number of the pair of asset and FSP, 0 upwards; a pair stands behind one meter."""
    start_slot: Ints
    """Day * 48 + clock slot."""
    end_slot: Ints
    """Slot after the last one."""
    notice_slot: Ints
    """First slot in which the operator may have known of the event, at most ``start_slot``."""
    is_down: Bools
    """True: less import or more export; False: the contrary."""
    declared_kwh: Floats
    """Energy that the asset meter declares for the event, positive in its direction; NaN where nothing was declared."""

    def take(self, rows: Ints | Bools) -> "Dispatches":
        """Some of the events."""
        return Dispatches(
            meter=self.meter[rows],
            asset=self.asset[rows],
            start_slot=self.start_slot[rows],
            end_slot=self.end_slot[rows],
            notice_slot=self.notice_slot[rows],
            is_down=self.is_down[rows],
            declared_kwh=self.declared_kwh[rows],
        )


class Exclusion(NamedTuple):
    """Which half-hours around an event are no ordinary load."""

    rebound_slots: int = 8
    """After the event, where the asset may recover what it held back."""
    notice_slots: int = 12
    """At most so many before the event, from its notice."""


def mark_dispatched(shape: tuple[int, int, int], events: Dispatches, rules: Exclusion | None = None) -> Bools:
    """Half-hours that are no ordinary load: from the notice of each event to the end of its rebound, shape (meters, days, 48).

    Args:
        shape: of the readings.
        events: of any assets of these meters; parts outside the window are left out.
        rules: how far around an event.
    """
    rules = rules or Exclusion()
    meters, days, slots = shape
    first = np.clip(np.maximum(events.notice_slot, events.start_slot - rules.notice_slots), 0, days * slots)
    last = np.clip(events.end_slot + rules.rebound_slots, 0, days * slots)
    steps = np.zeros((meters, days * slots + 1), dtype=np.int32)
    np.add.at(steps, (events.meter, first), 1)
    np.add.at(steps, (events.meter, last), -1)
    is_dispatched: Bools = np.cumsum(steps, axis=1)[:, :-1].reshape(shape) > 0
    return is_dispatched


def pair_overlaps(events: Dispatches) -> tuple[Ints, Ints, Floats]:
    """Pairs of events of different assets at one meter that share half-hours.

    Returns:
        The event, the other event, and the share of the other's half-hours that lie within the event; both orders of each pair.
    """
    order = np.argsort(events.meter, kind="stable")
    meter = events.meter[order]
    first, last = np.searchsorted(meter, meter, side="left"), np.searchsorted(meter, meter, side="right")
    count = last - first
    one = np.repeat(np.arange(len(meter)), count)
    two = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count) + first[one]
    one, two = order[one], order[two]
    shared = np.minimum(events.end_slot[one], events.end_slot[two]) - np.maximum(events.start_slot[one], events.start_slot[two])
    is_pair = (shared > 0) & (events.asset[one] != events.asset[two])
    one, two, shared = one[is_pair], two[is_pair], shared[is_pair]
    return one, two, shared / np.maximum(events.end_slot[two] - events.start_slot[two], 1)


def sum_of_others(events: Dispatches) -> Floats:
    """Declared energy of the other assets at the meter within each event, positive in the event's own direction, kWh, shape (events,).

    A volume is taken to be spread evenly over its event; an undeclared one counts as none.
    """
    one, two, share = pair_overlaps(events)
    sign = np.where(events.is_down[one] == events.is_down[two], 1.0, -1.0)
    total: Floats = np.zeros(len(events.meter))
    np.add.at(total, one, sign * share * np.nan_to_num(events.declared_kwh[two]))
    return total
