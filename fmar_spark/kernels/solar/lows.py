"""Marks the days on which sunny hours come down to nothing: what an array without an export register leaves of the load."""

from typing import Final

import numpy as np

from fmar_spark.kernels.solar.fit import DARK_W_M2, Blocks, average_known, find_quietest, take_quantile
from fmar_spark.kernels.window import Bools, Floats

NOTHING: Final = 0.2
"""Import over the base load below which an hour counts in part, the more the nearer it is to zero. Source: of 72 arrays without an export
register that came in simulated fleets 52 are dated within a week; with 0.3 or 0.5 it is 49 and 46."""
_SUN_LEVELS: Final = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Likely irradiance, kW/m2, from which days are as bright as each other; darker days than the first say nothing."""
_DEEP: Final = 0.8
"""Quantile of the days as bright that says how deep they come down with the array."""
_LEAST_DAYS: Final = 8
"""Fewest such days."""
_TELLING: Final = 0.25
"""Share of the deepest level from which days as bright say whether there is an array: a small one does not show in winter."""
_HIGH_SUN: Final = 0.6
"""Share of the block's highest clear-sky hour from which an hour is sunny."""
_LEAST_READ: Final = 0.5
"""Share of the sunny hours, each by its clear sky, that must have been read."""
_LEAST_BASE: Final = 0.5
"""Share of the usual base load that a block's is taken to be at least: an empty home's falls, and so do nights that a battery covers."""
_COVERED: Final = 0.3
"""Share of the highest base load of a block up to which a battery is taken to cover the nights."""
_BEHIND_BATTERY: Final = 0.6
"""Share of that highest base load that such a block is then held against."""
_SHOWN_DAYS: Final = 60
"""Best days whose mean says whether the marks say anything."""
_SHOWN: Final = 0.1
"""That mean, below which they say nothing, and the dip against the weeks around has to."""


def mark_lows(daily: Floats, net: Floats, sky: Floats, blocks: Blocks) -> Floats:
    """The marks of meters without an export register, shape of ``daily``: how far sunny hours of each day come down to zero, 0 to 1.

    Without an array no hour of a home falls far below what it draws in its quietest dark hour. With one, import stays at zero while the
    array covers the load. A car, a heat pump or a battery at night, which moves the dip of noon against night, does not move it.
    Meters whose sunny hours never come down keep their marks.

    Args:
        daily: marks, shape (meters, blocks * 28).
        net: kW, shape (meters, blocks, 28, 24), NaN where unread.
        sky: kW/m2, likely irradiance, same shape.
        blocks: four-week statistics.
    """
    if not daily.size:
        return daily
    base_kw = _find_base(net, blocks)
    sunny = np.where(blocks.clear > _HIGH_SUN * blocks.clear.max(axis=2, keepdims=True), blocks.clear, np.float32(0.0))
    sunny = (sunny / np.maximum(sunny.sum(axis=2, keepdims=True), 1e-6)).astype(np.float32)
    empty = 1 - np.clip(net / (NOTHING * base_kw)[..., None, None].astype(np.float32), 0, 1)
    share = np.einsum("mbdh,mbh->mbd", (~np.isnan(net)).astype(np.float32), sunny)
    depth = np.einsum("mbdh,mbh->mbd", np.nan_to_num(empty), sunny) / np.maximum(share, 1e-6)
    lit = np.einsum("mbdh,mbh->mbd", sky, sunny)
    depth = np.where(share >= _LEAST_READ, depth, np.nan).reshape(daily.shape)
    depth = np.where(_find_telling(depth, lit.reshape(daily.shape)), depth, np.nan)
    best = -np.sort(-np.nan_to_num(depth), axis=1)[:, :_SHOWN_DAYS].mean(axis=1)
    marks: Floats = np.where(best[:, None] > _SHOWN, depth, daily)
    return marks


def _find_telling(depth: Floats, lit: Floats) -> Bools:
    """Days bright enough for this meter's array to show, shape (meters, days), by how deep the best of the days as bright come down."""
    place = np.searchsorted(_SUN_LEVELS, lit, side="right")
    deep = np.zeros((len(depth), len(_SUN_LEVELS) + 1))
    for level in range(1, deep.shape[1]):
        mine = np.where(place == level, depth, np.nan)
        known = np.count_nonzero(~np.isnan(mine), axis=1)
        deep[:, level] = np.where(known >= _LEAST_DAYS, take_quantile(mine, _DEEP), 0.0)
    shows = np.maximum.accumulate(deep, axis=1) >= _TELLING * deep.max(axis=1, keepdims=True)
    shows[:, 0] = False
    return np.take_along_axis(shows, place, axis=1)


def _find_base(net: Floats, blocks: Blocks) -> Floats:
    """What each block draws in its quietest dark hour, kW, shape (meters, blocks)."""
    dark = blocks.clear * 1000 < DARK_W_M2
    base_kw = np.maximum(average_known(find_quietest(net, dark), 2), 0.0)
    usual, highest = (np.nan_to_num(take_quantile(base_kw, share))[:, None] for share in (0.5, 1.0))
    base_kw = np.maximum(np.fmax(base_kw, _LEAST_BASE * usual), 1e-3)
    held: Floats = np.where(base_kw < _COVERED * highest, _BEHIND_BATTERY * highest, base_kw)
    return held
