"""Days on which sunny hours come down to nothing."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.kernels.solar.fit import BLOCK_DAYS, describe_blocks, find_weekends, to_blocks, to_hours
from fmar_spark.kernels.solar.lows import mark_lows
from fmar_spark.kernels.window import Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]
DAYS = 8 * BLOCK_DAYS
LOAD_KW = 0.4


def mark(lay_window: WindowMaker, load_kw: Floats, scale_kw: float, first: int = 0) -> Floats:
    """Marks of one meter of load, (DAYS, 48), with flat modules from a day on; kW, NaN where unread."""
    blank = lay_window(np.zeros((1, DAYS, 48)))
    clear = (blank.clear_w_m2 / 1000).astype(np.float32)
    stands = (np.arange(DAYS) >= first)[:, None]
    window = lay_window(np.maximum(load_kw[None] - scale_kw * clear * stands, 0.0).astype(np.float32))
    net, sky = to_blocks(to_hours(window.import_kw)), to_blocks(to_hours(clear))
    blocks = describe_blocks(net, sky, sky, find_weekends(window))
    marks: Floats = mark_lows(np.full((1, DAYS), np.nan), net, sky, blocks)[0]
    return marks


def test_an_array_that_comes_is_marked_from_its_first_day(lay_window: WindowMaker) -> None:
    found = mark(lay_window, np.full((DAYS, 48), LOAD_KW), 3.0, first=100)
    assert np.nanmax(found[:100]) == 0
    assert np.nanmin(found[100:]) > 0.8


def test_what_runs_at_night_does_not_move_the_marks(lay_window: WindowMaker) -> None:
    load_kw = np.full((DAYS, 48), LOAD_KW)
    load_kw[: DAYS // 2, 1:9] += 7.0
    np.testing.assert_allclose(mark(lay_window, load_kw, 3.0, first=150), mark(lay_window, np.full((DAYS, 48), LOAD_KW), 3.0, first=150))


def test_nights_that_a_battery_covers_are_held_against_those_before_it(lay_window: WindowMaker) -> None:
    load_kw = np.full((DAYS, 48), LOAD_KW)
    load_kw[5 * BLOCK_DAYS :, :14] = 0.0
    load_kw[5 * BLOCK_DAYS :, 38:] = 0.0
    found = mark(lay_window, load_kw, 3.0, first=100)
    assert np.nanmax(found[:100]) == 0
    assert np.nanmin(found[100:]) > 0.8


def test_an_empty_home_that_draws_little_all_day_is_not_marked(lay_window: WindowMaker) -> None:
    load_kw = np.full((DAYS, 48), LOAD_KW)
    load_kw[90:] = 0.35 * LOAD_KW
    assert np.isnan(mark(lay_window, load_kw, 0.0)).all()


def test_days_too_dark_for_the_array_say_nothing(lay_window: WindowMaker) -> None:
    blank = lay_window(np.zeros((1, DAYS, 48)))
    noon = blank.clear_w_m2[0].max(axis=1)
    found = mark(lay_window, np.full((DAYS, 48), LOAD_KW), LOAD_KW / (noon.max() / 1000) * 1.02)
    assert np.isnan(found[noon < 0.5 * noon.max()]).all()
    assert np.nanmax(found[noon > 0.95 * noon.max()]) > 0.2


def test_days_that_were_hardly_read_have_no_mark(lay_window: WindowMaker) -> None:
    load_kw = np.full((DAYS, 48), LOAD_KW)
    load_kw[120, 20:30] = np.nan
    found = mark(lay_window, load_kw, 3.0)
    assert np.isnan(found[120])
    assert np.isnan(found).sum() == 1


@pytest.mark.parametrize("shape", [(0, 8), (2, 0)])
def test_nothing_gives_no_marks(lay_window: WindowMaker, shape: tuple[int, int]) -> None:
    meters, blocks = shape
    window = lay_window(np.zeros((meters, blocks * BLOCK_DAYS, 48)))
    net = to_blocks(to_hours(window.import_kw))
    sky = np.zeros_like(net)
    described = describe_blocks(net, sky, sky, np.zeros(BLOCK_DAYS, dtype=np.bool_))
    assert mark_lows(np.zeros((meters, blocks * BLOCK_DAYS)), net, sky, described).shape == (meters, blocks * BLOCK_DAYS)
