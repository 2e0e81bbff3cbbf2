"""Fits an array of fixed modules to four-week statistics of a meter's hours; the geometry comes from the clear sky alone."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.sun import Planes, SunPosition, tilt_irradiance
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow

BLOCK_DAYS: Final = 28
"""Days of a block: the sun hardly moves within, and weekdays are even."""
HOURS: Final = 24
"""Of a day. Source: definition."""
DARK_W_M2: Final = 15.0
"""Clear-sky irradiance below which an hour is dark."""
USABLE_W_M2: Final = 60.0
"""Clear-sky irradiance above which an hour can show an array."""
CLEAR_SHARE: Final = 0.58
"""Mean of measured over clear-sky irradiance, used only where nothing was measured. Source: irradiance in Great Britain."""
_TILTS_DEG: Final = (12.0, 35.0)
"""Tilts of modules that are tried."""
_AZIMUTHS_DEG: Final = (90.0, 120.0, 150.0, 180.0, 210.0, 240.0, 270.0)
"""Directions that modules may face, clockwise from north."""
_SPLITS: Final = (0.35, 0.5, 0.65)
"""Shares of two planes that an array is tried as."""


class Layouts(NamedTuple):
    """Ways in which modules lie on a roof: each is a mix of two planes."""

    first_plane: Ints
    second_plane: Ints
    first_share: Floats
    planes: Planes


class Blocks(NamedTuple):
    """Four-week statistics of each hour; arrays of shape (meters, blocks, 24) unless said otherwise, NaN where unread."""

    mean_kw: Floats
    low_kw: Floats
    """Low net power of the block at that hour: the middle of its four weeks' least."""
    cross: Floats
    """Sum of (sky anomaly in kW/m2) times (fall of net power); anomalies are against the block's own weekdays or weekends."""
    sky_square: Floats
    """Sum of squared sky anomalies."""
    load_square: Floats
    """Sum of squared net power anomalies."""
    sky: Floats
    """Mean measured irradiance, or the usual share of the clear one, kW/m2."""
    sky_high: Floats
    """High measured irradiance, as ``low_kw``, or the clear one, kW/m2."""
    clear: Floats
    """Mean clear-sky irradiance, kW/m2."""
    days: Floats
    """Days read."""


class ArrayFit(NamedTuple):
    """The array that explains each meter best; arrays of shape (meters,) unless said otherwise."""

    scale_kw: Floats
    """AC power at 1 kW/m2 on the modules, all arrays together: the upper quartile of the blocks' own."""
    plane_ratio: Floats
    """Clear-sky irradiance on the modules over that on the horizontal, shape (meters, blocks, 24)."""
    presence: Floats
    """Each block's own scale over ``scale_kw``, shape (meters, blocks); NaN where the block cannot show it."""
    correlation: Floats
    """Agreement of the fit, 0 to 1."""
    peak_ratio: Floats
    """Highest clear-sky irradiance that the modules ever see, kW/m2."""
    pooled_kw: Floats
    """``scale_kw`` from all blocks at once: what to use where the target is noisy rather than lowered by cloud."""


def list_layouts() -> Layouts:
    """Single planes all round the sunny half, and east-west roofs of unequal halves."""
    tilt, azimuth = (grid.ravel() for grid in np.meshgrid(_TILTS_DEG, _AZIMUTHS_DEG, indexing="ij"))
    planes = Planes(np.deg2rad(tilt), np.deg2rad(azimuth))
    per_tilt = len(_AZIMUTHS_DEG)
    single = np.arange(len(tilt))
    east = np.repeat(np.arange(len(_TILTS_DEG)) * per_tilt, len(_SPLITS))
    return Layouts(
        first_plane=np.concatenate([single, east]),
        second_plane=np.concatenate([single, east + per_tilt - 1]),
        first_share=np.concatenate([np.ones(len(single)), np.tile(_SPLITS, len(_TILTS_DEG))]),
        planes=planes,
    )


def to_hours(slots_kw: Floats) -> Floats:
    """Mean of each pair of slots: last axis 48 -> 24; NaN if either half is unread."""
    return (slots_kw[..., 0::2] + slots_kw[..., 1::2]) * np.float32(0.5)


