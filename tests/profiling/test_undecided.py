"""Blocks that another load makes as well decide nothing about a car."""

import numpy as np
import pytest
from test_verdicts import RULES, findings_of, sufficiency_of

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.kernels.sufficiency import SUFFICIENT
from fmar_spark.kernels.window import Findings, Floats
from fmar_spark.profiling.undecided import BY_A_BATTERY, BY_A_HEATER, IN_THE_SUN, find_undecided
from fmar_spark.profiling.verdicts import find_answerable, name_lacks

EV = ASSET_CLASSES.index(AssetClass.EV)
BLOCKS = {"ev_day_share": 0.85, "ev_start_spread": 0.2, "ev_hours_mean": 2.0, "ev_concentration": 0.8, "ev_season_contrast": 0.1}
"""A block each night, as a tank's on a two-rate meter and that of a car that is driven the same way each day."""
NO_EXPORT = {"ev_held_day_share": np.nan, "ev_held_hours": np.nan}
IRREGULAR = {"ev_day_share": 0.3, "ev_start_spread": 0.6}
SUNNY = {"ev_held_day_share": 0.15, "ev_held_hours": 3.0}


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
    findings, answers = describe({**other, "ev_power_kw": power_kw}, car, battery)
    check(findings, answers, reason)


@pytest.mark.parametrize(
    ("power_kw", "other", "car", "reason"),
    [
        (2.9, {}, 0.55, BY_A_HEATER),
        (2.9, {}, 0.86, BY_A_HEATER),
        (2.9, {}, 0.95, None),
        (3.7, {}, 0.86, None),
        (7.2, {}, 0.55, None),
        (2.9, SUNNY, 0.55, None),
        (2.9, SUNNY, 0.45, IN_THE_SUN),
        (2.9, {}, 0.45, ASSET_FACTS[AssetClass.EV].drowned),
    ],
)
def test_among_loads_that_change_as_much_a_car_of_a_heaters_power_needs_the_high_tier(
    power_kw: float, other: dict[str, float], car: float, reason: str | None
) -> None:
    findings, answers = describe({**IRREGULAR, **other, "ev_power_kw": power_kw}, car, 0.01)
    findings[AssetClass.EV] = findings[AssetClass.EV]._replace(is_drowned=np.array([True]))
    check(findings, answers, reason)


@pytest.mark.parametrize(
    ("other", "car", "battery", "reason"),
    [
        (SUNNY, 0.3, 0.1, IN_THE_SUN),
        (SUNNY, 0.6, 0.1, None),
        (SUNNY, 0.3, 0.9, None),
        (SUNNY | {"ev_held_day_share": 0.03}, 0.3, 0.1, None),
        (SUNNY | {"ev_held_hours": 1.5}, 0.3, 0.1, None),
        ({}, 0.3, 0.1, None),
    ],
)
def test_where_surplus_is_taken_whole_for_hours_no_car_is_denied(
    other: dict[str, float], car: float, battery: float, reason: str | None
) -> None:
    findings, answers = describe({**IRREGULAR, **other, "ev_power_kw": 2.9}, car, battery)
    check(findings, answers, reason)


def describe(evidence: dict[str, float], car: float, battery: float) -> tuple[dict[AssetClass, Findings], Floats]:
    """Findings of a meter with this evidence for a car, and probabilities of a car and of a battery that fills at 3.6 kW."""
    findings = findings_of({}, 1)
    findings[AssetClass.EV].features.update({name: np.array([value]) for name, value in (BLOCKS | NO_EXPORT | evidence).items()})
    findings[AssetClass.BATTERY].sizes.rated_import_kw[:] = 3.6
    answers = np.full((1, len(ASSET_CLASSES)), 0.01)
    answers[0, EV], answers[0, ASSET_CLASSES.index(AssetClass.BATTERY)] = car, battery
    return findings, answers


def check(findings: dict[AssetClass, Findings], answers: Floats, reason: str | None) -> None:
    """Only the car is undecided, for this reason; None: it is answered."""
    undecided, sufficiency = find_undecided(answers, findings, RULES), sufficiency_of(SUFFICIENT)
    _, unobservable = find_answerable(findings, sufficiency, answers, RULES, undecided)
    assert unobservable[0, EV] == (reason is not None)
    assert not np.delete(unobservable, EV, axis=1).any()
    if reason is not None:
        assert name_lacks(findings, sufficiency, np.zeros(10, dtype=int), undecided)[AssetClass.EV] == [reason]
