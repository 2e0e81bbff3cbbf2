"""The classifier that scores: for each class a calibrated detector, a model of presence and the size intervals, in one estimator."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass, SizeName
from fmar_spark.errors import ModelError
from fmar_spark.kernels.dating import PRESENCE_EVIDENCE
from fmar_spark.kernels.examination import DETECTORS, FEATURES, METERINGS, SizeEstimate
from fmar_spark.kernels.window import Floats, Ints
from fmar_spark.learning.contributions import Forest, build_forest, explain_answers
from fmar_spark.learning.trees import TreeSet, keep_trees

TRUSTED_TYPES: Final = (
    "fmar_spark.learning.classifier.AssetClassifier",
    "fmar_spark.learning.trees.TreeSet",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
SCHEMA_MEMBER: Final = "schema.json"
_FORMER_SIZE_NAMES: Final = {"import_kw": SizeName.RATED_IMPORT_KW, "export_kw": SizeName.RATED_EXPORT_KW}
"""Classifiers that were stored before know the rated sizes by these names."""
_SHARED_CONTEXT: Final = ("log_mean_kw", "log_days_seen", "is_hourly", "has_export", "weather_share")
"""What every class's evidence holds of the meter's circumstances."""
PROBABILITY_DECIMALS: Final = 6
"""Digits of a probability; those beyond differ from processor to processor."""
WIDEST: Final = 5.0
"""Spread beyond which a size says nothing, and its interval grows no wider. Source: chosen by hand."""
FLOOR, CEILING = 0.01, 0.99
"""No meter is beyond doubt: one in a hundred is kept for what neither the simulation nor the labels have shown."""


class AssetClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Holds everything that was learnt; plain dictionaries and arrays, so that skops can store it without pickle.

    Args:
        models: class value -> sets of gradient boosted trees on that class's evidence; their log odds are averaged.
        calibration: class value -> (slope, intercept) on the logit of the trees' probability, and for a class with a rival a third
            number: what it adds if all its energy lies on episodes of a rival that is certain. One block of energy is not two assets.
        presence: class value -> (weights..., intercept) of a logistic on the evidence that the asset is still there.
        size_quantiles: "class/size name", and the same with "/metering" for those of ``METERINGS`` with enough meters -> both ends of the
            80 % interval of log(true / estimate) per unit of (0.05 + spread).
        feature_names: evidence that it was trained on, in the order in which the trees take it.
    """

    def __init__(
        self,
        models: dict[str, list[TreeSet]] | None = None,
        calibration: dict[str, list[float]] | None = None,
        presence: dict[str, list[float]] | None = None,
        size_quantiles: dict[str, list[float]] | None = None,
        feature_names: list[str] | None = None,
    ) -> None:
        self.models = models
        self.calibration = calibration
        self.presence = presence
        self.size_quantiles = size_quantiles
        self.feature_names = feature_names
        self.classes_ = np.array([0, 1])

    def predict(self, features: Floats) -> Floats:
        """Calibrated probability that each class was there at some time, shape (meters, classes)."""
        if self.models is None or self.calibration is None:
            raise ModelError("classifier: not trained")
        if not len(features):
            return np.zeros((0, len(ASSET_CLASSES)))
        evidence = np.asarray(features, dtype=np.float32)
        names = self.feature_names or FEATURES
        raw = {asset: average_members(self.models[asset.value], evidence[:, columns_of(asset, names)]) for asset in ASSET_CLASSES}
        scores = []
        for asset in ASSET_CLASSES:
            slope, intercept, *rivalry = self.calibration[asset.value]
            logit = slope * raw[asset] + intercept
            if rivalry:
                logit = logit + rivalry[0] * measure_rivalry(asset, raw, evidence)
            scores.append(np.clip(1 / (1 + np.exp(-np.clip(logit, -30, 30))), FLOOR, CEILING))
        return np.round(np.stack(scores, axis=1), PROBABILITY_DECIMALS)

    def predict_present(self, asset: AssetClass, probability: Floats, evidence: Floats) -> Floats:
        """Probability that the asset is there at the end, given that of having been there at all.

        An asset whose mark follows the season is silent for months without having gone: its probability falls only where its history
        ends with a removal, which is dated against the same season of the other year.

        Args:
            asset: which class.
            probability: of having been there at some time, shape (meters,).
            evidence: ``presence_evidence``, shape (meters, n); a row with NaN in front stays at ``probability``.
        """
        weights = (self.presence or {}).get(asset.value)
        if weights is None:
            return probability
        known = ~np.isnan(evidence[:, 0])
        if ASSET_FACTS[asset].is_seasonal:
            known &= evidence[:, PRESENCE_EVIDENCE.index("was_removed")] > 0
        logit = np.nan_to_num(evidence) @ np.asarray(weights[:-1]) + weights[-1]
        still_there = 1 / (1 + np.exp(-np.clip(logit, -30, 30)))
        return np.where(known, np.round(probability * still_there, PROBABILITY_DECIMALS), probability)

    def bound_size(self, asset: AssetClass, size_name: SizeName, size: SizeEstimate) -> tuple[Floats, Floats]:
        """Both ends of the 80 % interval of a size, NaN where there is none."""
        known = self.size_quantiles or {}
        pooled = known.get(name_size(asset, size_name), (-1.0, 1.0))
        ends = np.array([known.get(name_size(asset, size_name, metering), pooled) for metering in METERINGS])
        low, high = ends[size.metering].T
        width = weigh_spread(size.spread)
        return size.value * np.exp(low * width), size.value * np.exp(high * width)


