"""Where the sun stands, and what that gives on a plane."""

import math
from datetime import date

import numpy as np
import pytest

from fmar_spark import clock
from fmar_spark.kernels.assembly import Site, trace_clear_sky
from fmar_spark.kernels.sun import (
    Planes,
    SunPosition,
    align_sky,
    clear_sky_w_m2,
    locate_sun,
    tilt_irradiance,
)
from fmar_spark.kernels.window import Floats
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.simulate.weather import GSP_AREAS, make_weather

LONDON = (51.5, -0.1)


def at(*texts: str) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Slot starts whose middles are 15 minutes later."""
    return np.array(texts, dtype="datetime64[m]")


def elevation_deg(sun: SunPosition) -> Floats:
    return np.rad2deg(np.arcsin(sun.cos_zenith))


@pytest.mark.parametrize(
    ("when", "place", "elevation", "azimuth"),
    [
        ("2023-06-21T11:45", LONDON, 61.9, 180.0),
        ("2023-12-21T11:45", LONDON, 15.1, 180.0),
        ("2024-09-22T11:38", (0.0, 0.0), 90.0, None),
        ("2023-03-20T05:52", (0.0, 0.0), 0.0, 90.0),
        ("2023-03-20T17:52", (0.0, 0.0), 0.0, 270.0),
        ("2023-12-21T01:38", (-33.9, 151.2), 79.5, 0.0),
    ],
)
def test_the_sun_stands_where_almanacs_put_it(when: str, place: tuple[float, float], elevation: float, azimuth: float | None) -> None:
    sun = locate_sun(at(when), *place)
    assert elevation_deg(sun)[0] == pytest.approx(elevation, abs=0.5)
    if azimuth is not None:
        off = (np.rad2deg(sun.azimuth_rad[0]) - azimuth + 180) % 360 - 180
        assert abs(off) < 3.0


def test_the_sun_agrees_over_a_year_with_formulae_that_share_no_code() -> None:
    plan = FleetPlan(1, date(2025, 1, 1), date(2025, 12, 31))
    weather = make_weather(plan)
    starts = clock.utc_slot_starts(plan.first_date, plan.slots)
    for row, (_, latitude, longitude) in enumerate(GSP_AREAS.values()):
        sun = locate_sun(starts, latitude, longitude)
        assert np.abs(elevation_deg(sun) - np.rad2deg(np.arcsin(weather.cos_zenith[row]))).max() < 0.6
        high = sun.cos_zenith > 0.1
        turn = (sun.azimuth_rad - weather.azimuth_rad[row] + np.pi) % (2 * np.pi) - np.pi
        assert np.abs(turn[high]).max() < 0.015


def test_places_of_the_sun_keep_the_shape_of_the_times() -> None:
    starts = clock.utc_slot_starts(date(2023, 5, 1), 96).reshape(2, 48)
    assert locate_sun(starts, *LONDON).cos_zenith.shape == (2, 48)
    assert locate_sun(starts[:0], *LONDON).azimuth_rad.shape == (0, 48)


def test_the_clear_sky_follows_haurwitz() -> None:
    cos_zenith = np.linspace(-1, 1, 41)
    wanted = [1098 * one * math.exp(-0.057 / one) if one > 1e-3 else 0.0 for one in cos_zenith]
    clear = clear_sky_w_m2(cos_zenith)
    np.testing.assert_allclose(clear, wanted)
    assert clear_sky_w_m2(np.zeros((0, 48))).shape == (0, 48)


def tilt_naively(horizontal: float, cos_zenith: float, azimuth: float, tilt: float, facing: float) -> float:
    """One half-hour on one plane: Erbs' diffuse share, an isotropic sky, a fifth of it back from the ground."""
    high = max(cos_zenith, 0.035)
    clearness = min(max(horizontal / (1361 * high), 0), 1)
    if clearness <= 0.22:
        share = 1 - 0.09 * clearness
    elif clearness <= 0.8:
        share = 0.9511 - 0.1604 * clearness + 4.388 * clearness**2 - 16.638 * clearness**3 + 12.336 * clearness**4
    else:
        share = 0.165
    beam = horizontal * (1 - share) / high
    incidence = high * math.cos(tilt) + math.sqrt(1 - high**2) * math.sin(tilt) * math.cos(azimuth - facing)
    sky = horizontal * share * (1 + math.cos(tilt)) / 2
    return beam * max(incidence, 0) + sky + 0.2 * horizontal * (1 - math.cos(tilt)) / 2


def test_irradiance_on_planes_agrees_with_a_naive_loop() -> None:
    rng = np.random.default_rng(1)
    cos_zenith, azimuth = rng.uniform(-0.2, 1, (6, 8)), rng.uniform(0, 2 * np.pi, (6, 8))
    horizontal = np.maximum(cos_zenith, 0) * rng.uniform(0, 1300, (6, 8))
    horizontal[rng.random((6, 8)) < 0.2] = np.nan
    planes = Planes(rng.uniform(0, np.pi / 2, 5), rng.uniform(0, 2 * np.pi, 5))
    found = tilt_irradiance(horizontal, SunPosition(cos_zenith, azimuth), planes)
    for place in np.ndindex(found.shape):
        one = place[:2]
        if np.isnan(horizontal[one]):
            assert np.isnan(found[place])
            continue
        wanted = tilt_naively(horizontal[one], cos_zenith[one], azimuth[one], planes.tilt_rad[place[2]], planes.azimuth_rad[place[2]])
        assert found[place] == pytest.approx(wanted)


def test_a_flat_plane_gets_what_the_ground_gets_and_a_wall_behind_the_sun_only_stray_light() -> None:
    sun = SunPosition(np.array([0.6, 0.3]), np.array([np.pi, np.pi]))
    horizontal = np.array([500.0, 100.0])
    planes = Planes(np.array([0.0, np.pi / 2]), np.array([1.0, 0.0]))
    flat, wall = tilt_irradiance(horizontal, sun, planes).T
    np.testing.assert_allclose(flat, horizontal)
    assert (wall < 0.6 * horizontal).all()
    assert (wall > 0.1 * horizontal).all()


@pytest.mark.parametrize("shift", [-3, -1, 0, 2, 4])
def test_a_sky_stamped_late_or_early_is_moved_back(shift: int) -> None:
    clear = trace_clear_sky(Site(*LONDON), date(2023, 4, 1), 30, clock.LONDON).clear_w_m2.astype(np.float64)[None]
    cloud = np.random.default_rng(1).uniform(0.3, 1.0, (1, 30, 1))
    true = clear * cloud
    stamped = np.roll(true.reshape(-1), shift).reshape(true.shape)
    stamped[0, 7] = np.nan
    found = align_sky(stamped, clear)
    known = ~np.isnan(found)
    np.testing.assert_allclose(found[known], true[known])
    assert 28 * 48 - 8 <= known.sum() <= 29 * 48


def test_a_sky_of_which_nothing_is_known_stays_unknown() -> None:
    clear = trace_clear_sky(Site(*LONDON), date(2023, 4, 1), 3, clock.LONDON).clear_w_m2[None]
    assert np.isnan(align_sky(np.full(clear.shape, np.nan), clear)).all()
    assert align_sky(np.zeros((0, 3, 48)), np.zeros((0, 3, 48))).shape == (0, 3, 48)
