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


def locate_sun(utc_starts: np.ndarray[tuple[int, ...], np.dtype[np.datetime64]], latitude_deg: float, longitude_deg: float) -> SunPosition:
    """Find the sun at the middle of each half-hour.

    Declination and equation of time by Spencer's series (1971), good to 0.6 degrees in any year, far finer than a half-hour.

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
        0.000075 + 0.001868 * np.cos(gamma) - 0.032077 * np.sin(gamma) - 0.014615 * np.cos(2 * gamma) - 0.040849 * np.sin(2 * gamma)
    )
    hour_angle = np.deg2rad(15 * (hour - 12 + equation_minutes / 60) + longitude_deg)
    latitude = np.deg2rad(latitude_deg)
    cos_zenith = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    azimuth = np.pi + np.arctan2(np.sin(hour_angle), np.cos(hour_angle) * np.sin(latitude) - np.tan(declination) * np.cos(latitude))
    return SunPosition(cos_zenith=cos_zenith, azimuth_rad=azimuth)


def clear_sky_w_m2(cos_zenith: Floats) -> Floats:
    """Clear-sky global horizontal irradiance, W/m2, by Haurwitz (1945): 1098 cos z exp(-0.057 / cos z)."""
    high = np.maximum(cos_zenith, 1e-3)
    return np.where(cos_zenith > 1e-3, 1098.0 * high * np.exp(-0.057 / high), 0.0)


class Planes(NamedTuple):
    """Fixed module orientations, parallel arrays."""

    tilt_rad: Floats
    """From the horizontal."""
    azimuth_rad: Floats
    """Direction that the modules face, clockwise from north."""


def clear_cos_zenith(clear_w_m2: Floats) -> Floats:
    """Undo ``clear_sky_w_m2``: the cosine of the zenith angle, 0 where the sun is down; any shape."""
    cos_zenith = np.linspace(0.0, 1.0, 2001)
    return np.asarray(np.interp(clear_w_m2, clear_sky_w_m2(cos_zenith), cos_zenith))


def declination_rad(dates: np.ndarray[tuple[int, ...], np.dtype[np.datetime64]]) -> Floats:
    """Declination at noon of each date, Cooper (1969), good to 1.1 degrees in any year."""
    day_of_year = (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64)
    return np.asarray(np.deg2rad(23.45) * np.sin(2 * np.pi * (285 + day_of_year) / 365.25))


def recover_sun(clear_w_m2: Floats, dates: np.ndarray[tuple[int, ...], np.dtype[np.datetime64]], southern: bool) -> SunPosition:
    """Where the sun stood, read back from the clear-sky irradiance alone, so that no site need be carried along.

    Solar noon is the centre of mass of each day's curve, which takes clock changes and the equation of time along.

    Args:
        clear_w_m2: shape (areas, days, slots).
        dates: local days, shape (days,), ``datetime64[D]``.
        southern: whether the sites lie south of the tropics rather than north of them.
    """
    slots = clear_w_m2.shape[-1]
    cos_zenith = clear_cos_zenith(clear_w_m2)
    total = np.maximum(clear_w_m2.sum(axis=-1), 1e-6)
    noon = (clear_w_m2 * (np.arange(slots) + 0.5)).sum(axis=-1) / total
    hour_angle = (np.arange(slots) + 0.5 - noon[..., None]) * (2 * np.pi / slots)
    declination = declination_rad(dates)
    least_zenith = np.arccos(np.clip(cos_zenith.max(axis=-1), 0.0, 1.0))
    latitude = np.median(declination + (-least_zenith if southern else least_zenith), axis=-1)[:, None, None]
    azimuth = np.pi + np.arctan2(
        np.sin(hour_angle), np.cos(hour_angle) * np.sin(latitude) - np.tan(declination)[:, None] * np.cos(latitude)
    )
    return SunPosition(cos_zenith=cos_zenith, azimuth_rad=azimuth)


def tilt_irradiance(horizontal_w_m2: Floats, sun: SunPosition, planes: Planes) -> Floats:
    """Irradiance on fixed planes, W/m2, shape of the input plus a last axis of planes; NaN where the input is.

    Diffuse share by Erbs (1982), isotropic sky, ground albedo 0.2.

    Args:
        horizontal_w_m2: global horizontal irradiance, any shape.
        sun: same shape.
        planes: arrays of shape (planes,).
    """
    cos_zenith = np.maximum(sun.cos_zenith, 0.035)
    clearness = np.clip(horizontal_w_m2 / (SOLAR_CONSTANT_W_M2 * cos_zenith), 0.0, 1.0)
    middling = 0.9511 + clearness * (-0.1604 + clearness * (4.388 + clearness * (-16.638 + clearness * 12.336)))
    diffuse_share = np.where(clearness <= 0.22, 1 - 0.09 * clearness, np.where(clearness > 0.8, 0.165, middling))
    diffuse = (horizontal_w_m2 * diffuse_share)[..., None]
    beam_normal = (horizontal_w_m2 * (1 - diffuse_share) / cos_zenith)[..., None]
    sin_zenith = np.sqrt(1 - np.minimum(cos_zenith, 1.0) ** 2)[..., None]
    facing = np.cos(sun.azimuth_rad[..., None] - planes.azimuth_rad)
    cos_incidence = cos_zenith[..., None] * np.cos(planes.tilt_rad) + sin_zenith * np.sin(planes.tilt_rad) * facing
    sky_view = (1 + np.cos(planes.tilt_rad)) / 2
    ground = 0.2 * horizontal_w_m2[..., None] * (1 - np.cos(planes.tilt_rad)) / 2
    return np.asarray(beam_normal * np.maximum(cos_incidence, 0.0) + diffuse * sky_view + ground)


def align_sky(measured_w_m2: Floats, clear_w_m2: Floats) -> Floats:
    """Shift each area's measured irradiance by whole slots until its days are centred where the sun's are.

    Weather archives stamp an hour by its end as often as by its start; an error of an hour would spoil every comparison.

    Args:
        measured_w_m2: shape (areas, days, slots), NaN where unknown.
        clear_w_m2: same shape.
    """
    areas, days, slots = clear_w_m2.shape
    known = ~np.isnan(measured_w_m2) & (clear_w_m2 > 0).any(axis=-1, keepdims=True)
    position = np.arange(slots) + 0.5
    found = np.where(known, measured_w_m2, 0.0)
    expected = np.where(known, clear_w_m2, 0.0)
    late = (found @ position).sum(axis=-1) / np.maximum(found.sum(axis=(1, 2)), 1e-6)
    late -= (expected @ position).sum(axis=-1) / np.maximum(expected.sum(axis=(1, 2)), 1e-6)
    shift = np.where(found.sum(axis=(1, 2)) > 0, np.rint(late), 0).astype(np.int64)
    index = np.arange(days * slots) + shift[:, None]
    inside = (index >= 0) & (index < days * slots)
    flat = measured_w_m2.reshape(areas, days * slots)
    moved = np.take_along_axis(flat, np.where(inside, index, 0), axis=1)
    return np.where(inside, moved, np.nan).reshape(areas, days, slots)
