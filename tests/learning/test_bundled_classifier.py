"""The classifier that the package carries: written with its card, named by its bytes, and loaded without a registry."""

import json
from pathlib import Path

import numpy as np

from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.bundled_classifier import BUNDLED_CARD, BUNDLED_MODEL, load_bundled, save_bundled
from fmar_spark.learning.classifier import AssetClassifier, load_classifier, store_classifier
from fmar_spark.learning.examples import Examples


def test_a_bundled_classifier_is_written_with_its_card_and_named_by_its_bytes(
    classifier: AssetClassifier, examples: Examples, tmp_path: Path
) -> None:
    version = save_bundled(classifier, {"plan": [4, "2022-10-01"]}, tmp_path)
    again = save_bundled(classifier, {"plan": [4, "2022-10-01"]}, tmp_path / "again")
    assert version == again
    assert version.startswith("bundled-")
    assert json.loads((tmp_path / BUNDLED_CARD).read_text(encoding="utf-8")) == {"plan": [4, "2022-10-01"], "version": version}
    stored = (tmp_path / BUNDLED_MODEL).read_bytes()
    assert stored == store_classifier(classifier)
    np.testing.assert_array_equal(load_classifier(stored).predict(examples.features[:9]), classifier.predict(examples.features[:9]))


def test_the_package_carries_a_classifier_that_fits_its_own_features() -> None:
    scorer = load_bundled()
    assert scorer.predict(np.zeros((1, len(FEATURES)))).shape == (1, 5)
    assert scorer.version.startswith("bundled-")
