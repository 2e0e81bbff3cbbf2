"""What the catalogue says of a behaviour, and what all behaviours share: off-peak hours, regular nights, sources."""

from enum import StrEnum
from typing import Final, NamedTuple

from fmar_spark.domain.assets import AssetClass

TARIFF_TERMS: Final = "published terms of GB off-peak tariffs: fixed hours a night, by the local clock"
SESSIONS: Final = "residential sessions of Sorensen and others, Data in Brief 2024: power, energy and starts"
HAND: Final = "chosen by hand"
REGULAR_NIGHTS: Final = (0.6, 1.0)
"""Share of nights on which a timer or a tariff starts a load: the same for cars that charge every night and for water heaters."""


class OffPeak(NamedTuple):
    """Off-peak hours of a tariff by the local clock."""

    start_slot: float
    hours: float
    share: float


OFF_PEAK: Final = (
    OffPeak(1.0, 5.0, 0.30),
    OffPeak(1.0, 4.0, 0.12),
    OffPeak(47.0, 6.0, 0.18),
    OffPeak(0.0, 5.0, 0.12),
    OffPeak(0.0, 7.0, 0.10),
    OffPeak(1.0, 7.0, 0.10),
    OffPeak(4.0, 4.0, 0.08),
)
"""00:30, 23:30, 00:00 and 02:00, four to seven hours; shares chosen by hand."""


class Timing(StrEnum):
    """When a car charges."""

    OFF_PEAK = "off_peak"
    """From the off-peak start."""
    ON_ARRIVAL = "on_arrival"
    PIECES = "pieces"
    """In half-hours that a supplier chooses."""
    SURPLUS = "surplus"
    """From surplus generation."""
    WORK = "work"
    """By day, at a workplace."""


class Charging(NamedTuple):
    """How the cars of a home charge; ranges are (low, high) across homes."""

    timing: Timing
    kw: tuple[float, ...]
    """Power at the wall; one is drawn."""
    nights: tuple[float, float]
    """Share of days with a session."""
    energy_kwh: tuple[float, float]
    """Usual energy of a session."""
    energy_spread: tuple[float, float] = (0.2, 0.75)
    """Standard deviation of its logarithm from day to day."""
    arrives: tuple[float, float] | None = None
    """Local slot at which it usually arrives; None = mostly in the late afternoon."""
    start_spread: tuple[float, float] | None = None
    """Scatter of the arrival within a driver, slots; None = hours, as in the recorded sessions."""
    most_again: float | None = None
    """Second sessions of a day for each first one, at most; None = as the timing has it."""
    cars: int = 1
    is_steady: bool = False
    """Plugged in by routine, whatever the week needs."""
    is_weekly: bool = False
    """One fixed day a week, in place of ``nights``."""
    on_working_days: bool = False
    """``nights`` counts working days, and hardly ever is there a session on another."""
    only_surplus: bool = False
    """Where there is surplus generation, nothing but that is taken."""


class WaterHeating(NamedTuple):
    """How a tank is heated by electricity; ranges are (low, high) across homes."""

    kw: tuple[float, float]
    starts: tuple[tuple[float, float], ...]
    """Range of the local slot in which each run of a day begins; none = the off-peak start."""
    hours: tuple[float, float]
    spread: tuple[float, float]
    """Of the logarithm of the time, from day to day."""
    days: tuple[float, float] = REGULAR_NIGHTS
    wobble_slots: tuple[float, ...] = (0.02, 0.1, 0.6)
    """Scatter of the start within a home; one is drawn."""
    is_thermostat: bool = False
    """Runs whenever the tank has cooled, at no hour of its own."""
    follows_surplus: bool = False
    """Takes what generation would be exported."""


class Cooling(NamedTuple):
    """How rooms are cooled; ranges are (low, high) across homes."""

    kw: tuple[float, float]
    starts: tuple[float, float] = (0.0, 0.0)
    """Local slot at which it is switched on."""
    hours: tuple[float, float] = (0.0, 0.0)
    warm_c: tuple[float, float] = (0.0, 0.0)
    """Mean temperature of the day from which it is used."""
    wobble_slots: tuple[float, float] = (0.3, 3.0)
    """Scatter of the start within a home."""
    is_thermostat: bool = False
    """Follows the temperature while somebody is in, at no hour of its own."""


class Absence(NamedTuple):
    """Hours in which nobody is in and hardly anything is left on; ranges are (low, high) across homes."""

    leaves: tuple[float, float]
    """Local slot."""
    returns: tuple[float, float]
    """Local slot; beyond 48 = on the next day."""
    on_rest_days: bool
    left_share: tuple[float, float] = (0.1, 0.6)
    """Share of the usual load that stays."""
    days: tuple[float, float] = (0.7, 1.0)
    wobble_slots: tuple[float, float] = (0.02, 1.5)
    """Scatter of both hours within a home."""


How = Charging | WaterHeating | Cooling | Absence


class Behaviour(NamedTuple):
    """One way to use a class, or one look-alike."""

    name: str
    subject: AssetClass | str
    """The class, or the name of the look-alike."""
    share: float
    """Within the subject, at homes; of batteries at sites with generation."""
    elsewhere: float
    """The same at businesses; of batteries at sites without generation."""
    doc: str
    source: str
    separates: str
    """Evidence that separates it from what resembles it."""
    how: How | None = None
    """Ranges; None where the simulator's module of the subject holds them."""