def weigh_spread(spread: Floats) -> Floats:
    """What the errors of a size are measured in: its stated spread, and a little that every size has."""
    return 0.05 + np.where(np.isnan(spread), 0.5, np.minimum(spread, WIDEST))


def name_size(asset: AssetClass, size_name: SizeName, metering: str = "") -> str:
    """Key under which the interval of a size is stored, of all meters or of those of one metering."""
    return "/".join(part for part in (asset.value, size_name.value, metering) if part)


def columns_of(asset: AssetClass, names: Sequence[str] = FEATURES) -> Ints:
    """Positions in ``FEATURES`` of the evidence for one class, in the order of ``names``: its own detector's and the circumstances.

    Evidence for other classes is left out on purpose: which assets come together differs from fleet to fleet, and a classifier that
    learns it from one is wrong about the next.
    """
    wanted = {*_SHARED_CONTEXT, *(feature.name for feature in DETECTORS[asset].features)}
    return np.array([FEATURES.index(name) for name in names if name in wanted])


def measure_rivalry(asset: AssetClass, raw: Mapping[AssetClass, Floats], features: Floats) -> Floats:
    """How far a class's energy is another's: the share that lies on the rival's episodes, times how likely the rival is; shape (meters,).

    0 for a class without a rival or without episodes.

    Args:
        asset: which class.
        raw: log odds of every class before calibration, shape (meters,) each.
        features: shape (meters, features), in the order of ``FEATURES``.
    """
    rival = DETECTORS[asset].rival
    if rival is None:
        return np.zeros(len(features))
    overlap = features[:, FEATURES.index(DETECTORS[asset].features[-1].name)]
    return np.asarray(np.nan_to_num(overlap.astype(np.float64)) / (1 + np.exp(-raw[rival])))


def average_members(members: Sequence[TreeSet], evidence: Floats) -> Floats:
    """Mean log odds of several sets of trees, shape (meters,)."""
    return np.asarray(np.mean([trees.score(evidence) for trees in members], axis=0))


def store_classifier(classifier: AssetClassifier) -> bytes:
    """The classifier in skops' format, which runs no code when it is loaded; the same training gives the same bytes."""
    return _renumber(skops.io.dumps(classifier))


