"""Which evidence each classifier may use."""

from typing import Final

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.kernels.examination import CONTEXT_FEATURES, FEATURES, FEATURES_OF_CLASS
from fmar_spark.kernels.window import Floats, Ints

_SHARED_CONTEXT: Final = ("log_mean_kw", "log_days_seen", "is_hourly", "has_export", "weather_share")


def columns_of(asset_class: AssetClass) -> Ints:
    """Positions in ``FEATURES`` of the evidence for one class: its own detector's and the meter's circumstances.

    Evidence for other classes is left out on purpose: which assets come together is a habit of a fleet, and a
    classifier that learns it from one fleet is wrong about the next.
    """
    wanted = set(_SHARED_CONTEXT) | set(FEATURES_OF_CLASS[asset_class])
    return np.array([position for position, name in enumerate(FEATURES) if name in wanted])


def select_columns(features: Floats) -> dict[AssetClass, Floats]:
    """The evidence of every class, cut from the full matrix (meters, features)."""
    return {asset: features[:, columns_of(asset)] for asset in ASSET_CLASSES}


__all__ = ["CONTEXT_FEATURES", "FEATURES", "columns_of", "select_columns"]
