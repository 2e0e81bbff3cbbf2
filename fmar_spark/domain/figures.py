"""How numbers are written in sentences and on pages: as people write them, never with an exponent."""

import math
from typing import Final

_LEAST_NUMBER: Final = 1e-3
_MOST_ODDS: Final = 1_000_000
"""Beyond it the size of the evidence says more of the model of the errors than of the asset."""
_LEAST_PROBABILITY: Final = 1e-4


def write_count(number: int, noun: str) -> str:
    """So many of a noun in the singular: ``1 day``, ``1,200 days``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def write_number(value: float, digits: int = 3) -> str:
    """So many significant digits at most, but all before the point; a dash where there is no number."""
    if not math.isfinite(value):
        return "–"
    if abs(value) < _LEAST_NUMBER:
        return "less than 0.001" if value > 0 else "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def write_odds(e_value: float) -> str:
    """Evidence as odds against what it speaks against; an e-value bounds the probability of a false report by its reciprocal."""
    if e_value > _MOST_ODDS:
        return f"over {_MOST_ODDS:,} to 1"
    return f"{write_number(e_value)} to 1"


def write_probability(probability: float) -> str:
    """A probability; one that is tiny as a bound."""
    return "less than 1 in 10,000" if probability < _LEAST_PROBABILITY else write_number(probability)
