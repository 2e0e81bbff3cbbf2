"""What the classifier says is tempered by the evidence."""

import numpy as np
import pytest
from test_verdicts import RULES, findings_of

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import Tier
from fmar_spark.profiling.caveats import temper_answers
from fmar_spark.profiling.verdicts import name_tiers, weigh_answer


def test_answers_on_half_of_the_evidence_are_never_of_the_high_tier() -> None:
    features = np.zeros((3, 10))
    features[0, :6], features[1, :5] = np.nan, np.nan
    findings = findings_of({AssetClass.HEAT_PUMP: features}, 3)
    pump = ASSET_CLASSES.index(AssetClass.HEAT_PUMP)
    for sure in (0.01, 0.99):
        tempered = temper_answers(np.full((3, len(ASSET_CLASSES)), sure), findings, RULES)
        assert name_tiers(weigh_answer(tempered[:, pump]), RULES).tolist() == [Tier.MEDIUM.value, Tier.HIGH.value, Tier.HIGH.value]
        assert (np.delete(tempered, pump, axis=1) == sure).all()


def test_low_load_by_day_alone_is_no_array() -> None:
    findings = findings_of({}, 4)
    solar = findings[AssetClass.SOLAR_PV].features
    solar["pv_low_noon"] = np.array([-0.3, -0.3, -0.3, 0.0])
    solar["pv_sky_correlation"] = np.array([np.nan, 0.1, np.nan, np.nan])
    solar["pv_export_day_share"] = np.array([np.nan, np.nan, 0.0, np.nan])
    array = ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    tempered = temper_answers(np.full((4, len(ASSET_CLASSES)), 0.75), findings, RULES)
    assert tempered[:, array].tolist() == [0.49, 0.75, 0.75, 0.75]
    assert (temper_answers(np.full((4, len(ASSET_CLASSES)), 0.95), findings, RULES)[:, array] == 0.95).all()


@pytest.mark.parametrize(
    ("asset", "high", "medium"),
    [
        (AssetClass.EV, (0.05, 0.9), (0.06,)),
        (AssetClass.HEAT_PUMP, (0.03, 0.95), (0.04, 0.94)),
        (AssetClass.BATTERY, (0.05, 0.9), (0.06,)),
        (AssetClass.SOLAR_PV, (0.1, 0.9), ()),
        (AssetClass.DEMAND_RESPONSE, (0.07, 0.9), (0.08,)),
    ],
)
def test_the_high_tier_of_a_class_begins_where_it_holds_among_its_hardest_ways_of_use(
    asset: AssetClass, high: tuple[float, ...], medium: tuple[float, ...]
) -> None:
    position = ASSET_CLASSES.index(asset)
    for tier, probabilities in ((Tier.HIGH, high), (Tier.MEDIUM, medium)):
        for probability in probabilities:
            answers = np.full((1, len(ASSET_CLASSES)), 0.01)
            answers[0, position] = probability
            tempered = temper_answers(answers, findings_of({}, 1), RULES)
            assert name_tiers(weigh_answer(tempered[:, position]), RULES).tolist() == [tier.value]
            assert (tempered[0, position] >= 0.5) == (probability >= 0.5)


def test_no_battery_is_denied_in_the_high_tier_where_there_may_be_an_array() -> None:
    battery, array = ASSET_CLASSES.index(AssetClass.BATTERY), ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    answers = np.full((3, len(ASSET_CLASSES)), 0.01)
    answers[:, array] = [0.2, 0.21, 0.99]
    tempered = temper_answers(answers, findings_of({}, 3), RULES)
    assert name_tiers(weigh_answer(tempered[:, battery]), RULES).tolist() == [Tier.HIGH.value, Tier.MEDIUM.value, Tier.MEDIUM.value]
    answers[:, battery] = 0.99
    assert (temper_answers(answers, findings_of({}, 3), RULES)[:, battery] == 0.99).all()
