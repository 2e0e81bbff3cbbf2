"""Closed lists: each member's value is the string that tables store."""

from enum import StrEnum
from typing import Final


class Direction(StrEnum):
    """Which way power flows at the boundary."""

    IMPORT = "import"
    """From the network to the site."""
    EXPORT = "export"
    """From the site to the network."""


class Quantity(StrEnum):
    """DIP measurement quantities."""

    AI = "AI"
    """Active import, kWh."""
    AE = "AE"
    """Active export, kWh."""
    RI = "RI"
    """Reactive import, kVArh."""
    RE = "RE"
    """Reactive export, kVArh."""


class Season(StrEnum):
    """Meteorological seasons of the meter's own hemisphere."""

    WINTER = "winter"
    """December to February in the north."""
    SPRING = "spring"
    """March to May in the north."""
    SUMMER = "summer"
    """June to August in the north."""
    AUTUMN = "autumn"
    """September to November in the north."""


SEASONS: Final = tuple(Season)


PRESENT_FROM: Final = 0.5
"""Probability from which a class is said to be there."""


NO_BL01: Final = "it needs earlier days of which every half-hour was read"
"""Why the industry's baseline BL01 predicts nothing of a meter's days."""


class Tier(StrEnum):
    """Confidence in an answer, whichever way it goes (paper, 7.3)."""

    HIGH = "high"
    """0.9 or more: used with no caveat."""
    MEDIUM = "medium"
    """0.7 to 0.9: used but flagged for confirmation."""
    LOW = "low"
    """Below 0.7: held internally."""


class Status(StrEnum):
    """Whether a class could be answered for a meter."""

    CHARACTERISED = "characterised"
    """Answered with a calibrated probability."""
    IN_PROGRESS = "in_progress"
    """Too little history so far."""
    NOT_OBSERVABLE = "not_observable"
    """Enough history, but this meter cannot show this class."""


class ChangeKind(StrEnum):
    """What happened to an asset on a date."""

    APPEARED = "appeared"
    """Its mark began."""
    UPGRADED = "upgraded"
    """Its mark grew for good."""
    REDUCED = "reduced"
    """Its mark shrank for good."""
    REMOVED = "removed"
    """Its mark ended."""


class Sensitivity(StrEnum):
    """Who may see a column."""

    OPEN = "open"
    """Anyone."""
    COMMERCIAL = "commercial"
    """The parties of an agreement."""
    PERSONAL = "personal"
    """Can be tied to a household."""
