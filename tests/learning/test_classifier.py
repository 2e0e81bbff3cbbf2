"""The classifier as it is stored, loaded and used."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass, SizeName
from fmar_spark.errors import ModelError
from fmar_spark.kernels.examination import CONTEXT_FEATURES, DETECTORS, FEATURES, SizeEstimate
from fmar_spark.learning.classifier import (
    CEILING,
    FLOOR,
    AssetClassifier,
    StoredScorer,
    check_features,
    columns_of,
    digest_classifier,
    load_classifier,
    store_classifier,
)
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.training import Split
from fmar_spark.profiling.verdicts import Scorer


class FewFeatures:
    """Trees that take as many columns as were stated, and answer by the first of them."""

    def __init__(self, columns: np.ndarray) -> None:
        self.columns = columns

    def score(self, evidence: np.ndarray) -> np.ndarray:
        assert evidence.shape[1] == len(self.columns)
        return evidence[:, 0]


class Stranger:
    """A type that nobody trusts."""


def trained_on(classifier: AssetClassifier, names: list[str]) -> AssetClassifier:
    return AssetClassifier(classifier.models, classifier.calibration, classifier.presence, classifier.size_quantiles, names)


def test_a_stored_classifier_comes_back_with_every_answer(classifier: AssetClassifier, stored: bytes, examples: Examples) -> None:
    loaded = load_classifier(stored)
    np.testing.assert_array_equal(loaded.predict(examples.features), classifier.predict(examples.features))
    evidence, probability = examples.presence[:, 0], np.full(len(examples.meter_id), 0.8)
    for asset in ASSET_CLASSES:
        np.testing.assert_array_equal(
            loaded.predict_present(asset, probability, evidence), classifier.predict_present(asset, probability, evidence)
        )
    assert loaded.size_quantiles == classifier.size_quantiles
    assert digest_classifier(stored) == digest_classifier(store_classifier(classifier))


def test_the_stored_format_is_no_pickle(stored: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(stored)


@pytest.mark.parametrize("names", [["another", *FEATURES[1:]], [*FEATURES, "one_more"]])
def test_a_classifier_of_foreign_features_is_rejected_and_the_feature_named(classifier: AssetClassifier, names: list[str]) -> None:
    with pytest.raises(ModelError, match=f"trained on other features.*{(set(names) - set(FEATURES)).pop()}"):
        load_classifier(store_classifier(trained_on(classifier, names)))


def test_a_classifier_that_names_no_features_is_rejected(classifier: AssetClassifier) -> None:
    with pytest.raises(ModelError, match="none named"):
        check_features(trained_on(classifier, []))


def test_a_classifier_that_knows_nothing_of_a_class_is_rejected(classifier: AssetClassifier) -> None:
    models = {name: members for name, members in (classifier.models or {}).items() if name != AssetClass.BATTERY}
    with pytest.raises(ModelError, match="knows nothing of battery"):
        check_features(AssetClassifier(models, classifier.calibration, classifier.presence, classifier.size_quantiles, list(FEATURES)))


def test_evidence_is_taken_by_name_in_the_order_that_the_classifier_states(examples: Examples, split: Split) -> None:
    order = np.random.default_rng(3).permutation(len(FEATURES))
    names = [FEATURES[place] for place in order]
    for asset in ASSET_CLASSES:
        stated = columns_of(asset, names)
        assert [FEATURES[place] for place in stated] == [name for name in names if name in {FEATURES[place] for place in columns_of(asset)}]
    own = [name for name in names if not name.startswith("pv_")] + [name for name in FEATURES if name.startswith("pv_")][:-1]
    trees = {asset.value: [FewFeatures(columns_of(asset, own))] for asset in ASSET_CLASSES}
    calibration = {asset.value: [1.0, 0.0] for asset in ASSET_CLASSES}
    scored = AssetClassifier(trees, calibration, {}, {}, own)
    check_features(scored)
    expected = np.stack([1 / (1 + np.exp(-examples.features[:, columns_of(asset, own)[0]])) for asset in ASSET_CLASSES], axis=1)
    np.testing.assert_allclose(scored.predict(examples.features), np.clip(expected, FLOOR, CEILING), rtol=1e-4)


@pytest.mark.parametrize("stored", [b"", b"not a classifier", b"PK\x03\x04 nearly a zip"])
def test_damaged_bytes_are_rejected_in_one_line(stored: bytes) -> None:
    with pytest.raises(ModelError, match="cannot be loaded") as rejection:
        load_classifier(stored)
    assert "\n" not in str(rejection.value)


def test_a_classifier_cut_short_is_rejected(stored: bytes) -> None:
    with pytest.raises(ModelError):
        load_classifier(stored[: len(stored) // 2])


@pytest.mark.parametrize("content", [Stranger(), LogisticRegression(), {"models": 1}, [1, 2]])
def test_what_is_no_classifier_is_rejected_whatever_it_is(content: object) -> None:
    with pytest.raises(ModelError):
        load_classifier(skops.io.dumps(content))


def test_no_type_beyond_those_of_the_list_is_trusted(stored: bytes) -> None:
    unknown = set(skops.io.get_untrusted_types(data=stored))
    assert unknown == {"fmar_spark.learning.classifier.AssetClassifier", "fmar_spark.learning.trees.TreeSet"}
    assert stored[:2] == b"PK"


def test_no_meter_is_beyond_doubt(classifier: AssetClassifier) -> None:
    extreme = np.concatenate([np.full((1, len(FEATURES)), value, dtype=np.float32) for value in (-1e6, 1e6, np.nan)])
    probability = classifier.predict(extreme)
    assert probability.shape == (3, len(ASSET_CLASSES))
    assert ((probability >= FLOOR) & (probability <= CEILING)).all()


def test_no_meter_gives_no_answer(classifier: AssetClassifier) -> None:
    assert classifier.predict(np.zeros((0, len(FEATURES)))).shape == (0, len(ASSET_CLASSES))


def test_meters_are_scored_one_by_one_as_together(classifier: AssetClassifier, examples: Examples) -> None:
    together = classifier.predict(examples.features[:20])
    alone = np.concatenate([classifier.predict(examples.features[row : row + 1]) for row in range(20)])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_an_untrained_classifier_says_so() -> None:
    with pytest.raises(ModelError, match="not trained"):
        AssetClassifier().predict(np.zeros((1, len(FEATURES))))


def test_being_there_at_the_end_is_never_more_likely_than_having_been_there(classifier: AssetClassifier, examples: Examples) -> None:
    probability = np.linspace(0, 1, len(examples.meter_id))
    for column, asset in enumerate(ASSET_CLASSES):
        assert (classifier.predict_present(asset, probability, examples.presence[:, column]) <= probability).all()


def test_without_evidence_or_without_weights_presence_is_the_probability_itself(classifier: AssetClassifier) -> None:
    probability = np.array([0.3, 0.9])
    unknown = np.array([[np.nan, 1.0, 1.0, 1.0], [np.nan, 0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(classifier.predict_present(AssetClass.EV, probability, unknown), probability)
    np.testing.assert_array_equal(AssetClassifier().predict_present(AssetClass.EV, probability, np.ones((2, 4))), probability)


def test_the_interval_of_a_size_widens_with_its_spread_and_is_unknown_with_it(classifier: AssetClassifier) -> None:
    size, spread = np.array([7.0, 7.0, np.nan, 7.0]), np.array([0.05, 0.3, 0.1, np.nan])
    lower, upper = classifier.bound_size(AssetClass.EV, SizeName.RATED_IMPORT_KW, SizeEstimate(size, spread, np.zeros(4, dtype=np.int64)))
    width = upper / lower
    assert width[3] > width[1] > width[0] > 1
    assert np.isnan([lower[2], upper[2]]).all()


def test_a_classifier_that_was_stored_under_former_names_of_sizes_bounds_them_as_before(classifier: AssetClassifier) -> None:
    now = classifier.size_quantiles or {}
    before = {key.replace("/rated_", "/"): bounds for key, bounds in now.items()}
    assert set(before) & {"ev/import_kw"}
    stored = AssetClassifier(classifier.models, classifier.calibration, classifier.presence, before, classifier.feature_names)
    assert load_classifier(store_classifier(stored)).size_quantiles == now


def test_a_size_that_was_never_calibrated_has_a_wide_interval() -> None:
    lower, upper = AssetClassifier().bound_size(
        AssetClass.EV, SizeName.RATED_IMPORT_KW, SizeEstimate(np.array([7.0]), np.array([0.1]), np.array([0]))
    )
    assert (lower[0], upper[0]) == pytest.approx((7 * np.exp(-0.15), 7 * np.exp(0.15)))


@pytest.fixture(scope="module")
def scorer(stored: bytes) -> StoredScorer:
    return StoredScorer(stored, "test/1")


def test_a_scorer_answers_as_its_classifier_does(scorer: StoredScorer, classifier: AssetClassifier, examples: Examples) -> None:
    asked: Scorer = scorer
    np.testing.assert_array_equal(asked.predict(examples.features), classifier.predict(examples.features))
    probability, evidence = np.full(len(examples.meter_id), 0.7), examples.presence[:, 1]
    np.testing.assert_array_equal(
        asked.predict_present(AssetClass.HEAT_PUMP, probability, evidence),
        classifier.predict_present(AssetClass.HEAT_PUMP, probability, evidence),
    )
    size = SizeEstimate(np.array([3.0]), np.array([0.2]), np.array([1]))
    assert asked.bound_size(AssetClass.EV, SizeName.RATED_IMPORT_KW, size) == classifier.bound_size(
        AssetClass.EV, SizeName.RATED_IMPORT_KW, size
    )


def test_a_scorer_travels_to_a_worker_whole(scorer: StoredScorer, examples: Examples) -> None:
    arrived = pickle.loads(pickle.dumps(scorer))
    assert arrived == scorer
    np.testing.assert_array_equal(arrived.predict(examples.features[:9]), scorer.predict(examples.features[:9]))


def test_the_version_that_rows_state_cannot_be_changed(scorer: StoredScorer) -> None:
    with pytest.raises(FrozenInstanceError):
        scorer.version = "test/2"  # type: ignore[misc]  # that is what is rejected


def test_a_worker_loads_a_classifier_once(scorer: StoredScorer, monkeypatch: pytest.MonkeyPatch, examples: Examples) -> None:
    scorer.predict(examples.features[:1])
    monkeypatch.setattr("fmar_spark.learning.classifier.load_classifier", lambda stored: pytest.fail("loaded again"))
    scorer.predict(examples.features[:1])


def test_damaged_bytes_are_rejected_when_first_used(examples: Examples) -> None:
    with pytest.raises(ModelError):
        StoredScorer(b"damaged", "test/1").predict(examples.features[:1])


@pytest.mark.parametrize("asset", ASSET_CLASSES)
def test_a_class_is_scored_by_its_own_detector_and_the_meters_circumstances_only(asset: AssetClass) -> None:
    names = {FEATURES[column] for column in columns_of(asset)}
    own = {feature.name for feature in DETECTORS[asset].features}
    circumstances = {feature.name for feature in CONTEXT_FEATURES}
    assert own <= names <= own | circumstances
    assert names & circumstances
