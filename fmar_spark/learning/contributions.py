"""What moved a probability: the part that each piece of evidence has in the log odds of a set of trees.

A tree's answer is its mean plus the changes of that mean along the path of splits; each change is the part of the evidence that the split
asked for. The parts add up exactly to the log odds (Saabas, 2014: the path attribution of additive trees). Of evidence that says the
same twice, the one that is asked first takes the credit.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints


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
    """Nodes below; a leaf is below itself, so that a path may be followed beyond its end."""
    value: Floats
    """Mean answer of the training examples that reach the node, log odds over the number of sets."""
    depth: int
    """Longest path."""
    columns: int
    """Columns of the evidence."""


def build_forest(members: Sequence[Any]) -> Forest:
    """The trees of several sets whose log odds are averaged, as scikit-learn's gradient boosting holds them."""
    parts, values, roots, offset = [], [], [], 0
    for member in members:
        for (tree,) in member._predictors:
            nodes = tree.nodes
            own = np.arange(len(nodes))
            is_leaf = nodes["is_leaf"].astype(bool)
            below = [np.where(is_leaf, own, nodes[side].astype(np.int64)) + offset for side in ("left", "right")]
            evidence = np.where(is_leaf, 0, nodes["feature_idx"])
            threshold = np.where(is_leaf, np.inf, nodes["num_threshold"])
            parts.append((evidence, threshold, nodes["missing_go_to_left"].astype(bool), *below))
            values.append(_average_below(nodes) / len(members))
            roots.append(offset)
            offset += len(nodes)
    evidence, threshold, is_missing_left, left, right = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Forest(
        root=np.array(roots),
        evidence=evidence,
        threshold=threshold,
        is_missing_left=is_missing_left,
        left=left,
        right=right,
        value=np.concatenate(values),
        depth=max(int(tree.nodes["depth"].max()) for member in members for (tree,) in member._predictors),
        columns=int(members[0].n_features_in_),
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
    for _ in range(forest.depth):
        cell = row + forest.evidence[node]
        asked = flat[cell]
        goes_left = np.where(np.isnan(asked), forest.is_missing_left[node], asked <= forest.threshold[node])
        below = np.where(goes_left, forest.left[node], forest.right[node])
        parts += np.bincount(cell, forest.value[below] - forest.value[node], parts.size)
        node = below
    return parts.reshape(meters, forest.columns)


def _average_below(nodes: Any) -> Floats:
    """Mean of the leaves below each node, weighted by their training examples; nodes stand before those below them."""
    value, weight = nodes["value"].copy(), nodes["count"].astype(np.float64)
    for place in range(len(nodes) - 1, -1, -1):
        node = nodes[place]
        if not node["is_leaf"]:
            pair = [int(node["left"]), int(node["right"])]
            value[place] = np.average(value[pair], weights=np.maximum(weight[pair], 1.0))
    return np.asarray(value)
