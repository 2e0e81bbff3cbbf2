"""Solar arrays: roof planes, shading, snow, local clouds, and inverter clipping."""

from typing import NamedTuple

import numpy as np

from fmar_spark.domain.assets import AssetClass
from fmar_spark.simulate.plan import FleetPlan, Floats
from fmar_spark.simulate.population import Life, Population, draw_life, size_track
from fmar_spark.simulate.weather import Weather, correlated_noise

GROUND_ALBEDO = 0.2


class Solar(NamedTuple):
    """AC generation, kW, (meters, slots); ``life`` holds DC sizes, kWp; ``ac_kw`` the inverter of the first size."""

    power_kw: Floats
    life: Life
    ac_kw: Floats
    tilt_deg: Floats
    azimuth_deg: Floats
    """Of the first plane, clockwise from north; the second plane of an east-west roof looks the other way."""


class _Roof(NamedTuple):
    """Shape (meters, 1) each."""

    tilt: Floats
    azimuth: Floats
    second_share: Floats


def _draw_roofs(rng: np.random.Generator, meters: int) -> _Roof:
    azimuth = np.where(rng.random(meters) < 0.8, rng.normal(180, 42, meters), rng.uniform(60, 300, meters))
    flat = rng.random(meters) < 0.12
    split = rng.random(meters)
    second = np.where(split < 0.2, 0.5, np.where(split < 0.3, rng.uniform(0.2, 0.5, meters), 0.0))
    east = np.where(second > 0.4, rng.normal(95, 18, meters), azimuth)
    tilt = np.where(flat, rng.uniform(5, 16, meters), rng.normal(34, 8, meters).clip(10, 60))
    return _Roof(np.deg2rad(tilt)[:, None], np.deg2rad(east)[:, None], second[:, None])


def _plane_w_m2(tilt: Floats, azimuth: Floats, sun: tuple[Floats, Floats], beam: tuple[Floats, Floats]) -> Floats:
    """Irradiance on a plane from the sun's position (cosine of zenith, azimuth) and the beam and diffuse parts."""
    cos_zenith, sun_azimuth = sun
    direct_normal, diffuse = beam
    sin_zenith = np.sqrt(np.maximum(1 - cos_zenith**2, 0))
    facing = cos_zenith * np.cos(tilt) + sin_zenith * np.sin(tilt) * np.cos(sun_azimuth - azimuth)
    ground = GROUND_ALBEDO * (direct_normal * np.maximum(cos_zenith, 0) + diffuse) * (1 - np.cos(tilt)) / 2
    return np.asarray(direct_normal * np.maximum(facing, 0) + diffuse * (1 + np.cos(tilt)) / 2 + ground)


def _split_beam(ghi: Floats, cos_zenith: Floats) -> tuple[Floats, Floats]:
    """Direct normal and diffuse horizontal irradiance by the correlation of Erbs, Klein and Duffie (1982)."""
    high = np.maximum(cos_zenith, 0.06)
    clearness = np.clip(ghi / (1361.0 * high), 0, 1)
    middle = 0.9511 - 0.1604 * clearness + 4.388 * clearness**2 - 16.638 * clearness**3 + 12.336 * clearness**4
    share = np.where(clearness <= 0.22, 1 - 0.09 * clearness, np.where(clearness > 0.8, 0.165, middle))
    diffuse = ghi * share
    return np.minimum((ghi - diffuse) / high, 1050.0), diffuse


def _shade(rng: np.random.Generator, sun: tuple[Floats, Floats], meters: int) -> Floats:
    """Share of the beam that passes trees, chimneys and neighbouring buildings: one or two obstacles for half of the roofs."""
    cos_zenith, azimuth = sun
    height = np.rad2deg(np.arcsin(np.clip(cos_zenith, -1, 1)))
    left = np.ones(cos_zenith.shape, np.float32)
    for owners in (0.5, 0.25):
        there = rng.random((meters, 1)) < owners
        middle = np.deg2rad(rng.uniform(75, 285, (meters, 1)))
        half_width = np.deg2rad(rng.uniform(8, 45, (meters, 1)))
        top = rng.uniform(8, 45, (meters, 1))
        hidden = (np.abs(azimuth - middle) < half_width) & (height < top)
        left = np.where(there & hidden, left * rng.uniform(0.1, 0.7, (meters, 1)), left)
    return left


