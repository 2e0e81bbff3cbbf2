"""Where a load falls below what similar days lead one to expect, and comes back."""

from datetime import date

import numpy as np
import pytest

from fmar_spark.kernels.assembly import build_calendar
from fmar_spark.kernels.demand_response.drops import (
    LEAST_NOISE,
    REST_DAYS_EACH_SIDE,
    STANDARD_LIMIT,
    WORKDAYS_EACH_SIDE,
    DayTypes,
    average_neighbours,
    expect_load,
    refine_drops,
    scan_days,
    sort_days,
    standardise,
)
from fmar_spark.kernels.window import Floats

SLOTS = 48
MONDAY = date(2023, 1, 2)


def types_of(days: int, holidays: frozenset[date] = frozenset()) -> DayTypes:
    return sort_days(build_calendar(MONDAY, days, holidays, southern=False))


def office(meters: int, days: int, seed: int = 0) -> Floats:
    """Loads of 10 kW by day and 3 kW by night and at weekends, with a tenth of noise."""
    rng = np.random.default_rng(seed)
    clock, weekday = np.arange(SLOTS), np.arange(days) % 7
    open_hours = ((clock >= 16) & (clock < 40))[None] & (weekday < 5)[:, None]
    load_kw = np.where(open_hours, 10.0, 3.0) * rng.normal(1.0, 0.05, (meters, days, SLOTS))
    return load_kw.astype(np.float32)


def test_working_days_come_first_each_kind_in_order_of_time() -> None:
    types = types_of(9, frozenset([date(2023, 1, 4)]))
    assert types.order.tolist() == [0, 1, 3, 4, 7, 8, 2, 5, 6]
    assert types.order[types.rank].tolist() == list(range(9))
    assert types.is_rest.tolist() == [False, False, True, False, False, True, True, False, False]
    assert types.workdays == 6


@pytest.mark.parametrize("each_side", [1, 2, 4, 8])
@pytest.mark.parametrize("days", [0, 1, 3, 20])
def test_means_of_neighbours_agree_with_a_naive_loop(each_side: int, days: int) -> None:
    days_kw = np.random.default_rng(days).random((2, days, SLOTS)).astype(np.float32)
    found = average_neighbours(days_kw, each_side)
    assert found.shape == days_kw.shape
    for day in range(days):
        others = [other for other in range(day - each_side, day + each_side + 1) if other != day and 0 <= other < days]
        wanted = days_kw[:, others].mean(axis=1) if others else np.zeros((2, SLOTS))
        np.testing.assert_allclose(found[:, day], wanted, rtol=1e-5)


def expect_naively(load_kw: Floats, types: DayTypes) -> tuple[Floats, Floats]:
    expected, noise = np.full(load_kw.shape, np.nan), np.full((len(load_kw), 2, SLOTS), np.nan)
    for meter, days_kw in enumerate(load_kw):
        for kind, each_side in enumerate((WORKDAYS_EACH_SIDE, REST_DAYS_EACH_SIDE)):
            mine = np.flatnonzero(types.is_rest == bool(kind))
            known = ~np.isnan(days_kw[mine])
            profile = np.nansum(days_kw[mine], axis=0) / np.maximum(known.sum(axis=0), 1)
            filled = np.where(known, days_kw[mine], profile)
            for place, day in enumerate(mine):
                near = [one for one in range(place - each_side, place + each_side + 1) if one != place and 0 <= one < len(mine)]
                expected[meter, day] = np.where(known[place], filled[near].mean(axis=0), np.nan)
            off = np.nansum(np.abs(days_kw[mine] - expected[meter, mine]), axis=0) / np.maximum(known.sum(axis=0), 1)
            noise[meter, kind] = np.maximum(off, LEAST_NOISE * np.nanmean(days_kw))
    return expected, noise


