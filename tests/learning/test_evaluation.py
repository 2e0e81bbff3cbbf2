"""How right a classifier is, and how honest its probabilities are."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.learning.classifier import AssetClassifier
from fmar_spark.learning.evaluation import (
    Report,
    bootstrap_auc,
    evaluate_classifier,
    expected_calibration_error,
    list_failed_gates,
    reliability_curve,
)
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.training import Split

STATED = np.array([0.05, 0.08, 0.31, 0.39, 0.35, 0.92, 0.98, 1.0])
TRUTH = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0])


def test_the_reliability_curve_is_what_a_hand_computes() -> None:
    curve = reliability_curve(STATED, TRUTH)
    assert [bin_["examples"] for bin_ in curve] == [2, 3, 3]
    assert [bin_["stated"] for bin_ in curve] == pytest.approx([0.065, 0.35, 2.9 / 3])
    assert [bin_["observed"] for bin_ in curve] == pytest.approx([0.0, 1 / 3, 2 / 3])


def test_the_expected_calibration_error_is_what_a_hand_computes() -> None:
    wanted = (2 * 0.065 + 3 * abs(0.35 - 1 / 3) + 3 * abs(2.9 / 3 - 2 / 3)) / 8
    assert expected_calibration_error(STATED, TRUTH) == pytest.approx(wanted)


@pytest.mark.parametrize("stated", [0.0, 0.3, 1.0])
def test_an_honest_forecaster_has_no_calibration_error_and_a_liar_the_distance(stated: float) -> None:
    truth = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    assert expected_calibration_error(np.full(10, stated), truth) == pytest.approx(abs(stated - 0.3))


def test_the_interval_of_the_auc_holds_it_and_narrows_with_more_meters() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (60, 600):
        truth = (rng.random(count) < 0.4).astype(float)
        score = rng.normal(truth, 1.0)
        low, high = bootstrap_auc(score, truth, [f"m{number}" for number in range(count)])
        assert low <= roc_auc_score(truth, score) <= high
        widths.append(high - low)
    assert widths[1] < 0.6 * widths[0]


def test_windows_of_one_meter_are_drawn_together() -> None:
    rng = np.random.default_rng(2)
    truth = np.repeat((rng.random(30) < 0.5).astype(float), 10)
    score = np.repeat(rng.normal(0, 1, 30), 10) + truth
    whole = [f"m{number // 10}" for number in range(300)]
    low, high = bootstrap_auc(score, truth, whole)
    alone_low, alone_high = bootstrap_auc(score, truth, [f"m{number}" for number in range(300)])
    assert high - low > 2 * (alone_high - alone_low)


def test_one_answer_only_has_no_interval() -> None:
    assert np.isnan(bootstrap_auc(np.array([0.1, 0.2]), np.ones(2), ["a", "b"])).all()


def test_a_report_measures_the_wanted_examples_only(report: Report, classifier: AssetClassifier, examples: Examples, split: Split) -> None:
    for index, asset in enumerate(ASSET_CLASSES):
        rows = split.test & ~np.isnan(examples.labels[:, index])
        truth, score = examples.labels[rows, index], classifier.predict(examples.features[rows])[:, index]
        assert report.metrics[f"{asset.value}_auc"] == pytest.approx(roc_auc_score(truth, score))
        assert report.metrics[f"{asset.value}_brier"] == pytest.approx(np.mean((score - truth) ** 2))
        assert report.metrics[f"{asset.value}_precision"] == pytest.approx(truth[score >= 0.5].mean())
        assert report.metrics[f"{asset.value}_recall"] == pytest.approx((score[truth == 1] >= 0.5).mean())
        table = report.tables[asset.value]
        assert isinstance(table, dict)
        assert table["examples"] == rows.sum()
        assert table["meters"] == len({meter for meter, is_mine in zip(examples.meter_id, rows, strict=True) if is_mine})


def test_high_tier_answers_are_those_sure_either_way(report: Report, classifier: AssetClassifier, examples: Examples, split: Split) -> None:
    rows = split.test & ~np.isnan(examples.labels[:, 0])
    score, truth = classifier.predict(examples.features[rows])[:, 0], examples.labels[rows, 0] == 1
    sure = (score >= 0.9) | (score <= 0.1)
    assert report.metrics["ev_high_tier_share"] == pytest.approx(sure.mean())
    assert report.metrics["ev_high_tier_accuracy"] == pytest.approx(((score >= 0.5) == truth)[sure].mean())


def test_sizes_are_scored_where_the_asset_is_there_and_found(
    report: Report, classifier: AssetClassifier, examples: Examples, split: Split
) -> None:
    rows = split.test & (examples.labels[:, 0] == 1) & (classifier.predict(examples.features)[:, 0] >= 0.5)
    error = np.abs(examples.sizes[rows, 0, 0] / examples.true_sizes[rows, 0, 0] - 1)
    assert report.metrics["ev_size_median_error"] == pytest.approx(np.median(error))
    assert report.metrics["ev_size_within_15_pct"] == pytest.approx((error <= 0.15).mean())
    assert report.metrics["ev_size_answered_share"] == 1.0
    assert 0.6 < report.metrics["ev_size_interval_coverage"] < 0.95


def test_false_alarms_are_counted_look_alike_by_look_alike(
    report: Report, classifier: AssetClassifier, examples: Examples, split: Split
) -> None:
    table = report.tables["ev"]
    assert isinstance(table, dict)
    found = table["false_alarms_by_confuser"]
    assert set(found) == {"none", "immersion", "hot_tub"}
    alarm = classifier.predict(examples.features)[:, 0] >= 0.5
    for name, figures in found.items():
        mine = [name in text.split(",") if name != "none" else not text for text in examples.confusers]
        rows = split.test & (examples.labels[:, 0] == 0) & np.array(mine)
        assert figures["examples"] == rows.sum()
        assert figures["false_alarm_share"] == pytest.approx(alarm[rows].mean())


def test_a_class_with_one_answer_only_is_left_out(classifier: AssetClassifier, examples: Examples, split: Split) -> None:
    labels = examples.labels.copy()
    labels[:, 0] = 1.0
    labels[:, 1] = np.nan
    report = evaluate_classifier(classifier, examples._replace(labels=labels), split.test)
    assert set(report.tables) == {asset.value for asset in ASSET_CLASSES[2:]}


def test_every_class_has_a_drawn_reliability_curve(report: Report) -> None:
    figures = report.draw_reliability()
    assert set(figures) == {f"{asset.value}.html" for asset in ASSET_CLASSES}
    for asset in ASSET_CLASSES:
        table = report.tables[asset.value]
        assert isinstance(table, dict)
        assert list(figures[f"{asset.value}.html"].data[1].x) == [bin_["stated"] for bin_ in table["reliability"]]


def test_every_gate_of_the_repository_names_a_figure_that_is_measured(report: Report) -> None:
    gates = yaml.safe_load((Path(__file__).resolve().parents[2] / "mlflow" / "gates.yaml").read_text(encoding="utf-8"))
    assert {name.rpartition("_")[0] for name in gates} == {asset.value for asset in ASSET_CLASSES}
    assert set(gates) <= set(report.metrics)
    assert all(set(bounds) <= {"at_least", "at_most"} for bounds in gates.values())


@pytest.mark.parametrize(
    ("gates", "failed"),
    [
        ({}, []),
        ({"ev_auc": {"at_least": 0.9}}, []),
        ({"ev_auc": {"at_least": 0.93}}, ["ev_auc: 0.920 found, at least 0.93 wanted"]),
        ({"ev_ece": {"at_most": 0.05}}, []),
        ({"ev_ece": {"at_most": 0.03}}, ["ev_ece: 0.040 found, at most 0.03 wanted"]),
        ({"ev_auc": {"at_least": 0.5, "at_most": 0.9}}, ["ev_auc: 0.920 found, at most 0.9 wanted"]),
        ({"battery_auc": {"at_least": 0.1}}, ["battery_auc: not measured"]),
        (
            {"battery_auc": {"at_least": 0.1}, "ev_auc": {"at_least": 0.99}},
            ["battery_auc: not measured", "ev_auc: 0.920 found, at least 0.99 wanted"],
        ),
    ],
)
def test_each_gate_that_is_not_passed_is_reported_in_a_sentence(gates: dict[str, dict[str, float]], failed: list[str]) -> None:
    assert list_failed_gates(Report({"ev_auc": 0.92, "ev_ece": 0.04}, {}), gates) == failed
