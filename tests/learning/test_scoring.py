"""The classifier as the characterisation pass carries it."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from fmar_spark.domain.words import AssetClass
from fmar_spark.errors import ModelError
from fmar_spark.learning.classifier import AssetClassifier, store_classifier
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.scoring import StoredScorer
from fmar_spark.profiling.verdicts import Scorer


@pytest.fixture(scope="module")
def scorer(classifier: AssetClassifier) -> StoredScorer:
    return StoredScorer(store_classifier(classifier), "test/1")


def test_a_scorer_answers_as_its_classifier_does(scorer: StoredScorer, classifier: AssetClassifier, examples: Examples) -> None:
    asked: Scorer = scorer
    np.testing.assert_array_equal(asked.predict(examples.features), classifier.predict(examples.features))
    probability, evidence = np.full(len(examples.meter_id), 0.7), examples.presence[:, 1]
    np.testing.assert_array_equal(
        asked.predict_present(AssetClass.HEAT_PUMP, probability, evidence),
        classifier.predict_present(AssetClass.HEAT_PUMP, probability, evidence),
    )
    size, spread = np.array([3.0]), np.array([0.2])
    assert asked.bound_size(AssetClass.EV, "import_kw", size, spread) == classifier.bound_size(AssetClass.EV, "import_kw", size, spread)


def test_a_scorer_travels_to_a_worker_whole(scorer: StoredScorer, examples: Examples) -> None:
    arrived = pickle.loads(pickle.dumps(scorer))
    assert arrived == scorer
    np.testing.assert_array_equal(arrived.predict(examples.features[:9]), scorer.predict(examples.features[:9]))


def test_the_version_that_rows_state_cannot_be_changed(scorer: StoredScorer) -> None:
    with pytest.raises(FrozenInstanceError):
        scorer.version = "test/2"  # type: ignore[misc]  # that is what is refused


def test_a_worker_loads_a_classifier_once(scorer: StoredScorer, monkeypatch: pytest.MonkeyPatch, examples: Examples) -> None:
    scorer.predict(examples.features[:1])
    monkeypatch.setattr("fmar_spark.learning.scoring.load_classifier", lambda stored: pytest.fail("loaded again"))
    scorer.predict(examples.features[:1])


def test_damaged_bytes_are_refused_when_first_asked(examples: Examples) -> None:
    with pytest.raises(ModelError):
        StoredScorer(b"damaged", "test/1").predict(examples.features[:1])
