"""BL01 and mid-8-of-10 against the rules read out day by day."""

import numpy as np
import pytest

from fmar_spark.kernels.baseline.reference import ReferenceRules, adjust_reference, reference_bl01, reference_mid8of10
from fmar_spark.kernels.window import Bools, Floats

DAYS = 120


def make_readings() -> tuple[Floats, Bools]:
    rng = np.random.default_rng(1)
    net_kwh = rng.random((5, DAYS, 48)).astype(np.float32)
    net_kwh[1, rng.random(DAYS) < 0.3, 7] = np.nan
    net_kwh[2, 20:95] = np.nan
    net_kwh[3, :100] = np.nan
    net_kwh[4] = np.nan
    is_working = (np.arange(DAYS) % 7 < 5) & (rng.random(DAYS) > 0.05)
    return net_kwh, is_working


def eligible_days(loads: Floats, is_working: Bools, day: int, wanted: int) -> list[int]:
    """Newest whole days of the day's kind among the last sixty."""
    found = []
    for past in range(day - 1, max(day - 61, -1), -1):
        if is_working[past] == is_working[day] and np.isfinite(loads[past]).all() and len(found) < wanted:
            found.append(past)
    return found


def bl01_slowly(loads: Floats, is_working: Bools, day: int) -> Floats:
    chosen = eligible_days(loads, is_working, day, 10 if is_working[day] else 4)
    if not chosen:
        return np.full(48, np.nan)
    picked = loads[chosen].astype(np.float64)
    if not is_working[day] and len(chosen) == 4:
        picked = np.sort(picked, axis=0)[1:3]
    return picked.mean(axis=0)


def mid8_slowly(loads: Floats, is_working: Bools, day: int) -> Floats:
    chosen = eligible_days(loads, is_working, day, 10)
    if not chosen:
        return np.full(48, np.nan)
    if len(chosen) == 10:
        chosen = sorted(chosen, key=lambda past: float(loads[past].sum()))[1:-1]
    return loads[chosen].astype(np.float64).mean(axis=0)


def test_bl01_agrees_with_a_loop_over_days() -> None:
    net_kwh, is_working = make_readings()
    found = reference_bl01(net_kwh, is_working, np.arange(DAYS))
    wanted = np.array([[bl01_slowly(loads, is_working, day) for day in range(DAYS)] for loads in net_kwh])
    assert np.allclose(found, wanted, equal_nan=True)
    assert np.isnan(found[4]).all()


def test_mid_8_of_10_agrees_with_a_loop_over_days() -> None:
    net_kwh, is_working = make_readings()
    found = reference_mid8of10(net_kwh, is_working, np.arange(DAYS))
    wanted = np.array([[mid8_slowly(loads, is_working, day) for day in range(DAYS)] for loads in net_kwh])
    assert np.allclose(found, wanted, equal_nan=True)


def test_only_the_days_asked_for_are_answered_in_their_order() -> None:
    net_kwh, is_working = make_readings()
    every = reference_bl01(net_kwh, is_working, np.arange(DAYS))
    some = np.array([100, 3, 55])
    assert np.array_equal(reference_bl01(net_kwh, is_working, some), every[:, some], equal_nan=True)


def test_a_shorter_look_back_forgets_older_days() -> None:
    net_kwh, is_working = make_readings()
    found = reference_bl01(net_kwh[2:3], is_working, np.array([90]), ReferenceRules(look_back_days=60))
    assert np.isnan(found).all()
    assert np.isfinite(reference_bl01(net_kwh[2:3], is_working, np.array([90]), ReferenceRules(look_back_days=80))).all()


def test_the_adjustment_is_the_mean_error_of_the_stretch_before_the_lead() -> None:
    predicted, actual = np.zeros(48), np.zeros(48)
    actual[24:30] = 6.0
    actual[30:] = 100.0
    assert np.allclose(adjust_reference(predicted, actual, 32), 6.0)
    actual[24:29] = np.nan
    assert np.allclose(adjust_reference(predicted, actual, 32), 6.0)
    actual[:] = np.nan
    assert np.allclose(adjust_reference(predicted, actual, 32), 0.0)


@pytest.mark.parametrize("refer", [reference_bl01, reference_mid8of10])
def test_no_meters_and_no_days_are_answered_in_shape(refer) -> None:  # type: ignore[no-untyped-def]  # two functions that differ in defaults
    is_working = np.ones(DAYS, dtype=bool)
    assert refer(np.zeros((0, DAYS, 48)), is_working, np.array([5])).shape == (0, 1, 48)
    assert refer(np.zeros((2, DAYS, 48)), is_working, np.zeros(0, dtype=int)).shape == (2, 0, 48)
