"""The 13-digit meter point number: always a string (domain rules, section 2)."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

MPAN_DIGITS: Final = 13
PSEUDO_DISTRIBUTOR: Final = 99
"""No distributor of Great Britain has this number: real ones run from 10 to 23, independent networks from 24 upwards in sequence."""
PSEUDO_REFERENCES: Final = 10**10
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


def assign_mpans(series_ids: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """A valid pseudo-MPAN for every series unknown to the industry: the one it has, else one drawn from a digest of its name.

    Where two names fall on one number, the later name (in alphabetical order) takes the next number of its own digest
    sequence, so that the same names always give the same numbers.
    """
    wanted = sorted(set(series_ids) - set(known))
    assigned = {name: known[name] for name in sorted(set(series_ids) & set(known))}
    taken = set(known.values())
    attempt = 0
    while wanted:
        references = np.asarray([_digest_reference(name, attempt) for name in wanted], dtype=np.int64)
        numbers = number_mpans(np.full(len(wanted), PSEUDO_DISTRIBUTOR, dtype=np.int64), references)
        later = []
        for name, mpan in zip(wanted, numbers, strict=True):
            if mpan in taken:
                later.append(name)
                continue
            taken.add(mpan)
            assigned[name] = mpan
        wanted = later
        attempt += 1
    return assigned


def _digest_reference(name: str, attempt: int) -> int:
    seeded = name if attempt == 0 else f"{name}\x1f{attempt}"
    return int.from_bytes(hashlib.sha256(seeded.encode()).digest()[:8], "big") % PSEUDO_REFERENCES
