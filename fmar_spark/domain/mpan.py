"""The 13-digit meter point number: always a string (domain rules, section 2)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

MPAN_DIGITS: Final = 13
CHECK_WEIGHTS: Final = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
GSP_GROUP_OF_DISTRIBUTOR: Final = {
    "10": "_A",
    "11": "_B",
    "12": "_C",
    "13": "_D",
    "14": "_E",
    "15": "_F",
    "16": "_G",
    "17": "_P",
    "18": "_N",
    "19": "_J",
    "20": "_H",
    "21": "_K",
    "22": "_L",
    "23": "_M",
}


def check_digit(first_twelve: str) -> int:
    """The 13th digit that belongs to the first twelve.

    Raises:
        ValueError: not twelve digits.
    """
    if len(first_twelve) != MPAN_DIGITS - 1 or not (first_twelve.isascii() and first_twelve.isdigit()):
        raise ValueError(f"mpan: {first_twelve!r} found, twelve digits wanted")
    return sum(int(digit) * weight for digit, weight in zip(first_twelve, CHECK_WEIGHTS, strict=True)) % 11 % 10


def is_mpan(text: str) -> bool:
    """Whether the text is 13 digits; says nothing of the check digit."""
    return len(text) == MPAN_DIGITS and text.isascii() and text.isdigit()


def has_valid_check_digit(mpan: str) -> bool:
    """Whether the last digit agrees with the first twelve."""
    return is_mpan(mpan) and check_digit(mpan[:-1]) == int(mpan[-1])


def number_mpans(distributor: NDArray[np.int64], reference: NDArray[np.int64]) -> list[str]:
    """Valid MPANs for parallel arrays of distributor (10..99) and reference (0..9,999,999,999)."""
    stems = distributor.astype(np.int64) * 10**10 + reference.astype(np.int64)
    digits = stems[:, None] // 10 ** np.arange(11, -1, -1, dtype=np.int64) % 10
    checks = digits @ np.asarray(CHECK_WEIGHTS, dtype=np.int64) % 11 % 10
    return [f"{stem:012d}{check}" for stem, check in zip(stems.tolist(), checks.tolist(), strict=True)]
