"""Numbers are written as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.domain.figures import write_count, write_number, write_odds, write_probability


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.0, "0"),
        (7.0, "7"),
        (7.25, "7.25"),
        (0.0123, "0.0123"),
        (-3.456, "-3.46"),
        (99.96, "100"),
        (123.4, "123"),
        (1234.5, "1,234"),
        (2.5e7, "25,000,000"),
        (1e-5, "less than 0.001"),
        (-1e-5, "0"),
        (float("nan"), "–"),
    ],
)
def test_a_number_has_three_digits_and_no_exponent(value: float, wanted: str) -> None:
    assert write_number(value) == wanted


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15))
def test_no_number_is_written_with_an_exponent_and_none_is_far_off(value: float) -> None:
    text = write_number(value)
    assert "e" not in text.removeprefix("less than")
    if not text.startswith("less"):
        assert float(text.replace(",", "")) == pytest.approx(value, rel=0.006, abs=0.001)


def test_fewer_digits_round_the_same_way() -> None:
    assert [write_number(value, 2) for value in (99.6, 0.456, 1234.0)] == ["100", "0.46", "1,234"]


def test_overwhelming_evidence_is_a_bound() -> None:
    assert [write_odds(value) for value in (0.2, 12.34, 4321.0, 1.69e35)] == ["0.2 to 1", "12.3 to 1", "4,321 to 1", "over 1,000,000 to 1"]
    assert [write_probability(value) for value in (0.5, 0.0123, 1e-9)] == ["0.5", "0.0123", "less than 1 in 10,000"]


def test_one_of_a_noun_is_singular() -> None:
    assert [write_count(number, "half-hour") for number in (0, 1, 2, 1200)] == [
        "0 half-hours",
        "1 half-hour",
        "2 half-hours",
        "1,200 half-hours",
    ]
