"""Days on which dark hours come down to nothing."""

import numpy as np
import pytest

from fmar_spark.kernels.battery.nights import leave_out_dull, mark_nights
from fmar_spark.kernels.solar.fit import BLOCK_DAYS
from fmar_spark.kernels.window import Floats

BLOCKS = 8
DAYS = BLOCKS * BLOCK_DAYS
DARK = np.broadcast_to((np.arange(48) < 14) | (np.arange(48) >= 36), (1, BLOCKS, 48))


def mark(load_kw: Floats, moved_kwh: Floats | None = None) -> Floats:
    """Marks of one meter, (DAYS,)."""
    moved = np.zeros((1, DAYS)) if moved_kwh is None else moved_kwh[None]
    marks: Floats = mark_nights(moved, load_kw.reshape(1, BLOCKS, BLOCK_DAYS, 48).astype(np.float32), DARK)[0]
    return marks


def night_load(seed: int = 1) -> Floats:
    return np.random.default_rng(seed).uniform(0.3, 1.2, (DAYS, 48))


def test_evenings_without_import_mark_a_battery_from_its_first_day() -> None:
    load_kw = night_load()
    load_kw[100:, 36:44] = 0.0
    found = mark(load_kw)
    assert found[:100].max() == 0
    np.testing.assert_allclose(found[100:], 1.0)


def test_a_home_that_draws_more_is_marked_alike() -> None:
    load_kw = night_load()
    load_kw[100:, 36:44] = 0.0
    more_kw = load_kw.copy()
    more_kw[180:] *= 2.5
    np.testing.assert_allclose(mark(more_kw), mark(load_kw))


def test_energy_from_the_network_marks_a_battery_that_never_covers_the_load() -> None:
    moved_kwh = np.where(np.arange(DAYS) >= 100, 8.0, 0.0)
    np.testing.assert_allclose(mark(night_load(), moved_kwh), moved_kwh / 8.0)


def test_days_that_were_hardly_read_show_no_more_than_the_energy_moved() -> None:
    load_kw = night_load()
    load_kw[:, 36:44] = 0.0
    load_kw[50] = np.nan
    moved_kwh = np.full(DAYS, np.nan)
    found = mark(load_kw, moved_kwh)
    assert np.flatnonzero(np.isnan(found)).tolist() == [50]


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_nothing_gives_no_marks(shape: tuple[int, int]) -> None:
    meters, blocks = shape
    dark = np.zeros((meters, blocks, 48), dtype=np.bool_)
    assert mark_nights(np.zeros((meters, blocks * 28)), np.zeros((meters, blocks, 28, 48), dtype=np.float32), dark).size == 0


def leave_out(marks: Floats, free_slots: Floats, by_sun: bool) -> Floats:
    """Days left of one meter's marks, given how many sunny half-hours of each day need nothing, (DAYS,)."""
    free = (np.arange(48) < free_slots[:, None]).reshape(1, BLOCKS, BLOCK_DAYS, 48)
    left: Floats = leave_out_dull(marks[None], free, np.array([by_sun]))[0]
    return left


def test_days_without_sun_to_fill_a_battery_say_nothing_of_it() -> None:
    day = np.arange(DAYS)
    marks = np.where(day >= 100, 1.0, 0.0)
    free_slots = np.where(day < 60, 1, 8)
    left = leave_out(marks, free_slots, by_sun=True)
    assert np.flatnonzero(np.isnan(left)).tolist() == list(range(60))
    np.testing.assert_array_equal(leave_out(marks, free_slots, by_sun=False), marks)


def test_a_day_after_sun_and_a_day_that_shows_the_battery_stay() -> None:
    marks = np.where(np.arange(DAYS) >= 100, 1.0, 0.0)
    free_slots = np.full(DAYS, 8)
    free_slots[[50, 51, 150, 151]] = 0
    assert np.flatnonzero(np.isnan(leave_out(marks, free_slots, by_sun=True))).tolist() == [51]


def test_a_meter_that_never_shows_a_battery_keeps_its_marks() -> None:
    np.testing.assert_array_equal(leave_out(np.zeros(DAYS), np.zeros(DAYS), by_sun=True), np.zeros(DAYS))
