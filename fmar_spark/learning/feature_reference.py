"""How the evidence is distributed over simulated meters, in little space, and how far real meters lie from it."""

from typing import Any, Final, NamedTuple

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.kernels.window import Floats, Ints
from fmar_spark.learning.classifier import AssetClassifier, average_members, columns_of

LEVELS: Final = np.array([0.0, 0.01, 0.025, 0.05, *np.arange(2, 19) / 20, 0.95, 0.975, 0.99, 1.0])
LOW, FIRST_QUARTER, MIDDLE, LAST_QUARTER, HIGH = (
    int(np.flatnonzero(np.isclose(LEVELS, level))[0]) for level in (0.01, 0.25, 0.5, 0.75, 0.99)
)
SIZE_FEATURE: Final = FEATURES.index("log_mean_kw")
BAND_EDGES: Final = np.log10([0.3, 1.0, 5.0, 30.0])
"""Mean power, kW, at which one band of meters ends and the next begins: meters are held against meters of like size."""
BANDS: Final = len(BAND_EDGES) + 1
LEAST_OF_A_BAND: Final = 20
"""Simulated meters; a band of fewer is described by all of them."""
LEAST_REAL: Final = 3
MOST_SHUFFLED: Final = 1000
"""Meters on which it is measured what rests on a feature."""
CHANCE: Final = 1.36
"""Kolmogorov and Smirnov: beyond this over the root of the meters, one distribution in twenty lies by chance."""
LEAST_SPREAD: Final = 0.1
"""Of the simulated 1 to 99 % range: where the interquartile range is less, since most meters show one value, this stands for it."""
DIGITS: Final = 4


class FeatureReference(NamedTuple):
    """What simulated meters show."""

    source: str
    meters: int
    quantiles: Floats
    """At ``LEVELS`` in each band, shape (bands, features, levels); NaN where no meter shows the feature."""
    missing: Floats
    """Share of meters that do not show it, shape (bands, features)."""
    sway: Floats
    """Log odds by which the answers move on average when the feature is shuffled among meters: of the class that it moves most."""

    def as_json(self) -> dict[str, Any]:
        """What ``read_reference`` reads."""
        features = {}
        for place, name in enumerate(FEATURES):
            known = self.quantiles[:, place]
            features[name] = {
                "quantiles": [None if np.isnan(band).any() else [float(f"{value:.{DIGITS}g}") for value in band] for band in known],
                "missing": [round(float(share), DIGITS) for share in self.missing[:, place]],
                "sway": round(float(self.sway[place]), DIGITS),
            }
        return {"source": self.source, "meters": self.meters, "features": features}


class Distance(NamedTuple):
    """How far the real meters of one kind lie from simulated ones of like size in one feature."""

    feature: str
    meters: int
    """Real ones that show it."""
    ks: float
    """Largest distance of both cumulative distributions, 0 to 1."""
    is_beyond_chance: bool
    middle: float
    """Share of simulated meters below the middle real one: 0.5 where both have one middle."""
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
    band = find_bands(features)
    quantiles, missing = np.full((BANDS, len(FEATURES), len(LEVELS)), np.nan), np.zeros((BANDS, len(FEATURES)))
    for place in range(BANDS):
        members = features[band == place] if (band == place).sum() >= LEAST_OF_A_BAND else features
        missing[place] = np.isnan(members).mean(axis=0)
        for column in range(len(FEATURES)):
            known = members[:, column][~np.isnan(members[:, column])].astype(np.float64)
            if known.size:
                quantiles[place, column] = np.quantile(known, LEVELS)
    return FeatureReference(source, len(features), quantiles, missing, measure_sway(features, classifier, seed))


def find_bands(features: Floats) -> Ints:
    """Band of size of each meter, shape (meters,)."""
    return np.asarray(np.searchsorted(BAND_EDGES, np.nan_to_num(features[:, SIZE_FEATURE]), side="right"))


def measure_sway(features: Floats, classifier: AssetClassifier, seed: int = 0) -> Floats:
    """Mean absolute change of log odds when each feature is shuffled among the meters, shape (features,)."""
    rng = np.random.default_rng(seed)
    some = features[rng.permutation(len(features))[:MOST_SHUFFLED]]
    order = rng.permutation(len(some))
    sway = np.zeros(len(FEATURES))
    for asset in ASSET_CLASSES:
        columns = columns_of(asset, classifier.feature_names or FEATURES)
        evidence = np.asarray(some[:, columns], dtype=np.float32)
        turned = np.tile(evidence, (1 + len(columns), 1, 1))
        for position in range(len(columns)):
            turned[1 + position, :, position] = evidence[order, position]
        members = (classifier.models or {})[asset.value]
        logit = average_members(members, turned.reshape(-1, len(columns))).reshape(turned.shape[:2])
        sway[columns] = np.maximum(sway[columns], np.abs(logit[1:] - logit[0]).mean(axis=1))
    return sway


