"""Trees on the training meters, everything else on meters that never trained."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass, SizeName
from fmar_spark.errors import InputError
from fmar_spark.kernels.examination import FEATURES, SizeEstimate, find_meterings
from fmar_spark.learning.classifier import AssetClassifier, average_members, columns_of, store_classifier
from fmar_spark.learning.evaluation import Report, expected_calibration_error
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.training import (
    MIN_OF_EACH_ANSWER,
    Split,
    TreeShape,
    fit_intervals,
    fit_jointly,
    fit_platt,
    split_by_meter,
    train_classifier,
)

TINY = TreeShape(rounds=10, learning_rate=0.3, leaves=4)


@dataclass
class Sides:
    """Meters of each side of a split."""

    train: set[str]
    calibrate: set[str]
    test: set[str]


def sides_of(split: Split, meter_ids: list[str]) -> Sides:
    return Sides(*({meter for meter, is_mine in zip(meter_ids, side, strict=True) if is_mine} for side in split))


def raw_scores(classifier: AssetClassifier, features: np.ndarray) -> np.ndarray:
    assert classifier.models is not None
    scores = [average_members(classifier.models[asset.value], features[:, columns_of(asset)]) for asset in ASSET_CLASSES]
    return np.stack(scores, axis=1)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("abc0123456789", min_size=1, max_size=6), max_size=60), st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.integers(0, 99)
)
def test_no_meter_lies_on_two_sides_and_every_window_on_one(meters: list[str], calibration: float, test: float, seed: int) -> None:
    split = split_by_meter(meters, calibration, test, seed)
    sides = sides_of(split, meters)
    assert not sides.train & sides.calibrate
    assert not sides.train & sides.test
    assert not sides.calibrate & sides.test
    assert (np.sum(np.stack([side.astype(int) for side in split]), axis=0) == 1).all()


def test_a_meter_falls_on_the_same_side_in_whatever_company() -> None:
    many = [f"meter {number}" for number in range(300)]
    whole = sides_of(split_by_meter(many, 0.25, 0.25, 7), many)
    some = many[::3][::-1]
    part = sides_of(split_by_meter(some, 0.25, 0.25, 7), some)
    assert part.train <= whole.train
    assert part.calibrate <= whole.calibrate
    assert part.test <= whole.test


def test_sides_have_about_the_shares_asked_for_and_another_seed_splits_otherwise() -> None:
    many = [f"meter {number}" for number in range(4000)]
    split = split_by_meter(many, 0.3, 0.2, 7)
    assert split.calibrate.mean() == pytest.approx(0.3, abs=0.03)
    assert split.test.mean() == pytest.approx(0.2, abs=0.03)
    assert (split_by_meter(many, 0.3, 0.2, 8).test != split.test).mean() > 0.2


def test_a_single_answer_is_one_meter(examples: Examples, split: Split) -> None:
    labels = np.full(examples.labels.shape, np.nan)
    labels[np.flatnonzero(split.train)[0]] = 1
    said = "labels: ev: 1 meter with and 0 without it in the training part, 20 of each wanted; label more meters"
    with pytest.raises(InputError, match=said):
        train_classifier(examples._replace(labels=labels), split, TINY)


def test_the_same_examples_and_seed_give_the_same_classifier(examples: Examples, split: Split, stored: bytes) -> None:
    again = train_classifier(examples, split, TINY, seed=1)
    assert store_classifier(again) == stored
    assert again.feature_names == list(FEATURES)


def test_test_meters_leave_no_trace_in_the_classifier(examples: Examples, split: Split, stored: bytes) -> None:
    rows = split.test
    spoilt = examples._replace(
        features=np.where(rows[:, None], np.float32(9.0), examples.features),
        labels=np.where(rows[:, None], 1 - examples.labels, examples.labels),
        true_sizes=np.where(rows[:, None, None], 99.0, examples.true_sizes),
    )
    assert store_classifier(train_classifier(spoilt, split, TINY, seed=1)) == stored


def test_calibration_meters_move_the_calibration_and_not_the_trees(examples: Examples, split: Split, classifier: AssetClassifier) -> None:
    turned = examples._replace(labels=np.where(split.calibrate[:, None], 1 - examples.labels, examples.labels))
    other = train_classifier(turned, split, TINY, seed=1)
    np.testing.assert_array_equal(raw_scores(other, examples.features[:50]), raw_scores(classifier, examples.features[:50]))
    assert other.calibration != classifier.calibration


def test_unknown_labels_train_nothing(examples: Examples, split: Split, classifier: AssetClassifier) -> None:
    unknown = np.isnan(examples.labels).all(axis=1) | (np.arange(len(examples.meter_id)) % 10 == 0)
    hidden = examples._replace(labels=np.where(unknown[:, None], np.nan, examples.labels))
    spoilt = hidden._replace(features=np.where(unknown[:, None], np.float32(1e6), hidden.features))
    first, second = (train_classifier(one, split, TINY, seed=1) for one in (hidden, spoilt))
    np.testing.assert_array_equal(raw_scores(first, examples.features[:50]), raw_scores(second, examples.features[:50]))
    assert first.calibration == second.calibration


def test_probabilities_are_honest_on_meters_that_neither_trained_nor_calibrated(report: Report) -> None:
    for asset in ASSET_CLASSES:
        assert report.metrics[f"{asset.value}_auc"] > 0.78
        assert report.metrics[f"{asset.value}_ece"] < 0.11


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, -1.0), (2.0, 0.7)])
def test_platt_scaling_finds_the_line_that_the_answers_follow(slope: float, intercept: float) -> None:
    rng = np.random.default_rng(1)
    raw = rng.uniform(0.02, 0.98, 20_000)
    truth = (rng.random(raw.size) < 1 / (1 + np.exp(-(slope * logit(raw) + intercept)))).astype(float)
    found = fit_platt(logit(raw), truth)
    assert found == pytest.approx([slope, intercept], abs=0.1)
    honest = 1 / (1 + np.exp(-(found[0] * logit(raw) + found[1])))
    assert expected_calibration_error(honest, truth) < 0.02


def test_platt_scaling_never_turns_an_order_round() -> None:
    raw = np.linspace(0.01, 0.99, 200)
    assert fit_platt(logit(raw), (raw < 0.5).astype(float))[0] > 0


def test_a_likely_rival_explains_energy_away_and_a_rival_never_speaks_for_a_class() -> None:
    rng = np.random.default_rng(2)
    raw, rivalry = rng.normal(0, 2, 20_000), rng.random(20_000)
    for weight in (-2.0, 2.0):
        truth = (rng.random(raw.size) < 1 / (1 + np.exp(-(0.8 * raw + weight * rivalry)))).astype(float)
        truth[::7] = np.nan
        found = fit_jointly(raw, rivalry, truth)
        assert len(found) == (3 if weight < 0 else 2)
        if weight < 0:
            assert found == pytest.approx([0.8, 0.0, weight], abs=0.15)
            known = ~np.isnan(truth)
            honest = 1 / (1 + np.exp(-(found[0] * raw + found[1] + found[2] * rivalry)))
            assert expected_calibration_error(honest[known], truth[known]) < 0.02


def test_size_intervals_hold_four_truths_of_five_on_meters_never_seen(
    examples: Examples, split: Split, classifier: AssetClassifier
) -> None:
    rows = split.test & (examples.labels[:, 0] == 1)
    estimate, spread = examples.sizes[rows, 0, 0], examples.sizes[rows, 0, 4]
    metering = find_meterings(examples.features[rows])
    lower, upper = classifier.bound_size(AssetClass.EV, SizeName.RATED_IMPORT_KW, SizeEstimate(estimate, spread, metering))
    held = (examples.true_sizes[rows, 0, 0] >= lower) & (examples.true_sizes[rows, 0, 0] <= upper)
    assert rows.sum() > 100
    assert 0.7 < held.mean() < 0.9


def test_intervals_are_as_wide_as_the_errors_of_each_metering(examples: Examples, split: Split, classifier: AssetClassifier) -> None:
    """Three times the error without an export register: one interval for all would hold too many of the one and too few of the other."""
    rng = np.random.default_rng(5)
    features, sizes = examples.features.copy(), examples.sizes.copy()
    has_export = rng.random(len(features)) < 0.5
    features[:, FEATURES.index("has_export")], features[:, FEATURES.index("weather_share")] = has_export, 1.0
    error = rng.standard_normal(len(features)) * np.where(has_export, 0.1, 0.3)
    sizes[:, 0, 0], sizes[:, 0, 4] = examples.true_sizes[:, 0, 0] * np.exp(error), 0.1
    seen = examples._replace(features=features, sizes=sizes)
    classifier = AssetClassifier(classifier.models, classifier.calibration, classifier.presence, {}, list(FEATURES))
    classifier.size_quantiles = fit_intervals(classifier, seen, ~split.test)
    assert {"ev/rated_import_kw", "ev/rated_import_kw/export_weather", "ev/rated_import_kw/import_only_weather"} <= set(
        classifier.size_quantiles
    )
    assert "ev/rated_import_kw/import_only" not in classifier.size_quantiles
    for mine in (has_export, ~has_export):
        rows = split.test & (examples.labels[:, 0] == 1) & mine
        estimate = SizeEstimate(sizes[rows, 0, 0], sizes[rows, 0, 4], find_meterings(features[rows]))
        lower, upper = classifier.bound_size(AssetClass.EV, SizeName.RATED_IMPORT_KW, estimate)
        truth = examples.true_sizes[rows, 0, 0]
        assert rows.sum() >= 40
        assert 0.65 < ((truth >= lower) & (truth <= upper)).mean() < 0.92


def test_presence_is_learnt_from_the_standing_at_the_end(examples: Examples, classifier: AssetClassifier) -> None:
    gone, there = (np.array([[level, 0.5, 0.5, 0.5]]) for level in (0.05, 1.1))
    sure = np.array([0.95])
    assert classifier.predict_present(AssetClass.EV, sure, gone)[0] < 0.3
    assert classifier.predict_present(AssetClass.EV, sure, there)[0] > 0.8


def test_a_seasonal_asset_is_gone_only_where_its_history_ends_with_a_removal() -> None:
    silent, removed = np.array([[0.0, 5.0, 5.0, 0.0]]), np.array([[0.0, 5.0, 5.0, 1.0]])
    sure = np.array([0.95])
    with_weights = AssetClassifier(presence={"solar_pv": [1.0, 0.0, 0.0, -4.0, 0.0], "ev": [1.0, 0.0, -0.5, -4.0, 0.0]})
    assert with_weights.predict_present(AssetClass.SOLAR_PV, sure, silent)[0] == 0.95
    assert with_weights.predict_present(AssetClass.SOLAR_PV, sure, removed)[0] < 0.1
    assert with_weights.predict_present(AssetClass.EV, sure, silent)[0] < 0.3


@pytest.mark.parametrize("part", ["train", "calibrate"])
def test_too_few_answers_of_a_kind_are_rejected_with_their_number(examples: Examples, split: Split, part: str) -> None:
    labels = examples.labels.copy()
    rows = np.flatnonzero(getattr(split, part) & (labels[:, 2] == 1))
    labels[rows[MIN_OF_EACH_ANSWER - 1 :], 2] = 0.0
    with pytest.raises(InputError, match=rf"{ASSET_CLASSES[2].value}: {MIN_OF_EACH_ANSWER - 1} .* with"):
        train_classifier(examples._replace(labels=labels), split, TINY)


def test_without_meters_that_lost_an_asset_presence_is_not_learnt(examples: Examples, split: Split) -> None:
    always = examples._replace(present=np.where(examples.labels == 1, 1.0, np.nan))
    assert train_classifier(always, split, TINY).presence == {}