def _renumber(stored: bytes) -> bytes:
    """The same archive without the addresses and times that skops names its parts by: they are numbered as they appear."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(stored)) as before, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as after:
        schema = json.loads(before.read(SCHEMA_MEMBER))
        for old, new in _number_nodes(schema).items():
            after.writestr(zipfile.ZipInfo(new), before.read(old), zipfile.ZIP_DEFLATED)
        after.writestr(zipfile.ZipInfo(SCHEMA_MEMBER), json.dumps(schema), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _number_nodes(schema: dict[str, Any]) -> dict[str, str]:
    """New names of the archive's members by their old ones; the ids and members that the schema names are renamed in place."""
    ids: dict[int, int] = {}
    members: dict[str, str] = {}
    waiting: list[Any] = [schema]
    while waiting:
        node = waiting.pop()
        waiting.extend(node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
        if isinstance(node, dict) and "__id__" in node:
            node["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
        if isinstance(node, dict) and isinstance(node.get("file"), str):
            ending = node["file"].rpartition(".")[2]
            node["file"] = members.setdefault(node["file"], f"{len(members) + 1}.{ending}")
    return members


def load_classifier(stored: bytes) -> AssetClassifier:
    """Load a stored classifier and check that it fits this code's evidence.

    Raises:
        ModelError: unknown content, nodes that are no trees, or other features.
    """
    try:
        loaded = skops.io.load(io.BytesIO(stored), trusted=list(TRUSTED_TYPES))
    except Exception as error:  # skops raises whatever the damaged part raises
        raise ModelError(f"classifier: cannot be loaded: {(str(error) or repr(error)).splitlines()[0]}") from error
    if not isinstance(loaded, AssetClassifier):
        raise ModelError(f"classifier: {type(loaded).__name__} found, an AssetClassifier wanted")
    check_features(loaded)
    loaded.models = {name: [_keep_member(trees) for trees in members] for name, members in (loaded.models or {}).items()}
    for asset in ASSET_CLASSES:
        wanted = len(columns_of(asset, loaded.feature_names or ()))
        widths = {trees.columns for trees in loaded.models[asset.value]}
        if widths != {wanted}:
            raise ModelError(
                f"classifier: cannot be loaded: trees of {asset.value} that take {min(widths - {wanted})} columns, not {wanted}"
            )
    loaded.size_quantiles = {_rename_size(key): bounds for key, bounds in (loaded.size_quantiles or {}).items()}
    return loaded


def _keep_member(trees: Any) -> TreeSet:
    """Classifiers that were stored before hold scikit-learn's own object."""
    try:
        kept = trees if isinstance(trees, TreeSet) else keep_trees(trees)
    except Exception as error:  # as many kinds as there are objects that are no trees
        raise ModelError(f"classifier: cannot be loaded: {type(trees).__name__} found, trees wanted") from error
    if fault := kept.find_fault():
        raise ModelError(f"classifier: cannot be loaded: {fault}")
    return kept


def _rename_size(key: str) -> str:
    return "/".join(_FORMER_SIZE_NAMES.get(part, part) for part in key.split("/"))


def check_features(classifier: AssetClassifier) -> None:
    """Reject a classifier that takes evidence which this code does not make, or that knows nothing of a class.

    Raises:
        ModelError: names the first features or classes.
    """
    foreign = sorted(set(classifier.feature_names or ()) - set(FEATURES))
    if foreign or not classifier.feature_names:
        raise ModelError(f"classifier: trained on other features ({', '.join(foreign[:3]) or 'none named'}); train it again")
    models = classifier.models if isinstance(classifier.models, dict) else {}
    unknown = [asset.value for asset in ASSET_CLASSES if not (isinstance(models.get(asset.value), list) and models[asset.value])]
    if unknown:
        raise ModelError(f"classifier: knows nothing of {', '.join(unknown)}; train it again")


def digest_classifier(stored: bytes) -> str:
    """Eight hex digits that name the stored bytes."""
    return hashlib.sha256(stored).hexdigest()[:8]


@dataclass(frozen=True)
class StoredScorer:
    """A stored classifier and the name that every row states."""

    stored: bytes
    version: str

    def predict(self, features: Floats) -> Floats:
        """Calibrated probability that each class was there at some time, shape (meters, classes)."""
        return self.opened().predict(features)

    def predict_present(self, asset: AssetClass, probability: Floats, evidence: Floats) -> Floats:
        """Probability that it is there at the end, shape (meters,)."""
        return self.opened().predict_present(asset, probability, evidence)

    def bound_size(self, asset: AssetClass, size_name: SizeName, size: SizeEstimate) -> tuple[Floats, Floats]:
        """Both ends of the 80 % interval of a size, shape (meters,) each."""
        return self.opened().bound_size(asset, size_name, size)

    def explain(self, asset: AssetClass, features: Floats) -> Floats:
        """What each column of the evidence adds to the log odds of a class before calibration, shape of ``features``."""
        loaded = self.opened()
        columns = columns_of(asset, loaded.feature_names or FEATURES)
        parts = np.zeros(features.shape)
        if len(features):
            parts[:, columns] = explain_answers(_plant_once(self.stored, asset), features[:, columns])
        return parts

    def opened(self) -> AssetClassifier:
        """The classifier itself, loaded once a process.

        Raises:
            ModelError: see ``load_classifier``.
        """
        return _load_once(self.stored)


@lru_cache(maxsize=2)
def _load_once(stored: bytes) -> AssetClassifier:
    return load_classifier(stored)


@lru_cache(maxsize=2 * len(ASSET_CLASSES))
def _plant_once(stored: bytes, asset: AssetClass) -> Forest:
    return build_forest((_load_once(stored).models or {})[asset.value])
