"""Roofs under a made-up sky."""

from collections.abc import Callable

import numpy as np
import pytest

from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.simulate.population import Population
from fmar_spark.simulate.solar import Solar, simulate_solar
from fmar_spark.simulate.weather import Weather


@pytest.fixture(scope="module")
def population(draw_homes: Callable[..., Population]) -> Population:
    return draw_homes(120, home_solar_pv=0.9)


@pytest.fixture(scope="module")
def roofs(plan: FleetPlan, weather: Weather, population: Population) -> Solar:
    return simulate_solar(np.random.default_rng(1), population, plan, weather, weather.temp_c[population.area])


def test_roofs_generate_by_day_only_and_never_above_their_inverter(roofs: Solar, population: Population, weather: Weather) -> None:
    growth = np.maximum(roofs.life.size_after_kw / roofs.life.size_kw, 1.0)
    assert (roofs.power_kw[~roofs.life.is_ever] == 0).all()
    assert (roofs.power_kw.max(axis=1) <= 1.001 * roofs.ac_kw * growth).all()
    dark = weather.ghi_w_m2[population.area] == 0
    assert (roofs.power_kw[dark] == 0).all()
    assert (roofs.power_kw >= 0).all()


def test_some_inverters_clip_and_most_do_not(roofs: Solar) -> None:
    steady = roofs.life.is_ever & (roofs.life.size_after_kw == roofs.life.size_kw)
    clipped = (roofs.power_kw[steady] > 0.999 * roofs.ac_kw[steady, None]).sum(axis=1) > 20
    assert 0.03 < clipped.mean() < 0.7


def test_south_roofs_yield_more_than_north_ones_and_east_ones_earlier_than_west_ones(roofs: Solar) -> None:
    steady = roofs.life.is_ever & (roofs.life.from_slot == 0) & (roofs.life.size_after_kw == roofs.life.size_kw) & (roofs.tilt_deg > 20)
    per_kwp = roofs.power_kw.sum(axis=1) / 2 / roofs.life.size_kw
    south = np.abs(roofs.azimuth_deg - 180) < 40
    assert np.median(per_kwp[steady & south]) > np.median(per_kwp[steady & (np.abs(roofs.azimuth_deg - 180) > 70)])
    clock = np.arange(roofs.power_kw.shape[1]) % 48
    middle = (roofs.power_kw * clock).sum(axis=1) / np.maximum(roofs.power_kw.sum(axis=1), 1e-9)
    east, west = steady & (roofs.azimuth_deg < 130), steady & (roofs.azimuth_deg > 230)
    assert min(east.sum(), west.sum()) >= 3
    assert np.median(middle[east]) < np.median(middle[west])


def test_a_roof_is_bright_when_its_area_is(roofs: Solar, population: Population, weather: Weather) -> None:
    steady = np.flatnonzero(roofs.life.is_ever & (roofs.life.from_slot == 0))[:20]
    by_day = roofs.power_kw[steady].reshape(steady.size, -1, 48).sum(axis=2)
    sky = weather.ghi_w_m2[population.area[steady]].reshape(steady.size, -1, 48).sum(axis=2)
    assert np.median([np.corrcoef(one, other)[0, 1] for one, other in zip(by_day, sky, strict=True)]) > 0.75
