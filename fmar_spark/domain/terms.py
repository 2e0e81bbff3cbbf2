"""When two dispatch rights contradict each other: the one place that says so.

A term is half-open: it holds from its first moment until just before its last, so that one may begin where another ends.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from fmar_spark.domain.markets import Market


class TermRule(StrEnum):
    """Rules between two terms on the same asset."""

    EXCLUSIVE_OVERLAP = "exclusive_overlap"
    """An exclusive right admits no other right to the same AMSID in the same market at the same time."""
    PRIMACY_TAKEN = "primacy_taken"
    """Shared rights to one AMSID rank across markets, so that two at the same time need distinct tiers."""


class Term(NamedTuple):
    """What of an agreement the rules look at."""

    agreement_id: str
    amsid: str
    market: Market
    primacy_tier: int
    is_exclusive: bool
    valid_from_at: datetime
    valid_to_at: datetime | None
    """Exclusive; None = open."""


class Conflict(NamedTuple):
    """The rule that was broken and the term that stood before."""

    rule: TermRule
    term: Term


def is_empty(valid_from_at: datetime, valid_to_at: datetime | None) -> bool:
    """Whether the term holds at no moment: it was entered by mistake and ended where it began."""
    return valid_to_at is not None and valid_to_at <= valid_from_at


def overlaps(left: Term, right: Term) -> bool:
    """Whether there is a moment at which both hold."""
    if is_empty(left.valid_from_at, left.valid_to_at) or is_empty(right.valid_from_at, right.valid_to_at):
        return False
    left_starts_in_time = right.valid_to_at is None or left.valid_from_at < right.valid_to_at
    right_starts_in_time = left.valid_to_at is None or right.valid_from_at < left.valid_to_at
    return left_starts_in_time and right_starts_in_time


def find_conflict(candidate: Term, standing: Iterable[Term]) -> Conflict | None:
    """The first conflict of a candidate with the terms that stand, earliest term first; an agreement never conflicts with itself."""
    for term in sorted(standing, key=lambda other: (other.valid_from_at, other.agreement_id)):
        if term.agreement_id == candidate.agreement_id or term.amsid != candidate.amsid or not overlaps(candidate, term):
            continue
        if term.market == candidate.market and (term.is_exclusive or candidate.is_exclusive):
            return Conflict(TermRule.EXCLUSIVE_OVERLAP, term)
        if not (term.is_exclusive or candidate.is_exclusive) and term.primacy_tier == candidate.primacy_tier:
            return Conflict(TermRule.PRIMACY_TAKEN, term)
    return None