def test_what_similar_days_lead_one_to_expect_agrees_with_a_naive_loop() -> None:
    rng = np.random.default_rng(1)
    load_kw = office(3, 60, seed=1)
    types = types_of(60)
    load_kw[rng.random(load_kw.shape) < 0.1] = np.nan
    load_kw[1, 20:24] = np.nan
    for found, wanted in zip(expect_load(load_kw, types), expect_naively(load_kw, types), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_deviations_are_in_units_of_their_own_slot_and_cut() -> None:
    types = types_of(7)
    residual_kw, noise_kw = np.ones((1, 7, SLOTS)), np.ones((1, 2, SLOTS))
    residual_kw[0, 0, :3] = -2.0, 100.0, np.nan
    noise_kw[0, 1] = 4.0
    noise_kw[0, 0, 5] = 0.0
    found = standardise(residual_kw.copy(), noise_kw, types)
    np.testing.assert_array_equal(found[0, 0, :6], [-2.0, STANDARD_LIMIT, np.nan, 1.0, 1.0, 0.0])
    assert (found[0, 5] == 0.25).all()


@pytest.mark.parametrize(("start", "length"), [(20, 2), (24, 4), (33, 6)])
def test_dips_are_found_on_their_day_with_their_start_and_length(start: int, length: int) -> None:
    load_kw = office(40, 90)
    load_kw[:, 44, start : start + length] *= 0.4
    types = types_of(90)
    dips = scan_days(load_kw, types)
    assert (dips.drop.argmax(axis=1) == 44).mean() >= 0.9
    drops = refine_drops(load_kw, dips, types, 5)
    assert (np.diff(drops.score, axis=1) <= 0).all()
    meter, place = np.nonzero(drops.day == 44)
    assert set(meter.tolist()) == set(range(40))
    off = np.abs(drops.start_slot[meter, place] - 44 * SLOTS - start), np.abs(drops.length_slots[meter, place] - length)
    assert all(np.median(one) == 0 and np.quantile(one, 0.8) <= 2 for one in off)
    assert np.median(drops.sharpness[meter, place]) > 0.85


def test_a_load_that_falls_and_stays_low_is_no_dip_and_neither_is_a_low_day() -> None:
    load_kw = office(3, 90)
    load_kw[0, 44, 24:40] *= 0.3
    load_kw[1, 44, 24:] *= 0.3
    load_kw[2, 44] *= 0.3
    dips = scan_days(load_kw, types_of(90))
    assert dips.drop[0, 44] > 2 * dips.drop[1:, 44].max()


def test_a_bump_is_distinguished_from_a_dip() -> None:
    load_kw = office(1, 90)
    load_kw[0, 44, 24:28] *= 2.0
    dips = scan_days(load_kw, types_of(90))
    assert dips.rise[0].argmax() == 44
    assert dips.drop[0].argmax() != 44


def test_unread_slots_take_part_in_no_dip() -> None:
    load_kw = office(2, 90)
    load_kw[0, 44, 22:30] = np.nan
    load_kw[1, 44] = np.nan
    dips = scan_days(load_kw, types_of(90))
    assert dips.drop[0].argmax() != 44
    assert np.isnan(dips.drop[1, 44])
    assert np.isnan(dips.expected_kw[0, 44, 22:30]).all()


def test_meters_of_one_batch_are_scanned_as_if_alone() -> None:
    load_kw = office(11, 60)
    load_kw[np.random.default_rng(1).random(load_kw.shape) < 0.02] = np.nan
    types = types_of(60)
    together = scan_days(load_kw, types)
    for meter in (0, 7, 8, 10):
        alone = scan_days(load_kw[meter : meter + 1], types)
        for name in ("drop", "rise", "expected_kw", "noise_kw", "scale"):
            np.testing.assert_allclose(getattr(together, name)[meter], getattr(alone, name)[0], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("shape", [(0, 60, SLOTS), (2, 0, SLOTS), (2, 60, SLOTS)])
def test_nothing_read_drops_nowhere(shape: tuple[int, int, int]) -> None:
    load_kw = np.full(shape, np.nan, dtype=np.float32)
    types = types_of(shape[1])
    dips = scan_days(load_kw, types)
    assert np.isnan(dips.drop).all()
    assert np.isnan(dips.rise).all()
    drops = refine_drops(load_kw, dips, types, 5)
    assert drops.day.shape == (shape[0], min(5, shape[1]))
    assert np.isnan(drops.score).all()
