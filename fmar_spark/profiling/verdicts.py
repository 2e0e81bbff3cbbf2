"""Names for answers: tier and status of each class of each meter."""

from typing import Final, NamedTuple, Protocol

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass, SizeName
from fmar_spark.domain.words import Status, Tier
from fmar_spark.kernels.sufficiency import SUFFICIENT, VERDICTS, Sufficiency
from fmar_spark.kernels.window import Bools, Findings, Floats

UNOBSERVABLE_SHARE: Final = 0.9
"""A class of whose evidence more than this share is missing cannot be shown by the meter."""


HALF: Final = 0.5
"""Share of missing evidence beyond which no answer is of the high tier. Source: chosen by hand."""
LEAST_STEP: Final = 1e-3
"""How far below the high tier such an answer stays at least."""


class Scorer(Protocol):
    """What the pass needs of a classifier."""

    @property
    def version(self) -> str:
        """Name of the classifier, as every row states it."""

    def predict(self, features: Floats) -> Floats:
        """Calibrated probability that each class was there at some time, shape (meters, classes)."""

    def predict_present(self, asset: AssetClass, probability: Floats, evidence: Floats) -> Floats:
        """Probability that it is there at the end, shape (meters,)."""

    def bound_size(self, asset: AssetClass, size_name: SizeName, size: Floats, spread: Floats) -> tuple[Floats, Floats]:
        """Both ends of the 80 % interval of a size, shape (meters,) each."""

    def explain(self, asset: AssetClass, features: Floats) -> Floats:
        """What each column of the evidence adds to the log odds of a class, shape of ``features``."""


class TierRules(NamedTuple):
    """Confidence from which an answer has a tier."""

    high: float
    medium: float


def name_tiers(confidence: Floats, rules: TierRules) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """Tier of a confidence from 0 to 1; None where there is none."""
    names = np.select([confidence >= rules.high, confidence >= rules.medium], [Tier.HIGH.value, Tier.MEDIUM.value], Tier.LOW.value)
    tiers: np.ndarray[tuple[int, ...], np.dtype[np.object_]] = names.astype(object)
    tiers[np.isnan(confidence)] = None
    return tiers


def weigh_answer(probability: Floats) -> Floats:
    """Confidence in the answer to "is it there?", whichever way it goes; NaN where there is no answer."""
    return np.maximum(probability, 1 - probability)


def temper_answers(probability: Floats, findings: dict[AssetClass, Findings], rules: TierRules) -> Floats:
    """The probabilities, kept out of the high tier either way where more than half of a class's evidence is missing.

    Args:
        probability: shape (meters, classes).
        findings: of the same meters.
        rules: where the high tier begins.
    """
    missing = np.stack([findings[asset].missing_share for asset in ASSET_CLASSES], axis=1)
    reach = rules.high - LEAST_STEP
    return np.where(missing > HALF, np.clip(probability, 1.0 - reach, reach), probability)


def find_answerable(findings: dict[AssetClass, Findings], sufficiency: Sufficiency) -> tuple[Bools, Bools]:
    """Which classes of which meters are characterised, and which the meter cannot show; shape (meters, classes) each."""
    enough = (sufficiency.verdict == SUFFICIENT)[:, None]
    missing = np.stack([findings[asset].missing_share for asset in ASSET_CLASSES], axis=1)
    unobservable = missing > UNOBSERVABLE_SHARE
    return enough & ~unobservable, enough & unobservable


def name_statuses(characterised: Bools, unobservable: Bools, sufficiency: Sufficiency) -> tuple[list[str], list[str | None]]:
    """Status and its reason, flattened meter by meter."""
    statuses = np.where(characterised, Status.CHARACTERISED.value, Status.IN_PROGRESS.value).astype(object)
    statuses[unobservable] = Status.NOT_OBSERVABLE.value
    reasons: np.ndarray[tuple[int, ...], np.dtype[np.object_]] = np.full(characterised.shape, None, dtype=object)
    for meter, position in zip(*np.nonzero(unobservable), strict=True):
        needs = ASSET_FACTS[ASSET_CLASSES[position]].needs
        reasons[meter, position] = f"not shown by {int(sufficiency.days_seen[meter])} days read; it takes {needs}"
    for meter in np.flatnonzero(sufficiency.verdict != SUFFICIENT):
        reasons[meter] = f"{VERDICTS[sufficiency.verdict[meter]]}: {int(sufficiency.days_seen[meter])} days read"
    return list(statuses.ravel()), list(reasons.ravel())
