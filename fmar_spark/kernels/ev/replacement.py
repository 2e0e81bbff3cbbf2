"""Finds chargers that were replaced by one of another power."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.exchange import ExchangeRules, Powers, find_powers
from fmar_spark.kernels.usage_patterns import Blocks
from fmar_spark.kernels.window import Bools, Floats, Ints

LEAST_LIKENESS: Final = -1.0
"""Least likeness to charging of either power, log odds. Source: of 211 replaced chargers of a simulated fleet of which many are (1,500
meters, seed 9101) these rules find 39 with both powers, and say the same of none of 171 cars that kept theirs and of 3 of 1,118 homes
without one."""
LEAST_PROMINENCE: Final = 0.3
"""Least log ratio of the hours of blocks at either power over those that powers beside it lead to expect. Source: as ``LEAST_LIKENESS``."""
CHARGERS: Final = ExchangeRules(most_high_left=0.2, most_low_left=0.3)
"""Chargers. Source: as ``LEAST_LIKENESS``."""


class Rivals(NamedTuple):
    """The powers of each meter that may be a charger's, shape (kinds, meters) each."""

    power_kw: Floats
    likeness: Floats
    prominence: Floats


def find_replaced(blocks: Blocks, rivals: Rivals, best: Ints, seen: Bools, slots_per_day: int) -> Powers:
    """The charger's power of each meter, and that of the one before or after it.

    Args:
        blocks: of the kinds of power; ``meter`` is kind x meters + row.
        rivals: the powers.
        best: kind of the charger's power, shape (meters,).
        seen: days that were read well enough, shape (meters, days).
        slots_per_day: 48, or 24 for hourly meters.
    """
    kinds, meters = rivals.power_kw.shape
    days = seen.shape[1]
    fits = (rivals.likeness >= LEAST_LIKENESS) & (rivals.prominence >= LEAST_PROMINENCE)
    place = blocks.meter * days + blocks.start // slots_per_day
    day_kwh = np.bincount(place, blocks.energy_kwh, kinds * meters * days).astype(np.float64)
    return find_powers(rivals.power_kw, best, fits, day_kwh.reshape(kinds, meters, days), seen, CHARGERS)
