"""Made-up weather that behaves like Great Britain's."""

from datetime import date

import numpy as np
import pytest

from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.simulate.weather import AREA_WEIGHT, GSP_AREAS, Weather, correlated_noise, make_weather

YEAR = FleetPlan(1, date(2023, 1, 1), date(2023, 12, 31), seed=3)


@pytest.fixture(scope="module")
def year_weather() -> Weather:
    return make_weather(YEAR)


def test_every_settlement_area_has_weather_under_its_own_distributor(year_weather: Weather) -> None:
    assert set(year_weather.gsp_group) == set(GSP_GROUP_OF_DISTRIBUTOR.values())
    assert {number: group for group, (number, _, _) in GSP_AREAS.items()} == GSP_GROUP_OF_DISTRIBUTOR
    assert len(AREA_WEIGHT) == len(year_weather.gsp_group)
    assert year_weather.temp_c.shape == year_weather.ghi_w_m2.shape == (14, YEAR.slots)


def test_nights_are_dark_and_no_sky_transmits_more_than_the_sun_sends(year_weather: Weather) -> None:
    assert (year_weather.ghi_w_m2[year_weather.cos_zenith <= 0] == 0).all()
    assert (year_weather.ghi_w_m2 >= 0).all()
    assert (year_weather.ghi_w_m2 <= 1361 * np.maximum(year_weather.cos_zenith, 0) + 1).all()


def test_winters_are_colder_than_summers_and_the_north_than_the_south(year_weather: Weather) -> None:
    january, july = year_weather.temp_c[:, : 31 * 48].mean(axis=1), year_weather.temp_c[:, 181 * 48 : 212 * 48].mean(axis=1)
    assert (july - january > 7).all()
    year = dict(zip(year_weather.gsp_group, year_weather.temp_c.mean(axis=1), strict=True))
    assert year["_P"] < year["_H"] - 1.5
    assert -15 < year_weather.temp_c.min() < year_weather.temp_c.max() < 38


def test_neighbours_share_their_weather_more_than_distant_areas(year_weather: Weather) -> None:
    noon = year_weather.cloudiness[:, 24::48]
    alike = np.corrcoef(noon)
    place = list(year_weather.gsp_group).index
    assert alike[place("_H"), place("_C")] > alike[place("_H"), place("_P")] + 0.1
    assert alike[place("_H"), place("_C")] > 0.7


def test_the_same_seed_gives_the_same_weather_and_another_seed_another(year_weather: Weather) -> None:
    np.testing.assert_array_equal(make_weather(YEAR).temp_c, year_weather.temp_c)
    assert not np.array_equal(make_weather(YEAR._replace(seed=4)).temp_c, year_weather.temp_c)


def test_correlated_noise_keeps_its_variance_and_its_memory() -> None:
    noise = correlated_noise(np.random.default_rng(1).standard_normal((40, 5000)), 20.0)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    lagged = np.mean([np.corrcoef(row[:-20], row[20:])[0, 1] for row in noise])
    assert lagged == pytest.approx(np.exp(-1), abs=0.06)
