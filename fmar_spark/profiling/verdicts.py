"""Names for answers: tier and status of each class of each meter."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass, SizeName
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.words import PRESENT_FROM, SEASONS, Season, Status, Tier
from fmar_spark.kernels.examination import SizeEstimate
from fmar_spark.kernels.sufficiency import SUFFICIENT, VERDICTS, Sufficiency
from fmar_spark.kernels.window import Bools, Findings, Floats, Ints

UNOBSERVABLE_SHARE: Final = 0.9
"""A class of whose evidence more than this share is missing cannot be shown by the meter."""


HALF: Final = 0.5
"""Share of missing evidence beyond which no answer is of the high tier. Source: chosen by hand."""
PATTERN_DAYS: Final = 14
"""Days of a season below which the season counts as hardly seen."""


class Scorer(Protocol):
    """What the pass needs of a classifier."""

    @property
    def version(self) -> str:
        """Name of the classifier, as every row states it."""

    def predict(self, features: Floats) -> Floats:
        """Calibrated probability that each class was there at some time, shape (meters, classes)."""

    def predict_present(self, asset: AssetClass, probability: Floats, evidence: Floats) -> Floats:
        """Probability that it is there at the end, shape (meters,)."""

    def bound_size(self, asset: AssetClass, size_name: SizeName, size: SizeEstimate) -> tuple[Floats, Floats]:
        """Both ends of the 80 % interval of a size, shape (meters,) each."""

    def explain(self, asset: AssetClass, features: Floats) -> Floats:
        """What each column of the evidence adds to the log odds of a class, shape of ``features``."""


class TierRules(NamedTuple):
    """Confidence from which an answer has a tier."""

    high: float
    medium: float


class Undecided(NamedTuple):
    """A class whose blocks another load of the same meter has as well, so that they decide nothing."""

    asset: AssetClass
    rows: Bools
    """Shape (meters,)."""
    reason: str


def name_tiers(confidence: Floats, rules: TierRules) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """Tier of a confidence from 0 to 1; None where there is none."""
    names = np.select([confidence >= rules.high, confidence >= rules.medium], [Tier.HIGH.value, Tier.MEDIUM.value], Tier.LOW.value)
    tiers: np.ndarray[tuple[int, ...], np.dtype[np.object_]] = names.astype(object)
    tiers[np.isnan(confidence)] = None
    return tiers


def weigh_answer(probability: Floats) -> Floats:
    """Confidence in the answer to "is it there?", whichever way it goes; NaN where there is no answer."""
    return np.maximum(probability, 1 - probability)


def find_answerable(
    findings: dict[AssetClass, Findings],
    sufficiency: Sufficiency,
    probability: Floats,
    rules: TierRules,
    undecided: Sequence[Undecided] = (),
) -> tuple[Bools, Bools]:
    """Which classes of which meters are characterised, and which the meter cannot show; shape (meters, classes) each.

    Cannot show: nearly all evidence of the class is missing, or more than half of it and what is left decides nothing; or it is not
    found where the load itself has what it would show; or what it shows may be another load's.

    Args:
        findings: of the meters.
        sufficiency: of the same.
        probability: shape (meters, classes).
        rules: an answer below the medium tier decides nothing.
        undecided: what may be another load's.
    """
    enough = (sufficiency.verdict == SUFFICIENT)[:, None]
    missing = np.stack([findings[asset].missing_share for asset in ASSET_CLASSES], axis=1)
    unobservable = (missing > UNOBSERVABLE_SHARE) | ((missing > HALF) & (weigh_answer(probability) < rules.medium))
    drowned = np.stack([find_drowned(findings[asset]) for asset in ASSET_CLASSES], axis=1)
    unobservable |= drowned & (probability < PRESENT_FROM)
    for one in undecided:
        unobservable[:, ASSET_CLASSES.index(one.asset)] |= one.rows
    return enough & ~unobservable, enough & unobservable


def find_drowned(found: Findings) -> Bools:
    """Where the load itself has what the class would show, shape (meters,)."""
    return np.zeros(found.missing_share.shape, dtype=np.bool_) if found.is_drowned is None else found.is_drowned


def name_lacks(
    findings: dict[AssetClass, Findings], sufficiency: Sufficiency, season: Ints, undecided: Sequence[Undecided] = ()
) -> dict[AssetClass, list[str | None]]:
    """What keeps each meter from showing a class, in words; None where it is nothing in particular.

    Args:
        findings: of the meters.
        sufficiency: of the same.
        season: code of each day of the window, shape (days,).
        undecided: what may be another load's.
    """
    lacks = {asset: [ASSET_FACTS[asset].drowned if one else None for one in find_drowned(found)] for asset, found in findings.items()}
    for one in undecided:
        lacks[one.asset] = [one.reason if mine else lack for mine, lack in zip(one.rows, lacks[one.asset], strict=True)]
    return lacks | {AssetClass.HEAT_PUMP: _name_cold(sufficiency, season)}


def _name_cold(sufficiency: Sufficiency, season: Ints) -> list[str | None]:
    """What each meter lacks to show a heat pump; None where temperatures are known."""
    lacks: list[str | None] = []
    for first, last, share in zip(sufficiency.first_day, sufficiency.last_day, sufficiency.weather_share, strict=True):
        is_winter = season[max(int(first), 0) : int(last) + 1] == SEASONS.index(Season.WINTER)
        spans = ((int((~is_winter).sum()), "mild days"), (int(is_winter.sum()), "days of winter"))
        rare = [f"{f'only {days}' if days else 'no'} {name}" for days, name in spans if days < PATTERN_DAYS]
        lacks.append(" and ".join(["no temperatures", *rare]) if share == 0 else None)
    return lacks


def name_statuses(
    characterised: Bools, unobservable: Bools, sufficiency: Sufficiency, lacks: dict[AssetClass, list[str | None]]
) -> tuple[list[str], list[str | None]]:
    """Status and its reason, flattened meter by meter.

    Args:
        characterised: shape (meters, classes).
        unobservable: same shape.
        sufficiency: of the meters.
        lacks: what keeps each meter from showing a class, by class.
    """
    statuses = np.where(characterised, Status.CHARACTERISED.value, Status.IN_PROGRESS.value).astype(object)
    statuses[unobservable] = Status.NOT_OBSERVABLE.value
    reasons: np.ndarray[tuple[int, ...], np.dtype[np.object_]] = np.full(characterised.shape, None, dtype=object)
    for meter, position in zip(*np.nonzero(unobservable), strict=True):
        asset, days = ASSET_CLASSES[position], int(sufficiency.days_seen[meter])
        lack = lacks[asset][meter] if asset in lacks else None
        reasons[meter, position] = (
            f"{lack} in these {days} days" if lack else f"not shown by {write_count(days, 'day')} read; it takes {ASSET_FACTS[asset].needs}"
        )
    for meter in np.flatnonzero(sufficiency.verdict != SUFFICIENT):
        reasons[meter] = f"{VERDICTS[sufficiency.verdict[meter]]}: {write_count(int(sufficiency.days_seen[meter]), 'day')} read"
    return list(statuses.ravel()), list(reasons.ravel())
