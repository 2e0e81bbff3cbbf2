"""What the classifier says is tempered by the evidence."""

import numpy as np
import pytest
from test_verdicts import RULES, findings_of, sufficiency_of

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import Tier
from fmar_spark.kernels.sufficiency import SUFFICIENT
from fmar_spark.profiling.caveats import BY_A_BATTERY, BY_A_HEATER, find_undecided, temper_answers
from fmar_spark.profiling.verdicts import find_answerable, name_lacks, name_tiers, weigh_answer


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


BLOCKS = {"ev_day_share": 0.85, "ev_start_spread": 0.2, "ev_hours_mean": 2.0, "ev_concentration": 0.8, "ev_season_contrast": 0.1}
"""A block each night, as a tank's on a two-rate meter and that of a car that is driven the same way each day."""


@pytest.mark.parametrize(
    ("power_kw", "other", "car", "battery", "reason"),
    [
        (2.3, {}, 0.04, 0.01, BY_A_HEATER),
        (2.3, {}, 0.6, 0.01, BY_A_HEATER),
        (2.3, {}, 0.8, 0.01, None),
        (2.8, {}, 0.55, 0.01, BY_A_HEATER),
        (2.8, {}, 0.1, 0.01, None),
        (3.6, {}, 0.55, 0.01, None),
        (2.3, {"ev_day_share": 0.3}, 0.04, 0.01, None),
        (2.3, {"ev_start_spread": 0.5}, 0.04, 0.01, None),
        (2.3, {"ev_hours_mean": 11.8}, 0.04, 0.01, None),
        (2.3, {"ev_concentration": 0.5}, 0.04, 0.01, None),
        (2.3, {"ev_season_contrast": 0.9}, 0.04, 0.01, None),
        (2.3, {"ev_season_contrast": np.nan}, 0.04, 0.01, BY_A_HEATER),
        (3.7, {}, 0.6, 0.99, BY_A_BATTERY),
        (3.7, {}, 0.4, 0.99, None),
        (3.7, {}, 0.8, 0.99, None),
        (3.7, {}, 0.6, 0.85, None),
        (7.2, {}, 0.6, 0.99, None),
        (np.nan, {}, 0.04, 0.99, None),
    ],
)
def test_a_block_that_a_tank_or_the_battery_makes_as_well_decides_nothing_about_a_car(
    power_kw: float, other: dict[str, float], car: float, battery: float, reason: str | None
) -> None:
    findings = findings_of({}, 1)
    evidence = {**BLOCKS, **other, "ev_power_kw": power_kw}
    findings[AssetClass.EV].features.update({name: np.array([value]) for name, value in evidence.items()})
    findings[AssetClass.BATTERY].sizes.rated_import_kw[:] = 3.6
    answers = np.full((1, len(ASSET_CLASSES)), 0.01)
    position = ASSET_CLASSES.index(AssetClass.EV)
    answers[0, position], answers[0, ASSET_CLASSES.index(AssetClass.BATTERY)] = car, battery
    undecided = find_undecided(answers, findings, RULES)
    sufficiency = sufficiency_of(SUFFICIENT)
    _, unobservable = find_answerable(findings, sufficiency, answers, RULES, undecided)
    assert unobservable[0, position] == (reason is not None)
    assert not np.delete(unobservable, position, axis=1).any()
    assert name_lacks(findings, sufficiency, np.zeros(10, dtype=int), undecided)[AssetClass.EV] == [reason]
