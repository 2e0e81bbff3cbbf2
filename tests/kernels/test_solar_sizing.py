"""Fitting an array to the measured sky, and the weeks in which it stood."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.kernels.solar.detector import examine
from fmar_spark.kernels.solar.fit import ArrayFit
from fmar_spark.kernels.solar.output import Output
from fmar_spark.kernels.solar.sizing import Seen, size_arrays
from fmar_spark.kernels.window import Floats, MeterWindow, Sizes

WindowMaker = Callable[..., MeterWindow]
DAYS = 364
LOAD_KW = 40.0
SCALE_KW = 20.0
RELIABILITY = 0.75
"""By which the kernel makes up for a distant sky: here the sky is the site's own, so that sizes come out that much too large."""


def cloudy_window(lay_window: WindowMaker, scale_kw: Floats) -> MeterWindow:
    """A busy site that never exports, under a sky that changes from day to day; array of ``scale_kw`` (days,)."""
    rng = np.random.default_rng(9)
    bare = lay_window(np.full((1, DAYS, 48), LOAD_KW))
    sky = bare.clear_w_m2 * rng.uniform(0.2, 1.0, (1, DAYS, 1))
    load_kw = LOAD_KW * rng.normal(1.0, 0.02, (1, DAYS, 48))
    made_kw = scale_kw[None, :, None] * sky / 1000
    return lay_window(load_kw - made_kw)._replace(ghi_w_m2=sky.astype(np.float32))


def test_a_site_that_takes_all_of_it_is_sized_by_the_sky(lay_window: WindowMaker) -> None:
    found = examine(cloudy_window(lay_window, np.full(DAYS, SCALE_KW)))
    scale_kw = found.findings.sizes.peak_kwp[0] * 0.74
    assert scale_kw * RELIABILITY == pytest.approx(SCALE_KW, rel=0.2)


