"""What keeps an answer from being surer than its evidence, whatever the classifier says."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.domain.words import PRESENT_FROM
from fmar_spark.kernels.window import Bools, Findings, Floats
from fmar_spark.profiling.verdicts import HALF, TierRules

LEAST_STEP: Final = 0.01
"""How far below a bound such an answer stays at least: a whole per cent, so that no page rounds it up to the bound."""
ARRAY_RULED_OUT: Final = 0.2
"""Probability of an array up to which what hides behind arrays may be denied in the high tier. Source: on the windows that
``AssetFacts.denied_up_to`` names; with both bounds 16 windows of self-use batteries are denied in that tier instead of 164. Of cars that
follow the sun, added by rule to recorded homes, 9 of 16 had been denied in it."""
SUN_FLOOR: Final = "pv_low_noon"
"""Evidence of how near the lowest sunny hours come to zero, over the base load; below zero where they stay above it."""
SUN_CLUES: Final = ("pv_sky_correlation", "pv_export_day_share")
"""Evidence by which an array differs from a home that is empty by day: the measured sky, or an export register."""
LEAST_SUN_FLOOR: Final = -0.15
"""Without such a clue, where the floor stays above zero by more, an array that is not sure is not reported. Source: of 1,470 simulated test
meters without weather it takes 9 of 218 arrays found and 9 of 10 reported wrongly, and none of the arrays added to recorded homes."""


def temper_answers(probability: Floats, findings: dict[AssetClass, Findings], rules: TierRules) -> Floats:
    """The probabilities, kept out of the high tier where the evidence does not bear it.

    Either way where more than half of a class's evidence is missing; where the class or a look-alike has ways of use that such an answer is
    often wrong about; a denied battery or car where there may be an array. An array is not reported on
    less than the high tier where nothing but low load by day speaks for it: homes with nobody in have that too.

    Args:
        probability: shape (meters, classes).
        findings: of the same meters.
        rules: where the high tier begins.
    """
    missing = np.stack([findings[asset].missing_share for asset in ASSET_CLASSES], axis=1)
    reach = rules.high - LEAST_STEP
    array = ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    facts = [ASSET_FACTS[asset] for asset in ASSET_CLASSES]
    is_hidden = np.array([fact.hides_behind_pv for fact in facts]) & (probability[:, [array]] > ARRAY_RULED_OUT)
    denied_up_to = np.where(is_hidden, 0.0, [fact.denied_up_to for fact in facts])
    found_from = np.array([fact.found_from for fact in facts])
    is_capped = (missing > HALF) | np.where(probability < HALF, probability > denied_up_to, probability < found_from)
    tempered = np.where(is_capped, np.clip(probability, 1.0 - reach, reach), probability)
    is_bare = _is_low_load_alone(findings[AssetClass.SOLAR_PV].features) & (tempered[:, array] < rules.high)
    tempered[:, array] = np.where(is_bare, np.minimum(tempered[:, array], PRESENT_FROM - LEAST_STEP), tempered[:, array])
    return tempered


def _is_low_load_alone(features: Mapping[str, Floats]) -> Bools | bool:
    """Where sunny hours are low yet never near zero, and neither the sky nor an export register can say more; shape (meters,)."""
    if SUN_FLOOR not in features:
        return False
    is_unclear = np.all([np.isnan(features[name]) for name in SUN_CLUES], axis=0)
    found: Bools = is_unclear & (features[SUN_FLOOR] < LEAST_SUN_FLOOR)
    return found
