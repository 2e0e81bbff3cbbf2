"""Marks the days on which dark hours come down to nothing: what a battery that covers the load leaves of it."""

from typing import Final

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.solar.fit import find_quietest, take_quantile
from fmar_spark.kernels.window import Bools, Floats

NOTHING: Final = 0.2
"""Import over the base load below which a half-hour counts in part, the more the nearer it is to zero. Source: as of arrays."""
BASE_SHARE: Final = 0.8
"""Quantile of the blocks' base loads that every day is held against: a battery covers the quietest hours of some of them. Source: dates of
batteries that came to simulated homes; with 0.5 fewer hold."""
WAKING_UNTIL: Final = 9 * SLOTS_PER_DAY // 24
"""Dark half-hours before this one count: what is stored lasts until the morning. Source: chosen by hand."""
EVENING_FROM: Final = 16 * SLOTS_PER_DAY // 24
"""Dark half-hours from this one on count. Source: chosen by hand."""
LEAST_SLOTS: Final = 4
"""Fewer such half-hours that were read say nothing of a day. Source: chosen by hand."""
USUAL_SHARE: Final = 0.7
"""Quantile of the days with a mark that counts as the usual one. Source: chosen by hand."""
MOST_MOVED: Final = 2.0
"""Most of the usual energy that a day counts for. Source: chosen by hand."""
SHOWN: Final = 0.5
"""Mark from which a day shows a battery. Source: chosen by hand."""
NOT_SHOWN: Final = 0.25
"""Mark up to which a day shows none. Source: chosen by hand."""
FILLING_SHARE: Final = 0.1
"""Quantile of the sunny half-hours without need, of the days that show a battery, from which another day would fill it. Source:
as ``dating.COMES_TO``; with 0.2 or 0.3 fewer that came are dated."""


def mark_nights(moved_kwh: Floats, net: Floats, dark: Bools) -> Floats:
    """How far each day's dark hours come down to zero, or the energy moved if that is more, over their usual, shape of ``moved_kwh``.

    Without a battery no dark hour falls far below the quietest one. Unlike the energy that a battery moves, which follows what the home
    would draw, this does not depend on the load; energy that is charged from the network shows the others.

    Args:
        moved_kwh: a day, shape (meters, blocks * 28).
        net: import less export, kW, shape (meters, blocks, 28, 48), NaN where unread.
        dark: half-hours without sun, shape (meters, blocks, 48).
    """
    if not moved_kwh.size:
        return moved_kwh
    quietest_kw = np.maximum(find_quietest(net, dark), 0.0)
    base_kw = np.maximum(np.nan_to_num(take_quantile(take_quantile(quietest_kw, 0.5), BASE_SHARE)), 1e-3)
    slot = np.arange(SLOTS_PER_DAY)
    counted = (dark & ((slot < WAKING_UNTIL) | (slot >= EVENING_FROM))).astype(np.float32)
    empty = 1 - np.clip(net / (NOTHING * base_kw)[:, None, None, None].astype(np.float32), 0, 1)
    read = np.einsum("mbds,mbs->mbd", (~np.isnan(net)).astype(np.float32), counted)
    depth = np.einsum("mbds,mbs->mbd", np.nan_to_num(empty), counted) / np.maximum(read, 1)
    depth = np.where(read >= LEAST_SLOTS, depth, np.nan).reshape(moved_kwh.shape)
    moved = np.where(np.isnan(moved_kwh), np.nan, moved_kwh / _find_usual(moved_kwh))
    marks: Floats = np.fmax(depth / _find_usual(depth), np.minimum(moved, MOST_MOVED))
    return marks


def leave_out_dull(marks: Floats, free: Bools, by_sun: Bools) -> Floats:
    """The marks, NaN on days whose silence says nothing because the sun would not have filled the battery.

    Args:
        marks: of ``mark_nights``, shape (meters, blocks * 28).
        free: half-hours with sun in which the site needs nothing from the network, shape (meters, blocks, 28, 48).
        by_sun: meters that are not seen to charge from the network, shape (meters,).
    """
    if not marks.size:
        return marks
    spare = free.sum(axis=3, dtype=np.int8).reshape(marks.shape).astype(np.float32)
    spare[:, 1:] = np.maximum(spare[:, 1:], spare[:, :-1])
    needed = take_quantile(np.where(marks >= SHOWN, spare, np.float32(np.nan)), FILLING_SHARE)[:, None]
    left: Floats = np.where(by_sun[:, None] & (marks <= NOT_SHOWN) & (spare < needed), np.nan, marks)
    return left


def _find_usual(marks: Floats) -> Floats:
    """The usual mark of the days that have one, shape (meters, 1); infinite where none has."""
    usual = take_quantile(np.where(marks > 0, marks, np.nan), USUAL_SHARE)
    return np.where(usual > 0, usual, np.inf)[:, None]
