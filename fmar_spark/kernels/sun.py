"""Where the sun stands and what a cloudless sky would give."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Floats

SOLAR_CONSTANT_W_M2: Final = 1361.0


class SunPosition(NamedTuple):
    """Arrays of one shape."""

    cos_zenith: Floats
    """Cosine of the zenith angle, negative below the horizon."""
    azimuth_rad: Floats
    """Clockwise from north."""


def locate_sun(
    utc_starts: np.ndarray[tuple[int, ...], np.dtype[np.datetime64]], latitude_deg: float, longitude_deg: float
) -> SunPosition:
    """Find the sun at the middle of each half-hour.

    Declination and equation of time by Spencer's series (1971), good to 0.3 degrees, far finer than a half-hour.

    Args:
        utc_starts: slot starts, any shape, ``datetime64``.
        latitude_deg: north positive.
        longitude_deg: east positive.
    """
    middle = utc_starts.astype("datetime64[s]") + np.timedelta64(15 * 60, "s")
    day_start = middle.astype("datetime64[D]")
    day_of_year = (day_start - day_start.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    hour = (middle - day_start).astype(np.float64) / 3600.0
    gamma = 2 * np.pi / 365.0 * (day_of_year + (hour - 12) / 24)
    declination = (
        0.006918
        - 0.399912 * np.cos(gamma)
        + 0.070257 * np.sin(gamma)
        - 0.006758 * np.cos(2 * gamma)
        + 0.000907 * np.sin(2 * gamma)
        - 0.002697 * np.cos(3 * gamma)
        + 0.00148 * np.sin(3 * gamma)
    )
    equation_minutes = 229.18 * (
        0.000075
        + 0.001868 * np.cos(gamma)
        - 0.032077 * np.sin(gamma)
        - 0.014615 * np.cos(2 * gamma)
        - 0.040849 * np.sin(2 * gamma)
    )
    hour_angle = np.deg2rad(15 * (hour - 12 + equation_minutes / 60) + longitude_deg)
    latitude = np.deg2rad(latitude_deg)
    cos_zenith = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    azimuth = np.pi + np.arctan2(
        np.sin(hour_angle), np.cos(hour_angle) * np.sin(latitude) - np.tan(declination) * np.cos(latitude)
    )
    return SunPosition(cos_zenith=cos_zenith, azimuth_rad=azimuth)


def clear_sky_w_m2(cos_zenith: Floats) -> Floats:
    """Clear-sky global horizontal irradiance, W/m2, by Haurwitz (1945): 1098 cos z exp(-0.057 / cos z)."""
    high = np.maximum(cos_zenith, 1e-3)
    return np.where(cos_zenith > 1e-3, 1098.0 * high * np.exp(-0.057 / high), 0.0)
