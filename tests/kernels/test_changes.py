"""Dates of appearance, removal and upgrade."""

import numpy as np
import pytest

from fmar_spark.domain.words import ChangeKind
from fmar_spark.kernels.changes import APPEARED, KINDS, REMOVED, UPGRADED, ChangeRules, find_changes, find_daily_peaks
from fmar_spark.kernels.window import Events, Floats

DAYS = 500
ONE: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.ones(1, dtype=np.bool_)


def charging(rng: np.random.Generator, rate: float, first: int = 0, last: int = DAYS) -> Floats:
    """Daily energy of a car that charges on a share of days, shape (1, DAYS)."""
    day = np.arange(DAYS)
    charges = (rng.random(DAYS) < rate) & (day >= first) & (day < last)
    return np.asarray(np.where(charges, rng.gamma(4, 2.5, DAYS), 0.0)[None, :])


def heating(rng: np.random.Generator, days: int) -> Floats:
    """Daily heat demand of a building over whole years, shape (1, days)."""
    cold = np.maximum(5 + 8 * np.cos(2 * np.pi * (np.arange(days) - 20) / 365), 0)
    return np.asarray((cold * np.clip(rng.normal(1, 0.3, days), 0, None))[None, :])


def test_the_kind_codes_name_the_stored_words() -> None:
    assert set(KINDS) == {str(kind) for kind in ChangeKind}
    assert [ChangeKind(KINDS[code]) for code in (APPEARED, REMOVED)] == [ChangeKind.APPEARED, ChangeKind.REMOVED]


def test_a_car_that_comes_is_dated_to_its_first_charges() -> None:
    errors = []
    for seed in range(20):
        found = find_changes(charging(np.random.default_rng(seed), 0.4, first=230), ONE)
        assert found.changes.kind.tolist() == [APPEARED]
        errors.append(abs(int(found.changes.day[0]) - 230))
        assert found.changes.p10_day[0] <= found.changes.day[0] <= found.changes.p90_day[0]
    assert np.quantile(errors, 0.9) <= 7


def test_a_car_that_leaves_is_gone_at_the_end() -> None:
    found = find_changes(charging(np.random.default_rng(1), 0.5, last=300), ONE)
    assert found.changes.kind.tolist() == [REMOVED]
    assert abs(int(found.changes.day[0]) - 300) <= 7
    assert found.presence.relative_level[0] < 0.05
    assert found.presence.days_since_mark[0] > 190
    assert found.present[0, 250]
    assert not found.present[0, 350]


def test_a_car_that_stays_has_no_change() -> None:
    for seed in range(10):
        found = find_changes(charging(np.random.default_rng(seed), 0.3), ONE)
        assert found.changes.meter.size == 0
        assert found.present.all()
        assert found.presence.relative_level[0] > 0.5


@pytest.mark.parametrize(("first", "last"), [(60, DAYS), (0, 440)])
def test_silence_at_an_end_of_a_weekly_charge_is_a_spell_of_its_own(first: int, last: int) -> None:
    day = np.arange(DAYS)
    weekly = np.where((day % 7 == 3) & (day >= first) & (day < last), 30.0, 0.0)[None]
    found = find_changes(weekly, ONE, rules=ChangeRules(is_sparse=True)).changes
    assert found.kind.tolist() == [APPEARED if first else REMOVED]
    assert abs(int(found.day[0]) - (first or last)) <= 7


@pytest.mark.parametrize("is_sparse", [False, True])
def test_the_days_since_the_last_weekly_charge_say_nothing_of_its_level(is_sparse: bool) -> None:
    day = np.arange(DAYS)
    weekly = np.where((day % 7 == 3) & (day < DAYS - 4), 30.0, 0.0)[None]
    found = find_changes(weekly, ONE, rules=ChangeRules(is_sparse=is_sparse))
    assert found.changes.kind.tolist() == []
    assert found.presence.relative_level[0] > 0.9


def test_a_car_that_is_driven_little_at_first_came_with_its_first_charges() -> None:
    day = np.arange(DAYS)
    seldom = (day % 9 == 0) & (day >= 150) & (day < 250)
    mark = np.where(seldom | ((day >= 250) & (day % 3 != 1)), 12.0, 0.0)[None]
    found = find_changes(mark, ONE, rules=ChangeRules(is_sparse=True)).changes
    assert found.kind.tolist() == [APPEARED]
    assert abs(int(found.day[0]) - 153) <= 7


@pytest.mark.parametrize(("first_kwh", "first_kw", "from_day"), [(20.0, 7.0, 100), (20.0, 3.0, 160), (3.0, 7.0, 160)])
def test_a_first_day_that_nothing_but_a_car_makes_is_the_car_although_it_then_rests(
    first_kwh: float, first_kw: float, from_day: int
) -> None:
    daily = np.zeros((1, DAYS))
    daily[0, 160::3] = 20.0
    daily[0, 100] = first_kwh
    size = np.where(daily > 0, 7.0, np.nan)
    size[0, 100] = first_kw
    rules = ChangeRules(is_sparse=True, has_own_size=True, sure_mark=9.0, sure_kw=5.0, upgrade_ratio=10.0)
    changes = find_changes(daily, ONE, rules=rules, size_kw=size).changes
    assert changes.kind.tolist() == [APPEARED]
    assert 0 <= from_day - changes.day[0] <= 3
    assert changes.p10_day[0] <= changes.day[0] <= changes.p90_day[0] <= from_day