def to_blocks(hours: Floats) -> Floats:
    """Cut days into blocks of four weeks, padded with NaN: (n, days, k) -> (n, blocks, 28, k)."""
    rows, days = hours.shape[:2]
    blocks = -(-days // BLOCK_DAYS)
    padded = hours
    if blocks * BLOCK_DAYS != days:
        padded = np.full((rows, blocks * BLOCK_DAYS, hours.shape[2]), np.nan, dtype=hours.dtype)
        padded[:, :days] = hours
    return padded.reshape(rows, blocks, BLOCK_DAYS, hours.shape[2])


def find_weekends(window: MeterWindow) -> Bools:
    """Which of the 28 places in a block are Saturdays or Sundays."""
    first = int(window.calendar.weekday[0]) if window.calendar.weekday.size else 1
    return (np.arange(BLOCK_DAYS) + first - 1) % 7 >= 5


def average_known(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Mean over what is known along one axis or several, NaN where nothing is; quiet about it."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, values.dtype.type(0)).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(values.dtype)


def take_quantile(values: Floats, share: float) -> Floats:
    """A quantile of what is known along the last axis, one of the values themselves; NaN where nothing is."""
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.nan, dtype=values.dtype)
    ordered = np.sort(values, axis=-1)
    known = np.count_nonzero(~np.isnan(ordered), axis=-1)
    place = np.maximum(np.ceil(share * known).astype(np.int64) - 1, 0)
    found: Floats = np.take_along_axis(ordered, place[..., None], axis=-1)[..., 0]
    return found


def find_quietest(net: Floats, dark: Bools) -> Floats:
    """Net power of each day's quietest dark hour, kW, shape (meters, blocks, 28); NaN where none was read.

    Args:
        net: shape (meters, blocks, 28, hours or half-hours), NaN where unread.
        dark: shape (meters, blocks, hours or half-hours).
    """
    least = np.where(dark[:, :, None], net, np.float32(np.inf)).min(axis=3, initial=np.inf)
    return np.where(np.isinf(least), np.float32(np.nan), least)


def describe_blocks(net: Floats, sky: Floats, clear: Floats, weekend: Bools) -> Blocks:
    """Reduce hours to block statistics.

    Args:
        net: net power, kW, shape (meters, blocks, 28, 24), NaN where unread.
        sky: each meter's measured irradiance, kW/m2, same shape, NaN where unknown.
        clear: clear-sky irradiance, kW/m2, same shape.
        weekend: which of the 28 days are Saturdays or Sundays.
    """
    known = ~np.isnan(net)
    mean_clear = average_known(clear, 2)
    mean_sky = average_known(sky, 2)
    high_sky = -_find_low(-sky)
    cross = np.zeros((*net.shape[:2], HOURS), dtype=np.float32)
    sky_square, load_square, total, days = (np.zeros_like(cross) for _ in range(4))
    filled = np.where(known, net, np.float32(0.0))
    for places in (np.flatnonzero(~weekend), np.flatnonzero(weekend)):
        part, read = filled[:, :, places], known[:, :, places]
        count = read.sum(axis=2, dtype=np.int8).astype(np.float32)
        level = part.sum(axis=2)
        anomaly = sky[:, :, places]
        anomaly = np.nan_to_num(anomaly - average_known(anomaly, 2)[:, :, None]) * read
        mean = level / np.maximum(count, 1)
        cross += mean * anomaly.sum(axis=2) - np.einsum("mbdh,mbdh->mbh", part, anomaly)
        sky_square += np.einsum("mbdh,mbdh->mbh", anomaly, anomaly)
        load_square += np.maximum(np.einsum("mbdh,mbdh->mbh", part, part) - level * mean, 0)
        total += level
        days += count
    return Blocks(
        mean_kw=np.where(days > 0, total / np.maximum(days, 1), np.float32(np.nan)),
        low_kw=_find_low(net),
        cross=cross,
        sky_square=sky_square,
        load_square=load_square,
        sky=np.where(np.isnan(mean_sky), CLEAR_SHARE * mean_clear, mean_sky),
        sky_high=np.where(np.isnan(high_sky), mean_clear, high_sky),
        clear=mean_clear,
        days=days,
    )


def _find_low(values: Floats) -> Floats:
    """Mean of the second and third least of the four weeks' minima: near the least, but no single odd day decides it."""
    rows, blocks = values.shape[:2]
    weeks = np.fmin.reduce(values.reshape(rows, blocks, 4, BLOCK_DAYS // 4, HOURS), axis=3)
    ranked = np.sort(weeks, axis=2)
    known = np.maximum((~np.isnan(weeks)).sum(axis=2) - 1, 0)
    lower, upper = np.minimum(1, known)[:, :, None], np.minimum(2, known)[:, :, None]
    middle = (np.take_along_axis(ranked, lower, axis=2) + np.take_along_axis(ranked, upper, axis=2)) / 2
    return np.asarray(middle[:, :, 0])


def trace_planes(window: MeterWindow, layouts: Layouts) -> Floats:
    """Clear-sky irradiance on each layout over that on the horizontal, in the middle of each block.

    Returns:
        Shape (areas, blocks, 24, layouts); 0 where the sun is low.
    """
    days = window.clear_w_m2.shape[1]
    blocks = -(-days // BLOCK_DAYS)
    middle = np.minimum(np.arange(blocks) * BLOCK_DAYS + BLOCK_DAYS // 2, days - 1)
    azimuth = window.azimuth_rad[:, middle].astype(np.float64)
    sun_up, cos_zenith, east, north = (
        to_hours(values.astype(np.float64))
        for values in (window.clear_w_m2[:, middle], window.cos_zenith[:, middle], np.sin(azimuth), np.cos(azimuth))
    )
    planes = layouts.planes
    if window.latitude_deg.mean() < 0:
        planes = Planes(planes.tilt_rad, planes.azimuth_rad + np.pi)
    tilted = tilt_irradiance(sun_up, SunPosition(cos_zenith, np.arctan2(east, north)), planes)
    mixed = tilted[..., layouts.first_plane] * layouts.first_share + tilted[..., layouts.second_plane] * (1 - layouts.first_share)
    high = sun_up[..., None] > USABLE_W_M2
    return np.where(high, mixed / np.maximum(sun_up[..., None], USABLE_W_M2), 0.0)


def sum_neighbours(values: Floats) -> Floats:
    """Each block with the one before and the one after, shape (meters, blocks)."""
    padded = np.pad(values, ((0, 0), (1, 1)))
    return np.asarray(padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:])


def weigh_presence(block_cross: Floats, block_square: Floats) -> Floats:
    """How much of the array each block shows: about 1 where it stands, 0 before it came or after it went.

    Blocks are compared with the best fifth of the meter's own, each smoothed with its neighbours, so that an array that
    came late still counts and one odd winter block does not.

    Args:
        block_cross: regressor times target, shape (meters, blocks).
        block_square: regressor squared, same shape.
    """
    if not block_cross.shape[1]:
        return block_cross
    is_sunny = block_square > 0.1 * block_square.max(axis=1, keepdims=True)
    steady = np.where(is_sunny, sum_neighbours(block_cross) / np.maximum(sum_neighbours(block_square), 1e-9), -np.inf)
    ranked = np.sort(steady, axis=1)
    place = ranked.shape[1] - 1 - is_sunny.sum(axis=1) // 5
    top = np.take_along_axis(ranked, place[:, None], axis=1)
    own = np.where(is_sunny, block_cross / np.maximum(block_square, 1e-9), np.nan)
    return np.where(top > 0, own / np.maximum(top, 1e-9), np.nan)


def choose_layout(target: Floats, regressor: Floats, ratio: Floats, area: Ints, presence: Floats, spare: Floats) -> ArrayFit:
    """Fit ``target = scale * ratio * regressor`` for every layout and keep the closest.

    The scale is the upper quartile of the blocks': cloud lowers a block's own, hardly anything raises it.

    Args:
        target: shape (meters, blocks, 24), already multiplied by the regressor (a cross product), 0 where unknown.
        regressor: squared regressor, same shape, 0 where unknown.
        ratio: per area and layout, shape (areas, blocks, 24, layouts).
        area: row of ``ratio`` of each meter.
        presence: how much of the array each block shows, shape (meters, blocks).
        spare: total square of the unscaled target, same shape.
    """
    meters = len(target)
    used = np.nan_to_num(presence) > 0.6
    layouts = ratio.shape[-1]
    cross, square = np.zeros((meters, layouts)), np.zeros((meters, layouts))
    for row in np.unique(area):
        mine = area == row
        mix = ratio[row].reshape(-1, layouts)
        cross[mine] = (target[mine] * used[mine, :, None]).reshape(mine.sum(), -1) @ mix
        square[mine] = (regressor[mine] * used[mine, :, None]).reshape(mine.sum(), -1) @ mix**2
    total = np.where(used, spare, 0.0).sum(axis=1)
    agreement = np.where(cross > 0, cross, 0.0) ** 2 / np.maximum(square * total[:, None], 1e-12)
    best = agreement.argmax(axis=1) if meters else np.zeros(0, dtype=np.int64)
    rows = np.arange(meters)
    chosen = ratio[area, :, :, best]
    own = (target * chosen).sum(axis=2) / np.maximum((regressor * chosen**2).sum(axis=2), 1e-9)
    return ArrayFit(
        scale_kw=np.maximum(_upper_quartile(np.where(used, own, np.nan)), 0.0),
        plane_ratio=chosen,
        presence=presence,
        correlation=np.sqrt(agreement[rows, best]),
        peak_ratio=np.zeros(meters),
        pooled_kw=np.maximum(cross[rows, best], 0.0) / np.maximum(square[rows, best], 1e-9),
    )


def _upper_quartile(values: Floats) -> Floats:
    """Upper quartile of what is known in each row, 0 where nothing is."""
    if not values.shape[1]:
        return np.zeros(len(values))
    ranked = np.sort(values, axis=1)
    count = (~np.isnan(values)).sum(axis=1)
    place = np.maximum(np.rint(0.75 * (count - 1)).astype(np.int64), 0)
    return np.where(count > 0, np.take_along_axis(ranked, place[:, None], axis=1)[:, 0], 0.0)
