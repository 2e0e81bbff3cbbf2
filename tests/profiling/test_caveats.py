"""What the classifier says is tempered by the evidence."""

import numpy as np
from test_verdicts import RULES, SURE, findings_of

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import Tier
from fmar_spark.profiling.caveats import CAR_STEPS, temper_answers
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


def test_no_car_is_denied_in_the_high_tier_where_steps_of_its_size_recur() -> None:
    findings = findings_of({}, 3)
    findings[AssetClass.EV].features[CAR_STEPS] = np.array([0.5, 0.02, np.nan])
    car = ASSET_CLASSES.index(AssetClass.EV)
    tempered = temper_answers(1.0 - SURE, findings, RULES)
    assert name_tiers(weigh_answer(tempered[:, car]), RULES).tolist() == [Tier.MEDIUM.value, Tier.HIGH.value, Tier.HIGH.value]
    assert (temper_answers(SURE, findings, RULES)[:, car] == SURE[:, car]).all()


def test_low_load_by_day_alone_is_no_array() -> None:
    findings = findings_of({}, 4)
    solar = findings[AssetClass.SOLAR_PV].features
    solar["pv_low_noon"] = np.array([-0.3, -0.3, -0.3, 0.0])
    solar["pv_sky_correlation"] = np.array([np.nan, 0.1, np.nan, np.nan])
    solar["pv_export_day_share"] = np.array([np.nan, np.nan, 0.0, np.nan])
    array = ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    tempered = temper_answers(np.full((4, len(ASSET_CLASSES)), 0.75), findings, RULES)
    assert tempered[:, array].tolist() == [0.499, 0.75, 0.75, 0.75]
    assert (temper_answers(np.full((4, len(ASSET_CLASSES)), 0.95), findings, RULES)[:, array] == 0.95).all()
