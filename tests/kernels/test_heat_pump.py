"""Heat pumps: the answer to the cold, running spells and size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.heat_pump.detector import examine
from fmar_spark.kernels.window import Findings, Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]
FleetMaker = Callable[..., Any]
DAYS = 360
SLOPE_KW_K = 0.1


def column(found: Findings, name: str) -> Floats:
    return found.features[name]


def winter_and_summer() -> Floats:
    """Daily temperature, shape (days,): cold in January, with weather of its own."""
    days = np.arange(DAYS)
    return 10.5 - 7.0 * np.cos(2 * np.pi * days / 365) + np.random.default_rng(2).normal(0, 2.5, DAYS)


def heated(temp_c: Floats, slope_kw_k: float = SLOPE_KW_K) -> Floats:
    """One meter of 0.3 kW and a pump that follows degrees below 15, shape (1, days, 48)."""
    return np.repeat((0.3 + slope_kw_k * np.maximum(15.0 - temp_c, 0.0))[None, :, None], 48, axis=2)


def test_the_slope_on_heating_degrees_is_recovered(lay_window: WindowMaker) -> None:
    temp_c = winter_and_summer()
    load_kw = heated(temp_c)
    found = examine(lay_window(load_kw, temp_c=temp_c), load_kw)
    assert column(found, "heat_pump_slope_w_k")[0] == pytest.approx(1000 * SLOPE_KW_K, rel=0.05)
    assert column(found, "heat_pump_fit")[0] > 0.95
    assert column(found, "heat_pump_base_c")[0] == pytest.approx(15.0, abs=2.0)
    assert column(found, "heat_pump_heated_hours")[0] == 24


def test_a_load_that_ignores_the_weather_has_no_slope_and_no_spells(lay_window: WindowMaker) -> None:
    temp_c = winter_and_summer()
    load_kw = np.random.default_rng(4).uniform(0.3, 0.5, (1, DAYS, 48))
    found = examine(lay_window(load_kw, temp_c=temp_c), load_kw)
    assert abs(column(found, "heat_pump_relative_slope")[0]) < 0.05
    assert not found.events.meter.size


def test_spells_take_what_stands_above_a_mild_day_and_end_at_an_unread_slot(lay_window: WindowMaker) -> None:
    temp_c = winter_and_summer()
    load_kw = heated(temp_c)
    load_kw[0, 20, 30] = np.nan
    found = examine(lay_window(load_kw, temp_c=temp_c), load_kw)
    mine = found.events
    assert ((mine.end_slot == 20 * 48 + 30) | (mine.start_slot == 20 * 48 + 31)).sum() == 2
    made_kwh = np.nansum(load_kw - 0.3) / 2
    assert mine.energy_kwh.sum() == pytest.approx(made_kwh, rel=0.35)


def test_too_few_days_show_nothing(lay_window: WindowMaker) -> None:
    load_kw = heated(winter_and_summer()[:20])
    found = examine(lay_window(load_kw, temp_c=winter_and_summer()[:20]), load_kw)
    assert (found.missing_share == 1).all()
    assert np.isnan(found.sizes.rated_import_kw).all()


def test_simulated_pumps_answer_the_cold_more_than_other_homes(see_fleet: FleetMaker) -> None:
    seen = see_fleet(home_heat_pump=0.5)
    assets = seen.fleet.assets
    has = np.zeros(len(seen.fleet.mpan_id), dtype=bool)
    mine = assets.asset_class == ASSET_CLASSES.index(AssetClass.HEAT_PUMP)
    has[assets.meter[mine]] = True
    found = examine(seen.window, seen.window.net_kw)
    slope = column(found, "heat_pump_relative_slope")
    assert np.median(slope[has]) > 5 * max(float(np.median(slope[~has])), 0.05)
    kw = found.sizes.rated_import_kw[assets.meter[mine]]
    assert np.nanmedian(np.abs(kw / assets.size_kw[mine] - 1)) < 0.5
