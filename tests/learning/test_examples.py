"""Labelled evidence."""

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.examination import DETECTORS, FEATURES
from fmar_spark.learning.examples import hide_unshown


def test_a_class_of_which_nothing_is_shown_teaches_nothing() -> None:
    features = np.zeros((2, len(FEATURES)))
    features[1, [FEATURES.index(feature.name) for feature in DETECTORS[AssetClass.DEMAND_RESPONSE].features]] = np.nan
    hidden = hide_unshown(np.ones((2, len(ASSET_CLASSES))), features)
    assert not np.isnan(hidden[0]).any()
    assert np.isnan(hidden[1]).tolist() == [asset is AssetClass.DEMAND_RESPONSE for asset in ASSET_CLASSES]
