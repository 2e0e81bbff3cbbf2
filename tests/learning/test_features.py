"""Which evidence each classifier may use."""

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.examination import CONTEXT_FEATURES, FEATURES, FEATURES_OF_CLASS
from fmar_spark.learning.features import columns_of, select_columns


def test_every_feature_has_one_name_and_one_owner() -> None:
    owners = [*CONTEXT_FEATURES, *(name for names in FEATURES_OF_CLASS.values() for name in names)]
    assert list(FEATURES) == owners
    assert len(set(FEATURES)) == len(FEATURES)
    assert set(FEATURES_OF_CLASS) == set(ASSET_CLASSES)


@pytest.mark.parametrize("asset", ASSET_CLASSES)
def test_a_class_is_judged_by_its_own_detector_and_the_meters_circumstances_only(asset: AssetClass) -> None:
    names = [FEATURES[column] for column in columns_of(asset)]
    assert set(FEATURES_OF_CLASS[asset]) <= set(names)
    assert set(names) <= set(FEATURES_OF_CLASS[asset]) | set(CONTEXT_FEATURES)
    assert set(names) & set(CONTEXT_FEATURES)


def test_columns_are_cut_from_the_whole_matrix_in_their_order() -> None:
    features = np.arange(3 * len(FEATURES)).reshape(3, -1)
    for asset, evidence in select_columns(features).items():
        np.testing.assert_array_equal(evidence, features[:, columns_of(asset)])
        assert (np.diff(columns_of(asset)) > 0).all()
