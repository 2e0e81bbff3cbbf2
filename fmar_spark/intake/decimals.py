"""Reads numbers of text files."""

import math
import re
from typing import Any, Final

import pandas as pd

_DECIMAL: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_THOUSANDS: Final = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?")


def parse_decimal(text: str) -> float:
    """The number that a text writes in ASCII digits with a decimal point, an exponent or none; NaN where it writes none or no finite one.

    Python's own ``float`` reads ``1_0``, ``inf`` and digits of every script as well.
    """
    if not _DECIMAL.fullmatch(text):
        return math.nan
    number = float(text)
    return number if math.isfinite(number) else math.nan


def parse_grouped_decimal(text: str) -> float:
    """The number of ``parse_decimal``, or one with a comma before every three digits of its whole part; NaN for any other comma."""
    return parse_decimal(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text)


def parse_column(texts: Any) -> Any:
    """The numbers of a pandas column, NaN where a text is none; also where it has a NUL, at which pandas would stop reading."""
    numbers = pd.to_numeric(texts, errors="coerce")
    return numbers if pd.api.types.is_numeric_dtype(texts) else numbers.mask(texts.astype(str).str.contains("\0", regex=False))
