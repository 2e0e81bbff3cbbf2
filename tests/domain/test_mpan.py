import numpy as np
import pytest

from fmar_spark.domain import mpan


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
