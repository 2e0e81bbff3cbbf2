"""Trains and calibrates a classifier for each class, split by meter."""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, SIZE_NAMES, AssetClass
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.words import PRESENT_FROM
from fmar_spark.errors import InputError
from fmar_spark.kernels.dating import PRESENCE_EVIDENCE
from fmar_spark.kernels.examination import FEATURES, METERINGS, find_meterings
from fmar_spark.kernels.window import Bools, Floats, Ints
from fmar_spark.learning.classifier import (
    AssetClassifier,
    average_members,
    columns_of,
    measure_rivalry,
    name_size,
    weigh_spread,
)
from fmar_spark.learning.examples import Examples, take_examples
from fmar_spark.learning.trees import TreeSet, keep_trees

MIN_OF_EACH_ANSWER: Final = 20
INTERVAL: Final = 0.8
MIN_SIZES: Final = 30


class Split(NamedTuple):
    """Which examples train, calibrate and test: by meter, shape (examples,) each."""

    train: Bools
    calibrate: Bools
    test: Bools


class TreeShape(NamedTuple):
    """How the gradient boosted trees grow: few leaves, many examples in each, some sets of trees on blurred evidence."""

    rounds: int = 120
    learning_rate: float = 0.07
    leaves: int = 8
    min_samples_leaf: int = 40
    l2: float = 5.0
    members: int = 3
    """Sets of trees whose log odds are averaged."""
    blur: float = 0.05
    """Noise on the evidence, share of each column's interquartile range: what differs by less is taken for the same."""
    leaves_of: Mapping[AssetClass, tuple[int, ...]] = {}
    """Leaves of the trees of each set, for classes that have sets of their own: small trees and large ones err differently."""

    def list_leaves(self, asset: AssetClass) -> tuple[int, ...]:
        """Leaves of the trees of each set of a class."""
        return self.leaves_of.get(asset, (self.leaves,) * self.members)


def split_by_meter(meter_ids: list[str], calibration_share: float, test_share: float, seed: int) -> Split:
    """Assign every meter to one side by a digest of its id: the same meter falls the same way in every run."""
    place = np.array([_share_of(f"{seed}:{meter}") for meter in meter_ids])
    test = place < test_share
    calibrate = ~test & (place < test_share + calibration_share)
    return Split(train=~test & ~calibrate, calibrate=calibrate, test=test)


def train_classifier(
    examples: Examples, split: Split, shape: TreeShape | None = None, seed: int = 0, repeats: Mapping[AssetClass, Ints] | None = None
) -> AssetClassifier:
    """Fit trees on the training meters, probabilities and presence on the calibration meters, and intervals of sizes on both.

    Args:
        examples: evidence and truth.
        split: which of them train and calibrate.
        shape: of the trees; None = the default.
        seed: of the blur.
        repeats: how often each example counts while the trees of a class are fitted, 1 or more, shape (examples,); a class that is not
            there counts each once. Calibration always does.

    Raises:
        InputError: a class has too few labelled meters of one answer; the message says how many.
    """
    shape = shape or TreeShape()
    models: dict[str, list[TreeSet]] = {}
    calibration: dict[str, list[float]] = {}
    presence: dict[str, list[float]] = {}
    for index, asset in enumerate(ASSET_CLASSES):
        truth = examples.labels[:, index]
        _require_answers(asset, truth[split.train], "training")
        _require_answers(asset, truth[split.calibrate], "calibration")
        rows = np.flatnonzero(split.train)
        rows = np.repeat(rows, (repeats or {}).get(asset, np.ones(len(truth), dtype=np.int64))[rows])
        models[asset.value] = _fit_members(examples.features[:, columns_of(asset)], truth, rows, shape, asset, seed)
        weights = _fit_presence(examples, index, split.calibrate)
        if weights is not None:
            presence[asset.value] = weights
    features = examples.features[split.calibrate]
    raw = {asset: average_members(models[asset.value], features[:, columns_of(asset)]) for asset in ASSET_CLASSES}
    for index, asset in enumerate(ASSET_CLASSES):
        calibration[asset.value] = fit_jointly(raw[asset], measure_rivalry(asset, raw, features), examples.labels[split.calibrate, index])
    classifier = AssetClassifier(models, calibration, presence, {}, list(FEATURES))
    classifier.size_quantiles = fit_intervals(classifier, examples, ~split.test)
    return classifier


def fit_class(examples: Examples, split: Split, asset: AssetClass, shape: TreeShape, seed: int) -> tuple[list[TreeSet], list[float]]:
    """Trees of one class alone, and the slope and intercept that calibrate them: what a question about this class needs.

    Raises:
        InputError: too few labelled meters of one answer.
    """
    truth = examples.labels[:, ASSET_CLASSES.index(asset)]
    for part, name in ((split.train, "training"), (split.calibrate, "calibration")):
        _require_answers(asset, truth[part], name)
    evidence = examples.features[:, columns_of(asset)]
    trees = _fit_members(evidence, truth, np.flatnonzero(split.train), shape, asset, seed)
    known = split.calibrate & ~np.isnan(truth)
    return trees, fit_platt(average_members(trees, evidence[known]), truth[known])


def fit_platt(raw: Floats, truth: Floats) -> list[float]:
    """Slope and intercept that turn raw log odds into calibrated ones (Platt, 1999); the slope is never negative."""
    fitted = LogisticRegression(C=10.0).fit(raw[:, None], truth)
    return [max(float(fitted.coef_[0, 0]), 0.05), float(fitted.intercept_[0])]


