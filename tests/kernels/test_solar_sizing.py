"""Fitting an array to the measured sky, and the weeks in which it stood."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.kernels.solar.detector import examine
from fmar_spark.kernels.window import Floats, MeterWindow

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


def test_a_site_without_an_array_comes_out_small(lay_window: WindowMaker) -> None:
    found = examine(cloudy_window(lay_window, np.zeros(DAYS)))
    assert np.nan_to_num(found.findings.sizes.peak_kwp[0]) < 0.1 * SCALE_KW


def test_marks_stand_in_the_weeks_of_the_array_alone(lay_window: WindowMaker) -> None:
    came = 150
    found = examine(cloudy_window(lay_window, np.where(np.arange(DAYS) >= came, SCALE_KW, 0.0)))
    daily = found.findings.daily[0]
    assert np.nanmax(daily[: came - 80]) <= 0
    assert np.nanmin(daily[came + 80 :]) > 0
