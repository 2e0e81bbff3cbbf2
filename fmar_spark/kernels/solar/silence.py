"""What a long silence before the first export, or after the last one, says of an array."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.solar.fit import BLOCK_DAYS
from fmar_spark.kernels.window import Bools, Floats

_AS_BRIGHT: Final = 1.25
"""Blocks whose clear-sky noons differ by no more than this ratio are expected to export alike."""
_MISSED_EXPORTS: Final = 20.0
"""So many days of export that were to be expected and did not come mean that the array was not there: a home that heats in spring exports
less than the same sun made it export in autumn. Source: of 143 simulated arrays that were always there 2 are given a day of arrival, 11
from 5 days on, and of 35 that came 29 are dated within a week instead of 30; of another fleet's 83 none instead of one, and 24 of 29 both
ways."""
_CHANCE_EXPORTS: Final = 1.6
"""So many may fail to come by chance: the silent days nearest to the exports say nothing (exp(-1.6) = 20 %)."""


class Silence(NamedTuple):
    """Days without an array by its exports, shape (meters, days) each."""

    absent: Bools
    """There was no array, because it would have exported."""
    unsure: Bools
    """Beside these, silent days on which it may have stood."""


def find_silence(is_out: Bools, is_read: Bools, noon: Floats) -> Silence:
    """Find the days before an array came and after it went.

    From its first day of export on a site shows how often it exports under a sky as bright: where that many days before the first were
    silent that ``_MISSED_EXPORTS`` were to be expected of them, the array had not come. The same holds backwards of the days after the
    last. A winter that is silent at either end thereby says that this site is silent in winter.

    Args:
        is_out: days with export, shape (meters, blocks, 28).
        is_read: days that were read, same shape.
        noon: clear-sky noon of each block, kW/m2, shape (meters, blocks).
    """
    meters, blocks = noon.shape
    days = blocks * BLOCK_DAYS
    out, read = is_out.reshape(meters, days), is_read.reshape(meters, days)
    if not days:
        return Silence(np.zeros((meters, 0), dtype=np.bool_), np.zeros((meters, 0), dtype=np.bool_))
    day = np.arange(days)
    first = np.where(out.any(axis=1), out.argmax(axis=1), 0)[:, None]
    last = np.where(out.any(axis=1), days - 1 - out[:, ::-1].argmax(axis=1), days - 1)[:, None]
    stands = (day >= first) & (day <= last)
    before, after = (
        np.where(side, 0.0, np.repeat(_expect_exports(is_out, is_read & side.reshape(is_read.shape), noon), BLOCK_DAYS, axis=1) * read)
        for side in (day >= first, day <= last)
    )
    missed = np.where(day < first, before[:, ::-1].cumsum(axis=1)[:, ::-1], after.cumsum(axis=1))
    is_bounded = np.where(day < first, before.sum(axis=1, keepdims=True), after.sum(axis=1, keepdims=True)) >= _MISSED_EXPORTS
    silent = ~stands & is_bounded
    return Silence(silent & (missed >= _CHANCE_EXPORTS), silent & (missed < _CHANCE_EXPORTS))


def _expect_exports(is_out: Bools, counted: Bools, noon: Floats) -> Floats:
    """Chance of an export on a day of each block, from the counted days of blocks as bright, shape (meters, blocks).

    A block brighter than all that were counted has the chance of the brightest of them, a darker one none.
    """
    known = counted.sum(axis=2)
    exported = (is_out & counted).sum(axis=2)
    level = np.log(np.maximum(noon, 1e-3))
    apart = level[:, :, None] - level[:, None, :]
    alike = (np.abs(apart) <= np.log(_AS_BRIGHT)).astype(np.float64)
    known_alike = np.einsum("mbc,mc->mb", alike, known)
    chance = np.einsum("mbc,mc->mb", alike, exported) / np.maximum(known_alike, 1)
    is_known = known_alike > 0
    brightest = np.where(known > 0, level, -np.inf).max(axis=1, initial=-np.inf)[:, None]
    best = np.where(is_known & (level >= brightest - np.log(_AS_BRIGHT)), chance, 0.0).max(axis=1, initial=0.0)[:, None]
    return np.where(is_known, chance, np.where(level > brightest, best, 0.0))
