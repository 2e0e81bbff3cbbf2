"""The length of every interval, from the distances to its neighbours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.intake.intervals.stretches import find_steps


def steps_of(*minutes: int) -> list[int]:
    """Steps of one series with rows at those minutes, 0 where it is off the grid of its stretch."""
    found = find_steps(np.zeros(len(minutes), dtype=np.int64), np.asarray(minutes, dtype=np.int64) * 60)
    return [int(step) for step in np.where(found.is_on_grid, found.minutes, 0)]


def test_each_stretch_has_its_own_step() -> None:
    assert steps_of(*range(0, 120, 30), *range(120, 300, 15)) == [30] * 4 + [15] * 12
    assert steps_of(*range(0, 360, 30), *range(360, 420, 15)) == [30] * 12 + [15] * 4
    assert steps_of(*range(0, 600, 60), *range(600, 900, 30), *range(900, 1500, 60)) == [60] * 10 + [30] * 10 + [60] * 10


def test_a_missing_row_is_no_longer_interval() -> None:
    assert steps_of(0, 30, 60, 120, 150, 210, 240, 270, 330, 360) == [30] * 10
    rng = np.random.default_rng(1)
    minutes = np.flatnonzero(rng.random(17_520) > 0.3) * 30
    assert set(steps_of(*minutes.tolist())) == {30}
    quarters = np.flatnonzero(rng.random(35_040) > 0.5) * 15
    assert set(steps_of(*quarters.tolist())) == {15}


def test_a_stray_row_is_off_the_grid_of_its_stretch() -> None:
    assert steps_of(0, 60, 120, 180, 187, 240, 300, 360) == [60] * 4 + [0] + [60] * 3
    assert steps_of(30, 90, 150, 210, 240, 270, 330, 390) == [60] * 4 + [0] + [60] * 3
    assert steps_of(5, 35, 65, 95) == [0] * 4


@pytest.mark.parametrize("step", [1, 5, 10, 20, 120, 1440])
def test_another_step_is_unsupported_throughout(step: int) -> None:
    assert steps_of(*range(0, step * 50, step)) == [0] * 50


def test_few_rows_have_the_commonest_of_their_distances() -> None:
    assert steps_of(0) == [30]
    assert steps_of(0, 60) == [60, 60]
    assert steps_of(30, 90) == [60, 60]
    assert steps_of(0, 15, 75) == [15] * 3
    assert steps_of(0, 1440) == [0, 0]
    assert steps_of() == []


@given(st.lists(st.tuples(st.sampled_from([15, 30, 60]), st.integers(2, 10), st.integers(0, 3)), min_size=1, max_size=6))
def test_stretches_are_found_wherever_the_step_changes(parts: list[tuple[int, int, int]]) -> None:
    minutes: list[int] = []
    wanted: list[int] = []
    at = 0
    for step, hours, days_between in parts:
        rows = 60 // step * hours * (4 if step == 60 else 2)
        at += days_between * 1440
        minutes += [at + step * row for row in range(rows)]
        wanted += [step] * rows
        at += step * rows
    series = np.repeat([0, 1], len(minutes))
    found = find_steps(series, np.tile(np.asarray(minutes, dtype=np.int64) * 60, 2))
    assert found.minutes.tolist() == wanted * 2
    assert found.is_on_grid.all()
