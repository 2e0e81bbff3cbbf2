"""A dip on the working days of winter that the rest of the year does not show."""

from datetime import date

import numpy as np
import pytest

from fmar_spark.kernels.assembly import build_calendar
from fmar_spark.kernels.demand_response.drops import DayTypes, sort_days
from fmar_spark.kernels.demand_response.timetable import EDGE_SLOTS, FIRST_SLOT, LAST_SLOT, LENGTH_SLOTS, Timetable, find_timetable
from fmar_spark.kernels.window import Floats, LocalCalendar

SLOTS, DAYS = 48, 365


def year(days: int = DAYS) -> tuple[LocalCalendar, DayTypes]:
    calendar = build_calendar(date(2022, 12, 1), days, frozenset(), southern=False)
    return calendar, sort_days(calendar)


def office(meters: int, days: int = DAYS, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    clock = np.arange(SLOTS)
    shape = np.where((clock >= 16) & (clock < 42), 10.0, 3.0)
    return (shape * rng.normal(1.0, 0.1, (meters, days, SLOTS)) * rng.uniform(0.8, 1.2, (meters, days, 1))).astype(np.float32)


def timetable_of(load_kw: Floats) -> Timetable:
    return find_timetable(load_kw, *year(load_kw.shape[1]))


def test_an_office_that_sheds_at_winter_peaks_stands_out_from_one_that_does_not() -> None:
    load_kw = office(2)
    calendar, types = year()
    shed = ~types.is_rest & (calendar.season == 0)
    load_kw[0, shed, 33:36] *= 0.6
    found = timetable_of(load_kw)
    assert found.score[0] > 5 * found.score[1]
    assert found.asymmetry[0] > 1.5
    assert abs(found.asymmetry[1]) < 1.0
    assert found.depth_share[0] == pytest.approx(0.4 * 10 / load_kw[1].mean(), rel=0.25)


def test_a_bump_in_winter_counts_against_a_timetable() -> None:
    load_kw = office(1)
    calendar, types = year()
    load_kw[0, ~types.is_rest & (calendar.season == 0), 33:36] *= 1.5
    assert timetable_of(load_kw).asymmetry[0] < -1.5


def test_shedding_at_weekends_is_no_timetable_of_working_days() -> None:
    load_kw = office(1)
    plain = timetable_of(load_kw)
    calendar, types = year()
    load_kw[0, types.is_rest & (calendar.season == 0), 33:36] *= 0.3
    np.testing.assert_allclose(timetable_of(load_kw), plain)


def deepest_naively(shape: Floats, error: Floats) -> tuple[float, float]:
    best, depth = -np.inf, 0.0
    for slots in LENGTH_SLOTS:
        for start in range(FIRST_SLOT, LAST_SLOT - slots):
            inside = shape[start : start + slots].mean()
            before, after = shape[start - EDGE_SLOTS : start].mean(), shape[start + slots : start + slots + EDGE_SLOTS].mean()
            dip = min(before, after) - inside
            spread = (error[start : start + slots] ** 2).sum() / slots**2 + (error[start - EDGE_SLOTS : start] ** 2).sum() / EDGE_SLOTS**2
            score = dip / np.sqrt(max(spread, 1e-12))
            if score > best:
                best, depth = score, dip
    return best, depth


def find_naively(load_kw: Floats) -> tuple[float, float, float]:
    calendar, types = year()
    shapes, errors = [], []
    for is_cold in (True, False):
        mine = load_kw[~types.is_rest & ((calendar.season == 0) == is_cold)].astype(np.float64)
        mine = mine[~np.isnan(mine).any(axis=1)]
        level = mine.mean()
        shapes.append(mine.mean(axis=0) / level)
        errors.append(mine.std(axis=0) / np.sqrt(len(mine)) / level)
    shape, error = shapes[0] - shapes[1], np.hypot(*errors)
    (score, depth), (bump, _) = deepest_naively(shape, error), deepest_naively(-shape, error)
    return score, np.log(score / bump), depth


def test_timetables_agree_with_a_naive_loop() -> None:
    load_kw = office(4, seed=2)
    load_kw[np.random.default_rng(3).random(load_kw.shape) < 0.005] = np.nan
    found = np.stack(timetable_of(load_kw), axis=1)
    np.testing.assert_allclose(found, [find_naively(one) for one in load_kw], rtol=2e-3)


@pytest.mark.parametrize(
    "load_kw", [np.zeros((0, DAYS, SLOTS)), np.full((2, DAYS, SLOTS), np.nan), np.ones((2, 30, SLOTS)), np.ones((2, 0, SLOTS))]
)
def test_without_readings_of_both_seasons_no_timetable_is_given(load_kw: Floats) -> None:
    found = timetable_of(load_kw.astype(np.float32))
    assert all(column.shape == load_kw.shape[:1] and np.isnan(column).all() for column in found)


@pytest.mark.parametrize("level_kw", [0.0, -2.0])
def test_a_meter_that_draws_nothing_has_no_timetable(level_kw: float) -> None:
    load_kw = office(1) * np.float32(level_kw)
    assert np.isnan(np.stack(timetable_of(load_kw))).all()
