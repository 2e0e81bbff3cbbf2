"""Energy and power: the only place that turns one into the other."""

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

SLOT_MINUTES: Final = 30
HOURS_PER_SLOT: Final = SLOT_MINUTES / 60
WATT_HOURS_PER_KWH: Final = 1000.0
Quantity = TypeVar("Quantity", float, NDArray[np.floating[Any]])
"""A number, or an array of any shape."""


def kw_from_kwh(energy_kwh: Quantity) -> Quantity:
    """Mean power, kW, of the energy of one half-hour."""
    return energy_kwh / HOURS_PER_SLOT


def kwh_from_kw(power_kw: Quantity) -> Quantity:
    """Energy, kWh, of a mean power held for one half-hour."""
    return power_kw * HOURS_PER_SLOT
