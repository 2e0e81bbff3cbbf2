"""Energy of a year: unbiased by gaps at random, and not given where what is missing follows a pattern."""

from datetime import date

import numpy as np
import pytest

from fmar_spark.kernels.annual_energy import GapPattern, estimate_annual_energy
from fmar_spark.kernels.window import Floats

FIRST = date(2025, 1, 1)


@pytest.fixture
def kwh() -> Floats:
    """A year with an evening peak and a winter that takes twice what the summer takes."""
    day = np.arange(365)[:, None]
    season = 1.5 + 0.5 * np.cos(2 * np.pi * day / 365)
    return np.asarray(season * np.where((np.arange(48) >= 34) & (np.arange(48) < 44), 1.0, 0.2)[None])


def test_a_whole_year_is_its_sum(kwh: Floats) -> None:
    found = estimate_annual_energy(kwh, FIRST)
    assert found.kwh == pytest.approx(kwh.sum())
    assert (found.pattern, found.reason) == (GapPattern.NONE, "")
    assert found.share_by_slot.tolist() == [1.0] * 48


def test_gaps_without_a_pattern_and_more_than_a_year_change_little(kwh: Floats) -> None:
    two_winters = np.concatenate([kwh, kwh[:120]])
    two_winters[np.random.default_rng(0).random(two_winters.shape) < 0.2] = np.nan
    assert estimate_annual_energy(two_winters, FIRST).kwh == pytest.approx(kwh.sum(), rel=0.01)


def test_a_month_in_part_stands_for_the_whole(kwh: Floats) -> None:
    kwh_of_some = kwh.copy()
    kwh_of_some[10:20] = np.nan
    assert estimate_annual_energy(kwh_of_some, FIRST).kwh == pytest.approx(kwh.sum(), rel=0.01)


@pytest.mark.parametrize(
    ("rows", "slots", "pattern", "reason"),
    [
        (slice(None), slice(20, 28), GapPattern.TIME_OF_DAY, "10:00 to 14:00 missing on 100 % of days"),
        (slice(0, 300), slice(44, 48), GapPattern.TIME_OF_DAY, "22:00 to 24:00 missing on 82 % of days"),
        (slice(0, 120), slice(None), GapPattern.SEASON, "readings of 8 of 12 months"),
        (slice(None), slice(None), GapPattern.SEASON, "no readings"),
    ],
)
def test_a_pattern_of_gaps_is_named_and_nothing_is_extrapolated(
    kwh: Floats, rows: slice, slots: slice, pattern: GapPattern, reason: str
) -> None:
    kwh[rows, slots] = np.nan
    found = estimate_annual_energy(kwh, FIRST)
    assert np.isnan(found.kwh)
    assert (found.pattern, found.reason) == (pattern, reason)


def test_weekends_that_are_missing_are_named(kwh: Floats) -> None:
    kwh[[(day + 2) % 7 >= 5 for day in range(365)]] = np.nan
    assert estimate_annual_energy(kwh, FIRST).reason == "Sat, Sun mostly missing"


def test_no_days_have_no_energy() -> None:
    found = estimate_annual_energy(np.zeros((0, 48)), FIRST)
    assert np.isnan([found.kwh, found.kwh_per_day]).all()
    assert found.share_by_slot.tolist() == [0.0] * 48
