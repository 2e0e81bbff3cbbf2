"""Energy and power: the only place that turns one into the other."""

from typing import Final

SLOT_MINUTES: Final = 30
HOURS_PER_SLOT: Final = SLOT_MINUTES / 60
WATT_HOURS_PER_KWH: Final = 1000.0


def kw_from_kwh(energy_kwh: float) -> float:
    """Mean power, kW, of the energy of one half-hour; arrays work too."""
    return energy_kwh / HOURS_PER_SLOT


def kwh_from_kw(power_kw: float) -> float:
    """Energy, kWh, of a mean power held for one half-hour; arrays work too."""
    return power_kw * HOURS_PER_SLOT
