"""When a heat pump came or went, by two regressions on heating degrees."""

import numpy as np
import pytest

from fmar_spark.kernels.changes import APPEARED, REMOVED, Changes, History, Presence
from fmar_spark.kernels.heat_pump.stays import find_stays, put_stays
from fmar_spark.kernels.window import Bools, Floats, HeatDays

DAYS = 365
ONE: Bools = np.ones(1, dtype=np.bool_)
BLOCKS = 8


def degrees() -> Floats:
    """Heating degrees of a year that begins in February, shape (DAYS,)."""
    temp_c = 10.5 - 7.0 * np.cos(2 * np.pi * (np.arange(DAYS) + 25) / 365) + np.random.default_rng(2).normal(0, 2.5, DAYS)
    return np.asarray(np.maximum(15.0 - temp_c, 0.0))


def home(
    present: Bools | Floats, water_kw: float = 0.0, slope_kw_k: float = 0.1, others_kw: Floats | float = 0.0, seed: int = 1
) -> HeatDays:
    """A home whose heat pump, by its size on each day, heats and makes hot water in one block."""
    rng = np.random.default_rng(seed)
    block_kw = rng.gamma(6.0, 0.05, (1, DAYS, BLOCKS))
    block_kw += (slope_kw_k * degrees() * rng.normal(1.0, 0.2, DAYS) * present)[None, :, None] + np.reshape(others_kw, (1, -1, 1))
    block_kw[0, :, 1] += water_kw * present
    return HeatDays(block_kw, np.sort(block_kw, axis=2)[:, :, :6].mean(axis=2), degrees()[None])


def from_day(first: int, last: int = DAYS) -> Bools:
    return (np.arange(DAYS) >= first) & (np.arange(DAYS) < last)


@pytest.mark.parametrize(("day", "water_kw"), [(60, 0.0), (290, 0.0), (130, 0.8), (200, 0.8)])
def test_a_heat_pump_that_comes_is_dated_in_cold_weather_and_by_its_hot_water_in_summer(day: int, water_kw: float) -> None:
    found = find_stays(home(from_day(day), water_kw), ONE)
    assert found.kind.tolist() == [APPEARED]
    assert abs(found.day[0] - day) <= 7
    assert found.p10_day[0] <= day <= found.p90_day[0]


def test_without_hot_water_a_summers_arrival_has_a_wide_interval() -> None:
    found = find_stays(home(from_day(190)), ONE)
    assert found.kind.tolist() == [APPEARED]
    assert found.p10_day[0] <= 190 <= found.p90_day[0]
    assert found.p90_day[0] - found.p10_day[0] > 30


@pytest.mark.parametrize("day", [60, 300])
def test_a_heat_pump_that_goes_is_dated(day: int) -> None:
    found = find_stays(home(from_day(0, day), water_kw=0.8), ONE)
    assert found.kind.tolist() == [REMOVED]
    assert abs(found.day[0] - day) <= 7


def test_another_load_that_comes_on_another_day_moves_no_date() -> None:
    found = find_stays(home(from_day(300), others_kw=1.5 * from_day(250)), ONE)
    assert found.kind.tolist() == [APPEARED]
    assert abs(found.day[0] - 300) <= 7


@pytest.mark.parametrize(("slope_kw_k", "others_kw"), [(0.0, 0.0), (0.1, 0.6)])
def test_what_was_always_or_never_there_did_not_come(slope_kw_k: float, others_kw: float) -> None:
    for seed in range(5):
        busy = home(from_day(0), 0.8, slope_kw_k, others_kw=others_kw * from_day(150), seed=seed)
        assert not find_stays(busy, ONE).day.size


def test_one_that_grows_by_half_did_not_come() -> None:
    grown = 1.0 + 0.5 * from_day(300)
    assert not find_stays(home(grown, 0.8), ONE).day.size


def test_unread_days_meters_that_are_not_asked_and_none_at_all() -> None:
    heat = home(from_day(290))
    assert not find_stays(heat, ~ONE).day.size
    assert not find_stays(heat._replace(calm_kw=np.full((1, DAYS), np.nan)), ONE).day.size
    none = HeatDays(np.zeros((0, DAYS, BLOCKS)), np.zeros((0, DAYS)), np.zeros((0, DAYS)))
    assert not find_stays(none, np.zeros(0, bool)).day.size
    heat.calm_kw[0, 285:295] = np.nan
    found = find_stays(heat, ONE)
    assert found.p10_day[0] <= 290 <= found.p90_day[0]


def history_of(*rows: tuple[int, int]) -> History:
    """Of one meter, from day and kind of each change."""
    day, kind = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    level = np.where(kind == APPEARED, 2.0, 0.0)
    unknown = np.full(1, np.nan)
    changes = Changes(np.zeros(day.size, np.int64), day, day - 5, day + 5, 2.0 - level, level, kind)
    return History(changes, Presence(unknown, unknown, unknown, np.array([2.0])), np.ones((1, DAYS), bool))


def test_what_the_regressions_date_takes_the_place_of_what_the_daily_mark_does() -> None:
    old = history_of((150, APPEARED))
    put_in = put_stays(old, history_of((200, APPEARED), (300, REMOVED)).changes, ONE)
    assert put_in.changes.day.tolist() == [200, 300]
    assert (put_in.changes.level_before.tolist(), put_in.changes.level_after.tolist()) == ([0.0, 2.0], [2.0, 0.0])
    assert put_in.present[0].tolist() == from_day(200, 300).tolist()
    assert put_stays(old, history_of().changes, ONE).changes.day.tolist() == [150]


def test_one_that_goes_before_it_comes_is_a_season() -> None:
    old = history_of()
    assert not put_stays(old, history_of((100, REMOVED), (250, APPEARED)).changes, ONE).changes.day.size
