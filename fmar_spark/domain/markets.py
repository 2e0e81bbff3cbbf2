"""Who takes part, in which markets, and what an FSP may declare of an asset: closed lists that the register stores."""

from enum import StrEnum
from typing import Final, NamedTuple


class Market(StrEnum):
    """Where a dispatch right is used."""

    DSO_LOCAL = "dso_local"
    """Local flexibility bought by a distribution network."""
    NESO_ANCILLARY = "neso_ancillary"
    """Ancillary services of the system operator."""
    NESO_BM = "neso_bm"
    """The balancing mechanism."""
    WHOLESALE = "wholesale"
    """Day-ahead and intraday trading."""


class Role(StrEnum):
    """What a party is to the register; a party may have several."""

    FSP = "fsp"
    """Flexibility service provider: holds dispatch rights."""
    DNO = "dno"
    """Distribution network: buys local flexibility in its areas."""
    NESO = "neso"
    """System operator: buys ancillary services and balances everywhere."""
    PLATFORM = "platform"
    """Market platform: tenders on what assets can do, without knowing who holds rights to them."""
    OFGEM = "ofgem"
    """Regulator: sees the health of the whole."""
    ADMINISTRATOR = "administrator"
    """Runs the register: appoints parties, settles disputes, holds no rights."""


class ClaimState(StrEnum):
    """How far an FSP's claim to an asset at a meter point is proven; derived values go to verified claims alone."""

    CLAIMED = "claimed"
    """The FSP says so and nobody has checked it."""
    VERIFIED = "verified"
    """Evidence supports it."""
    DISPUTED = "disputed"
    """Evidence contradicts it: the administrator, an allocation to others, or a verified right that took its place."""


class Basis(StrEnum):
    """What evidence there can be for or against a claim."""

    ALLOCATION = "allocation"
    """An AMSID register says that the FSP operates the asset at that meter point."""
    CONSENT = "consent"
    """The customer's consent, which the FSP names by its reference."""
    APPROVAL = "approval"
    """The administrator has checked the claim."""
    DISPUTE = "dispute"
    """The administrator knows that the claim is contradicted."""


class RecordKind(StrEnum):
    """What a party can dispute (FMAR, UC-05.03)."""

    AGREEMENT = "agreement"
    """A dispatch right of the register."""
    DETECTION = "detection"
    """Whether an asset of a class is there."""
    CAPABILITY = "capability"
    """What an asset of a class can do."""
    DELIVERY_CHECK = "delivery_check"
    """What the boundary meter says of one event."""
    DELIVERY_EVIDENCE = "delivery_evidence"
    """What all events of an asset say together."""
    FLAG = "flag"
    """A declaration that is said to be contradicted."""


class Outcome(StrEnum):
    """How a dispute ends (FMAR, UC-05.03)."""

    CORRECTED = "corrected"
    """The record was wrong and has a new version, or will have one with the next run."""
    NO_ACTION_REQUIRED = "no_action_required"
    """The record stays as it is."""


MARKETS_OF_ROLE: Final = {
    Role.DNO: frozenset({Market.DSO_LOCAL}),
    Role.NESO: frozenset({Market.NESO_ANCILLARY, Market.NESO_BM}),
}
"""The markets whose agreements concern a buyer; a distribution network sees those of its own areas alone."""


class Parameter(StrEnum):
    """Capability parameters that an FSP may declare: the columns of gold.capability that the engine derives."""

    RATED_KW = "rated_kw"
    """Size of the asset in that direction, AC."""
    DURATION_MINUTES_MIN = "duration_minutes_min"
    """Shortest useful run."""
    DURATION_MINUTES_MAX = "duration_minutes_max"
    """Longest run."""
    RAMP_KW_PER_MIN = "ramp_kw_per_min_lower_bound"
    """Ramp; the engine can only show a lower bound."""
    ENERGY_KWH_DAY = "energy_kwh_day"
    """Mean energy a day."""
    STORAGE_KWH = "storage_kwh"
    """Usable storage."""
    PEAK_KWP = "peak_kwp"
    """DC peak of a solar array."""


class Range(NamedTuple):
    """Unit of a parameter and the largest value that is not a typing mistake."""

    unit: str
    maximum: float


RANGE_OF_PARAMETER: Final = {
    Parameter.RATED_KW: Range("kW", 1e6),
    Parameter.DURATION_MINUTES_MIN: Range("minutes", 527_040),
    Parameter.DURATION_MINUTES_MAX: Range("minutes", 527_040),
    Parameter.RAMP_KW_PER_MIN: Range("kW/min", 1e6),
    Parameter.ENERGY_KWH_DAY: Range("kWh", 24e6),
    Parameter.STORAGE_KWH: Range("kWh", 24e6),
    Parameter.PEAK_KWP: Range("kWp", 1e6),
}


class Flexibility(StrEnum):
    """What a platform asks of an asset."""

    DEMAND_UP = "demand_up"
    """Draw more."""
    DEMAND_DOWN = "demand_down"
    """Draw less."""
    GENERATION_UP = "generation_up"
    """Give more."""
    GENERATION_DOWN = "generation_down"
    """Give less."""
