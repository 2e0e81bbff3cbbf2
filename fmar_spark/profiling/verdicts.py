"""Names for answers: tier and status of each class of each meter."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass, SizeName
from fmar_spark.domain.words import SEASONS, Season, Status, Tier
from fmar_spark.kernels.sufficiency import SUFFICIENT, VERDICTS, Sufficiency
from fmar_spark.kernels.window import Bools, Findings, Floats, Ints

UNOBSERVABLE_SHARE: Final = 0.9
"""A class of whose evidence more than this share is missing cannot be shown by the meter."""


HALF: Final = 0.5
"""Share of missing evidence beyond which no answer is of the high tier. Source: chosen by hand."""
EVEN: Final = 0.5
"""Probability from which a class is said to have been there. Source: definition."""
LEAST_STEP: Final = 1e-3
"""How far below a bound such an answer stays at least."""
CAR_STEPS: Final = "ev_rise_days_6kw"
"""Evidence of steps that a car may have made, whatever else is said of it."""
CAR_STEP_SHARE: Final = 0.1
"""Share of days with such steps from which no car is denied in the high tier. Source: of 2,184 such denials of simulated test meters it
takes 12 % of the right ones and 55 % of the wrong ones."""
SUN_FLOOR: Final = "pv_low_noon"
"""Evidence of how near the lowest sunny hours come to zero, over the base load; below zero where they stay above it."""
SUN_CLUES: Final = ("pv_sky_correlation", "pv_export_day_share")
"""Evidence by which an array differs from a home that is empty by day: the measured sky, or an export register."""
LEAST_SUN_FLOOR: Final = -0.15
"""Without such a clue, where the floor stays above zero by more, an array that is not sure is not reported. Source: of 1,470 simulated test
meters without weather it takes 9 of 218 arrays found and 9 of 10 reported wrongly, and none of the arrays added to recorded homes."""
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
    """The probabilities, kept out of the high tier where the evidence does not bear it.

    Either way where more than half of a class's evidence is missing; a denied car where steps of a car's size recur, whatever made them. An
    array is not reported on less than the high tier where nothing but low load by day speaks for it: homes with nobody in have that too.

    Args:
        probability: shape (meters, classes).
        findings: of the same meters.
        rules: where the high tier begins.
    """
    missing = np.stack([findings[asset].missing_share for asset in ASSET_CLASSES], axis=1)
    reach = rules.high - LEAST_STEP
    tempered = np.where(missing > HALF, np.clip(probability, 1.0 - reach, reach), probability)
    steps = findings[AssetClass.EV].features.get(CAR_STEPS)
    if steps is not None:
        car = ASSET_CLASSES.index(AssetClass.EV)
        tempered[:, car] = np.where(steps >= CAR_STEP_SHARE, np.maximum(tempered[:, car], 1.0 - reach), tempered[:, car])
    array = ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    is_bare = _is_low_load_alone(findings[AssetClass.SOLAR_PV].features) & (tempered[:, array] < rules.high)
    tempered[:, array] = np.where(is_bare, np.minimum(tempered[:, array], EVEN - LEAST_STEP), tempered[:, array])
    return tempered


def _is_low_load_alone(features: Mapping[str, Floats]) -> Bools | bool:
    """Where sunny hours are low yet never near zero, and neither the sky nor an export register can say more; shape (meters,)."""
    if SUN_FLOOR not in features:
        return False
    is_unclear = np.all([np.isnan(features[name]) for name in SUN_CLUES], axis=0)
    found: Bools = is_unclear & (features[SUN_FLOOR] < LEAST_SUN_FLOOR)
    return found


def find_answerable(
    findings: dict[AssetClass, Findings], sufficiency: Sufficiency, probability: Floats, rules: TierRules
) -> tuple[Bools, Bools]:
    """Which classes of which meters are characterised, and which the meter cannot show; shape (meters, classes) each.

    Cannot show: nearly all evidence of the class is missing, or more than half of it and what is left decides nothing.

    Args:
        findings: of the meters.
        sufficiency: of the same.
        probability: shape (meters, classes).
        rules: an answer below the medium tier decides nothing.
    """
    enough = (sufficiency.verdict == SUFFICIENT)[:, None]
    missing = np.stack([findings[asset].missing_share for asset in ASSET_CLASSES], axis=1)
    unobservable = (missing > UNOBSERVABLE_SHARE) | ((missing > HALF) & (weigh_answer(probability) < rules.medium))
    return enough & ~unobservable, enough & unobservable


def name_lacks(sufficiency: Sufficiency, season: Ints) -> list[str | None]:
    """What each meter lacks to show a heat pump, in words; None where temperatures are known.

    Args:
        sufficiency: of the meters.
        season: code of each day of the window, shape (days,).
    """
    lacks: list[str | None] = []
    for first, last, share in zip(sufficiency.first_day, sufficiency.last_day, sufficiency.weather_share, strict=True):
        is_winter = season[max(int(first), 0) : int(last) + 1] == SEASONS.index(Season.WINTER)
        spans = ((int((~is_winter).sum()), "mild days"), (int(is_winter.sum()), "days of winter"))
        rare = [f"{f'only {days}' if days else 'no'} {name}" for days, name in spans if days < PATTERN_DAYS]
        lacks.append(" and ".join(["no temperatures", *rare]) if share == 0 else None)
    return lacks


def name_statuses(
    characterised: Bools, unobservable: Bools, sufficiency: Sufficiency, lacks: list[str | None]
) -> tuple[list[str], list[str | None]]:
    """Status and its reason, flattened meter by meter.

    Args:
        characterised: shape (meters, classes).
        unobservable: same shape.
        sufficiency: of the meters.
        lacks: what each meter lacks to show a heat pump.
    """
    statuses = np.where(characterised, Status.CHARACTERISED.value, Status.IN_PROGRESS.value).astype(object)
    statuses[unobservable] = Status.NOT_OBSERVABLE.value
    reasons: np.ndarray[tuple[int, ...], np.dtype[np.object_]] = np.full(characterised.shape, None, dtype=object)
    for meter, position in zip(*np.nonzero(unobservable), strict=True):
        asset, days = ASSET_CLASSES[position], int(sufficiency.days_seen[meter])
        lack = lacks[meter] if asset is AssetClass.HEAT_PUMP else None
        reasons[meter, position] = (
            f"{lack} in these {days} days" if lack else f"not shown by {days} days read; it takes {ASSET_FACTS[asset].needs}"
        )
    for meter in np.flatnonzero(sufficiency.verdict != SUFFICIENT):
        reasons[meter] = f"{VERDICTS[sufficiency.verdict[meter]]}: {int(sufficiency.days_seen[meter])} days read"
    return list(statuses.ravel()), list(reasons.ravel())
