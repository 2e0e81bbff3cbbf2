"""Spells in which a charge point takes all surplus generation: export stops at once, net power stays at zero, export comes back at once.

A charge point that follows the sun needs 6 A, 1.4 kW (EN 61851): less surplus is exported before, after and between. A battery takes
the first surplus of a day and gives back in the evening, so that no export comes before its spells; a water heater's are short.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.window import Events, Feature, Floats, Ints, MeterWindow
from fmar_spark.units import HOURS_PER_SLOT

HELD_KW: Final = 0.1
"""Net power up to which it is held at zero: what control leaves over in a half-hour. Source: chosen by hand."""
KETTLE_KW: Final = 1.0
"""Net power of one half-hour in which a spell may go on: what is switched on for minutes. Source: chosen by hand."""
OUT_KW: Final = 0.5
"""Export that must stand within an hour of both ends of a spell: less fades with the light. Source: chosen by hand."""
LEAST_SLOTS: Final = 3
"""A shorter spell may be chance, or a tank that is heated again. Source: chosen by hand."""
LEAST_SPELLS: Final = 10
"""Spells from which they are taken for sessions. Source: chosen by hand."""
LEAST_SURPLUS_KW: Final = 1.4
"""Surplus from which a charge point can charge: 6 A. Source: EN 61851."""
DAYS_ALIKE: Final = 28
"""Days over which the sun stands about as high. Source: chosen by hand."""
SESSION_PROBABILITY: Final = 0.6
"""How sure a spell is the car's: an episode of little more than an hour has as much. Source: chosen by hand."""
LEAST_EXPORT_DAYS: Final = 10
"""Days with export from which the absence of spells says something. Source: chosen by hand."""


HELD_FEATURES: Final = (
    Feature(
        "ev_held_day_share",
        "share",
        "Days with export on which net power is held at zero for an hour and a half or more, with export before and after.",
    ),
    Feature("ev_held_hours", "h", "Mean length of such spells."),
)


class Spells(NamedTuple):
    """Parallel arrays, one entry a spell, ordered by meter then start; ``out_days`` of shape (meters,)."""

    meter: Ints
    start_slot: Ints
    """Counted from the window's first local midnight."""
    end_slot: Ints
    """Slot after the last one."""
    out_days: Ints
    """Days of each meter with export of 0.5 kW or more."""


def find_spells(window: MeterWindow) -> Spells:
    """Spells of each meter in which surplus generation was taken whole, between export on the same day."""
    rows = np.flatnonzero(window.has_export)
    out_days = np.zeros(len(window.import_kw), dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    if not rows.size or not window.import_kw.shape[1]:
        return Spells(none, none, none, out_days)
    # Not the net power of the window: where the export was not read it is unknown here, not none.
    net_kw = window.import_kw[rows] - window.export_kw[rows]
    slots = net_kw.shape[1] * SLOTS_PER_DAY
    is_out = net_kw <= -OUT_KW
    out_days[rows] = is_out.any(axis=2).sum(axis=1)
    out, start, end = (is_out.ravel(), *_find_held(np.abs(net_kw.ravel())))
    last = out.size - 1
    before = out[np.maximum(start - 1, 0)] | out[np.maximum(start - 2, 0)]
    after = out[np.minimum(end, last)] | out[np.minimum(end + 1, last)]
    kept = before & after & (start // SLOTS_PER_DAY == (end - 1) // SLOTS_PER_DAY)
    start, end = start[kept], end[kept]
    meter = start // slots
    return Spells(rows[meter], start - meter * slots, end - meter * slots, out_days)


def describe_spells(spells: Spells) -> dict[str, Floats]:
    """Columns of ``HELD_FEATURES``, shape (meters,) each; NaN where hardly any day had export, 0 hours where there is no spell."""
    meters = len(spells.out_days)
    hours = (spells.end_slot - spells.start_slot) * HOURS_PER_SLOT
    count = np.bincount(spells.meter, minlength=meters)
    days = np.unique(np.stack([spells.meter, spells.start_slot // SLOTS_PER_DAY]), axis=1)
    is_known = spells.out_days >= LEAST_EXPORT_DAYS
    day_share = np.bincount(days[0], minlength=meters) / np.maximum(spells.out_days, 1)
    mean_hours = np.bincount(spells.meter, hours, meters) / np.maximum(count, 1)
    return {
        "ev_held_day_share": np.where(is_known, day_share, np.nan),
        "ev_held_hours": np.where(is_known, mean_hours, np.nan),
    }


def estimate_sessions(window: MeterWindow, spells: Spells) -> Events:
    """The spells as sessions of charging, of meters with enough of them.

    What was taken is not metered. It is estimated as what the same meter exported in the same slot of other days of the same four weeks,
    of days on which that was enough to charge from, and 1.4 kW where there is none.
    """
    meters, days = len(spells.out_days), window.import_kw.shape[1]
    rows = np.flatnonzero(np.bincount(spells.meter, minlength=meters) >= LEAST_SPELLS)
    place = np.full(meters, -1)
    place[rows] = np.arange(rows.size)
    mine = place[spells.meter] >= 0
    meter, start, end = spells.meter[mine], spells.start_slot[mine], spells.end_slot[mine]
    weeks = -(-days // DAYS_ALIKE)
    surplus = np.full((rows.size, weeks * DAYS_ALIKE, SLOTS_PER_DAY), np.nan, dtype=np.float32)
    surplus[:, :days] = np.where(window.export_kw[rows] >= LEAST_SURPLUS_KW, window.export_kw[rows], np.float32(np.nan))
    surplus = surplus.reshape(rows.size, weeks, DAYS_ALIKE, SLOTS_PER_DAY)
    surplus[:, :, 0] = np.where(np.isnan(surplus).all(axis=2), np.float32(LEAST_SURPLUS_KW), surplus[:, :, 0])
    usual_kw = np.nanmedian(surplus, axis=2)
    length = end - start
    first = np.cumsum(length) - length
    slot = np.arange(length.sum()) + np.repeat(start - first, length)
    taken_kw = usual_kw[np.repeat(place[meter], length), slot // (SLOTS_PER_DAY * DAYS_ALIKE), slot % SLOTS_PER_DAY].astype(np.float64)
    spell = np.repeat(np.arange(length.size), length)
    return Events(
        meter=meter,
        start_slot=start,
        end_slot=end,
        energy_kwh=np.bincount(spell, taken_kw, length.size) * HOURS_PER_SLOT,
        peak_kw=np.maximum.reduceat(taken_kw, first) if length.size else np.zeros(0),
        is_import=np.ones(length.size, dtype=np.bool_),
        probability=np.full(length.size, SESSION_PROBABILITY),
    )


def _find_held(away_kw: Floats) -> tuple[Ints, Ints]:
    """First slot, and slot after the last, of spells that are long enough; one slot between two, of no more than a kettle, is filled.

    Args:
        away_kw: how far net power is from zero; NaN where import or export was not read.
    """
    closed = away_kw < HELD_KW
    closed[1:-1] |= closed[:-2] & closed[2:] & (away_kw[1:-1] < KETTLE_KW)
    edges = np.flatnonzero(np.diff(closed, prepend=False, append=False))
    start, end = edges[::2], edges[1::2]
    lasting = end - start >= LEAST_SLOTS
    return start[lasting], end[lasting]
