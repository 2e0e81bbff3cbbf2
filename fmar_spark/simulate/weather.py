"""Synthetic weather of Great Britain: temperature and irradiance by GSP group, correlated in time and between neighbours."""

from typing import Final, NamedTuple

import numpy as np
from scipy.signal import lfilter

from fmar_spark.clock import SLOTS_PER_DAY, utc_slot_starts
from fmar_spark.simulate.plan import FleetPlan, Floats, open_stream

GSP_AREAS: Final = {
    "_A": ("10", 52.3, 0.7),
    "_B": ("11", 52.9, -1.0),
    "_C": ("12", 51.5, -0.1),
    "_D": ("13", 53.2, -3.2),
    "_E": ("14", 52.5, -2.1),
    "_F": ("15", 54.9, -1.7),
    "_G": ("16", 53.8, -2.5),
    "_P": ("17", 57.4, -4.0),
    "_N": ("18", 55.8, -4.0),
    "_J": ("19", 51.2, 0.6),
    "_H": ("20", 51.2, -1.5),
    "_K": ("21", 51.7, -3.6),
    "_L": ("22", 50.7, -3.8),
    "_M": ("23", 53.8, -1.3),
}
"""Distributor, latitude and longitude near the middle of each GSP group, read off a map."""
LONDON_GROUP: Final = "_C"
AREA_WEIGHT: Final = (12, 9, 8, 6, 9, 6, 8, 3, 7, 8, 10, 5, 6, 8)
"""Rough share of meter points, per cent."""


class Weather(NamedTuple):
    """Areas on axis 0 in the order of ``gsp_group``; UTC half-hours on axis 1."""

    gsp_group: tuple[str, ...]
    temp_c: Floats
    ghi_w_m2: Floats
    cos_zenith: Floats
    azimuth_rad: Floats
    """Clockwise from north."""
    cloudiness: Floats
    """0 cloudless .. 1 overcast."""


def correlated_noise(noise: Floats, memory_slots: float) -> Floats:
    """Noise with a memory: unit variance kept, correlation exp(-lag / memory)."""
    keep = float(np.exp(-1.0 / memory_slots))
    start = noise[..., :1]
    rest, _ = lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], noise[..., 1:], axis=-1, zi=keep * start)
    return np.concatenate([start, rest], axis=-1)


def _find_sun(plan: FleetPlan) -> tuple[Floats, Floats]:
    """Cosine of the zenith angle and azimuth, (areas, slots), by the Astronomical Almanac's low-precision formulae."""
    starts = utc_slot_starts(plan.first_date, plan.slots)
    days = (starts - np.datetime64("2000-01-01T12:00", "us")).astype(np.float64) / 86.4e9 + 15 / 1440
    anomaly = np.deg2rad((357.528 + 0.9856003 * days) % 360)
    mean_longitude = 280.460 + 0.9856474 * days
    ecliptic = np.deg2rad(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    tilt = np.deg2rad(23.439 - 4e-7 * days)
    declination = np.arcsin(np.sin(tilt) * np.sin(ecliptic))
    ascension = np.arctan2(np.cos(tilt) * np.sin(ecliptic), np.cos(ecliptic))
    sidereal = np.deg2rad((280.46062 + 360.98564737 * days) % 360)
    latitude = np.deg2rad([[area[1]] for area in GSP_AREAS.values()])
    hour = sidereal - ascension + np.deg2rad([[area[2]] for area in GSP_AREAS.values()])
    cos_zenith = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    azimuth = np.pi + np.arctan2(np.sin(hour), np.cos(hour) * np.sin(latitude) - np.tan(declination) * np.cos(latitude))
    return cos_zenith, azimuth


def _neighbourly(rng: np.random.Generator, slots: int, reach_degrees: float) -> Floats:
    """Unit noise (areas, slots), alike for areas that lie close together."""
    place = np.array([(area[1], area[2] * 0.6) for area in GSP_AREAS.values()])
    apart = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))
    root = np.linalg.cholesky(np.exp(-apart / reach_degrees) + 1e-9 * np.eye(len(place)))
    return np.asarray(root @ rng.standard_normal((len(place), slots)))


def make_weather(plan: FleetPlan) -> Weather:
    """Weather of the plan's dates and seed, every GSP group."""
    rng = open_stream(plan.seed, 0, "weather")
    slots, areas = plan.slots, len(GSP_AREAS)
    cos_zenith, azimuth = _find_sun(plan)
    fronts = correlated_noise(_neighbourly(rng, slots, 9.0), 2.2 * SLOTS_PER_DAY)
    passing = correlated_noise(_neighbourly(rng, slots, 4.0), 0.35 * SLOTS_PER_DAY)
    flicker = correlated_noise(rng.standard_normal((areas, slots)), 2.0)
    cloud = 1 / (1 + np.exp(-(0.55 + 1.5 * fronts + 1.1 * passing)))
    broken = 4 * cloud * (1 - cloud)
    passed = np.clip(1.0 - 0.80 * cloud**1.8 + 0.16 * broken * flicker, 0.04, 1.12)
    high = np.maximum(cos_zenith, 1e-3)
    ghi = np.where(cos_zenith > 0.005, 1098.0 * high * np.exp(-0.059 / high) * passed, 0.0)

    start_day = plan.first_date.timetuple().tm_yday
    day = (np.arange(slots) / SLOTS_PER_DAY + start_day) / 365.25
    latitude = np.array([[area[1]] for area in GSP_AREAS.values()])
    years = int(plan.days / 365.25) + 2
    oddity = np.interp(np.arange(slots), np.arange(years) * 365.25 * SLOTS_PER_DAY, rng.normal(0, 0.7, years))
    season = 10.8 - 0.55 * (latitude - 51.5) - 6.6 * np.cos(2 * np.pi * (day - 0.055)) + oddity
    air_mass = correlated_noise(_neighbourly(rng, slots, 11.0), 3.5 * SLOTS_PER_DAY)
    solar_hour = (np.arange(slots) % SLOTS_PER_DAY) / 2.0
    swing = (1.2 + 3.6 * (1 - cloud) + 1.6 * np.maximum(0, -np.cos(2 * np.pi * (day - 0.0)))) * -np.cos(2 * np.pi * (solar_hour - 3.0) / 24)
    temp = season + 3.1 * air_mass + lfilter([0.08], [1, -0.92], swing, axis=-1) + 0.25 * passing
    return Weather(
        gsp_group=tuple(GSP_AREAS),
        temp_c=temp.astype(np.float32),
        ghi_w_m2=ghi.astype(np.float32),
        cos_zenith=cos_zenith.astype(np.float32),
        azimuth_rad=azimuth.astype(np.float32),
        cloudiness=cloud.astype(np.float32),
    )
