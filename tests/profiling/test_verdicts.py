"""Names for answers: tier and status."""

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import Status, Tier
from fmar_spark.kernels.sufficiency import NO_READINGS, SUFFICIENT, TOO_FEW_DAYS, TOO_MANY_GAPS, Sufficiency
from fmar_spark.kernels.window import Findings, Floats, no_events, unknown_sizes
from fmar_spark.profiling.verdicts import (
    TierRules,
    find_answerable,
    name_lacks,
    name_statuses,
    name_tiers,
    weigh_answer,
)

RULES = TierRules(0.9, 0.7)
SURE = np.full((3, len(ASSET_CLASSES)), 0.95)


def sufficiency_of(*verdicts: int) -> Sufficiency:
    count = len(verdicts)
    days = np.arange(count) * 10
    return Sufficiency(np.array(verdicts), days, days, days, np.zeros(count), np.ones(count))


def findings_of(features: dict[AssetClass, Floats], meters: int) -> dict[AssetClass, Findings]:
    plain = np.zeros((meters, 10))
    return {
        asset: Findings(
            {str(place): column for place, column in enumerate(features.get(asset, plain).T)},
            np.zeros((meters, 3)),
            no_events(),
            unknown_sizes(meters),
        )
        for asset in ASSET_CLASSES
    }


@pytest.mark.parametrize(
    ("probability", "tier"),
    [
        (0.95, Tier.HIGH),
        (0.9, Tier.HIGH),
        (0.89, Tier.MEDIUM),
        (0.7, Tier.MEDIUM),
        (0.69, Tier.LOW),
        (0.5, Tier.LOW),
        (0.31, Tier.LOW),
        (0.3, Tier.MEDIUM),
        (0.1, Tier.HIGH),
        (0.0, Tier.HIGH),
        (np.nan, None),
    ],
)
def test_a_tier_is_the_confidence_in_the_answer_whichever_way_it_goes(probability: float, tier: Tier | None) -> None:
    assert name_tiers(weigh_answer(np.array([probability])), RULES).tolist() == [None if tier is None else tier.value]


def test_a_confidence_near_nothing_is_low() -> None:
    assert name_tiers(np.array([0.0, 0.05, 0.5, 0.95]), RULES).tolist() == ["low", "low", "low", "high"]


def test_tiers_keep_the_order_of_many_and_none_have_none() -> None:
    assert name_tiers(np.array([0.99, np.nan, 0.6]), RULES).tolist() == ["high", None, "low"]
    assert name_tiers(np.zeros(0), RULES).tolist() == []


def test_a_class_whose_evidence_is_mostly_missing_cannot_be_shown_by_the_meter() -> None:
    features = np.zeros((3, 10))
    features[0], features[1, :9] = np.nan, np.nan
    findings = findings_of({AssetClass.SOLAR_PV: features}, 3)
    characterised, unobservable = find_answerable(findings, sufficiency_of(SUFFICIENT, SUFFICIENT, SUFFICIENT), SURE, RULES)
    sun = ASSET_CLASSES.index(AssetClass.SOLAR_PV)
    assert unobservable[:, sun].tolist() == [True, False, False]
    assert characterised[:, sun].tolist() == [False, True, True]
    assert np.delete(characterised, sun, axis=1).all()


def test_what_half_of_the_evidence_does_not_decide_is_not_observable() -> None:
    features = np.zeros((3, 10))
    features[:2, :6] = np.nan
    findings = findings_of({AssetClass.HEAT_PUMP: features}, 3)
    pump = ASSET_CLASSES.index(AssetClass.HEAT_PUMP)
    probability = SURE.copy()
    probability[:, pump] = 0.65, 0.75, 0.65
    _, unobservable = find_answerable(findings, sufficiency_of(SUFFICIENT, SUFFICIENT, SUFFICIENT), probability, RULES)
    assert unobservable[:, pump].tolist() == [True, False, False]


