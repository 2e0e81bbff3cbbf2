import argparse

import pytest

from fmar_spark.settings.bounds import parse_positive, whole_from


@pytest.mark.parametrize(("text", "said"), [("0", "1 to 9"), ("10", "1 to 9"), ("-3", "1 to 9"), ("1.5", "1 to 9"), ("\u0663", "1 to 9")])
def test_a_number_out_of_its_bounds_is_said_with_them(text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"found, a whole number from {said} wanted"):
        whole_from(1, 9)(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "ten"])
def test_what_is_not_above_zero_is_no_length(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a number above 0 wanted"):
        parse_positive(text)


def test_numbers_within_bounds_are_numbers() -> None:
    assert (whole_from(0)("0"), whole_from(1, 9)("9"), parse_positive("0.5")) == (0, 9, 0.5)
