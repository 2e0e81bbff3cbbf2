"""Figures with an interval: the plain figure is the well-known one, and the interval comes from whole meters."""

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from fmar_spark.learning.evaluation import reliability_curve
from fmar_spark.learning.resampling import (
    DrawRules,
    draw_weights,
    leave_out,
    measure,
    weighted_auc,
    weighted_calibration_error,
    weighted_median,
    weighted_ratio,
)

RULES = DrawRules(draws=200)


def test_the_first_draw_takes_every_meter_once_and_the_others_as_many_in_all() -> None:
    weights = draw_weights(7, RULES)
    assert weights.shape == (201, 7)
    np.testing.assert_array_equal(weights[0], 1)
    np.testing.assert_array_equal(weights.sum(axis=1), 7)
    assert weights[1:].max() > 1
    np.testing.assert_array_equal(weights, draw_weights(7, RULES))


def test_a_ratio_is_that_of_sums() -> None:
    found = weighted_ratio(np.array([1.0, 0, 1]), np.array([1.0, 1, 2]))(np.array([[1.0, 1, 1], [2, 0, 1], [0, 0, 0]]))
    np.testing.assert_allclose(found, [0.5, 0.75, np.nan])


@pytest.mark.parametrize("values", [[3.0], [3.0, 1.0], [5.0, 1.0, 2.0], [4.0, 4.0, 1.0, 9.0], list(np.arange(20.0))])
def test_the_middle_is_the_median_and_a_meter_drawn_twice_counts_twice(values: list[float]) -> None:
    rng = np.random.default_rng(1)
    times = rng.integers(0, 3, (40, len(values))).astype(float)
    times[:, 0] += 1
    wanted = [np.median(np.repeat(values, row.astype(int))) for row in times]
    np.testing.assert_allclose(weighted_median(np.array(values))(times), wanted)


def test_the_area_is_scikit_learns_with_ties_and_weights() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random(60) < 0.4).astype(float)
    score = np.round(rng.normal(truth, 1.0), 1)
    weights = draw_weights(60, RULES)
    wanted = [roc_auc_score(truth, score, sample_weight=row) for row in weights[:20]]
    np.testing.assert_allclose(weighted_auc(score, truth)(weights[:20]), wanted)


def test_the_calibration_error_is_the_mean_distance_of_the_reliability_curve() -> None:
    rng = np.random.default_rng(3)
    stated = rng.random(80)
    truth = (rng.random(80) < stated**2).astype(float)
    found = weighted_calibration_error(stated, truth)(np.ones((1, 80)))
    curve = reliability_curve(stated, truth)
    assert found[0] == pytest.approx(sum(abs(one["stated"] - one["observed"]) * one["examples"] for one in curve) / 80)


def test_an_interval_holds_the_figure_and_narrows_with_more_meters() -> None:
    widths = []
    for count in (40, 640):
        hits = np.arange(count) % 4 == 0
        found = measure(weighted_ratio(hits, np.ones(count)), draw_weights(count, RULES), count, RULES)
        low, high = found["interval"]
        assert low < found["value"] == 0.25 < high
        widths.append(high - low)
    assert widths[1] < 0.4 * widths[0]


def test_too_few_meters_have_no_figure_but_their_number() -> None:
    statistic = weighted_ratio(np.ones(9), np.ones(9))
    assert measure(statistic, draw_weights(9, RULES), 9, RULES) == {"value": None, "interval": None, "meters": 9}
    assert measure(statistic, draw_weights(9, RULES), 9, RULES._replace(least_meters=9))["value"] == 1.0


@pytest.mark.parametrize("seed", range(8))
def test_a_small_calibration_error_lies_in_its_interval_though_every_draw_is_larger(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stated = rng.random(700)
    truth = (rng.random(700) < stated).astype(float)
    found = measure(weighted_calibration_error(stated, truth), draw_weights(700, RULES), 700, RULES)
    low, high = found["interval"]
    assert 0 <= low <= found["value"] <= high
    assert high - low > 0.005


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [12, 60, 400])
def test_every_figure_lies_in_its_interval(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    score, truth = rng.random(count), (np.arange(count) % 3 == 0).astype(float)
    statistics = [
        weighted_ratio(rng.random(count) ** 6, np.ones(count)),
        weighted_median(rng.random(count) ** 3),
        weighted_auc(score, truth),
        weighted_calibration_error(score, truth),
    ]
    for statistic in statistics:
        found = measure(statistic, draw_weights(count, RULES), count, RULES)
        assert found["interval"][0] <= found["value"] <= found["interval"][1]


def test_the_interval_is_scipys() -> None:
    values = np.random.default_rng(5).gamma(0.7, 1.0, 60)
    rules = DrawRules(draws=9000)
    found = measure(weighted_ratio(values, np.ones(60)), draw_weights(60, rules), 60, rules)["interval"]
    wanted = bootstrap((values,), np.mean, n_resamples=9000, method="BCa", rng=1).confidence_interval
    assert found == pytest.approx([wanted.low, wanted.high], rel=0.02)


def test_a_share_of_all_or_none_has_the_exact_binomial_interval() -> None:
    found = measure(weighted_ratio(np.ones(12), np.ones(12)), draw_weights(12, RULES), 12, RULES)
    assert found["interval"] == pytest.approx([0.735, 1.0], abs=0.001)
    found = measure(weighted_ratio(np.zeros(12), np.ones(12)), draw_weights(12, RULES), 12, RULES)
    assert found["interval"] == pytest.approx([0.0, 0.265], abs=0.001)


def test_many_meters_are_left_out_in_groups() -> None:
    weights = leave_out(1000)
    assert weights.shape == (200, 1000)
    np.testing.assert_array_equal((1 - weights).sum(axis=0), 1)
    np.testing.assert_array_equal(leave_out(3), 1 - np.eye(3))
