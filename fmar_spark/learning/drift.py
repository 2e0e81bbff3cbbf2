"""How far meters and their scores have moved from those that a classifier was trained on: the population stability index.

The index of two distributions over the same bins is the sum of (actual - expected) log(actual / expected). Practice reads below 0.1
as stable and above 0.25 as moved (Siddiqi, Credit Risk Scorecards, 2006).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from fmar_spark.kernels.examination import FEATURES
from fmar_spark.kernels.window import Floats, Ints
from fmar_spark.learning.feature_reference import BANDS, LEVELS, FeatureReference, cumulate, find_bands, mix_quantiles

LEAST_METERS: Final = 100
"""Fewer meters than this have an index that is chance."""
LEAST_SHARE: Final = 0.001
"""Of a bin: an empty one would make the index infinite."""
DECILES: Final = np.arange(1, 10) / 10
SCORE_BINS: Final = 10
_DECILE_PLACES: Final = [int(np.flatnonzero(np.isclose(LEVELS, level))[0]) for level in DECILES]


def measure_drift(expected: Floats, actual: Floats) -> float:
    """Population stability index of counts or shares over the same bins, shape (bins,)."""
    wanted, found = (np.maximum(one / max(one.sum(), 1e-12), LEAST_SHARE) for one in (expected, actual))
    wanted, found = wanted / wanted.sum(), found / found.sum()
    return float(((found - wanted) * np.log(found / wanted)).sum())


def find_feature_drift(features: Floats, reference: FeatureReference) -> dict[str, float]:
    """Index of each feature, over bins between the deciles of the training meters and one of meters that do not show it.

    Training meters count by band of size as the meters at hand fall in them. Empty where there are too few meters.

    Args:
        features: shape (meters, features), NaN where a meter does not show one.
        reference: of the training meters.
    """
    if len(features) < LEAST_METERS:
        return {}
    band = find_bands(features)
    return {name: _measure_feature(features[:, place], band, place, reference) for place, name in enumerate(FEATURES)}


def _measure_feature(values: Floats, band: Ints, place: int, reference: FeatureReference) -> float:
    is_shown = ~np.isnan(values)
    missing = float(np.bincount(band, minlength=BANDS) / len(band) @ reference.missing[:, place])
    shares = np.bincount(band[is_shown], minlength=BANDS).astype(np.float64)
    shares = np.where(np.isnan(reference.quantiles[:, place]).any(axis=1), 0.0, shares)
    if shares.sum() == 0:
        return measure_drift(np.array([1 - missing, missing]), np.array([is_shown.mean(), 1 - is_shown.mean()]))
    known = mix_quantiles(reference.quantiles[:, place], shares / shares.sum())
    edges = np.unique(known[_DECILE_PLACES])
    expected = np.diff(np.concatenate([[0.0], cumulate(edges, known, "left"), [1.0]]))
    counted = np.bincount(np.searchsorted(edges, values[is_shown], side="right"), minlength=len(expected))
    actual = np.append(counted / len(values), 1 - is_shown.mean())
    return measure_drift(np.append(expected * (1 - missing), missing), actual)


def find_score_drift(probabilities: Floats, reliability: Sequence[Mapping[str, Any]]) -> float | None:
    """Index of a class's probabilities against those of the test meters; None where there are too few.

    Args:
        probabilities: shape (meters,), NaN where there is no answer.
        reliability: bins of the classifier's card: ``stated`` (mean probability) and ``examples``.
    """
    known = probabilities[~np.isnan(probabilities)]
    if len(known) < LEAST_METERS or not reliability:
        return None
    expected = np.zeros(SCORE_BINS)
    for one in reliability:
        expected[_find_bin(np.array([one["stated"]]))[0]] += one["examples"]
    return measure_drift(expected, np.bincount(_find_bin(known), minlength=SCORE_BINS).astype(np.float64))


def _find_bin(probabilities: Floats) -> Any:
    return np.minimum((probabilities * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)


def find_calibration_gap(stated: Floats, confirmed: Floats) -> float:
    """Distance of the mean stated probability from the share that was confirmed, less two standard errors; 0 where chance explains it.

    Args:
        stated: probabilities of the answered detections, shape (answers,).
        confirmed: 1 where the asset is there, else 0, shape (answers,).
    """
    error = float(np.sqrt((stated * (1 - stated)).sum())) / max(len(stated), 1)
    return max(abs(float(stated.mean() - confirmed.mean())) - 2 * error, 0.0)
