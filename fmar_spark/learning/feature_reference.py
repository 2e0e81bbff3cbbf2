"""How the evidence is distributed over simulated meters, in little space, and how far real meters lie from it."""

from typing import Any, Final, NamedTuple

import numpy as np

from fmar_spark.domain.words import ASSET_CLASSES
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.kernels.window import Floats
from fmar_spark.learning.classifier import AssetClassifier, average_members, to_logit
from fmar_spark.learning.features import columns_of

LEVELS: Final = np.linspace(0.0, 1.0, 101)
LOW, HIGH = 1, 99
"""Positions in ``LEVELS`` of the range that holds nearly all simulated meters."""
LEAST_REAL: Final = 3
CHANCE: Final = 1.36
"""Kolmogorov and Smirnov: beyond this over the root of the meters, one distribution in twenty lies by chance."""
DIGITS: Final = 6


class FeatureReference(NamedTuple):
    """What simulated meters show."""

    source: str
    meters: int
    quantiles: Floats
    """At ``LEVELS``, shape (features, levels); NaN where no meter shows the feature."""
    missing: Floats
    """Share of meters that do not show it, shape (features,)."""
    sway: Floats
    """Log odds by which the answers move on average when the feature is shuffled among meters: of the class that it moves most."""

    def as_json(self) -> dict[str, Any]:
        """What ``read_reference`` reads."""
        rows = zip(FEATURES, self.quantiles, self.missing, self.sway, strict=True)
        features = {
            name: {
                "quantiles": None if np.isnan(values).any() else [float(f"{value:.{DIGITS}g}") for value in values],
                "missing": round(float(missing), DIGITS),
                "sway": round(float(sway), DIGITS),
            }
            for name, values, missing, sway in rows
        }
        return {"source": self.source, "meters": self.meters, "features": features}


class Distance(NamedTuple):
    """How far the real meters of one kind lie from the simulated ones in one feature."""

    feature: str
    meters: int
    """Real ones that show it."""
    ks: float
    """Largest distance of both cumulative distributions, 0 to 1."""
    is_beyond_chance: bool
    shift: float
    """Mean distance of like quantiles, in interquartile ranges of the simulated meters (Wasserstein, standardised)."""
    outside_share: float
    """Real meters outside of the simulated 1 to 99 % range."""
    real_missing: float
    simulated_missing: float
    sway: float
    values: list[float]
    """Of the real meters, as positions in the simulated distribution: 0 its median, one unit half of its interquartile range."""
    simulated_range: list[float]
    """Its 1, 25, 75 and 99 % points, in the same units."""

    @property
    def rank(self) -> float:
        """What to look at first: a distant feature on which answers rest."""
        return self.ks * self.sway


def summarise_features(features: Floats, classifier: AssetClassifier, source: str, seed: int = 0) -> FeatureReference:
    """The distribution of each feature over simulated meters, shape (meters, features), and what rests on it."""
    quantiles = np.full((len(FEATURES), len(LEVELS)), np.nan)
    for place in range(len(FEATURES)):
        known = features[:, place][~np.isnan(features[:, place])].astype(np.float64)
        if known.size:
            quantiles[place] = np.quantile(known, LEVELS)
    return FeatureReference(source, len(features), quantiles, np.isnan(features).mean(axis=0), measure_sway(features, classifier, seed))