def read_reference(stored: dict[str, Any]) -> FeatureReference | None:
    """The reference that ``FeatureReference.as_json`` wrote; none where it is of other features."""
    features = stored["features"]
    if list(features) != list(FEATURES):
        return None
    unknown = [float("nan")] * len(LEVELS)
    quantiles = np.array([[unknown if band is None else band for band in features[name]["quantiles"]] for name in FEATURES])
    missing = np.array([features[name]["missing"] for name in FEATURES])
    sway = np.array([features[name]["sway"] for name in FEATURES])
    return FeatureReference(stored["source"], stored["meters"], quantiles.transpose(1, 0, 2), missing.T, sway)


def compare_features(features: Floats, reference: FeatureReference) -> list[Distance]:
    """The features of real meters, shape (meters, features), by what to look at first; those that too few meters show are left out.

    The simulated distribution is mixed from the bands of size as the real meters fall in them, so that a sample of large
    buildings is not held against homes.
    """
    found = []
    band = find_bands(features)
    for place, name in enumerate(FEATURES):
        is_shown = ~np.isnan(features[:, place])
        shares = np.bincount(band[is_shown], minlength=BANDS) / max(is_shown.sum(), 1)
        shares = np.where(np.isnan(reference.quantiles[:, place]).any(axis=1), 0.0, shares)
        if is_shown.sum() < LEAST_REAL or shares.sum() == 0:
            continue
        known = mix_quantiles(reference.quantiles[:, place], shares / shares.sum())
        missing = float(np.bincount(band, minlength=BANDS) / len(band) @ reference.missing[:, place])
        values = np.sort(features[is_shown, place].astype(np.float64))
        found.append(_compare((name, float(reference.sway[place])), values, known, (1 - len(values) / len(features), missing)))
    return sorted(found, key=lambda distance: -distance.rank)


def mix_quantiles(quantiles: Floats, shares: Floats) -> Floats:
    """Quantiles at ``LEVELS`` of a mixture of bands, shape (levels,).

    Args:
        quantiles: of each band, shape (bands, levels).
        shares: of each band, shape (bands,), 1 in all.
    """
    used = np.flatnonzero(shares)
    if used.size == 1:
        return np.asarray(quantiles[used[0]])
    points = np.unique(quantiles[used])
    below, upto = (sum(shares[band] * cumulate(points, quantiles[band], side) for band in used) for side in ("left", "right"))
    steps = np.stack([below, upto], axis=1).ravel()
    return np.asarray(np.interp(LEVELS, np.maximum.accumulate(steps), np.repeat(points, 2)))


def _compare(subject: tuple[str, float], values: Floats, known: Floats, missing: tuple[float, float]) -> Distance:
    name, sway = subject
    ks = _find_largest_gap(values, known)
    grid = np.linspace(0.005, 0.995, 100)
    spread = max(float(known[LAST_QUARTER] - known[FIRST_QUARTER]), LEAST_SPREAD * float(known[HIGH] - known[LOW])) or 1.0
    unit = spread / 2
    middle = np.atleast_1d(np.median(values))
    return Distance(
        feature=name,
        meters=len(values),
        ks=ks,
        is_beyond_chance=bool(ks > CHANCE / np.sqrt(len(values))),
        middle=float(cumulate(middle, known, "left")[0] + cumulate(middle, known, "right")[0]) / 2,
        shift=float(np.mean(np.abs(np.quantile(values, grid) - np.interp(grid, LEVELS, known)))) / spread,
        outside_share=float(((values < known[LOW]) | (values > known[HIGH])).mean()),
        real_missing=missing[0],
        simulated_missing=missing[1],
        sway=sway,
        values=[float(value) for value in (values - known[MIDDLE]) / unit],
        simulated_range=[float(known[level] - known[MIDDLE]) / unit for level in (LOW, FIRST_QUARTER, LAST_QUARTER, HIGH)],
    )


def _find_largest_gap(values: Floats, quantiles: Floats) -> float:
    """Kolmogorov-Smirnov distance of sorted values from a distribution that is known by its quantiles.

    A value that many meters share is a step of a distribution: it is compared before and after the step.
    """
    points = np.unique(np.concatenate([values, quantiles]))
    gaps = []
    for side in ("left", "right"):
        real = np.searchsorted(values, points, side="left" if side == "left" else "right") / len(values)
        gaps.append(float(np.abs(real - cumulate(points, quantiles, side)).max()))
    return max(gaps)


def cumulate(points: Floats, quantiles: Floats, side: str) -> Floats:
    """Share of the simulated meters below (left) or up to (right) each point, straight lines between the quantiles."""
    last = len(LEVELS) - 1
    begins, ends = np.searchsorted(quantiles, points, side="left"), np.searchsorted(quantiles, points, side="right")
    low, high = np.clip(begins - 1, 0, last), np.clip(begins, 0, last)
    width = quantiles[high] - quantiles[low]
    between = np.where(width > 0, (points - quantiles[low]) / np.where(width > 0, width, 1.0), 0.0)
    inside = LEVELS[low] + np.clip(between, 0, 1) * (LEVELS[high] - LEVELS[low])
    at_level = LEVELS[np.clip(begins, 0, last)] if side == "left" else LEVELS[np.clip(ends - 1, 0, last)]
    shares = np.where(ends > begins, at_level, inside)
    return np.where(ends == 0, 0.0, np.where(begins > last, 1.0, shares))
