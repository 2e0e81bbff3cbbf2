"""Trees are kept in a few columns, and answer as those that were grown."""

import zipfile
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier

from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.errors import ModelError
from fmar_spark.learning.classifier import AssetClassifier, columns_of, load_classifier, store_classifier
from fmar_spark.learning.trees import LOGIT_REACH, TreeColumns, TreeSet, keep_trees

MOST_MEMBERS = 12
"""Parts of a stored set of trees, whatever the number of trees."""


@pytest.fixture(scope="module")
def evidence() -> np.ndarray:
    drawn = np.random.default_rng(2).gamma(1.0, 1.0, (400, 5))
    drawn[::3, 1] = np.nan
    return drawn


def grow(evidence: np.ndarray) -> Any:
    """scikit-learn's trees, of whether two columns add up to much."""
    truth = (np.nan_to_num(evidence[:, 1]) + evidence[:, 0] > 1.2).astype(int)
    return HistGradientBoostingClassifier(max_iter=25, max_leaf_nodes=7, min_samples_leaf=5).fit(evidence, truth)


@pytest.fixture(scope="module")
def grown(evidence: np.ndarray) -> Any:
    return grow(evidence)


def test_a_set_scores_as_the_trees_that_were_grown(grown: Any, evidence: np.ndarray) -> None:
    there = grown.predict_proba(evidence)[:, 1]
    np.testing.assert_allclose(keep_trees(grown).score(evidence), np.log(there / (1 - there)), rtol=1e-9, atol=1e-9)


def test_log_odds_stay_finite(grown: Any, evidence: np.ndarray) -> None:
    sure = TreeSet(1e3, 5, keep_trees(grown).nodes)
    np.testing.assert_array_equal(sure.score(evidence), LOGIT_REACH)


def test_evidence_of_another_shape_is_an_error_not_an_answer(grown: Any, evidence: np.ndarray) -> None:
    with pytest.raises(ValueError, match="4 columns found, 5 wanted"):
        keep_trees(grown).score(evidence[:, :4])


def test_what_is_stored_is_a_few_columns_also_after_it_answered(grown: Any, evidence: np.ndarray) -> None:
    kept = keep_trees(grown)
    before = skops.io.dumps(kept)
    kept.score(evidence)
    after = skops.io.dumps(kept)
    assert len(zipfile.ZipFile(BytesIO(after)).namelist()) == len(zipfile.ZipFile(BytesIO(before)).namelist()) <= MOST_MEMBERS


def test_a_classifier_stored_before_with_its_own_objects_answers_the_same(classifier: AssetClassifier) -> None:
    names = classifier.feature_names or []
    grown = {asset.value: grow(np.random.default_rng(3).gamma(1.0, 1.0, (90, len(columns_of(asset, names))))) for asset in ASSET_CLASSES}
    before = AssetClassifier(
        {name: [trees] for name, trees in grown.items()}, classifier.calibration, classifier.presence, {}, classifier.feature_names
    )
    loaded = load_classifier(store_classifier(before))
    for asset, (kept,) in (loaded.models or {}).items():
        for name, column in keep_trees(grown[asset]).read_columns()._asdict().items():
            np.testing.assert_array_equal(column, getattr(kept.read_columns(), name))


def test_trees_that_take_other_evidence_than_the_class_has_are_an_error(classifier: AssetClassifier, grown: Any) -> None:
    with pytest.raises(ModelError, match="trees of ev that take 5 columns, not "):
        load_classifier(store_with(classifier, [keep_trees(grown)]))


def test_of_what_is_stored_nothing_but_the_columns_is_taken(grown: Any, evidence: np.ndarray) -> None:
    kept, read = keep_trees(grown), TreeSet()
    read.__setstate__(kept.__getstate__() | {"_predictors": ["walked unchecked"], "find_fault": None})
    assert set(vars(read)) == {"baseline", "columns", "nodes"}
    np.testing.assert_array_equal(read.score(evidence), kept.score(evidence))


def test_trees_that_ask_for_categories_are_not_kept(evidence: np.ndarray) -> None:
    kinds = np.nan_to_num(evidence).astype(int) % 4
    grown = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5, categorical_features=[0]).fit(kinds, kinds[:, 0] % 2)
    with pytest.raises(ValueError, match="category"):
        keep_trees(grown)


DAMAGES = {
    "a node above": lambda nodes: {**nodes, "left": np.where(np.arange(len(nodes["left"])) == 3, 1, nodes["left"]).astype(np.uint16)},
    "a node of the next tree": lambda nodes: {**nodes, "right": np.where(nodes["right"] > 0, 60_000, 0).astype(np.uint16)},
    "a column that is not there": lambda nodes: {**nodes, "feature": nodes["feature"] + np.uint16(40)},
    "columns of two lengths": lambda nodes: {**nodes, "value": nodes["value"][:-1]},
    "no root": lambda nodes: {**nodes, "root": nodes["root"][1:]},
    "a column missing": lambda nodes: {name: nodes[name] for name in TreeColumns._fields[1:]},
    "a value that is no number": lambda nodes: {**nodes, "value": np.where(nodes["left"] > 0, nodes["value"], np.nan)},
    "a threshold that is no number": lambda nodes: {**nodes, "threshold": np.where(nodes["left"] > 0, np.nan, 0.0)},
    "nodes in fractions": lambda nodes: {**nodes, "left": nodes["left"] + 0.5},
    "objects": lambda nodes: {**nodes, "value": np.array([None] * len(nodes["value"]), dtype=object)},
    "text": lambda nodes: {**nodes, "value": nodes["value"].astype(str)},
    "a table in place of a column": lambda nodes: {**nodes, "root": nodes["root"][:, None]},
    "a number in place of a column": lambda nodes: {**nodes, "value": 0.5},
    "no columns": lambda nodes: [1, 2],
    "one more part": lambda nodes: {**nodes, "more": "text"},
}


def store_with(classifier: AssetClassifier, members: Any) -> bytes:
    """The classifier with other sets of trees for cars."""
    models = {**(classifier.models or {}), "ev": members}
    return store_classifier(AssetClassifier(models, classifier.calibration, classifier.presence, {}, classifier.feature_names))


@pytest.mark.parametrize("damage", DAMAGES)
def test_nodes_that_are_no_trees_are_an_error_when_they_are_loaded(damage: str, classifier: AssetClassifier) -> None:
    first = (classifier.models or {})["ev"][0]
    spoilt = TreeSet(first.baseline, first.columns, DAMAGES[damage](first.nodes or {}))
    with pytest.raises(ModelError, match="classifier: cannot be loaded"):
        load_classifier(store_with(classifier, [spoilt]))


@pytest.mark.parametrize(("baseline", "columns"), [(float("nan"), 5), ("0", 5), (0.0, "5"), (0.0, float("nan")), (0.0, 0)])
def test_a_set_that_does_not_say_what_it_takes_is_an_error(classifier: AssetClassifier, baseline: Any, columns: Any) -> None:
    nodes = (classifier.models or {})["ev"][0].nodes
    with pytest.raises(ModelError, match="classifier: cannot be loaded"):
        load_classifier(store_with(classifier, [TreeSet(baseline, columns, nodes)]))


@pytest.mark.parametrize("members", [[], 1, [1], ["trees"]])
def test_what_stands_in_the_place_of_trees_is_an_error(classifier: AssetClassifier, members: Any) -> None:
    with pytest.raises(ModelError, match=r"classifier: (cannot be loaded: (int|str) found|knows nothing of ev)"):
        load_classifier(store_with(classifier, members))
