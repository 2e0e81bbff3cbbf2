"""Which sums of a publication may be renewed, so that no two publications differ by fewer meters than the threshold.

A block (``fmar_spark.kernels.disclosure``) is renewed when its meters are the same as they were, or differ by as many as the
threshold; else it stays as it was published, figures and all. Where blocks are cut anew, what moves between any two of them,
joins or leaves must be nobody, or as many. Both hold against every earlier publication, not the last alone: otherwise ten meters that
join and leave again would uncover an eleventh.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
NOBODY: Final = -1
"""Block of a meter that is in none."""


class Settled(NamedTuple):
    """What is published now."""

    block: Ints
    """Block of each meter; ``NOBODY`` where it is in no sum."""
    is_kept: Bools
    """(blocks,) which blocks stay as they were last published."""


def settle(past: Sequence[Ints], wanted: Ints, threshold: int) -> Settled:
    """The wanted blocks where they may be published, those of the last publication elsewhere.

    Args:
        past: block of each meter in every earlier publication, the last one at the end, shape (meters,); one number a block in all
            of them, ``NOBODY`` where the meter was in none.
        wanted: block of each meter as it would be now.
        threshold: fewest meters by which two sums may differ.
    """
    blocks = int(max([wanted.max(initial=NOBODY), *(one.max(initial=NOBODY) for one in past)])) + 1
    is_kept = np.zeros(blocks, dtype=np.bool_)
    if not past:
        return Settled(wanted.copy(), is_kept)
    last, now = past[-1], wanted.copy()
    while True:
        bad = _find_bad(past, now, blocks, threshold) & ~is_kept
        if not bad.any():
            return Settled(now, is_kept)
        for group in _list_components(last, now, blocks):
            names = np.concatenate([group.earlier, group.now])
            names = names[names != NOBODY]
            if bad[names].any():
                is_mine = np.isin(last, names) | np.isin(now, names)
                now[is_mine] = last[is_mine]
                is_kept[names] = True


def hold_count(earlier: float | None, count: int, threshold: int) -> float | None:
    """A count on its own as it may be published: a multiple of the threshold that moves only when as many have come or gone.

    Needs no memory but the last figure: a count differed from it by half a threshold at most when it was rounded, so a count that is
    one and a half thresholds away differs from that earlier count by a threshold at least.

    Args:
        earlier: what was published last; None = nothing.
        count: as it is now.
        threshold: fewest by which two published counts may differ.

    Returns:
        None where it is withheld: below two thresholds, unless it was published and has not moved by as many.
    """
    if earlier is not None and abs(count - earlier) < 1.5 * threshold:
        return earlier
    return None if count < 2 * threshold else float(round(count / threshold) * threshold)


def hold_shares(earlier: Floats, part: Ints, whole: Ints, threshold: int, step: float) -> Floats:
    """Shares on their own as they may be published: rounded, and moved only when as many as the threshold have come, gone or changed.

    Args:
        earlier: what was published last, multiples of ``step``, shape (shares,); NaN = nothing.
        part: connections that have what is counted, the same shape.
        whole: connections that could have it.
        threshold: fewest by which two published sums may differ.
        step: to which shares are rounded.
    """
    fresh = np.round(np.round(part / np.maximum(whole, 1) / step) * step, 6)
    stays = np.abs(part - earlier * whole) < threshold + step / 2 * (whole + threshold)
    return np.where(stays, earlier, fresh)


def _find_bad(past: Sequence[Ints], now: Ints, blocks: int, threshold: int) -> Bools:
    """Blocks that may not be renewed as they stand."""
    bad = np.zeros(blocks, dtype=np.bool_)
    for earlier in past:
        for group in _list_components(earlier, now, blocks):
            if _may_follow(group, threshold):
                continue
            bad[group.now[group.now != NOBODY]] = True
            bad[group.earlier[group.earlier != NOBODY]] |= earlier is past[-1]
    return bad


class _Component(NamedTuple):
    """Blocks that share meters, or a name, in two publications: one entry a pair of blocks."""

    earlier: Ints
    now: Ints
    meters: Ints


def _list_components(earlier: Ints, now: Ints, blocks: int) -> Iterator[_Component]:
    is_in = (earlier != NOBODY) | (now != NOBODY)
    pairs, meters = np.unique(np.stack([earlier[is_in], now[is_in]], axis=1), axis=0, return_counts=True)
    label = np.arange(blocks)
    for one, other in pairs[(pairs != NOBODY).all(axis=1)]:
        low, high = sorted((int(label[one]), int(label[other])))
        label[label == high] = low
    owner = label[np.where(pairs[:, 0] == NOBODY, pairs[:, 1], pairs[:, 0])]
    for name in np.unique(owner):
        rows = owner == name
        yield _Component(pairs[rows, 0], pairs[rows, 1], meters[rows].astype(np.int64))


def _may_follow(group: _Component, threshold: int) -> bool:
    if (group.meters >= threshold).all():
        return True
    before, after = (set(one[one != NOBODY].tolist()) for one in (group.earlier, group.now))
    changed = int(group.meters[group.earlier != group.now].sum())
    return len(before | after) == 1 and (changed == 0 or changed >= threshold)
