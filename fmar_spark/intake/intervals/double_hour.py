"""Distinguishes the two hours that a clock shows alike when it goes back: by the order of a file, else by what it reads around them."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 86_400


class Stamps(NamedTuple):
    """Times of rows as they were read, in any order: one entry a row."""

    series: Ints
    file: Ints
    line: Ints
    second: Ints
    """Since 1970; of a time that the clock showed twice, the first."""
    is_double: Bools
    """The clock showed it twice."""


class Resolved(NamedTuple):
    """One entry a row."""

    second: Ints
    is_open: Bools
    """Shown twice by the clock and once by its file, which does not say which of the two it was."""


def resolve_double(stamps: Stamps) -> Resolved:
    """Put what was read in the second of the two hours an hour later.

    Of two rows of one series, file and time the second is the later; in a file whose rows follow each other in time, so is what comes after
    a step back. Of an hour that a file shows once, the second is taken where readings of the file go on from it and none come before it,
    else the first: only where readings come before it and none after it, that is sure.
    """
    second, is_open = stamps.second.copy(), np.zeros(len(stamps.second), dtype=np.bool_)
    order = np.lexsort((stamps.line, stamps.file, stamps.series))
    is_new = (np.diff(stamps.series[order]) != 0) | (np.diff(stamps.file[order]) != 0)
    for rows in np.split(order, np.flatnonzero(is_new) + 1):
        if stamps.is_double[rows].any():
            second[rows], is_open[rows] = _resolve_file(stamps.second[rows], stamps.is_double[rows])
    return Resolved(second, is_open)


def _resolve_file(second: Ints, is_double: Bools) -> Resolved:
    """The same of one series and file, in the order of its lines."""
    steps = np.diff(second)
    if np.sign(steps).sum() < 0:
        turned = _resolve_file(second[::-1], is_double[::-1])
        return Resolved(turned.second[::-1], turned.is_open[::-1])
    is_ordered = bool((steps[~(is_double[1:] & is_double[:-1])] >= 0).all())
    resolved, is_open = second.copy(), np.zeros(len(second), dtype=np.bool_)
    double, plain = np.flatnonzero(is_double), second[~is_double]
    by_time = double[np.argsort(second[double], kind="stable")]
    for change in np.split(by_time, np.flatnonzero(np.diff(second[by_time]) > DAY_SECONDS) + 1):
        rows = np.sort(change)
        is_later, is_open[rows] = _divide_hour(second[rows], plain, is_ordered=is_ordered)
        resolved[rows] += HOUR_SECONDS * is_later
    return Resolved(resolved, is_open)


def _divide_hour(second: Ints, plain: Ints, *, is_ordered: bool) -> tuple[Bools, Bools]:
    """Which rows of one change of the clock are of the second hour, and of which it is not sure.

    Args:
        second: times of the rows, in the order of their lines.
        plain: times of the file that the clock showed once.
        is_ordered: its rows follow each other in time.
    """
    is_later = np.ones(len(second), dtype=np.bool_)
    is_later[np.unique(second, return_index=True)[1]] = False
    if is_ordered:
        is_later[1:] |= np.diff(second) < 0
        is_later = np.maximum.accumulate(is_later) & (is_later | ~np.isin(second, second[is_later]))
    if is_later.any():
        is_alone = ~np.isin(second, second[is_later]) & ~is_later
        return is_later, is_alone & (not is_ordered)
    first, last = second.min(), second.max()
    has_before = bool(((plain >= first - HOUR_SECONDS) & (plain < first)).any())
    has_after = bool(((plain > last) & (plain <= last + 2 * HOUR_SECONDS)).any())
    everything = np.ones(len(second), dtype=np.bool_)
    return everything & (has_after and not has_before), everything & (has_after or not has_before)
