"""Reads numbers of text files."""

import math
import re
from typing import Final

_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def parse_decimal(text: str) -> float:
    """The number that a text writes in ASCII digits with a decimal point, an exponent or none; NaN where it writes none or no finite one.

    Python's own ``float`` reads ``1_0``, ``inf`` and digits of every script as well.
    """
    if not _DECIMAL.fullmatch(text):
        return math.nan
    number = float(text)
    return number if math.isfinite(number) else math.nan
