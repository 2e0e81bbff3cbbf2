"""Numbers of text files: what is one, and what Python alone would take for one."""

import math

import pytest

from fmar_spark.intake.decimals import parse_decimal


@pytest.mark.parametrize(("text", "value"), [("5", 5.0), ("-.5", -0.5), ("+3.", 3.0), ("1.5e-3", 0.0015), ("007", 7.0)])
def test_a_decimal_number_is_read(text: str, value: float) -> None:
    assert parse_decimal(text) == value


@pytest.mark.parametrize("text", ["", ".", "1_0", "inf", "nan", "1e400", "9" * 5000, "\u00b2", "\u0661", "0x10", "1,5", "5\n"])
def test_what_is_no_finite_decimal_number_is_none(text: str) -> None:
    assert math.isnan(parse_decimal(text))
