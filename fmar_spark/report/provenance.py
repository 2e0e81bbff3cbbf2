"""Where the readings of a meter come from. Answers about meters of different kinds are never counted together."""

from enum import StrEnum
from typing import Final

FROM_DIP: Final = "dip"


class Kind(StrEnum):
    """How much the readings of a meter prove."""

    REAL = "real"
    """Measured, as it was."""
    SEMI_SYNTHETIC = "semi-synthetic"
    """Measured, with another site's asset added or taken away."""
    SIMULATED = "simulated"
    """Simulated."""
    UNLABELLED = "imported, origin not stated"
    """A user's own series without a label that says what it is."""


KINDS: Final = tuple(Kind)


def name_kind(provenance: str | None, source: str | None) -> Kind:
    """The kind that a label's provenance says, else what the source of the meter point allows.

    A label may go on after the word: ``"semi-synthetic: real home + sessions of another"``.
    """
    said = (provenance or "").strip().casefold()
    for kind in (Kind.SEMI_SYNTHETIC, Kind.SIMULATED, Kind.REAL):
        if said.startswith(kind.value):
            return kind
    return Kind.REAL if source == FROM_DIP and not said else Kind.UNLABELLED
