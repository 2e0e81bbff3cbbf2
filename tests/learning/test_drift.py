"""The population stability index: none where nothing moved, large where something did."""

import numpy as np
import pytest

from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.bundled_classifier import load_reference, read_card
from fmar_spark.learning.drift import find_calibration_gap, find_feature_drift, find_score_drift, measure_drift
from fmar_spark.learning.feature_reference import BAND_EDGES, LEVELS, SIZE_FEATURE

REFERENCE = load_reference()


def draw_like_training(meters: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Meters of one band of size whose every feature is distributed as in training."""
    assert REFERENCE is not None
    rng = np.random.default_rng(3)
    features = np.empty((meters, len(FEATURES)))
    for place in range(len(FEATURES)):
        known = REFERENCE.quantiles[1, place]
        values = np.interp(rng.random(meters), LEVELS, known) if not np.isnan(known).any() else np.full(meters, np.nan)
        features[:, place] = np.where(rng.random(meters) < REFERENCE.missing[1, place], np.nan, values)
    features[:, SIZE_FEATURE] = rng.uniform(BAND_EDGES[0], BAND_EDGES[1] - 1e-6, meters)
    return features


def test_equal_distributions_have_no_drift_and_the_index_is_the_known_one() -> None:
    assert measure_drift(np.array([10.0, 90.0]), np.array([1.0, 9.0])) == pytest.approx(0)
    wanted = 0.1 * np.log(0.5 / 0.4) + (0.5 - 0.6) * np.log(0.5 / 0.6)
    assert measure_drift(np.array([4.0, 6.0]), np.array([5.0, 5.0])) == pytest.approx(wanted)
    assert np.isfinite(measure_drift(np.array([1.0, 0.0]), np.array([0.0, 1.0])))


def test_meters_like_those_of_training_do_not_drift_and_one_shifted_feature_is_named() -> None:
    assert REFERENCE is not None
    features = draw_like_training(4000)
    drift = find_feature_drift(features, REFERENCE)
    assert {name for name, index in drift.items() if index > 0.1 and name != FEATURES[SIZE_FEATURE]} == set()
    place = next(
        column for column in range(len(FEATURES)) if column != SIZE_FEATURE and np.ptp(np.nan_to_num(REFERENCE.quantiles[1, column])) > 0
    )
    features[:, place] = np.nanmax(features[:, place])
    assert find_feature_drift(features, REFERENCE)[FEATURES[place]] > 0.25


def test_too_few_meters_have_no_index() -> None:
    assert REFERENCE is not None
    assert find_feature_drift(draw_like_training(50), REFERENCE) == {}
    assert find_score_drift(np.full(50, 0.5), [{"stated": 0.5, "examples": 9}]) is None


def test_scores_are_held_against_the_card() -> None:
    bins = read_card()["test"]["ev"]["reliability"]
    counts = np.array([one["examples"] for one in bins])
    alike = np.repeat([one["stated"] for one in bins], np.maximum(counts // 4, 1))
    assert find_score_drift(alike, bins) == pytest.approx(0, abs=0.02)
    assert (find_score_drift(np.full(500, 0.55), bins) or 0) > 1


def test_calibration_is_off_only_beyond_chance() -> None:
    rng = np.random.default_rng(1)
    stated = rng.uniform(0.5, 0.9, 400)
    assert find_calibration_gap(stated, (rng.random(400) < stated).astype(float)) < 0.03
    assert find_calibration_gap(stated, np.zeros(400)) > 0.6
