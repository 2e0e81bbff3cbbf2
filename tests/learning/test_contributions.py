"""What moved a probability adds up to it."""

import numpy as np
import pytest

from fmar_spark.domain.assets import AssetClass
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.learning.classifier import AssetClassifier, average_members, columns_of
from fmar_spark.learning.contributions import build_forest, explain_answers


@pytest.fixture(scope="module")
def bundled() -> AssetClassifier:
    """The classifier that is part of the package."""
    return load_bundled().opened()


@pytest.mark.parametrize("asset", [AssetClass.EV, AssetClass.SOLAR_PV])
def test_parts_and_the_trees_mean_add_up_to_the_log_odds(bundled: AssetClassifier, asset: AssetClass) -> None:
    members = (bundled.models or {})[asset.value]
    columns = columns_of(asset, bundled.feature_names or FEATURES)
    evidence = np.random.default_rng(1).gamma(1.0, 1.0, (40, len(columns))).astype(np.float32)
    evidence[::3, ::2] = np.nan
    parts = explain_answers(build_forest(members), evidence)
    rest = average_members(members, evidence) - parts.sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-6)
    assert np.abs(parts).max() > 0.1


def test_a_stored_classifier_explains_in_the_order_of_all_evidence() -> None:
    parts = load_bundled().explain(AssetClass.EV, np.zeros((3, len(FEATURES)), dtype=np.float32))
    assert parts.shape == (3, len(FEATURES))
    assert {name for name, part in zip(FEATURES, parts[0], strict=True) if name.startswith("battery") and part} == set()
    assert load_bundled().explain(AssetClass.EV, np.zeros((0, len(FEATURES)), dtype=np.float32)).shape == (0, len(FEATURES))
