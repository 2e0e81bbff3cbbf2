"""What an array generated, once its size and the sky are known."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from fmar_spark.kernels.solar import detector as solar_pv
from fmar_spark.kernels.solar.fit import BLOCK_DAYS, ArrayFit, Blocks, choose_layout, describe_blocks, find_weekends, to_blocks, to_hours
from fmar_spark.kernels.solar.output import Output, Sky, estimate_output, find_spells, mark_days, spread_presence
from fmar_spark.kernels.window import Bools, Floats, MeterWindow

SCALE_KW, LOAD_KW, DAYS = 3.0, 0.4, 2 * BLOCK_DAYS
WindowMaker = Callable[..., MeterWindow]


class Roof(NamedTuple):
    """A known array behind a known load, and all that its estimate starts from."""

    window: MeterWindow
    sky: Sky
    net: Floats
    blocks: Blocks
    fit: ArrayFit
    dark: tuple[Floats, Floats]
    generation_kw: Floats
    weekend: Bools


def build_roof(lay_window: WindowMaker, *, has_export: bool, presence: tuple[float, ...] = (1.0, 1.0)) -> Roof:
    """One meter, flat modules, cloud that changes from day to day."""
    blank = lay_window(np.zeros((1, DAYS, 48)))
    clear = (blank.clear_w_m2 / 1000).astype(np.float32)
    likely = clear * np.random.default_rng(1).uniform(0.2, 1.0, (1, DAYS, 1)).astype(np.float32)
    there = np.repeat(np.array(presence), BLOCK_DAYS)[None, :, None]
    generation_kw = SCALE_KW * likely * there
    net_kw = LOAD_KW - generation_kw
    window = lay_window(np.maximum(net_kw, 0), np.maximum(-net_kw, 0) if has_export else None)
    weekend = find_weekends(window)
    net = to_blocks(to_hours((net_kw if has_export else np.maximum(net_kw, 0)).astype(np.float32)))
    sky = Sky(likely, clear)
    blocks = describe_blocks(net, to_blocks(to_hours(likely)), to_blocks(to_hours(clear)), weekend)
    ratio = (blocks.clear > 0.06).astype(np.float64)
    height_kw = SCALE_KW * ratio * blocks.clear
    squares = (height_kw * blocks.clear, blocks.clear**2)
    fit = choose_layout(*squares, ratio[..., None], np.zeros(1, dtype=np.int64), np.array([presence]), (height_kw**2).sum(axis=2))
    dark = (np.full((1, len(presence)), LOAD_KW), np.array([0.9]))
    return Roof(window, sky, net, blocks, fit, dark, generation_kw, weekend)


def estimate(roof: Roof) -> Output:
    return estimate_output(roof.window, roof.sky, roof.blocks, roof.fit, roof.dark)


def test_while_a_site_exports_it_generates_that_and_its_own_load(lay_window: WindowMaker) -> None:
    roof = build_roof(lay_window, has_export=True)
    found = estimate(roof).generation_kw
    exporting = roof.window.export_kw > 0.1
    np.testing.assert_allclose(found[exporting], roof.generation_kw[exporting], rtol=0.2)
    assert found.sum() == pytest.approx(roof.generation_kw.sum(), rel=0.12)


def test_generation_is_never_below_what_was_exported(lay_window: WindowMaker) -> None:
    roof = build_roof(lay_window, has_export=True)
    lit = roof.window.export_kw > 0
    assert (estimate(roof).generation_kw[lit] >= roof.window.export_kw[lit]).all()


def test_what_is_not_exported_covers_no_more_than_the_site_uses(lay_window: WindowMaker) -> None:
    roof = build_roof(lay_window, has_export=False)
    found = estimate(roof).generation_kw
    assert found.max() <= 1.5 * LOAD_KW
    hidden = (roof.window.import_kw == 0) & (roof.sky.clear > 0.1)
    assert (found[hidden] > 0.4 * LOAD_KW).all()


@pytest.mark.parametrize("has_export", [True, False])
def test_night_unread_slots_and_blocks_without_the_array_generate_nothing(lay_window: WindowMaker, has_export: bool) -> None:
    roof = build_roof(lay_window, has_export=has_export, presence=(0.0, 1.0))
    roof.window.import_kw[0, 40] = np.nan
    found = estimate(roof).generation_kw
    assert (found[roof.sky.clear == 0] == 0).all()
    assert (found[0, :BLOCK_DAYS] == 0).all()
    assert (found[0, 40] == 0).all()
    assert found[0, BLOCK_DAYS:].sum() > 0


@pytest.mark.parametrize(
    ("presence", "wanted"),
    [
        ([0.0, 0.9, np.nan], [0, 1, 1]),
        ([np.nan, np.nan, 0.1, np.nan, np.nan, 1.0], [0, 0, 0, 0, 1, 1]),
        ([0.2, 0.5, 0.34], [0, 1, 0]),
        ([np.nan, np.nan], [1, 1]),
        ([], []),
    ],
)
def test_a_block_that_is_not_clear_copies_the_nearest_that_is(presence: list[float], wanted: list[int]) -> None:
    assert spread_presence(np.array([presence])).tolist() == [wanted]


def spread_naively(presence: Floats) -> list[float]:
    given = [place for place, value in enumerate(presence) if not np.isnan(value)]
    nearest = [min(given, key=lambda one: (abs(one - place), one)) if given else None for place in range(len(presence))]
    return [float(one is not None and presence[one] > 0.35) for one in nearest]


def test_presence_is_spread_as_a_naive_loop_spreads_it() -> None:
    rng = np.random.default_rng(2)
    presence = np.where(rng.random((50, 13)) < 0.5, np.nan, rng.random((50, 13)))
    assert spread_presence(presence).tolist() == [spread_naively(row) for row in presence]


def test_spells_agree_with_a_naive_loop() -> None:
    rng = np.random.default_rng(3)
    generation_kw = np.where(rng.random((4, 20, 48)) < 0.5, 0.0, rng.random((4, 20, 48))).astype(np.float32)
    generation_kw[:, ::5] = 0.0
    generation_kw[:, :, 40:] = 0.0
    rows = np.array([False, True, True, False, True, True])
    highest_kw = generation_kw.max(axis=(1, 2)).astype(np.float64)
    found = find_spells(Output(generation_kw, highest_kw), rows, least_share=0.3)
    wanted = []
    for place, day in np.ndindex(4, 20):
        on = [slot for slot in range(48) if generation_kw[place, day, slot] > 0.3 * highest_kw[place]]
        if on:
            energy = generation_kw[place, day].sum() / 2
            meter = int(np.flatnonzero(rows)[place])
            wanted.append((meter, day * 48 + on[0], day * 48 + on[-1] + 1, pytest.approx(energy), generation_kw[place, day].max()))
    assert list(zip(*(column.tolist() for column in found[:5]), strict=True)) == wanted
    assert not found.is_import.any()


@pytest.mark.parametrize("shape", [(0, 5, 48), (2, 0, 48), (2, 5, 48)])
def test_no_generation_has_no_spell(shape: tuple[int, int, int]) -> None:
    found = find_spells(Output(np.zeros(shape, dtype=np.float32), np.full(shape[0], np.nan)), np.ones(shape[0], dtype=bool))
    assert all(column.size == 0 for column in found)


def test_days_show_the_scale_of_the_array_once_it_is_there_and_nothing_before(lay_window: WindowMaker) -> None:
    roof = build_roof(lay_window, has_export=True, presence=(0.0, 1.0))
    found = mark_days(roof.net, to_blocks(to_hours(roof.sky.likely)), roof.blocks, roof.fit, roof.weekend)
    assert found.shape == (1, DAYS)
    given = ~np.isnan(found[0])
    assert given.mean() > 0.8
    before, after = found[0, :BLOCK_DAYS][given[:BLOCK_DAYS]], found[0, BLOCK_DAYS:][given[BLOCK_DAYS:]]
    assert np.abs(before).max() < 0.2 * SCALE_KW
    np.testing.assert_allclose(np.median(after), SCALE_KW, rtol=0.15)


def test_days_without_readings_or_without_sun_have_no_mark(lay_window: WindowMaker) -> None:
    roof = build_roof(lay_window, has_export=True)
    net, sky = roof.net.copy(), to_blocks(to_hours(roof.sky.likely))
    net[0, 1, 5] = np.nan
    sky[0, 0, 3] = 0.0
    found = mark_days(net, sky, roof.blocks, roof.fit, roof.weekend)[0]
    assert np.isnan(found[[3, BLOCK_DAYS + 5]]).all()
    assert np.isnan(mark_days(net * np.nan, sky, roof.blocks, roof.fit, roof.weekend)).all()


def test_generation_of_simulated_roofs_comes_back(see_fleet: Callable[..., Any]) -> None:
    _, fleet, window = see_fleet(home_solar_pv=1.0)
    found_kwh = solar_pv.examine(window).generation_kw.sum(axis=(1, 2)) / 2
    error = found_kwh / np.bincount(fleet.events.meter, fleet.events.energy_kwh, 40) - 1
    is_diverted = np.array(["immersion_solar_divert" in names for names in fleet.behaviours])
    assert np.median(np.abs(error[~is_diverted])) < 0.1
    assert np.abs(error[~is_diverted]).max() < 0.25
    assert np.median(error[is_diverted]) < -0.2, "what a diverter takes is neither exported nor missing by day"
    assert error[is_diverted].max() < 0.1, "one that waits for a set hour leaves the morning"
