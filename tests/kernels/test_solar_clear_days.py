"""What size of an array each clear day shows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import AssetClass
from fmar_spark.kernels.changes import UPGRADED
from fmar_spark.kernels.dating import date_asset
from fmar_spark.kernels.solar import detector as solar_pv
from fmar_spark.kernels.window import Floats, MeterWindow

DAYS, CHANGED = 280, 120
KWP = 4.0


@pytest.fixture
def see_array(lay_window: Callable[..., MeterWindow]) -> Callable[..., MeterWindow]:
    """A function from sizes by day to a home whose flat array of that size exports what it makes beyond a load of 0.3 kW; the sky is
    measured within a few per cent."""

    def see(size_kw: Floats, cloud: Floats) -> MeterWindow:
        bare = lay_window(np.zeros((1, DAYS, 48)), first_date=np.datetime64("2023-01-02").item())
        sky = bare.clear_w_m2 * cloud[None, :, None]
        net_kw = 0.3 - size_kw[None, :, None] * sky / 1000
        seen = sky * np.exp(np.random.default_rng(7).normal(0.0, 0.04, DAYS))[None, :, None]
        return lay_window(np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0))._replace(ghi_w_m2=seen.astype(np.float32))

    return see


def cloud_of(seed: int = 1) -> Floats:
    """Measured over clear-sky irradiance of each day: every second one is clear."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(DAYS) < 0.5, rng.uniform(0.85, 1.0, DAYS), rng.uniform(0.1, 0.5, DAYS))


def test_clear_days_show_the_size_whatever_the_season_and_the_clock(see_array: Callable[..., MeterWindow]) -> None:
    cloud = cloud_of()
    size_kw = solar_pv.examine(see_array(np.full(DAYS, KWP), cloud)).findings.size_kw
    assert size_kw is not None
    shown = size_kw[0, np.arange(DAYS) >= 60]
    is_clear = cloud[60:] > 0.6
    assert np.isnan(shown[~is_clear]).all()
    assert (~np.isnan(shown[is_clear])).mean() > 0.9
    np.testing.assert_allclose(shown[is_clear & ~np.isnan(shown)], KWP, rtol=0.15)


@pytest.mark.parametrize(("ratio", "kinds"), [(1.6, [UPGRADED]), (1.0, [])])
def test_an_extended_array_is_dated(see_array: Callable[..., MeterWindow], ratio: float, kinds: list[int]) -> None:
    size_kw = np.where(np.arange(DAYS) < CHANGED, KWP, KWP * ratio)
    found = solar_pv.examine(see_array(size_kw, cloud_of(2))).findings
    changes = date_asset(found, AssetClass.SOLAR_PV, np.array([True])).changes
    grown = changes.kind == UPGRADED
    assert changes.kind[grown].tolist() == kinds
    assert (np.abs(changes.day[grown] - CHANGED) <= 4).all()


def test_without_a_measured_sky_no_day_shows_a_size(see_array: Callable[..., MeterWindow]) -> None:
    window = see_array(np.full(DAYS, KWP), cloud_of())
    hidden = window._replace(ghi_w_m2=np.full_like(window.ghi_w_m2, np.nan))
    size_kw = solar_pv.examine(hidden).findings.size_kw
    assert size_kw is not None
    assert np.isnan(size_kw).all()


def test_an_array_that_goes_in_autumn_is_missed_by_days_as_bright_as_those_of_spring(see_fleet: Callable[..., Any]) -> None:
    _, fleet, window = see_fleet(home_solar_pv=1.0, removed=1.0)
    is_decisive = solar_pv.examine(window).findings.is_decisive
    assert is_decisive is not None
    gone = fleet.assets.removed_slot // 48
    missed = [is_decisive[meter, day + 7 :].any() for meter, day in zip(fleet.assets.meter, gone, strict=True) if window.has_export[meter]]
    early = [is_decisive[meter, : day - 7].any() for meter, day in zip(fleet.assets.meter, gone, strict=True) if window.has_export[meter]]
    assert np.mean(missed) > 0.7
    assert np.mean(early) < 0.1
