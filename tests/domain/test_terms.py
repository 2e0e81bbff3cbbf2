from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.domain.markets import Market
from fmar_spark.domain.terms import Term, TermRule, find_conflict, overlaps

DAY_ZERO = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: int) -> datetime:
    return DAY_ZERO + timedelta(days=day)


@st.composite
def terms(draw: st.DrawFn, name: str) -> Term:
    first = draw(st.integers(0, 6))
    length = draw(st.none() | st.integers(0, 6))
    return Term(
        agreement_id=name,
        amsid=draw(st.sampled_from("AB")),
        market=draw(st.sampled_from([Market.DSO_LOCAL, Market.NESO_BM])),
        primacy_tier=draw(st.integers(1, 2)),
        is_exclusive=draw(st.booleans()),
        valid_from_at=at(first),
        valid_to_at=None if length is None else at(first + length),
    )


def holds(term: Term, day: int) -> bool:
    return term.valid_from_at <= at(day) and (term.valid_to_at is None or at(day) < term.valid_to_at)


def contradicts(left: Term, right: Term) -> bool:
    """Day by day, in the words of the rule."""
    together = any(holds(left, day) and holds(right, day) for day in range(15))
    if left.amsid != right.amsid or not together:
        return False
    if left.is_exclusive or right.is_exclusive:
        return left.market == right.market
    return left.primacy_tier == right.primacy_tier


@given(terms("left"), terms("right"))
def test_overlap_agrees_with_counting_days(left: Term, right: Term) -> None:
    assert overlaps(left, right) == any(holds(left, day) and holds(right, day) for day in range(15))
    assert overlaps(left, right) == overlaps(right, left)


@given(terms("candidate"), st.lists(terms("standing"), max_size=5))
def test_conflicts_agree_with_counting_days(candidate: Term, others: list[Term]) -> None:
    standing = [term._replace(agreement_id=f"standing {number}") for number, term in enumerate(others)]
    found = find_conflict(candidate, standing)
    expected = [term for term in standing if contradicts(candidate, term)]
    assert (found is not None) == bool(expected)
    if found:
        assert found.term == min(expected, key=lambda term: (term.valid_from_at, term.agreement_id))
        assert (found.rule == TermRule.PRIMACY_TAKEN) == (not found.term.is_exclusive and not candidate.is_exclusive)


def test_an_agreement_does_not_stand_in_its_own_way() -> None:
    term = Term("one", "A", Market.DSO_LOCAL, 1, True, at(0), None)
    assert find_conflict(term._replace(valid_from_at=at(1)), [term]) is None