def measure_sway(features: Floats, classifier: AssetClassifier, seed: int = 0) -> Floats:
    """Mean absolute change of log odds when each feature is shuffled among the meters, shape (features,)."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(features))
    sway = np.zeros(len(FEATURES))
    for asset in ASSET_CLASSES:
        columns = columns_of(asset)
        members = (classifier.models or {})[asset.value]
        evidence = np.asarray(features[:, columns], dtype=np.float32)
        plain = to_logit(average_members(members, evidence))
        for position, column in enumerate(columns):
            shuffled = evidence.copy()
            shuffled[:, position] = evidence[order, position]
            moved = float(np.mean(np.abs(to_logit(average_members(members, shuffled)) - plain)))
            sway[column] = max(sway[column], moved)
    return sway


def read_reference(told: dict[str, Any]) -> FeatureReference | None:
    """The reference that ``FeatureReference.as_json`` told; none where it is of other features."""
    features = told["features"]
    if list(features) != list(FEATURES):
        return None
    unknown = [float("nan")] * len(LEVELS)
    quantiles = np.array([unknown if features[name]["quantiles"] is None else features[name]["quantiles"] for name in FEATURES])
    missing, sway = (np.array([features[name][what] for name in FEATURES]) for what in ("missing", "sway"))
    return FeatureReference(told["source"], told["meters"], quantiles, missing, sway)


def compare_features(features: Floats, reference: FeatureReference) -> list[Distance]:
    """The features of real meters, shape (meters, features), by what to look at first; those that too few meters show are left out."""
    found = []
    for place, name in enumerate(FEATURES):
        values = np.sort(features[:, place][~np.isnan(features[:, place])].astype(np.float64))
        if values.size < LEAST_REAL or np.isnan(reference.quantiles[place]).any():
            continue
        found.append(_compare(name, values, len(features), reference, place))
    return sorted(found, key=lambda distance: -distance.rank)


def _compare(name: str, values: Floats, meters: int, reference: FeatureReference, place: int) -> Distance:
    known = reference.quantiles[place]
    ks = _find_largest_gap(values, known)
    like = np.quantile(values, LEVELS)
    spread = float(known[75] - known[25]) or float(known[HIGH] - known[LOW]) or 1.0
    return Distance(
        feature=name,
        meters=len(values),
        ks=ks,
        is_beyond_chance=bool(ks > CHANCE / np.sqrt(len(values))),
        shift=float(np.mean(np.abs(like - known))) / spread,
        outside_share=float(((values < known[LOW]) | (values > known[HIGH])).mean()),
        real_missing=1 - len(values) / meters,
        simulated_missing=float(reference.missing[place]),
        sway=float(reference.sway[place]),
        values=[float(value) for value in (values - known[50]) / (spread / 2)],
        simulated_range=[float(known[level] - known[50]) / (spread / 2) for level in (LOW, 25, 75, HIGH)],
    )


def _find_largest_gap(values: Floats, quantiles: Floats) -> float:
    """Kolmogorov-Smirnov distance of sorted values from a distribution that is known by its quantiles.

    A value that many simulated meters share is a step of their distribution: it is compared on both sides.
    """
    points = np.unique(np.concatenate([values, quantiles]))

    def cumulate(known: Floats, levels: Floats, side: str) -> Floats:
        place = np.searchsorted(known, points, side="right" if side == "right" else "left")
        return levels[place]

    steps = np.arange(len(values) + 1) / len(values)
    gaps = [np.zeros(1)]
    for side in ("left", "right"):
        simulated = _cumulate_quantiles(points, quantiles, side)
        gaps.append(np.abs(cumulate(values, steps, side) - simulated))
    return float(max(gap.max() for gap in gaps))


def _cumulate_quantiles(points: Floats, quantiles: Floats, side: str) -> Floats:
    """Share of the simulated meters below (left) or up to (right) each point, straight lines between the quantiles."""
    first = np.searchsorted(quantiles, points, side="left")
    last = np.searchsorted(quantiles, points, side="right")
    low, high = np.clip(first - 1, 0, len(LEVELS) - 1), np.clip(first, 0, len(LEVELS) - 1)
    width = quantiles[high] - quantiles[low]
    between = np.where(width > 0, (points - quantiles[low]) / np.where(width > 0, width, 1.0), 0.0)
    inside = LEVELS[low] + np.clip(between, 0, 1) * (LEVELS[high] - LEVELS[low])
    is_level = last > first
    at_level = LEVELS[first.clip(max=len(LEVELS) - 1)] if side == "left" else LEVELS[(last - 1).clip(min=0)]
    shares = np.where(is_level, at_level, inside)
    return np.where(last == 0, 0.0, np.where(first >= len(LEVELS), 1.0, shares))
