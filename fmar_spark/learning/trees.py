"""Gradient boosted trees as a classifier keeps them: a few columns of nodes, from which scikit-learn's predictors are made when asked.

scikit-learn's own object stores thousands of arrays, one a tree, which takes a second to load and four times the room.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from fmar_spark.kernels.window import Bools, Floats, Ints

NO_CATEGORIES: Final = np.zeros((0, 8), dtype=np.uint32)
"""No column of the evidence is one of categories."""
LOGIT_REACH: Final = float(np.log(1e6))
"""Log odds beyond which a set of trees is not believed."""
_STORED: Final = ("baseline", "columns", "nodes")
"""Parts of a set of trees in a file."""
_KINDS: Final = {"root": "u", "feature": "u", "threshold": "f", "is_missing_left": "b", "left": "u", "right": "u", "value": "f"}
"""numpy's kind of each column of nodes."""


class TreeColumns(NamedTuple):
    """The nodes of all trees of a set end to end, shape (nodes,) each; a tree's first node is its root."""

    root: Ints
    """Node in which each tree begins, shape (trees,)."""
    feature: Ints
    """Column of the evidence that a node asks for; 0 at a leaf."""
    threshold: Floats
    """Up to which the path goes left; 0 at a leaf."""
    is_missing_left: Bools
    """Whether a missing value goes left."""
    left: Ints
    """Nodes below, counted from the root of their tree; 0 at a leaf."""
    right: Ints
    value: Floats
    """Log odds that a leaf adds; above leaves the mean of those below, weighted by the training examples that reached them."""

    @property
    def is_leaf(self) -> Bools:
        """Where nothing is below: node 0 of a tree is its root, and below none."""
        return np.asarray(self.left == 0)


