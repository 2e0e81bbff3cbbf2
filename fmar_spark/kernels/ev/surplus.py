"""Spells in which a charge point takes all surplus generation: export stops at once, net power stays at zero, export comes back at once.

A charge point that follows the sun needs 6 A, 1.4 kW (EN 61851): less surplus is exported before, after and between. A battery takes
the first surplus of a day and gives back in the evening, so that no export comes before its spells; a water heater's are short.
"""

from typing import Final

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.window import Bools, Feature, Floats, Ints, MeterWindow
from fmar_spark.units import HOURS_PER_SLOT

HELD_KW: Final = 0.1
"""Net power up to which it is held at zero: what control leaves over in a half-hour. Source: chosen by hand."""
OUT_KW: Final = 0.5
"""Export that must stand within an hour of both ends of a spell: less fades with the light. Source: chosen by hand."""
LEAST_SLOTS: Final = 3
"""A shorter spell may be chance, or a tank that is heated again. Source: chosen by hand."""
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


def measure_held(window: MeterWindow) -> dict[str, Floats]:
    """Spells of each meter in which surplus generation was taken whole, between export on the same day: columns of ``HELD_FEATURES``.

    Shape (meters,) each; NaN where export of 0.5 kW or more was read on hardly any day, 0 hours where there is no spell.
    """
    meters = len(window.import_kw)
    day_share, mean_hours = np.full(meters, np.nan), np.full(meters, np.nan)
    columns = {"ev_held_day_share": day_share, "ev_held_hours": mean_hours}
    rows = np.flatnonzero(window.has_export)
    if not rows.size:
        return columns
    net_kw = window.take(window.has_export).net_kw
    days = net_kw.shape[1]
    is_out = net_kw <= -OUT_KW
    out_days = is_out.any(axis=2).sum(axis=1)
    out, start, end = (is_out.ravel(), *_find_spells(np.abs(net_kw.ravel()) < HELD_KW))
    last = out.size - 1
    before = out[np.maximum(start - 1, 0)] | out[np.maximum(start - 2, 0)]
    after = out[np.minimum(end, last)] | out[np.minimum(end + 1, last)]
    kept = before & after & (start // SLOTS_PER_DAY == (end - 1) // SLOTS_PER_DAY)
    start, end = start[kept], end[kept]
    meter = start // (days * SLOTS_PER_DAY)
    count = np.bincount(meter, minlength=rows.size)
    hours = np.bincount(meter, (end - start) * HOURS_PER_SLOT, rows.size)
    spell_days = np.bincount(np.unique(start // SLOTS_PER_DAY) // days, minlength=rows.size)
    enough = out_days >= LEAST_EXPORT_DAYS
    day_share[rows[enough]] = (spell_days / np.maximum(out_days, 1))[enough]
    mean_hours[rows[enough]] = (hours / np.maximum(count, 1))[enough]
    return columns


def _find_spells(is_held: Bools) -> tuple[Ints, Ints]:
    """First slot, and slot after the last, of spells that are long enough; one slot between two is filled."""
    closed = is_held.copy()
    closed[1:-1] |= is_held[:-2] & is_held[2:]
    edges = np.flatnonzero(np.diff(closed, prepend=False, append=False))
    start, end = edges[::2], edges[1::2]
    lasting = end - start >= LEAST_SLOTS
    return start[lasting], end[lasting]