def test_stray_marks_long_before_a_car_are_not_its_first_charges() -> None:
    day = np.arange(DAYS)
    mark = np.where((day % 70 == 20) | ((day >= 250) & (day % 3 != 1)), 12.0, 0.0)[None]
    found = find_changes(mark, ONE, rules=ChangeRules(is_sparse=True)).changes
    assert found.kind.tolist() == [APPEARED]
    assert abs(int(found.day[0]) - 250) <= 7


def test_three_weeks_of_holiday_are_no_removal() -> None:
    mark = charging(np.random.default_rng(2), 0.5)
    mark[0, 200:221] = 0.0
    assert find_changes(mark, ONE).changes.meter.size == 0


def test_a_seldom_car_is_not_removed_after_five_weeks_without_a_charge() -> None:
    mark = np.zeros((1, DAYS))
    mark[0, 5::12] = 10.0
    mark[0, -40:] = 0.0
    assert find_changes(mark, ONE).changes.meter.size == 0


def test_an_upgrade_is_read_from_the_size_and_not_from_the_usage() -> None:
    rng = np.random.default_rng(3)
    mark = charging(rng, 0.5)
    steady_kw = np.where(mark > 0, 7.2 * rng.uniform(0.95, 1.02, DAYS), np.nan)
    mark[0, 250:] *= 2.0
    assert find_changes(mark, ONE, size_kw=steady_kw).changes.meter.size == 0
    grown_kw = steady_kw * np.where(np.arange(DAYS) >= 250, 1.5, 1.0)
    found = find_changes(mark, ONE, size_kw=grown_kw).changes
    assert found.kind.tolist() == [UPGRADED]
    assert abs(int(found.day[0]) - 250) <= 7
    assert found.level_after[0] / found.level_before[0] == pytest.approx(1.5, rel=0.05)


def test_a_gap_at_the_change_is_inside_its_interval() -> None:
    mark = charging(np.random.default_rng(4), 0.9, first=250)
    mark[0, 240:262] = np.nan
    found = find_changes(mark, ONE).changes
    assert found.p10_day[0] <= 241
    assert found.p90_day[0] >= 262


def test_seasons_alone_are_no_change() -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        assert find_changes(heating(rng, 730), ONE, rules=ChangeRules(is_seasonal=True)).changes.meter.size == 0


def test_a_quiet_spell_between_two_loud_ones_is_a_season_to_what_follows_the_season() -> None:
    rng = np.random.default_rng(9)
    mark = np.concatenate([rng.normal(3.0, 0.6, 150), rng.normal(0.0, 0.1, 180), rng.normal(3.0, 0.6, 150)])[None]
    assert find_changes(mark, ONE, rules=ChangeRules(is_seasonal=True)).changes.meter.size == 0
    assert find_changes(mark, ONE).changes.kind.tolist() == [REMOVED, APPEARED]


def test_a_pump_that_comes_in_the_second_winter_is_found() -> None:
    mark = heating(np.random.default_rng(6), 730)
    mark[0, :400] *= 0.03
    found = find_changes(mark, ONE, rules=ChangeRules(is_seasonal=True)).changes
    assert found.kind.tolist() == [APPEARED]
    assert abs(int(found.day[0]) - 400) <= 7


def test_the_off_level_is_taken_from_the_mark() -> None:
    mark = charging(np.random.default_rng(7), 0.6, first=200) + 5.0
    assert find_changes(mark, ONE, off_level=np.array([5.0])).changes.kind.tolist() == [APPEARED]


def test_meters_that_are_no_candidates_are_left_alone() -> None:
    mark = np.concatenate([charging(np.random.default_rng(8), 0.5, first=200)] * 2)
    found = find_changes(mark, np.array([False, True]))
    assert found.changes.meter.tolist() == [1]
    assert found.present[0].all()
    assert np.isnan(found.presence.on_level[0])


@pytest.mark.parametrize("meters", [0, 3])
def test_nothing_read_gives_no_change(meters: int) -> None:
    found = find_changes(np.full((meters, 90), np.nan), np.ones(meters, dtype=np.bool_))
    assert found.changes.day.size == 0
    assert found.present.shape == (meters, 90)
    assert np.isnan(found.presence.relative_level).all()


def test_a_mark_that_is_always_zero_has_no_change() -> None:
    found = find_changes(np.zeros((1, 90)), ONE)
    assert found.changes.day.size == 0
    assert np.isnan(found.presence.on_level[0])


def test_daily_peaks_are_the_highest_of_the_day() -> None:
    start = np.array([3, 20, 100])
    events = Events(np.zeros(3, dtype=int), start, start + 2, np.ones(3), np.array([2.0, 7.0, 3.0]), np.ones(3, dtype=np.bool_), np.ones(3))
    np.testing.assert_array_equal(find_daily_peaks(events, 1, 4), [[7.0, np.nan, 3.0, np.nan]])
