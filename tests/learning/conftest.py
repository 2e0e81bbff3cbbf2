"""What learning tests share: examples made by a rule, and a tiny classifier trained on them."""

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, SIZE_NAMES
from fmar_spark.kernels.dating import PRESENCE_EVIDENCE
from fmar_spark.kernels.examination import DETECTORS, FEATURES
from fmar_spark.learning.classifier import AssetClassifier, store_classifier
from fmar_spark.learning.evaluation import Report, evaluate_classifier
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.training import Split, TreeShape, split_by_meter, train_classifier

METERS, WINDOWS = 450, 2
TINY = TreeShape(rounds=10, learning_rate=0.3, leaves=4)
CONFUSERS = ("", "immersion", "hot_tub", "immersion,hot_tub")


def make_examples(seed: int = 0, meters: int = METERS) -> Examples:
    """Two windows of each meter; a class is there with the odds that its detector's first feature states.

    The asset is gone at the end where its level is low, and sizes are estimated to a tenth.
    """
    rng = np.random.default_rng(seed)
    count, classes = meters * WINDOWS, len(ASSET_CLASSES)
    features = rng.standard_normal((count, len(FEATURES))).astype(np.float32)
    decisive = [FEATURES.index(DETECTORS[asset].features[0].name) for asset in ASSET_CLASSES]
    labels = (rng.random((count, classes)) < 1 / (1 + np.exp(-2.5 * features[:, decisive]))).astype(float)
    features[rng.random(features.shape) < 0.05] = np.nan
    labels[rng.random(labels.shape) < 0.05] = np.nan
    level = rng.uniform(0, 1.2, (count, classes))
    presence = np.concatenate([level[..., None], rng.random((count, classes, len(PRESENCE_EVIDENCE) - 1))], axis=2)
    present = np.where(labels == 1, (level + rng.normal(0, 0.15, level.shape) > 0.4).astype(float), np.nan)
    true_sizes = np.exp(rng.normal(1.5, 0.5, (count, classes, len(SIZE_NAMES))))
    estimates = true_sizes * np.exp(rng.normal(0.05, 0.1, true_sizes.shape))
    return Examples(
        meter_id=[f"m{number // WINDOWS:05d}" for number in range(count)],
        features=features,
        labels=labels,
        present=present,
        presence=presence,
        sizes=np.concatenate([estimates, np.full((count, classes, 1), 0.1)], axis=2),
        true_sizes=true_sizes,
        confusers=[CONFUSERS[number % len(CONFUSERS)] for number in range(count)],
        behaviours=[""] * count,
        history_days=np.full(count, 365),
        provenance=["simulated"] * count,
    )


@pytest.fixture(scope="session")
def examples() -> Examples:
    """Labelled evidence of a few hundred meters."""
    return make_examples()


@pytest.fixture(scope="session")
def split(examples: Examples) -> Split:
    """Half of the meters train, a quarter each calibrates and tests."""
    return split_by_meter(examples.meter_id, 0.25, 0.25, seed=1)


@pytest.fixture(scope="session")
def classifier(examples: Examples, split: Split) -> AssetClassifier:
    """A classifier of a few small trees."""
    return train_classifier(examples, split, TINY, seed=1)


@pytest.fixture(scope="session")
def stored(classifier: AssetClassifier) -> bytes:
    """The same as a file."""
    return store_classifier(classifier)


@pytest.fixture(scope="session")
def report(classifier: AssetClassifier, examples: Examples, split: Split) -> Report:
    """Its figures on the test meters."""
    return evaluate_classifier(classifier, examples, split.test)