class TreeSet(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """One set of trees for one class.

    Args:
        baseline: log odds to which the trees add.
        columns: of the evidence.
        nodes: field of ``TreeColumns`` -> its array.
    """

    def __init__(self, baseline: float = 0.0, columns: int = 0, nodes: dict[str, Any] | None = None) -> None:
        self.baseline = baseline
        self.columns = columns
        self.nodes = nodes

    def __getstate__(self) -> dict[str, Any]:
        """What is stored: the predictors are made again."""
        return {name: getattr(self, name) for name in _STORED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Nothing else of a file is taken: predictors in it would be walked by compiled code, which looks at no bounds."""
        for name in _STORED:
            setattr(self, name, state[name])

    def read_columns(self) -> TreeColumns:
        """The nodes, with indices wide enough to be added to."""
        nodes = self.nodes or {}
        wide = {name: np.asarray(nodes[name], dtype=np.int64) for name in ("root", "feature", "left", "right")}
        return TreeColumns(**{**nodes, **wide})

    def find_fault(self) -> str | None:
        """What makes the nodes no trees, if anything does: a walk through damaged ones would not end, or leave them."""
        given = self.nodes if isinstance(self.nodes, dict) else {}
        kinds = {name: column.dtype.kind for name, column in given.items() if type(column) is np.ndarray and column.ndim == 1}
        if set(given) != set(kinds) or kinds != _KINDS or type(self.columns) is not int or type(self.baseline) is not float:
            return "other columns of nodes than those of trees"
        columns = self.read_columns()
        if not (np.isfinite(self.baseline) and np.isfinite(columns.value).all()) or np.isnan(columns.threshold).any():
            return "a node without a number"
        sizes = np.diff([*columns.root, len(columns.value)])
        if len({len(column) for column in columns[1:]}) > 1 or not sizes.size or columns.root[0] != 0 or (sizes < 1).any():
            return "columns of nodes that do not belong together"
        own = np.arange(len(columns.value)) - np.repeat(columns.root, sizes)
        most = np.repeat(sizes, sizes)
        is_leaf = (columns.left == 0) & (columns.right == 0)
        leads_down = [(side > own) & (side < most) for side in (columns.left, columns.right)]
        if not (is_leaf | (leads_down[0] & leads_down[1])).all():
            return "a node that does not lead to nodes below it"
        if columns.feature.min() < 0 or columns.feature.max() >= self.columns:
            return f"a node that asks for a column beyond the {self.columns} of the evidence"
        return None

    def score(self, evidence: Floats) -> Floats:
        """Log odds of each meter, shape (meters,), not beyond ``LOGIT_REACH``.

        In one thread: a batch is small, and threads that wait for each other at each of a thousand trees take three times as long, on a
        busy machine forty times.

        Args:
            evidence: shape (meters, columns), NaN where missing.
        """
        given = np.ascontiguousarray(evidence, dtype=np.float64)
        if given.shape[1] != self.columns:
            raise ValueError(f"evidence: {given.shape[1]} columns found, {self.columns} wanted")
        no_category = np.zeros(self.columns, dtype=np.uint32)
        total = np.full(len(given), self.baseline)
        for tree in self._make_predictors():
            total += tree.predict(given, NO_CATEGORIES, no_category, 1)
        return np.asarray(np.clip(total, -LOGIT_REACH, LOGIT_REACH))

    def _make_predictors(self) -> list[Any]:
        made: list[Any] | None = vars(self).get("_predictors")
        if made is None:
            made = self._predictors = _build_predictors(self.read_columns())
        return made


def keep_trees(grown: Any) -> TreeSet:
    """What of scikit-learn's gradient boosted trees answers."""
    trees = [tree.nodes for (tree,) in grown._predictors]
    nodes = np.concatenate(trees)
    if nodes["is_categorical"].any():
        raise ValueError("trees: a node that asks for a category")
    is_leaf = nodes["is_leaf"].astype(np.bool_)
    most = np.iinfo(np.uint16).max
    if max(int(nodes[side].max()) for side in ("left", "right", "feature_idx")) > most:
        raise ValueError(f"trees: a node or column beyond {most}")
    columns = TreeColumns(
        root=np.cumsum([0, *(len(tree) for tree in trees[:-1])], dtype=np.uint32),
        feature=np.where(is_leaf, 0, nodes["feature_idx"]).astype(np.uint16),
        threshold=np.where(is_leaf, 0.0, nodes["num_threshold"]),
        is_missing_left=~is_leaf & nodes["missing_go_to_left"].astype(np.bool_),
        left=np.where(is_leaf, 0, nodes["left"]).astype(np.uint16),
        right=np.where(is_leaf, 0, nodes["right"]).astype(np.uint16),
        value=np.concatenate([_average_below(tree) for tree in trees]),
    )
    return TreeSet(float(grown._baseline_prediction.item()), int(grown.n_features_in_), columns._asdict())


def _average_below(nodes: Any) -> Floats:
    """Mean of the leaves below each node, weighted by their training examples; nodes stand before those below them."""
    value, weight = nodes["value"].copy(), nodes["count"].astype(np.float64)
    for place in range(len(nodes) - 1, -1, -1):
        node = nodes[place]
        if not node["is_leaf"]:
            pair = [int(node["left"]), int(node["right"])]
            value[place] = np.average(value[pair], weights=np.maximum(weight[pair], 1.0))
    return np.asarray(value)


def _build_predictors(columns: TreeColumns) -> list[Any]:
    nodes = np.zeros(len(columns.value), dtype=PREDICTOR_RECORD_DTYPE)
    known = {
        "value": columns.value,
        "feature_idx": columns.feature,
        "num_threshold": columns.threshold,
        "missing_go_to_left": columns.is_missing_left,
        "left": columns.left,
        "right": columns.right,
        "is_leaf": columns.is_leaf,
    }
    for name, column in known.items():
        nodes[name] = column
    return [TreePredictor(tree, NO_CATEGORIES, NO_CATEGORIES) for tree in np.split(nodes, columns.root[1:])]
