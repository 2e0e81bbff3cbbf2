"""How much the blocks of a power look like charging: boosted trees that know a charger from other loads by those of simulated cars."""

from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fmar_spark.kernels.usage_patterns import UsagePattern
from fmar_spark.kernels.window import Floats, Ints

COLUMNS: Final = (
    "power_kw",
    "share",
    "sharpness",
    "prominence",
    "kwh_per_day",
    "active_day_share",
    "hours_mean",
    "start_spread",
    "gap_cv",
    "mismatch",
)
"""Evidence of a power, in the order in which the trees know it."""
FILE: Final = Path(__file__).parent / "likeness.json"
"""The trees. ``scripts/fit_charger_likeness.py`` writes them."""
UNKNOWN_SPREAD: Final = 0.5
"""Spread of the starts where there are too few to say. Source: chosen by hand, the middle."""
UNKNOWN_GAP_CV: Final = 1.0
"""Inequality of the gaps where there are too few to say. Source: that of days at random."""
DECIMALS: Final = 6
"""Places to which evidence is rounded, so that another processor's last digit does not turn a tree."""


class LikenessTrees(msgspec.Struct, frozen=True):
    """Regression trees over ``COLUMNS``, one list of nodes a tree; node 0 is the root, and a leaf is its own successor."""

    source: str
    """How they were fitted."""
    base: float
    """Log odds to which the leaves are added."""
    column: list[list[int]]
    """Column that a node compares."""
    threshold: list[list[float]]
    """Evidence up to which it goes left."""
    left: list[list[int]]
    right: list[list[int]]
    value: list[list[float]]
    """Log odds that a leaf adds."""


class _Forest(NamedTuple):
    """The trees end to end; arrays of shape (nodes,) but for the roots."""

    base: float
    depth: int
    roots: Ints
    column: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats


def gather_evidence(pattern: UsagePattern, power_kw: Floats, share: Floats, sharpness: Floats, prominence: Floats) -> Floats:
    """What is known of each power, shape (powers, ``COLUMNS``); NaN where it has no blocks.

    Args:
        pattern: of the blocks of each power, shape (powers,).
        power_kw: the powers.
        share: of the energy of all flat blocks.
        sharpness: share of the blocks' energy within 5 % of the power.
        prominence: log ratio to what the powers beside it lead to expect.
    """
    columns = {
        "power_kw": power_kw,
        "share": share,
        "sharpness": sharpness,
        "prominence": prominence,
        "kwh_per_day": pattern.kwh_per_day,
        "active_day_share": pattern.active_day_share,
        "hours_mean": pattern.hours_mean,
        "start_spread": np.nan_to_num(pattern.start_spread, nan=UNKNOWN_SPREAD),
        "gap_cv": np.nan_to_num(pattern.gap_cv, nan=UNKNOWN_GAP_CV),
        "mismatch": pattern.mismatch,
    }
    return np.round(np.stack([columns[name] for name in COLUMNS], axis=1), DECIMALS)


def score_likeness(evidence: Floats, trees: LikenessTrees | None = None) -> Floats:
    """Log odds that a power is the charger's if the home has one, shape (powers,); NaN where the power has no blocks.

    Args:
        evidence: shape (powers, ``COLUMNS``).
        trees: others than those that the package carries.
    """
    forest = _load() if trees is None else _plant(trees)
    known = np.flatnonzero(~np.isnan(evidence).any(axis=1))
    likeness = np.full(len(evidence), np.nan)
    if not known.size:
        return likeness
    given = evidence[known]
    node = np.broadcast_to(forest.roots, (known.size, forest.roots.size))
    row = np.arange(known.size)[:, None]
    for _ in range(forest.depth):
        goes_left = given[row, forest.column[node]] <= forest.threshold[node]
        node = np.where(goes_left, forest.left[node], forest.right[node])
    likeness[known] = forest.base + forest.value[node].sum(axis=1)
    return likeness


@cache
def _load() -> _Forest:
    return _plant(msgspec.json.decode(FILE.read_bytes(), type=LikenessTrees))


def _plant(trees: LikenessTrees) -> _Forest:
    sizes = [len(nodes) for nodes in trees.column]
    roots = np.cumsum([0, *sizes[:-1]])
    offset = np.repeat(roots, sizes)
    left, right = (_join(nodes, np.int64) + offset for nodes in (trees.left, trees.right))
    depth, reached = 0, roots
    while (left[reached] != reached).any():
        reached = np.unique(np.concatenate([left[reached], right[reached]]))
        depth += 1
    return _Forest(
        trees.base,
        depth,
        roots,
        _join(trees.column, np.int64),
        _join(trees.threshold, np.float64),
        left,
        right,
        _join(trees.value, np.float64),
    )


def _join(nodes: list[list[int]] | list[list[float]], kind: type[np.int64] | type[np.float64]) -> NDArray[Any]:
    return np.concatenate([np.asarray(one, dtype=kind) for one in nodes])