def _own_clouds(rng: np.random.Generator, cloud: Floats) -> Floats:
    """Log ratio of each roof's irradiance to its area's: clouds of minutes and of hours, most under a broken sky."""
    quick = correlated_noise(rng.standard_normal(cloud.shape, np.float32), 1.2)
    slow = correlated_noise(rng.standard_normal(cloud.shape, np.float32), 10.0)
    broken = 2 * np.sqrt(cloud * (1 - cloud))
    depth = rng.uniform(0.1, 0.35, (2, len(cloud), 1))
    return np.asarray(broken * (depth[0] * quick + depth[1] * slow))


def _outages(rng: np.random.Generator, meters: int, slots: int, temp_c: Floats) -> Floats:
    """1 where the roof works; 0 under snow and while the inverter is off."""
    works = np.ones((meters, slots), np.float32)
    slot = np.arange(slots)[None]
    for _ in range(2):
        start = rng.integers(0, slots, (meters, 1))
        off = (rng.random((meters, 1)) < 0.12) & (slot >= start) & (slot < start + (rng.gamma(1.2, 250.0, (meters, 1))))
        works = np.where(off, 0.0, works)
    days = slots // 48
    frozen = temp_c[:, : days * 48].reshape(meters, days, 48).mean(axis=2) < -0.2
    snow = frozen & (rng.random((meters, days)) < 0.35)
    return np.asarray(works * (1 - 0.95 * np.repeat(snow, 48, axis=1)), dtype=np.float32)


def _sizes(rng: np.random.Generator, population: Population) -> Floats:
    meters = len(population.area)
    home = np.exp(rng.normal(np.log(3.7), 0.38, meters)).clip(1.0, 14.0)
    firm = (population.scale_kw * np.exp(rng.normal(np.log(2.6), 0.8, meters))).clip(4.0, 3000.0)
    return np.where(population.is_domestic, home, firm)


def simulate_solar(rng: np.random.Generator, population: Population, plan: FleetPlan, weather: Weather, temp_c: Floats) -> Solar:
    """Generation of every meter's roof, from its own area's sun and clouds that its neighbours only partly share."""
    meters = len(population.area)
    life = draw_life(rng, population.ever(AssetClass.SOLAR_PV), plan, _sizes(rng, population), rng.uniform(1.3, 2.2, meters))
    roof_all = _draw_roofs(rng, meters)
    ratio = np.where(rng.random(meters) < 0.6, rng.uniform(0.75, 1.05, meters), rng.uniform(0.55, 0.8, meters))
    small = population.is_domestic & (life.size_kw * ratio < 4.6) & (rng.random(meters) < 0.7)
    ac_kw = np.where(small, np.minimum(life.size_kw * ratio, 3.68), life.size_kw * ratio)
    power = np.zeros(temp_c.shape, np.float32)
    rows = np.flatnonzero(life.is_ever)
    if len(rows):
        roof = _Roof(*(column[rows] for column in roof_all))
        area = population.area[rows]
        sun = (weather.cos_zenith[area], weather.azimuth_rad[area])
        cloud = weather.cloudiness[area]
        own = _own_clouds(rng, cloud)
        passed = np.exp(own - own.var(axis=1, keepdims=True) / 2)
        beam = _split_beam(np.minimum(weather.ghi_w_m2[area] * passed, 1150.0), sun[0])
        beam = (beam[0] * _shade(rng, sun, len(rows)), beam[1])
        front = _plane_w_m2(roof.tilt, roof.azimuth, sun, beam)
        rear = _plane_w_m2(roof.tilt, roof.azimuth + np.pi, sun, beam)
        plane = front * (1 - roof.second_share) + rear * roof.second_share
        loss = rng.normal(0.78, 0.06, (len(rows), 1)).clip(0.6, 0.95)
        warm = 1 - 0.0038 * np.maximum(temp_c[rows] + 0.028 * plane - 25, -20)
        dc = size_track(life, plan.slots)[rows] * plane / 1000 * loss * warm
        ceiling = (ac_kw[rows] / life.size_kw[rows])[:, None] * size_track(life, plan.slots)[rows]
        dc = np.where(dc < 0.012 * ceiling, 0.0, dc) * _outages(rng, len(rows), plan.slots, temp_c[rows])
        power[rows] = np.minimum(dc, ceiling)
    return Solar(power, life, ac_kw, np.rad2deg(roof_all.tilt[:, 0]), np.rad2deg(roof_all.azimuth[:, 0]) % 360)
