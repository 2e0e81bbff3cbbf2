"""What size of an array each clear day shows, from the highest hour of its export: an extension is a lasting step in it."""

from typing import Final

import numpy as np

from fmar_spark.kernels.solar.fit import BLOCK_DAYS, HOURS, ArrayFit, Blocks
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow

_CLEAR: Final = 0.6
"""Measured over clear-sky irradiance from which an hour shows the size: broken cloud is not seen alike by roof and station. Source: 801
arrays of simulated fleets of seeds 9101 to 9104; with 0.75 fewer extensions are dated, and more are said of the others."""
_HIGH_SUN: Final = 0.55
"""Share of the day's highest clear-sky hour from which an hour counts. Source: chosen by hand."""
_LEAST_SUN: Final = 0.15
"""Least clear-sky irradiance of such an hour, kW/m2. Source: chosen by hand."""
_PLANES: Final = (0.3, 2.2)
"""Irradiance on the modules over that on the horizontal, between which the sun stands high enough before them. Source: chosen by hand."""
_LEAST_PLANE: Final = 0.1
"""Least irradiance on the modules, kW/m2. Source: chosen by hand."""


def mark_sizes(window: MeterWindow, exports: Floats, sky: tuple[Floats, Floats], blocks: Blocks, fit: ArrayFit, base_kw: Floats) -> Floats:
    """The size that each day shows, AC kW at 1 kW/m2 on the modules, shape (meters, blocks * 28); NaN where none.

    The highest clear hour of a day's export, and the base load beside it, over the measured irradiance on the modules. A load or a battery
    that takes part of the output hardly takes it in every hour of a clear day.

    Args:
        window: meters with an export register.
        exports: kW, shape (meters, blocks, 28, 24), 0 where there was none.
        sky: measured and clear-sky irradiance, kW/m2, same shape each.
        blocks: four-week statistics.
        fit: the arrays.
        base_kw: what the dark hours never go below, kW, shape (meters, blocks).
    """
    meters, spells = blocks.days.shape[:2]
    if not meters or not spells:
        return np.full((meters, spells * BLOCK_DAYS), np.nan)
    measured, clear = sky
    least_kw = np.where(base_kw > 0, base_kw, np.inf).min(axis=1)
    least_kw = np.where(np.isinf(least_kw), 0.0, least_kw).astype(np.float32)[:, None, None, None]
    plane = _follow_days(fit.plane_ratio, _find_clock_shifts(window)).reshape(exports.shape)
    shows: Bools = (clear > _HIGH_SUN * clear.max(axis=3, keepdims=True)) & (clear > _LEAST_SUN) & (measured >= _CLEAR * clear)
    lit = plane * np.nan_to_num(measured)
    shows &= (plane > _PLANES[0]) & (plane < _PLANES[1]) & (lit > _LEAST_PLANE) & (exports > 0)
    size_kw = np.where(shows, (exports + least_kw) / np.maximum(lit, np.float32(_LEAST_PLANE)), np.float32(-np.inf)).max(axis=3)
    return np.where(np.isinf(size_kw), np.nan, size_kw).reshape(meters, spells * BLOCK_DAYS)


def _find_clock_shifts(window: MeterWindow) -> Ints:
    """Hours by which the clock of each day runs ahead of the sun, against most days of the window, shape (meters, days)."""
    noon = window.cos_zenith.argmax(axis=2)
    ahead = np.rint((noon - np.median(noon, axis=1, keepdims=True)) / 2).astype(np.int64)
    return np.asarray(ahead[window.area])


def _follow_days(plane_ratio: Floats, ahead: Ints) -> Floats:
    """The ratio of each day, between the middles of blocks, by the hour of the sun rather than of the clock, shape (meters, days, 24).

    Args:
        plane_ratio: in the middle of each block, shape (meters, blocks, 24).
        ahead: ``_find_clock_shifts``; of the last block perhaps fewer days.
    """
    blocks = plane_ratio.shape[1]
    days = ahead.shape[1]
    hour = np.arange(HOURS)
    middle = np.minimum(np.arange(blocks) * BLOCK_DAYS + BLOCK_DAYS // 2, days - 1)
    by_sun = np.take_along_axis(plane_ratio, (hour + ahead[:, middle, None]) % HOURS, axis=2)
    place = (np.arange(blocks * BLOCK_DAYS) - BLOCK_DAYS // 2) / BLOCK_DAYS
    before = np.clip(np.floor(place).astype(np.int64), 0, max(blocks - 2, 0))
    after = np.minimum(before + 1, blocks - 1)
    share = np.clip(place - before, -0.5, 1.5)[:, None]
    daily = np.maximum(by_sun[:, before] * (1 - share) + by_sun[:, after] * share, 0.0)
    padded = np.pad(ahead, ((0, 0), (0, blocks * BLOCK_DAYS - days)), mode="edge")
    return np.take_along_axis(daily, (hour - padded[..., None]) % HOURS, axis=2).astype(np.float32)
