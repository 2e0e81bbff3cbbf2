"""Solar PV behind a boundary meter: evidence, size, dates and generation."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.solar.detector import PvFindings, examine
from fmar_spark.kernels.window import Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]
FleetMaker = Callable[..., Any]
SOLAR = ASSET_CLASSES.index(AssetClass.SOLAR_PV)


def column(found: PvFindings, name: str) -> Floats:
    return found.findings.features[name]


def flat_array(lay_window: WindowMaker, scale_kw: float, load_kw: float = 0.4, days: int = 364) -> MeterWindow:
    """One meter with a constant load under modules that see the clear sky as the ground does."""
    bare = lay_window(np.full((1, days, 48), load_kw))
    net_kw = load_kw - scale_kw * bare.clear_w_m2 / 1000
    return lay_window(np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0))


def test_an_array_that_exports_is_seen_and_sized(lay_window: WindowMaker) -> None:
    found = examine(flat_array(lay_window, 4.0))
    assert column(found, "pv_export_day_share")[0] > 0.9
    assert column(found, "pv_export_fit")[0] > 0.9
    assert found.findings.sizes.peak_kwp[0] * 0.74 == pytest.approx(4.0, rel=0.15)
    assert found.findings.sizes.rated_export_kw[0] == pytest.approx(4.0 * 0.88, rel=0.15)


def test_its_generation_covers_what_goes_out_and_what_the_site_takes(lay_window: WindowMaker) -> None:
    window = flat_array(lay_window, 4.0)
    found = examine(window)
    made = 4.0 * window.clear_w_m2 / 1000
    assert found.generation_kw.sum() == pytest.approx(made.sum(), rel=0.2)
    assert (found.generation_kw >= np.nan_to_num(window.export_kw) - 1e-4).all()
    dark = window.cos_zenith <= 1e-3
    assert not found.generation_kw[dark].any()


def test_a_site_without_an_array_generates_nothing(lay_window: WindowMaker) -> None:
    rng = np.random.default_rng(1)
    found = examine(lay_window(rng.gamma(2.0, 0.2, (4, 200, 48))))
    assert not found.generation_kw.any()
    assert np.isnan(column(found, "pv_export_day_share")).all()


def test_an_array_s_first_day_of_export_starts_its_marks(lay_window: WindowMaker) -> None:
    window = flat_array(lay_window, 4.0)
    before = slice(0, 120)
    window.import_kw[:, before], window.export_kw[:, before] = 0.4, np.nan
    daily = examine(window).findings.daily[0]
    assert np.nanmax(daily[before]) <= 0
    assert np.nanmin(daily[120:300]) > 0


def test_without_export_and_without_a_measured_sky_hours_of_no_import_mark_the_days(lay_window: WindowMaker) -> None:
    window = flat_array(lay_window, 4.0)
    window.import_kw[:, :120] = 0.4
    found = examine(lay_window(window.import_kw))
    assert np.nanmax(found.findings.daily[0, :120]) == 0
    assert np.nanmin(found.findings.daily[0, 120:300]) > 0.8
    assert found.findings.sizes.spread[0] > 0.7


def test_a_site_whose_import_never_comes_down_has_no_mark_without_a_measured_sky(lay_window: WindowMaker) -> None:
    window = flat_array(lay_window, 0.2)
    assert np.isnan(examine(lay_window(window.import_kw)).findings.daily).all()


def test_simulated_roofs_are_sized_from_export_and_found_from_import_alone(see_fleet: FleetMaker) -> None:
    seen = see_fleet(home_solar_pv=1.0)
    assets = seen.fleet.assets
    mine = assets.asset_class == SOLAR
    size = np.zeros(len(seen.fleet.mpan_id))
    size[assets.meter[mine]] = assets.size_kw[mine]
    found = examine(seen.window)
    assert np.median(np.abs(found.findings.sizes.peak_kwp / size - 1)) < 0.35
    bought_only = examine(seen.window._replace(has_export=np.zeros(len(size), dtype=np.bool_)))
    assert np.median(column(bought_only, "pv_below_base_share")) > 0.3


def test_rows_of_nothing_read_are_unknown(lay_window: WindowMaker) -> None:
    found = examine(lay_window(np.full((3, 60, 48), np.nan)))
    assert not found.generation_kw.any()
    assert np.isnan(found.findings.sizes.peak_kwp).all()
    assert not found.findings.events.meter.size


def test_lows_that_follow_the_sun_are_distinguished_from_lows_by_the_clock(lay_window: WindowMaker) -> None:
    bare = lay_window(np.full((1, 364, 48), 0.4))
    by_sun, by_clock = np.full((364, 48), 0.4), np.full((364, 48), 0.4)
    by_sun[bare.clear_w_m2[0] > 150] = 0.0
    by_clock[:, 16:34] = 0.0
    found = examine(lay_window(np.stack([by_sun, by_clock])))
    correlation = column(found, "pv_below_correlation")
    assert correlation[0] > 0.4
    assert np.nan_to_num(correlation[1]) < 0.2


def test_a_battery_that_covers_the_load_does_so_after_sunset_too(lay_window: WindowMaker) -> None:
    noon_only, all_day = np.full((364, 48), 0.4), np.full((364, 48), 0.4)
    noon_only[:, 20:28] = 0.0
    all_day[:, 12:46] = 0.0
    gap = column(examine(lay_window(np.stack([noon_only, all_day]))), "pv_below_noon_over_evening")
    assert gap[0] > 0.9
    assert gap[1] < 0.2
