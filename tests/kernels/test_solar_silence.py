"""What days without export say of an array."""

import numpy as np
import pytest

from fmar_spark.kernels.solar.fit import BLOCK_DAYS
from fmar_spark.kernels.solar.silence import Silence, find_silence
from fmar_spark.kernels.window import Bools, Floats

BLOCKS = 13
DAYS = BLOCKS * BLOCK_DAYS


def listen(out: Bools, noon: Floats | None = None, read: Bools | None = None) -> Silence:
    """Silence of meters with these days of export, (meters, days)."""
    shape = (len(out), BLOCKS, BLOCK_DAYS)
    noon = np.full((len(out), BLOCKS), 0.8) if noon is None else noon
    read = np.ones_like(out) if read is None else read
    return find_silence(out.reshape(shape), read.reshape(shape), noon)


def export_from(day: int, every: int = 1, to: int = DAYS) -> Bools:
    out = np.zeros((1, DAYS), dtype=bool)
    out[0, day:to:every] = True
    return out


def test_before_the_first_of_daily_exports_there_was_no_array() -> None:
    found = listen(export_from(100))
    assert np.flatnonzero(found.absent[0]).tolist() == list(range(99))
    assert np.flatnonzero(found.unsure[0]).tolist() == [99]


def test_the_rarer_the_exports_the_more_days_beside_them_say_nothing() -> None:
    found = listen(export_from(100, every=5))
    unsure = np.flatnonzero(found.unsure[0])
    assert unsure[-1] == 99
    assert 5 <= unsure.size <= 9
    assert found.absent[0, : unsure[0]].all()


def test_after_the_last_export_the_array_is_gone() -> None:
    found = listen(export_from(0, to=200))
    assert np.flatnonzero(found.absent[0]).tolist() == list(range(201, DAYS))


def test_a_silence_that_chance_explains_says_nothing() -> None:
    found = listen(export_from(4))
    assert not found.absent.any()
    assert not found.unsure.any()


@pytest.mark.parametrize(("silent_days", "is_absent"), [(17, False), (25, True)])
def test_a_home_that_heats_through_its_first_spring_has_not_lacked_an_array(silent_days: int, *, is_absent: bool) -> None:
    """Weeks of cold in which a home takes all that its array generates are shorter than twenty days that were to bring export."""
    assert bool(listen(export_from(silent_days)).absent.any()) == is_absent


def test_dark_months_of_which_nothing_is_known_say_nothing() -> None:
    noon = np.full((1, BLOCKS), 0.8)
    noon[0, :4] = 0.2
    assert not listen(export_from(4 * BLOCK_DAYS), noon).absent.any()
    noon[0, 4] = 0.22
    assert listen(export_from(4 * BLOCK_DAYS), noon).absent[0, : 4 * BLOCK_DAYS - 2].all()


def test_a_brighter_month_would_have_exported_at_least_as_often() -> None:
    noon = np.full((1, BLOCKS), 0.4)
    noon[0, :4] = 0.9
    assert listen(export_from(4 * BLOCK_DAYS), noon).absent[0, :100].all()


def test_a_winter_that_is_silent_at_both_ends_is_no_time_without_an_array() -> None:
    noon = 0.5 - 0.4 * np.cos(2 * np.pi * (np.arange(BLOCKS) + 0.5) / BLOCKS)[None]
    silent_at_both_ends = listen(export_from(3 * BLOCK_DAYS, to=10 * BLOCK_DAYS), noon)
    assert not silent_at_both_ends.absent[0, : 3 * BLOCK_DAYS].any()
    silent_before = listen(export_from(3 * BLOCK_DAYS), noon)
    assert silent_before.absent[0, : 3 * BLOCK_DAYS - 2].all()


def test_unread_days_are_no_silence() -> None:
    out = export_from(100)
    read = np.ones_like(out)
    read[0, :96] = False
    assert not listen(out, read=read).absent.any()


@pytest.mark.parametrize("meters", [0, 2])
def test_meters_that_never_export_are_left_alone(meters: int) -> None:
    found = listen(np.zeros((meters, DAYS), dtype=bool))
    assert found.absent.shape == (meters, DAYS)
    assert not found.absent.any()
