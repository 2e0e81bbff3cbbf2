"""How far the true sums of many assets lie from the sums of their estimates, class by class: what all meters of a fleet have in common.

Errors of single meters average out in a sum; a class that is missed, or sized, too high or too low everywhere does not. How large
that is can only be read off fleets whose truth is known: ``scripts/fit_area_errors.py`` simulates several and writes the file here.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

FILE: Final = Path(__file__).parent / "area_errors.json"


class SumError(NamedTuple):
    """What the p10, p50 and p90 of a sum over many assets are multiplied by, so that as much of the truth lies within as they say.

    Conformalised quantiles (Romano, Patterson and Candes, *Conformalized quantile regression*, NeurIPS 2019), as factors.
    """

    power: tuple[float, float, float]
    size: tuple[float, float, float]


SumErrors = Mapping[tuple[str, str], SumError]
"""By class and direction."""
UNKNOWN_ERROR: Final = SumError((0.4, 1.0, 2.0), (0.5, 1.0, 2.0))
"""Of a class that was seen in too few areas."""


class ErrorOfClass(msgspec.Struct, frozen=True):
    """What was found for a class and direction."""

    asset_class: str
    direction: str
    error: SumError
    areas: int
    """Areas that it was read off."""
    kw_within: float
    """Share of days within p10 to p90 in fleets that were left out."""
    installed_within: float
    """Share of areas, in the same way."""


class AreaErrors(msgspec.Struct, frozen=True):
    """The file."""

    classifier: str
    """Whose answers were summed."""
    fleets: tuple[str, ...]
    """What was simulated."""
    classes: tuple[ErrorOfClass, ...]


@lru_cache
def load_errors() -> SumErrors:
    """The errors that the package carries."""
    stored = msgspec.json.decode(FILE.read_bytes(), type=AreaErrors)
    return {(one.asset_class, one.direction): one.error for one in stored.classes}
