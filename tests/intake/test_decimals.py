"""Numbers of text files: what is one, and what Python alone would take for one."""

import math

import pandas as pd
import pytest

from fmar_spark.intake.decimals import parse_column, parse_decimal, parse_grouped_decimal


@pytest.mark.parametrize(("text", "value"), [("5", 5.0), ("-.5", -0.5), ("+3.", 3.0), ("1.5e-3", 0.0015), ("007", 7.0)])
def test_a_decimal_number_is_read(text: str, value: float) -> None:
    assert parse_decimal(text) == value


@pytest.mark.parametrize("text", ["", ".", "1_0", "inf", "nan", "1e400", "9" * 5000, "\u00b2", "\u0661", "0x10", "1,5", "5\n", "1.\x005"])
def test_what_is_no_finite_decimal_number_is_none(text: str) -> None:
    assert math.isnan(parse_decimal(text))


@pytest.mark.parametrize(("text", "value"), [("1,234.5", 1234.5), ("532,100", 532100.0), ("1,234,567", 1234567.0), ("1.5", 1.5)])
def test_commas_before_every_three_digits_are_marks_of_thousands(text: str, value: float) -> None:
    assert parse_grouped_decimal(text) == value


@pytest.mark.parametrize("text", ["1,5", "0,123", "1234,567", "1,2345", "1,234,5", "1.234,5", ",5"])
def test_any_other_comma_makes_no_number(text: str) -> None:
    assert math.isnan(parse_grouped_decimal(text))


def test_a_column_has_no_number_where_a_text_has_a_nul() -> None:
    assert parse_column(pd.Series(["1.5", "1.\x005", "x", None])).fillna(-1.0).to_list() == [1.5, -1.0, -1.0, -1.0]
    assert parse_column(pd.Series([1.5, 2.0])).to_list() == [1.5, 2.0]