def test_a_heat_pump_that_cannot_be_shown_says_what_is_missing() -> None:
    sufficiency = Sufficiency(
        np.full(4, SUFFICIENT),
        np.array([71, 80, 80, 71]),
        np.array([0, 0, 90, 0]),
        np.array([70, 79, 169, 70]),
        np.zeros(4),
        np.array([0, 0, 0, 1.0]),
    )
    season = np.repeat([0, 1], [71, 120])
    lacks = name_lacks(findings_of({}, 4), sufficiency, season)
    assert lacks[AssetClass.HEAT_PUMP] == [
        "no temperatures and no mild days",
        "no temperatures and only 9 mild days",
        "no temperatures and no days of winter",
        None,
    ]
    pump = np.tile(np.array([asset is AssetClass.HEAT_PUMP for asset in ASSET_CLASSES]), (4, 1))
    _, reasons = name_statuses(~pump, pump, sufficiency, lacks)
    assert reasons[1] == "no temperatures and no mild days in these 71 days"


def test_a_car_is_found_or_not_observable_where_steps_of_its_size_recur() -> None:
    findings = findings_of({}, 4)
    findings[AssetClass.EV] = findings[AssetClass.EV]._replace(is_drowned=np.array([True, True, False, False]))
    sufficiency = sufficiency_of(*[SUFFICIENT] * 4)
    car = ASSET_CLASSES.index(AssetClass.EV)
    probability = np.full((4, len(ASSET_CLASSES)), 0.02)
    probability[1, car] = 0.6
    characterised, unobservable = find_answerable(findings, sufficiency, probability, RULES)
    assert unobservable[:, car].tolist() == [True, False, False, False]
    assert not np.delete(unobservable, car, axis=1).any()
    statuses, reasons = name_statuses(characterised, unobservable, sufficiency, name_lacks(findings, sufficiency, np.zeros(10, dtype=int)))
    assert statuses[car] == Status.NOT_OBSERVABLE
    assert reasons[car] == "the load itself changes by as much as a charge point draws, and charging would not stand out in these 0 days"


def test_too_little_history_is_neither_answered_nor_called_unobservable() -> None:
    features = np.full((2, 10), np.nan)
    findings = findings_of(dict.fromkeys(ASSET_CLASSES, features), 2)
    characterised, unobservable = find_answerable(findings, sufficiency_of(TOO_FEW_DAYS, SUFFICIENT), SURE[:2], RULES)
    assert not characterised.any()
    assert unobservable.any(axis=1).tolist() == [False, True]


@pytest.mark.parametrize(
    ("verdict", "word"), [(NO_READINGS, "no_readings"), (TOO_FEW_DAYS, "too_few_days"), (TOO_MANY_GAPS, "too_many_gaps")]
)
def test_what_is_in_progress_says_why_and_how_long_the_history_is(verdict: int, word: str) -> None:
    answered = np.array([[True] * 5, [False] * 5])
    statuses, reasons = name_statuses(answered, np.zeros((2, 5), dtype=bool), sufficiency_of(SUFFICIENT, verdict), {})
    assert statuses == [Status.CHARACTERISED] * 5 + [Status.IN_PROGRESS] * 5
    assert reasons == [None] * 5 + [f"{word}: 10 days read"] * 5


def test_what_a_meter_cannot_show_says_so_class_by_class() -> None:
    unobservable = np.array([[False, True, False, False, False]])
    statuses, reasons = name_statuses(~unobservable, unobservable, sufficiency_of(SUFFICIENT), {})
    assert statuses == [Status.NOT_OBSERVABLE if place == 1 else Status.CHARACTERISED for place in range(5)]
    assert reasons[1] == "not shown by 0 days read; it takes 40 days of winter, or temperatures of cold and of mild days"
    assert [reasons[place] for place in (0, 2, 3, 4)] == [None] * 4


def test_no_meters_have_no_statuses() -> None:
    none = np.zeros((0, 5), dtype=bool)
    assert name_statuses(none, none, sufficiency_of(), {}) == ([], [])
