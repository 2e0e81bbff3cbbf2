"""Where one series of days changes its level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fmar_spark.kernels.breaks import Series, clip_ends, date_break, date_first, find_bounds, join_sizes, log_chance, split_sizes, stabilise

PENALTY = 3.0
STEADY = st.floats(-50, 50, allow_nan=False, width=32)


def two_levels(seed: int, days: int, split: int, levels: tuple[float, float]) -> Series:
    level = np.where(np.arange(days) < split, *levels)
    return np.random.default_rng(seed).normal(level, 1.0)


def test_stabilising_takes_the_signed_root_and_pulls_wild_days_in() -> None:
    np.testing.assert_allclose(stabilise(np.array([-9.0, 0.0, 4.0] * 40)), np.array([-3.0, 0.0, 2.0] * 40))
    wild = np.ones(200)
    wild[100] = 1e6
    assert stabilise(wild).max() == pytest.approx(1.0)


def test_clipping_leaves_the_middle_alone() -> None:
    value = np.arange(101.0)
    np.testing.assert_allclose(clip_ends(value, 0.1), [min(max(one, 10.0), 90.0) for one in range(101)])


def best_split_naively(value: Series, least: int) -> int:
    """The one split with the least squared error."""
    errors = [
        ((value[:split] - value[:split].mean()) ** 2).sum() + ((value[split:] - value[split:].mean()) ** 2).sum()
        for split in range(least, value.size - least + 1)
    ]
    return int(np.argmin(errors)) + least


@pytest.mark.parametrize("seed", range(6))
def test_a_clear_step_is_bounded_where_a_naive_search_finds_it(seed: int) -> None:
    value = two_levels(seed, 180, 40 + 20 * seed, (2.0, 8.0))
    bounds = find_bounds(value, 7, PENALTY)
    assert [bounds[0], bounds[-1]] == [0, 180]
    assert len(bounds) == 3
    assert abs(bounds[1] - best_split_naively(value, 7)) <= 3


@pytest.mark.parametrize("split", [1, 3, 40, 59])
def test_sizes_are_split_where_a_naive_search_splits_their_logs(split: int) -> None:
    size_kw = np.exp(two_levels(split, 60, split, (1.0, 9.0)) / 8)
    assert split_sizes(size_kw) == [0, best_split_naively(np.log(size_kw), 1), 60]


@pytest.mark.parametrize("size_kw", [np.ones(1), np.ones(2)])
def test_one_size_alone_is_not_split(size_kw: Series) -> None:
    assert split_sizes(size_kw)[0] == 0
    assert split_sizes(size_kw)[-1] == size_kw.size
    assert len(split_sizes(size_kw)) == size_kw.size + 1


@pytest.mark.parametrize(("rate", "days"), [(0.5, (56, 58, 59)), (0.1, (38, 53, 59)), (1.0, (59, 59, 59))])
def test_what_is_first_seen_late_may_have_come_some_marks_before(rate: float, days: tuple[int, int, int]) -> None:
    found = date_first(np.arange(60), rate)
    assert (found.p10_day, found.day, found.p90_day) == days


def test_the_highest_likelihood_of_marks_is_that_of_their_share() -> None:
    found = log_chance(np.array([0, 1, 4, 0]), np.array([5, 4, 4, 0]))
    np.testing.assert_allclose(found, [0.0, np.log(0.25) + 3 * np.log(0.75), 0.0, 0.0], atol=1e-7)


@pytest.mark.parametrize("value", [np.zeros(0), np.zeros(5), np.full(100, 3.0), np.arange(13.0)])
def test_too_short_or_too_even_a_series_has_no_inner_bound(value: Series) -> None:
    assert find_bounds(value, 7, PENALTY) == [0, value.size]


def test_noise_alone_is_hardly_ever_cut() -> None:
    cut = [len(find_bounds(np.random.default_rng(seed).normal(size=300), 7, PENALTY)) > 2 for seed in range(40)]
    assert sum(cut) <= 2


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.integers(0, 90), elements=STEADY), st.integers(1, 12))
def test_bounds_rise_from_nothing_to_all_and_no_run_is_shorter_than_asked(value: Series, least: int) -> None:
    bounds = find_bounds(value, least, PENALTY)
    assert (bounds[0], bounds[-1]) == (0, value.size)
    if len(bounds) > 2:
        assert min(np.diff(bounds)) >= max(least // 3, 1) * 3


def test_only_a_lasting_change_of_size_parts_two_runs() -> None:
    size_kw = np.repeat([3.6, 7.2, 3.6, 7.2], [60, 10, 60, 60])
    day = np.arange(size_kw.size)
    assert join_sizes(size_kw, day, [0, 60, 70, 130, 190], 1.35, 45) == [0, 130, 190]
    assert join_sizes(size_kw, day, [0, 60, 70, 130, 190], 2.5, 45) == [0, 190]
    assert join_sizes(size_kw, day, [0, 190], 1.35, 45) == [0, 190]


@pytest.mark.parametrize("levels", [(0.0, 6.0), (6.0, 0.0), (2.0, 9.0)])
def test_a_break_is_dated_to_its_day_inside_its_interval(levels: tuple[float, float]) -> None:
    errors, held = [], 0
    for seed in range(30):
        value = two_levels(seed, 200, 90, levels)
        found = date_break(value, np.arange(200), 90 + 8 * (-1) ** seed)
        errors.append(abs(found.day - 90))
        held += found.p10_day <= 90 <= found.p90_day
        assert found.p10_day <= found.day <= found.p90_day
    assert np.quantile(errors, 0.9) <= 2
    assert held >= 24


@pytest.mark.parametrize("levels", [(3.6, 7.2), (7.2, 3.6), (0.0, 7.2)])
@pytest.mark.parametrize("other", [7.2, 7.3])
def test_a_break_between_two_levels_without_any_noise_is_dated_to_its_day(levels: tuple[float, float], other: float) -> None:
    value = np.where(np.arange(200) < 90, *levels)
    value[np.flatnonzero(value == 7.2)[::5]] = other
    found = date_break(value, np.arange(200), 93)
    assert 89 <= found.p10_day <= found.day == 90 <= found.p90_day <= 91


def test_one_wild_day_cannot_move_the_date() -> None:
    value = two_levels(1, 200, 90, (0.0, 6.0))
    calm = date_break(value, np.arange(200), 90)
    value[[40, 150]] = 500.0, -500.0
    assert abs(date_break(value, np.arange(200), 90).day - calm.day) <= 1


def test_days_without_readings_widen_the_interval_to_the_whole_gap() -> None:
    value = two_levels(2, 200, 90, (0.0, 6.0))
    day = np.concatenate([np.arange(90), np.arange(120, 230)])
    found = date_break(value, day, 90)
    assert (found.p10_day, found.p90_day) == (90, 120)
    assert 90 < found.day < 120
