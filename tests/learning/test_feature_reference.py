"""How far measured evidence lies from simulated evidence of meters of like size."""

import json

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.classifier import AssetClassifier
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.feature_reference import (
    BANDS,
    LEVELS,
    SIZE_FEATURE,
    compare_features,
    mix_quantiles,
    read_reference,
    summarise_features,
)

SHIFTED, LEVEL, HIDDEN, ALONE = 20, 30, 40, 50


@pytest.fixture(scope="module")
def simulated(examples: Examples) -> np.ndarray:
    rng = np.random.default_rng(3)
    features = rng.standard_normal((900, len(FEATURES))).astype(np.float32)
    features[:, SIZE_FEATURE] = rng.choice([-1.0, 1.0], 900)
    features[:, LEVEL] = np.where(rng.random(900) < 0.6, 0.0, features[:, LEVEL] ** 2)
    features[:, HIDDEN] = np.nan
    features[:, SHIFTED] += 5 * (features[:, SIZE_FEATURE] > 0)
    return features


def distances(real: np.ndarray, simulated: np.ndarray, classifier: AssetClassifier) -> dict[str, object]:
    reference = summarise_features(simulated, classifier, "test")
    return {one.feature: one for one in compare_features(real, reference)}


def test_the_distances_are_scipys_where_all_meters_are_of_one_size(simulated: np.ndarray, classifier: AssetClassifier) -> None:
    small = simulated[simulated[:, SIZE_FEATURE] < 0]
    real = np.random.default_rng(4).normal(0.7, 1.4, small.shape).astype(np.float32)
    real[:, SIZE_FEATURE] = -1.0
    real[:, LEVEL] = np.abs(real[:, LEVEL])
    found = distances(real, simulated, classifier)
    for place in (10, LEVEL, SHIFTED):
        one = found[FEATURES[place]]
        assert one.ks == pytest.approx(ks_2samp(real[:, place], small[:, place]).statistic, abs=0.02)
        low, high = np.quantile(small[:, place], (0.01, 0.99))
        spread = max(np.subtract(*np.quantile(small[:, place], (0.75, 0.25))), 0.1 * (high - low))
        assert one.shift == pytest.approx(wasserstein_distance(real[:, place], small[:, place]) / spread, rel=0.1)
        assert one.middle == pytest.approx((small[:, place] < np.median(real[:, place])).mean(), abs=0.03)
        assert one.outside_share == pytest.approx(((real[:, place] < low) | (real[:, place] > high)).mean(), abs=0.02)
        assert one.is_beyond_chance


def test_a_sample_of_like_meters_is_near_and_within_chance(simulated: np.ndarray, classifier: AssetClassifier) -> None:
    found = distances(simulated[::9], simulated, classifier)
    assert np.mean([one.is_beyond_chance for one in found.values()]) < 0.15
    assert np.median([one.outside_share for one in found.values()]) < 0.04


def test_large_meters_are_held_against_large_ones(simulated: np.ndarray, classifier: AssetClassifier) -> None:
    large = simulated[simulated[:, SIZE_FEATURE] > 0][:200]
    found = distances(large, simulated, classifier)
    assert found[FEATURES[SHIFTED]].ks < 0.15
    assert ks_2samp(large[:, SHIFTED], simulated[:, SHIFTED]).statistic > 0.4


def test_a_feature_that_nobody_shows_is_no_distance(simulated: np.ndarray, classifier: AssetClassifier) -> None:
    real = simulated[:8].copy()
    real[2:, ALONE] = np.nan
    found = distances(real, simulated, classifier)
    assert FEATURES[HIDDEN] not in found
    assert FEATURES[ALONE] not in found
    assert len(found) == len(FEATURES) - 2


def test_what_rests_on_a_feature_is_what_moves_answers(examples: Examples, classifier: AssetClassifier) -> None:
    reference = summarise_features(examples.features, classifier, "test")
    used = {FEATURES.index(name) for name in ("ev_power_kw", "heat_pump_slope_w_k", "pv_export_day_share")}
    assert min(reference.sway[sorted(used)]) > np.median(reference.sway)
    assert (reference.sway >= 0).all()


def test_the_first_named_is_distant_and_rested_on(simulated: np.ndarray, classifier: AssetClassifier) -> None:
    found = compare_features(simulated[:60] + np.float32(1.5), summarise_features(simulated, classifier, "test"))
    ranks = [one.ks * one.sway for one in found]
    assert ranks == sorted(ranks, reverse=True)
    assert found[0].rank == ranks[0] > 0


def test_a_mixture_lies_between_its_parts_as_often_as_they_are_in_it() -> None:
    parts = np.stack([np.quantile(values, LEVELS) for values in (np.arange(1001.0), 5000 + np.arange(1001.0))])
    np.testing.assert_allclose(mix_quantiles(parts, np.array([1.0, 0])), parts[0])
    mixed = mix_quantiles(parts, np.array([0.25, 0.75]))
    wanted = np.quantile(np.concatenate([np.arange(1001.0), *[5000 + np.arange(1001.0)] * 3]), LEVELS)
    np.testing.assert_allclose(np.delete(mixed, np.flatnonzero(LEVELS == 0.25)), np.delete(wanted, np.flatnonzero(LEVELS == 0.25)), atol=60)


def test_what_is_written_is_read_again_and_of_other_features_not(simulated: np.ndarray, classifier: AssetClassifier) -> None:
    reference = summarise_features(simulated, classifier, "test")
    stored = json.loads(json.dumps(reference.as_json()))
    again = read_reference(stored)
    assert again is not None
    assert again.quantiles.shape == (BANDS, len(FEATURES), len(LEVELS))
    np.testing.assert_allclose(again.quantiles, reference.quantiles, rtol=1e-3)
    np.testing.assert_allclose(again.missing, reference.missing, atol=1e-4)
    stored["features"] = dict(reversed(stored["features"].items()))
    assert read_reference(stored) is None
