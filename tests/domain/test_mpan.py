"""The meter point number and its check digit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.domain import mpan

PRIMES = (3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43)
"""As the rules list them: 11 is left out."""


def check_by_hand(first_twelve: str) -> int:
    total = 0
    for digit, prime in zip(first_twelve, PRIMES, strict=True):
        total += int(digit) * prime
    return total % 11 % 10


@pytest.mark.parametrize("number", ["2000056535971", "1900012374324", "1200023305967"])
def test_published_mpans_are_valid(number: str) -> None:
    assert mpan.has_valid_check_digit(number)
    assert not mpan.has_valid_check_digit(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize("text", ["", "123", "20000565359711", "200005653597x", "２000056535971"])
def test_what_is_not_thirteen_digits_is_no_mpan(text: str) -> None:
    assert not mpan.has_valid_check_digit(text)


def test_numbered_mpans_are_valid_and_keep_their_distributor() -> None:
    made = mpan.number_mpans(np.array([10, 23]), np.array([0, 9_999_999_999]))
    assert all(mpan.has_valid_check_digit(number) for number in made)
    assert [number[:2] for number in made] == ["10", "23"]


@given(st.integers(10, 99), st.integers(0, 9_999_999_999))
def test_check_digits_follow_the_rule_for_every_number(distributor: int, reference: int) -> None:
    made = mpan.number_mpans(np.array([distributor]), np.array([reference]))[0]
    assert made[:12] == f"{distributor}{reference:010d}"
    assert int(made[12]) == check_by_hand(made[:12]) == mpan.check_digit(made[:12])


@pytest.mark.parametrize("text", ["", "12345678901", "1234567890123", "12345678901x"])
def test_a_check_digit_is_computed_of_twelve_digits_only(text: str) -> None:
    with pytest.raises(ValueError, match="twelve digits wanted"):
        mpan.check_digit(text)


def test_no_meter_points_have_no_numbers() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert mpan.number_mpans(none, none) == []


def test_pseudo_mpans_are_valid_stable_and_of_no_real_distributor() -> None:
    assigned = mpan.assign_mpans([f"home {number}" for number in range(500)], {})
    assert len(set(assigned.values())) == 500
    assert all(mpan.has_valid_check_digit(number) and number.startswith(str(mpan.PSEUDO_DISTRIBUTOR)) for number in assigned.values())
    assert mpan.assign_mpans(["home 7"], {})["home 7"] == assigned["home 7"]


def test_a_number_that_is_taken_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fmar_spark.domain.mpan._digest_reference", lambda name, attempt: attempt)
    first = mpan.assign_mpans(["b", "a"], {})
    assert first["a"] < first["b"]
    assert mpan.assign_mpans(["c", "a"], first)["a"] == first["a"]
    assert mpan.assign_mpans(["c"], first)["c"] not in first.values()
