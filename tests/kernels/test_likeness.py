"""The trees that say which power is a charger's."""

import numpy as np
import pytest

from fmar_spark.kernels.ev.likeness import COLUMNS, LikenessTrees, gather_evidence, score_likeness
from fmar_spark.kernels.usage_patterns import UsagePattern
from fmar_spark.kernels.window import Floats

POWER, MISMATCH = COLUMNS.index("power_kw"), COLUMNS.index("mismatch")
TREES = LikenessTrees(
    source="by hand",
    base=-1.0,
    column=[[POWER, 0, MISMATCH, 0, 0], [0]],
    threshold=[[5.0, 0.0, 0.2, 0.0, 0.0], [0.0]],
    left=[[1, 1, 3, 3, 4], [0]],
    right=[[2, 1, 4, 3, 4], [0]],
    value=[[0.0, -2.0, 0.0, 3.0, 0.5], [0.25]],
)
"""One tree that asks for power and, above 5 kW, for the mismatch; another of a single leaf."""


def evidence_of(power_kw: float, mismatch: float = 0.0) -> Floats:
    row = np.zeros((1, len(COLUMNS)))
    row[0, [POWER, MISMATCH]] = power_kw, mismatch
    return row


def usual_of(**changed: float) -> Floats:
    """Evidence of a power that carries half of the blocks' energy, in long sessions on half of the days."""
    usual = {
        "power_kw": 7.2,
        "share": 0.5,
        "sharpness": 0.9,
        "prominence": 2.0,
        "kwh_per_day": 5.0,
        "active_day_share": 0.5,
        "hours_mean": 2.0,
        "start_spread": 0.3,
        "gap_cv": 0.6,
        "mismatch": 0.05,
    }
    return np.array([[{**usual, **changed}[name] for name in COLUMNS]])


@pytest.mark.parametrize(("power_kw", "mismatch", "log_odds"), [(5.0, 0.9, -2.75), (5.1, 0.2, 2.25), (7.2, 0.21, -0.25)])
def test_each_tree_adds_the_leaf_that_the_evidence_reaches(power_kw: float, mismatch: float, log_odds: float) -> None:
    assert score_likeness(evidence_of(power_kw, mismatch), TREES).tolist() == [log_odds]


def test_a_power_without_blocks_has_no_likeness() -> None:
    evidence = np.concatenate([evidence_of(7.2), evidence_of(np.nan), evidence_of(3.0)])
    assert np.isnan(score_likeness(evidence, TREES)).tolist() == [False, True, False]
    assert score_likeness(np.full((2, len(COLUMNS)), np.nan)).shape == (2,)
    assert score_likeness(np.empty((0, len(COLUMNS)))).shape == (0,)


def test_the_carried_trees_know_a_charger_from_a_heater_and_from_cooking() -> None:
    charger, heater, cooking = (
        score_likeness(row)[0]
        for row in (
            usual_of(),
            usual_of(power_kw=2.8, active_day_share=1.0, start_spread=0.0, gap_cv=0.0),
            usual_of(power_kw=2.8, share=0.05, sharpness=0.2, prominence=0.1, kwh_per_day=0.5, hours_mean=1.0, mismatch=0.4),
        )
    )
    assert charger > 1.0
    assert heater < -1.0
    assert cooking < -1.0


def test_powers_are_scored_as_if_each_were_alone() -> None:
    many = np.concatenate([usual_of(power_kw=kw, active_day_share=share) for kw in (2.0, 3.6, 7.2, 22.0) for share in (0.1, 0.9)])
    assert score_likeness(many).tolist() == [score_likeness(row[None])[0] for row in many]


def test_too_few_blocks_for_a_spread_stand_in_the_middle_and_no_blocks_stay_unknown() -> None:
    ones = np.array([1.0, np.nan])
    pattern = UsagePattern(*[ones] * len(UsagePattern._fields))._replace(start_spread=np.full(2, np.nan), gap_cv=np.full(2, np.nan))
    evidence = gather_evidence(pattern, ones, ones, ones, ones)
    assert evidence[0, COLUMNS.index("start_spread")] == 0.5
    assert evidence[0, COLUMNS.index("gap_cv")] == 1.0
    assert np.isnan(score_likeness(evidence)).tolist() == [False, True]
