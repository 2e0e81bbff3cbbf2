"""What moved a probability: the part that each piece of evidence has in the log odds of a set of trees.

A tree's answer is its mean plus the changes of that mean along the path of splits; each change is the part of the evidence that the split
asked for. The parts add up exactly to the log odds (Saabas, 2014: the path attribution of additive trees). Of evidence that says the
same twice, the one that is asked first takes the credit.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints
from fmar_spark.learning.trees import TreeSet


class Forest(NamedTuple):
    """All trees of all sets as one array of nodes."""

    root: Ints
    """Node in which each tree begins, shape (trees,)."""
    evidence: Ints
    """Column that a node asks for; 0 at a leaf."""
    threshold: Floats
    """Up to which the path goes left."""
    is_missing_left: Bools
    """Whether a missing value goes left."""
    left: Ints
    right: Ints
    """Nodes below; a leaf is below itself, by which the end of a path is known."""
    value: Floats
    """Mean answer of the training examples that reach the node, log odds over the number of sets."""
    columns: int
    """Columns of the evidence."""


def build_forest(members: Sequence[TreeSet]) -> Forest:
    """The trees of several sets whose log odds are averaged."""
    parts, offset = [], 0
    for columns in (member.read_columns() for member in members):
        root = np.repeat(columns.root, np.diff([*columns.root, len(columns.value)]))
        own = np.arange(len(columns.value))
        below = [np.where(columns.is_leaf, own, root + side) + offset for side in (columns.left, columns.right)]
        threshold = np.where(columns.is_leaf, np.inf, columns.threshold)
        parts.append((columns.root + offset, columns.feature, threshold, columns.is_missing_left, *below, columns.value / len(members)))
        offset += len(own)
    roots, evidence, threshold, is_missing_left, left, right, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Forest(
        root=roots,
        evidence=evidence,
        threshold=threshold,
        is_missing_left=is_missing_left,
        left=left,
        right=right,
        value=value,
        columns=members[0].columns,
    )


def explain_answers(forest: Forest, evidence: Floats) -> Floats:
    """Part of each column in the log odds of each meter, shape (meters, columns); with the trees' mean they add up to them.

    Args:
        forest: of one class.
        evidence: shape (meters, columns), NaN missing.
    """
    meters = len(evidence)
    parts = np.zeros(meters * forest.columns)
    row = np.repeat(np.arange(meters) * forest.columns, len(forest.root))
    flat = np.ascontiguousarray(evidence, dtype=np.float64).reshape(-1)
    node = np.tile(forest.root, meters)
    while node.size:
        cell = row + forest.evidence[node]
        asked = flat[cell]
        goes_left = np.where(np.isnan(asked), forest.is_missing_left[node], asked <= forest.threshold[node])
        below = np.where(goes_left, forest.left[node], forest.right[node])
        parts += np.bincount(cell, forest.value[below] - forest.value[node], parts.size)
        leads_on = forest.left[below] != below
        row, node = row[leads_on], below[leads_on]
    return parts.reshape(meters, forest.columns)
