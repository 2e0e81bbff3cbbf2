"""Remembers the first broken rule of every message."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fmar_spark.intake.dip.rules import ORDER_OF_RULE

MAX_REASON_CHARS: Final = 200


class FaultLog:
    """The first broken rule of every message, in the order of the rules."""

    def __init__(self) -> None:
        """Nothing is broken yet."""
        self.found: dict[int, tuple[str, str]] = {}

    def note(self, message: int, rule: str, reason: str) -> None:
        """Remember that a message broke a rule; of two the earlier in the order stands, and the first that is noted of it."""
        known = self.found.get(message)
        if known is None or ORDER_OF_RULE[rule] < ORDER_OF_RULE[known[0]]:
            self.found[message] = (rule, reason[:MAX_REASON_CHARS])

    def note_all(
        self, rule: str, bad: NDArray[np.bool_], messages: NDArray[np.int64], values: Sequence[object] | NDArray[np.float64]
    ) -> None:
        """Remember it of every message with a marked entry; ``values`` is what was found, entry by entry."""
        for at in np.flatnonzero(bad).tolist():
            value = values[at]
            self.note(int(messages[at]), rule, f"{value:.3f} found" if isinstance(value, float) else f"{value!r} found")
