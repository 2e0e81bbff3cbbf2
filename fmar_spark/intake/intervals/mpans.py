"""Gives series that are not known to the industry a number that the rest of the engine can work with."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from fmar_spark.domain.mpan import number_mpans

PSEUDO_DISTRIBUTOR: Final = 99
"""No distributor of Great Britain has this number: real ones run from 10 to 23, independent networks from 24 upwards in sequence."""
_REFERENCES: Final = 10**10


def assign_mpans(series_ids: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """A valid pseudo-MPAN for every series: the one it already has, else one drawn from a digest of its name.

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
    return int.from_bytes(hashlib.sha256(seeded.encode()).digest()[:8], "big") % _REFERENCES
