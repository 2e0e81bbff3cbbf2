"""Stationary batteries: evidence by clock, dark and sun."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.battery.detector import FEWEST_STEP_DAYS, LASTING_SLOTS, examine, keep_lasting
from fmar_spark.kernels.window import Findings, Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]
FleetMaker = Callable[..., Any]
DAYS = 112


def column(found: Findings, name: str) -> Floats:
    return found.features[name]


def look(lay_window: WindowMaker, net_kw: Floats) -> Findings:
    window = lay_window(np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0))
    return examine(window, window.net_kw, np.zeros_like(window.import_kw))


def restless_home(meters: int = 1) -> Floats:
    return np.random.default_rng(3).uniform(0.25, 0.7, (meters, DAYS, 48))


def test_evenings_held_near_zero_are_distinguished_from_nights_that_are_not(lay_window: WindowMaker) -> None:
    net_kw = restless_home()
    net_kw[:, :, 36:44] = 0.0
    found = look(lay_window, net_kw)
    assert column(found, "battery_evening_zero_share")[0] > 0.6
    assert column(found, "battery_evening_over_night")[0] > 0.5
    assert column(found, "battery_clock_zero_jump")[0] == pytest.approx(1.0)


def test_export_in_the_dark_is_evidence_only_with_a_register(lay_window: WindowMaker) -> None:
    net_kw = restless_home()
    net_kw[:, :, 36:40] = -2.0
    assert column(look(lay_window, net_kw), "battery_dark_export_share")[0] > 0.05
    assert np.isnan(column(look(lay_window, restless_home()), "battery_dark_export_share")).all()


def test_a_plain_home_gives_no_episodes(lay_window: WindowMaker) -> None:
    found = look(lay_window, restless_home(3))
    assert not found.events.meter.size
    assert np.isnan(found.sizes.rated_import_kw).all()
    assert not np.nan_to_num(found.daily).any()


def test_nightly_charging_at_one_power_is_sized_and_marked(lay_window: WindowMaker) -> None:
    net_kw = restless_home()
    net_kw[:, :, 3:9] += 3.0
    net_kw[:, :, 34:42] = 0.0
    found = look(lay_window, net_kw)
    assert found.sizes.rated_import_kw[0] == pytest.approx(3.1, abs=0.3)
    assert found.sizes.storage_kwh[0] == pytest.approx(8.5, rel=0.15)
    assert np.nanmedian(found.daily) == pytest.approx(1.0, abs=0.05)


def test_a_day_with_an_unread_slot_says_nothing(lay_window: WindowMaker) -> None:
    net_kw = restless_home()
    net_kw[:, :, 36:44] = 0.0
    net_kw[0, 50, 20] = np.nan
    daily = look(lay_window, net_kw).daily[0]
    assert np.flatnonzero(np.isnan(daily)).tolist() == [50]


def test_batteries_of_a_simulated_fleet_stand_out(see_fleet: FleetMaker) -> None:
    seen = see_fleet(home_battery=0.9, home_solar_pv=0.0)
    assets = seen.fleet.assets
    has = np.zeros(len(seen.fleet.mpan_id), dtype=bool)
    has[assets.meter[assets.asset_class == ASSET_CLASSES.index(AssetClass.BATTERY)]] = True
    window = seen.window
    found = examine(window, window.net_kw, np.zeros_like(window.import_kw))
    held = np.nan_to_num(column(found, "battery_dark_zero_share")) + np.nan_to_num(column(found, "battery_dark_export_share"))
    assert held[has].mean() > 2 * held[~has].mean()


def test_a_load_that_ends_leaves_no_deficit_and_a_battery_does(lay_window: WindowMaker) -> None:
    home = restless_home()
    heated, served = home.copy(), home.copy()
    heated[:, :, 12:15] += 3.0
    heated[:, :, 33:37] += 3.0
    served[:, :, 33:43] *= 0.1
    assert column(look(lay_window, heated), "battery_peak_deficit")[0] < 0.2
    assert column(look(lay_window, served), "battery_peak_deficit")[0] > 0.5


def test_only_what_lasts_is_held() -> None:
    is_near = np.zeros((1, 1, 28, 48), dtype=bool)
    is_near[0, 0, 0, 3 : 3 + LASTING_SLOTS - 1] = True
    is_near[0, 0, 1, 46:] = True
    is_near[0, 0, 2, : LASTING_SLOTS - 2] = True
    kept = keep_lasting(is_near)
    assert not kept[0, 0, 0].any()
    assert kept[0, 0, 1:3].sum() == LASTING_SLOTS
    assert not keep_lasting(np.zeros((0, 2, 28, 48), dtype=bool)).size


def test_a_low_base_load_that_comes_and_goes_is_recognised_by_what_follows(lay_window: WindowMaker) -> None:
    net_kw = restless_home(2)
    net_kw[0, :, 30:46] = 0.0
    net_kw[1, :, 30:46:2] = 0.0
    persistence = column(look(lay_window, net_kw), "battery_zero_persistence")
    assert persistence[0] > 0.85
    assert persistence[1] < 0.1


def test_dusk_after_a_day_of_generation_is_not_held_and_an_evening_is(lay_window: WindowMaker) -> None:
    sunny = restless_home()
    sunny[:, :, 20:34] = -1.0
    dark_from = int(np.flatnonzero(lay_window(sunny).clear_w_m2[0, 0, 24:] < 1.0)[0]) + 24
    sunny[:, :, 34 : dark_from + 2] = 0.0
    evening = sunny.copy()
    evening[:, :, dark_from : dark_from + 8] = 0.0
    dusk, held = (column(look(lay_window, net_kw), "battery_dark_zero_share")[0] for net_kw in (sunny, evening))
    assert dusk < 0.1
    assert held > dusk + 0.1


def test_a_few_days_of_four_weeks_say_nothing_of_regular_steps(lay_window: WindowMaker) -> None:
    net_kw = restless_home()
    net_kw[:, 20:] = np.nan
    few = net_kw.copy()
    few[:, : 20 - FEWEST_STEP_DAYS + 1] = np.nan
    enough, too_few = (column(look(lay_window, load_kw), "battery_night_step_regularity")[0] for load_kw in (net_kw, few))
    assert 0 < enough < 1
    assert np.isnan(too_few)