def test_an_export_register_that_hardly_counts_leaves_the_size_and_the_episodes_to_the_sky(lay_window: WindowMaker) -> None:
    window = cloudy_window(lay_window, np.full(DAYS, SCALE_KW))
    by_day_kw = np.where((np.arange(48) >= 14) & (np.arange(48) < 38), 30.0, 0.0)
    window = window._replace(
        import_kw=(window.import_kw + by_day_kw).astype(np.float32),
        export_kw=np.zeros_like(window.import_kw),
        has_export=np.ones(1, dtype=np.bool_),
    )
    findings = examine(window).findings
    assert findings.sizes.peak_kwp[0] * 0.74 * RELIABILITY == pytest.approx(SCALE_KW, rel=0.2)
    assert findings.sizes.rated_export_kw[0] <= findings.sizes.peak_kwp[0]
    assert len(set((findings.events.start_slot // 48).tolist())) > 0.9 * DAYS


def test_a_site_without_an_array_comes_out_small(lay_window: WindowMaker) -> None:
    found = examine(cloudy_window(lay_window, np.zeros(DAYS)))
    assert np.nan_to_num(found.findings.sizes.peak_kwp[0]) < 0.1 * SCALE_KW


def test_marks_stand_in_the_weeks_of_the_array_alone(lay_window: WindowMaker) -> None:
    came = 150
    found = examine(cloudy_window(lay_window, np.where(np.arange(DAYS) >= came, SCALE_KW, 0.0)))
    daily = found.findings.daily[0]
    assert np.nanmax(daily[: came - 80]) <= 0
    assert np.nanmin(daily[came + 80 :]) > 0


def hidden_window(lay_window: WindowMaker, scale_kw: float, load_kw: float = 0.5) -> MeterWindow:
    """A home without an export register, whose import vanishes as soon as an array of ``scale_kw`` covers its load."""
    rng = np.random.default_rng(4)
    bare = lay_window(np.full((1, DAYS, 48), load_kw))
    sky = bare.clear_w_m2 * rng.uniform(0.1, 1.0, (1, DAYS, 1))
    drawn_kw = load_kw * rng.uniform(0.8, 1.2, (1, DAYS, 48))
    return lay_window(np.maximum(drawn_kw - scale_kw * sky / 1000, 0.0))._replace(ghi_w_m2=sky.astype(np.float32))


@pytest.mark.parametrize("scale_kw", [1.0, 3.0])
def test_import_alone_sizes_an_array_by_how_little_sun_covers_the_load_and_bounds_it_from_below(
    lay_window: WindowMaker, scale_kw: float
) -> None:
    window = hidden_window(lay_window, scale_kw)
    sizes = examine(window).findings.sizes
    assert sizes.peak_kwp[0] * 0.74 == pytest.approx(scale_kw, rel=0.5)
    assert sizes.rated_export_kw[0] == pytest.approx(sizes.peak_kwp[0] * 0.74)
    blind = examine(window._replace(ghi_w_m2=np.full_like(window.ghi_w_m2, np.nan))).findings.sizes
    assert blind.peak_kwp[0] * 0.74 > 0.6 * scale_kw
    assert (sizes.is_least[0], blind.is_least[0]) == (1, 1)


def test_an_array_that_never_covers_the_load_or_whose_export_is_metered_is_no_lower_bound(lay_window: WindowMaker) -> None:
    assert examine(cloudy_window(lay_window, np.full(DAYS, SCALE_KW))).findings.sizes.is_least[0] == 0
    metered = hidden_window(lay_window, 3.0)
    sunny = np.where(metered.clear_w_m2 > 300, np.float32(1.0), np.float32(0.0))
    assert examine(metered._replace(export_kw=sunny, has_export=np.array([True]))).findings.sizes.is_least[0] == 0


def size_by(
    lay_window: WindowMaker, *, peak_ratio: float, fall_kw: float, edge_kw: float, highest_kw: float, shown: str = "sky, season"
) -> Sizes:
    """Sizes of one meter from what was seen of it; with an export register where a highest output is known."""
    window = lay_window(np.full((1, 1, 48), 1.0))._replace(has_export=np.array([not np.isnan(highest_kw)]))
    one, there = np.ones(1), np.array([True])
    fit = ArrayFit(one * fall_kw, np.ones((1, 1, 24)), np.ones((1, 1)), one, one * peak_ratio, one * fall_kw)
    output = Output(np.zeros((1, 1, 48)), one * highest_kw)
    return size_arrays(window, fit, Seen(there, output, one * edge_kw, there & ("sky" in shown), there & ("season" in shown), one), 0.8)


@pytest.mark.parametrize(("peak_ratio", "wanted_kw"), [(0.9, 1.6), (0.5, np.sqrt(1.6 * 0.9 * 4.0))])
def test_a_history_without_high_sun_does_not_take_its_highest_output_for_the_inverters(
    lay_window: WindowMaker, peak_ratio: float, wanted_kw: float
) -> None:
    sizes = size_by(lay_window, peak_ratio=peak_ratio, fall_kw=4.0, edge_kw=np.nan, highest_kw=1.6)
    assert sizes.rated_export_kw[0] == pytest.approx(wanted_kw)
    assert sizes.peak_kwp[0] == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("fall_kw", "edge_kw", "shown", "wanted_kw"),
    [
        (1.0, 4.0, "sky, season", 2.0),
        (1.0, 4.0, "season", 4.0),
        (4.0, 1.0, "season", 4.0),
        (4.0, 1.0, "neither", 1.0),
        (4.0, np.nan, "neither", 4.0),
        (0.0, 3.0, "sky, season", 3.0),
        (2.0, np.nan, "sky", 2.0),
    ],
)
def test_without_export_the_size_stands_between_the_fall_with_the_sun_and_the_sun_that_covers_the_load(
    lay_window: WindowMaker, fall_kw: float, edge_kw: float, shown: str, wanted_kw: float
) -> None:
    sizes = size_by(lay_window, peak_ratio=0.9, fall_kw=fall_kw, edge_kw=edge_kw, highest_kw=np.nan, shown=shown)
    assert sizes.rated_export_kw[0] == pytest.approx(wanted_kw)
    assert sizes.peak_kwp[0] == pytest.approx(wanted_kw / 0.8)
    assert sizes.is_least[0] == 1


def test_nothing_seen_is_no_size(lay_window: WindowMaker) -> None:
    sizes = size_by(lay_window, peak_ratio=0.9, fall_kw=0.0, edge_kw=np.nan, highest_kw=np.nan)
    assert np.isnan([sizes.rated_export_kw[0], sizes.peak_kwp[0], sizes.spread[0]]).all()