def fit_jointly(raw: Floats, rivalry: Floats, truth: Floats) -> list[float]:
    """``fit_platt`` and what a rival takes: all classes of a meter are calibrated together once, so that one explains the other away.

    A rival never speaks for a class: where the meters say so, there is no third number.

    Args:
        raw: log odds of the class, shape (examples,).
        rivalry: ``measure_rivalry`` of the same.
        truth: 1, 0 or NaN.
    """
    known = ~np.isnan(truth)
    both = np.stack([raw, rivalry], axis=1)[known]
    if both[:, 1].any():
        fitted = LogisticRegression(C=10.0).fit(both, truth[known])
        slope, weight = map(float, fitted.coef_[0])
        if slope > 0 and weight < 0:
            return [slope, float(fitted.intercept_[0]), weight]
    return fit_platt(raw[known], truth[known])


def _fit_members(evidence: Floats, truth: Floats, rows: Ints, shape: TreeShape, asset: AssetClass, seed: int) -> list[TreeSet]:
    rows = rows[~np.isnan(truth[rows])]
    is_shown = ~np.isnan(evidence[rows]).all(axis=0)
    known = np.where(is_shown, evidence[rows], 0.0)
    low, high = np.nanquantile(known, (0.25, 0.75), axis=0)
    members = []
    for member, leaves in enumerate(shape.list_leaves(asset)):
        noise = np.random.default_rng((seed, member)).standard_normal(known.shape)
        trees = HistGradientBoostingClassifier(
            max_iter=shape.rounds,
            learning_rate=shape.learning_rate,
            max_leaf_nodes=leaves,
            min_samples_leaf=shape.min_samples_leaf,
            l2_regularization=shape.l2,
            max_features=0.5,
            early_stopping=False,
            random_state=seed + member,
        )
        members.append(keep_trees(trees.fit(known + shape.blur * (high - low) * noise, truth[rows].astype(int))))
    return members


def _fit_presence(examples: Examples, index: int, wanted: Bools) -> list[float] | None:
    """Logistic weights of "still there" among meters that had the asset; None where too few ever lost it."""
    rows = wanted & (examples.labels[:, index] == 1) & ~np.isnan(examples.present[:, index])
    rows &= ~np.isnan(examples.presence[:, index, 0])
    if ASSET_FACTS[ASSET_CLASSES[index]].is_seasonal:
        removed = rows & (examples.presence[:, index, PRESENCE_EVIDENCE.index("was_removed")] > 0)
        rows = removed if _has_both(examples.present[removed, index]) else rows
    still = examples.present[rows, index]
    if not _has_both(still):
        return None
    fitted = LogisticRegression(C=1.0, max_iter=500).fit(np.nan_to_num(examples.presence[rows, index]), still)
    return [*map(float, fitted.coef_[0]), float(fitted.intercept_[0])]


def _has_both(answers: Floats) -> bool:
    """Whether there are enough of either answer to learn from."""
    return answers.size > 0 and bool(min(answers.sum(), (1 - answers).sum()) >= MIN_OF_EACH_ANSWER)


def fit_intervals(classifier: AssetClassifier, examples: Examples, wanted: Bools) -> dict[str, list[float]]:
    """The intervals of all sizes: of all meters, and by metering.

    They may rest on the meters of the trees as well: sizes are measured by the detectors, and nothing of them is learnt.
    Sizes are stated of assets that are reported, so those that the classifier does not find are left out. Split by group as in Vovk
    (*Conditional validity of inductive conformal predictors*, 2012): what an export register shows to the tenth, import alone may not show
    to the half.

    Args:
        classifier: says which assets are found; its own intervals are not looked at.
        examples: evidence and truth.
        wanted: which of them the intervals rest on, shape (examples,).
    """
    examples = take_examples(examples, wanted)
    probability = classifier.predict(examples.features)
    metering = find_meterings(examples.features)
    found = {}
    for index, asset in enumerate(ASSET_CLASSES):
        there = (examples.labels[:, index] == 1) & (examples.present[:, index] != 0) & (probability[:, index] >= PRESENT_FROM)
        width = weigh_spread(examples.sizes[:, index, len(SIZE_NAMES)])
        for position, name in enumerate(SIZE_NAMES):
            estimate, truth = examples.sizes[:, index, position], examples.true_sizes[:, index, position]
            rows = np.flatnonzero(there & (estimate > 0) & (truth > 0))
            error = np.abs(np.log(truth[rows] / estimate[rows])) / width[rows]
            groups = {"": np.ones(rows.size, dtype=np.bool_)}
            groups |= {group: metering[rows] == place for place, group in enumerate(METERINGS)}
            reaches = {group: _find_reach(error[mine]) for group, mine in groups.items() if mine.sum() >= MIN_SIZES}
            found.update({name_size(asset, name, group): [-reach, reach] for group, reach in reaches.items()})
    return found


def _find_reach(error: Floats) -> float:
    """Conformal bound of errors, the same both ways.

    The sign of an error that a simulation makes is no guide to that of real meters, its magnitude is.
    """
    level = min(1.0, INTERVAL * (error.size + 1) / error.size)
    return float(np.quantile(error, level))


def _require_answers(asset: AssetClass, truth: Floats, part: str) -> None:
    there, not_there = int((truth == 1).sum()), int((truth == 0).sum())
    if min(there, not_there) < MIN_OF_EACH_ANSWER:
        raise InputError(
            f"labels: {asset.value}: {write_count(there, 'meter')} with and {not_there} without it in the {part} part, "
            f"{MIN_OF_EACH_ANSWER} of each wanted; label more meters"
        )


def _share_of(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
