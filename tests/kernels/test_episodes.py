"""Steps up and the plateaus that follow them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.kernels.episodes import (
    SlotGrid,
    build_slot_grid,
    drop_overlaps,
    find_rises,
    follow_rises,
    seek_idle,
    sum_runs,
)
from fmar_spark.kernels.window import Floats, Ints

LONGEST, LOOKBACK = 30, 6


def grid_of(load_kw: Floats) -> SlotGrid:
    return build_slot_grid(load_kw.astype(np.float32), LONGEST, LOOKBACK)


def load_of(*slots: float) -> Floats:
    """One meter and day that starts with the given powers and is idle afterwards."""
    load_kw = np.full((1, 1, 48), 0.5)
    load_kw[0, 0, : len(slots)] = slots
    return load_kw


def random_load(seed: int, meters: int = 3, days: int = 4) -> Floats:
    rng = np.random.default_rng(seed)
    load_kw = np.round(8 * (np.repeat(rng.gamma(1.0, 2.0, (meters, days, 24)), 2, axis=2) + rng.random((meters, days, 48)))) / 8
    load_kw[rng.random(load_kw.shape) < 0.03] = np.nan
    return load_kw.astype(np.float32)


def at(series: Floats, slot: int) -> float:
    return float(series[slot]) if 0 <= slot < series.size else float("nan")


def follow_naively(series: Floats, slot: int, level: float) -> tuple[int, float, float, float]:
    length, lowest = 0, float("inf")
    while length < LONGEST and at(series, slot + 1 + length) >= level:
        lowest = min(lowest, at(series, slot + 1 + length))
        length += 1
    end = slot + 1 + length
    return length, lowest, float(np.fmin(at(series, end + 1), at(series, end + 2))), at(series, end)


def test_every_slot_has_its_place_and_comes_back_from_it() -> None:
    load_kw = random_load(1)
    grid = grid_of(load_kw)
    meter, slot = np.divmod(np.arange(load_kw.size), load_kw[0].size)
    place = meter * grid.width + grid.first + slot
    np.testing.assert_array_equal(grid.flat_kw[place], load_kw.ravel())
    np.testing.assert_array_equal(grid.meter_of(place), meter)
    np.testing.assert_array_equal(grid.slot_of(place), slot)
    assert np.isnan(np.delete(grid.flat_kw, place)).all()
    assert grid.step_hours == 0.5


def test_a_charger_that_starts_within_a_slot_is_one_rise_of_its_whole_step() -> None:
    grid = grid_of(load_of(0.5, 0.5, 0.5, 4.0, 7.5, 7.5, 7.5, 0.5))
    rises = find_rises(grid, np.array([2.0]))
    assert grid.slot_of(rises.place).tolist() == [3]
    assert rises.step_kw.tolist() == [7.0]
    plateau = follow_rises(grid, rises.place, np.array([5.0]))
    assert (plateau.length[0], plateau.lowest_kw[0], plateau.after_kw[0], plateau.ending_kw[0]) == (3, 7.5, 0.5, 0.5)


@pytest.mark.parametrize(("missing", "steps"), [(0, [7.0]), (1, [7.0]), (2, [])])
def test_a_step_is_seen_over_one_missing_slot_and_hidden_by_two(missing: int, steps: list[float]) -> None:
    rises = find_rises(grid_of(load_of(0.5, 0.5, *[np.nan] * missing, 7.5, 7.5)), np.array([2.0]))
    assert rises.step_kw.tolist() == steps


def test_a_missing_slot_ends_a_plateau() -> None:
    grid = grid_of(load_of(0.5, 0.5, 7.5, 7.5, 7.5, np.nan, 7.5, 7.5))
    rises = find_rises(grid, np.array([2.0]))
    plateau = follow_rises(grid, rises.place, np.array([5.0]))
    assert (grid.slot_of(rises.place)[0], plateau.length[0], plateau.after_kw[0]) == (1, 3, 7.5)
    assert np.isnan(plateau.ending_kw[0])


def test_an_infinite_floor_leaves_a_meter_out() -> None:
    load_kw = np.concatenate([load_of(0.5, 0.5, 7.5, 7.5)] * 2)
    grid = grid_of(load_kw)
    assert grid.meter_of(find_rises(grid, np.array([np.inf, 1.0])).place).tolist() == [1]


@pytest.mark.parametrize("seed", range(4))
def test_rises_agree_with_a_naive_loop(seed: int) -> None:
    load_kw = random_load(seed)
    floor_kw = np.array([1.0, 3.0, np.inf])
    grid = grid_of(load_kw)
    rises = find_rises(grid, floor_kw)
    wanted = []
    for meter, days in enumerate(load_kw):
        series = days.ravel()
        step = [at(series, slot + 1) - at(series, slot - 1) for slot in range(-1, series.size + 1)]
        for slot in range(series.size):
            here, before, after = step[slot + 1], step[slot], step[slot + 2]
            if here >= np.float32(floor_kw[meter]) and not before >= here and not after > here:
                wanted.append((meter, slot, here))
    assert len(wanted) > 3
    found = zip(grid.meter_of(rises.place).tolist(), grid.slot_of(rises.place).tolist(), rises.step_kw.tolist(), strict=True)
    assert list(found) == [(meter, slot, pytest.approx(step, rel=1e-5)) for meter, slot, step in wanted]


@pytest.mark.parametrize("seed", range(4))
def test_plateaus_and_idle_levels_agree_with_a_naive_loop(seed: int) -> None:
    load_kw = random_load(seed)
    grid = grid_of(load_kw)
    rng = np.random.default_rng(seed)
    meter, slot = rng.integers(0, 3, 200), rng.integers(0, load_kw[0].size, 200)
    place, level = meter * grid.width + grid.first + slot, rng.choice([-1.0, 0.2, 0.6, 1.5], 200).astype(np.float32)
    wanted = [follow_naively(load_kw[m].ravel(), s, float(kw)) for m, s, kw in zip(meter, slot, level, strict=True)]
    assert max(row[0] for row in wanted) == LONGEST
    found = follow_rises(grid, place, level)
    np.testing.assert_array_equal(np.stack(found, axis=1), np.array(wanted))
    before = [np.array([at(load_kw[m].ravel(), s - back) for back in range(1, LOOKBACK + 1)]) for m, s in zip(meter, slot, strict=True)]
    lowest = [np.nan if np.isnan(row).all() else np.nanmin(row) for row in before]
    np.testing.assert_array_equal(seek_idle(grid, place, LOOKBACK), lowest)


@pytest.mark.parametrize("load_kw", [np.zeros((0, 2, 48)), np.zeros((2, 0, 48)), np.full((2, 2, 48), np.nan)])
def test_nothing_read_has_no_rise_and_nothing_follows(load_kw: Floats) -> None:
    grid = grid_of(load_kw)
    rises = find_rises(grid, np.ones(len(load_kw)))
    assert rises.place.size == rises.step_kw.size == 0
    assert seek_idle(grid, rises.place, LOOKBACK).size == 0
    assert all(column.size == 0 for column in follow_rises(grid, rises.place, np.zeros(0)))


@st.composite
def episodes(draw: st.DrawFn) -> tuple[Ints, Ints, Ints]:
    rows = sorted(draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(0, 15)), max_size=30)))
    key, start, length = (np.array([row[field] for row in rows], dtype=np.int64) for field in range(3))
    return key, start, start + length


@settings(max_examples=150, deadline=None)
@given(episodes())
def test_what_begins_before_an_earlier_one_ends_is_dropped(rows: tuple[Ints, Ints, Ints]) -> None:
    key, start, end = rows
    wanted = [one for one in range(key.size) if all(key[earlier] != key[one] or start[one] >= end[earlier] for earlier in range(one))]
    assert drop_overlaps(key, start, end).tolist() == wanted


@pytest.mark.parametrize("seed", range(3))
def test_unbroken_runs_agree_with_a_naive_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    on, power_kw = rng.random((3, 60)) < 0.6, np.round(8 * rng.random((3, 60))).astype(np.float32) / 8
    wanted = []
    for row, flags in enumerate(on):
        slot = 0
        while slot < flags.size:
            end = slot
            while end < flags.size and flags[end]:
                end += 1
            if end > slot:
                wanted.append((row, slot, end, power_kw[row, slot:end].sum(), power_kw[row, slot:end].max()))
            slot = end + 1
    assert list(zip(*(column.tolist() for column in sum_runs(on, power_kw)), strict=True)) == wanted


@pytest.mark.parametrize("shape", [(0, 9), (3, 0), (3, 9)])
def test_nothing_on_has_no_run(shape: tuple[int, int]) -> None:
    assert all(column.size == 0 for column in sum_runs(np.zeros(shape, dtype=bool), np.ones(shape, dtype=np.float32)))
