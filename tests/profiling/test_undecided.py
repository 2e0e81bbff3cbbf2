"""Blocks that another load makes as well decide nothing about a car."""

import numpy as np
import pytest
from test_verdicts import RULES, findings_of, sufficiency_of

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.kernels.sufficiency import SUFFICIENT
from fmar_spark.profiling.undecided import BY_A_BATTERY, BY_A_HEATER, find_undecided
from fmar_spark.profiling.verdicts import find_answerable, name_lacks

DROWNED = ASSET_FACTS[AssetClass.EV].drowned
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
        (3.7, {}, 0.8, 0.99, BY_A_BATTERY),
        (3.7, {}, 0.95, 0.99, None),
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


@pytest.mark.parametrize(
    ("power_kw", "is_drowned", "car", "reason"),
    [
        (2.9, True, 0.55, BY_A_HEATER),
        (2.9, True, 0.86, BY_A_HEATER),
        (2.9, True, 0.95, None),
        (2.9, False, 0.86, None),
        (3.7, True, 0.86, None),
        (7.2, True, 0.55, None),
    ],
)
def test_among_loads_that_change_as_much_a_car_of_a_heaters_power_needs_the_high_tier(
    power_kw: float, is_drowned: bool, car: float, reason: str | None
) -> None:
    findings = findings_of({}, 1)
    evidence = {**BLOCKS, "ev_day_share": 0.3, "ev_start_spread": 0.6, "ev_power_kw": power_kw}
    findings[AssetClass.EV].features.update({name: np.array([value]) for name, value in evidence.items()})
    findings[AssetClass.EV] = findings[AssetClass.EV]._replace(is_drowned=np.array([is_drowned]))
    answers = np.full((1, len(ASSET_CLASSES)), 0.01)
    position = ASSET_CLASSES.index(AssetClass.EV)
    answers[0, position] = car
    undecided = find_undecided(answers, findings, RULES)
    characterised, _ = find_answerable(findings, sufficiency_of(SUFFICIENT), answers, RULES, undecided)
    assert characterised[0, position] == (reason is None)
    assert name_lacks(findings, sufficiency_of(SUFFICIENT), np.zeros(10, dtype=int), undecided)[AssetClass.EV] == [
        reason or (DROWNED if is_drowned else None)
    ]
