"""The script that fits the trees of a charger's likeness."""

import fit_charger_likeness as script
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from fmar_spark.kernels.ev.likeness import COLUMNS, score_likeness


def draw(powers: int, seed: int = 1) -> script.Powers:
    """Powers of which those with little mismatch are mostly chargers', four a window."""
    rng = np.random.default_rng(seed)
    evidence = np.round(rng.uniform(0.0, 8.0, (powers, len(COLUMNS))), 6)
    is_charger = rng.random(powers) < 1.0 / (1.0 + np.exp(evidence[:, -1] - 3.0))
    return script.Powers(evidence, is_charger, np.arange(powers) // 4)


def test_the_written_trees_answer_as_the_library_does() -> None:
    parts = [draw(1200, seed) for seed in (1, 2)]
    evidence, is_charger, _ = script.join(parts)
    forest = GradientBoostingClassifier(**script.TREES).fit(evidence, is_charger)
    np.testing.assert_allclose(score_likeness(evidence, script.fit(parts, "")), forest.decision_function(evidence), atol=1e-4)


def test_a_window_is_right_where_its_likeliest_power_is_the_chargers() -> None:
    part = draw(2400, seed=3)
    right, possible, windows = script.count_right(part, script.fit([draw(2400, seed=4)], ""))
    assert windows == 600
    assert possible == np.unique(part.window[part.is_charger]).size
    assert 0.5 * windows < right < possible


@pytest.mark.parametrize("step", ["whole", "last_60_days"])
def test_powers_of_homes_with_a_car_alone_are_listed(step: str) -> None:
    plan = script.FleetPlan(24, script.FIRST, script.date(2023, 6, 30), 7, script.MIX)
    fleet = script.simulate_block(script.prepare_setting(plan), 0)
    view = next(view for view in script.VIEWS if view.name == step)
    powers = script.list_powers(fleet, np.arange(24), view, plan)
    cars = fleet.assets.meter[fleet.assets.asset_class == script.ASSET_CLASSES.index(script.AssetClass.EV)]
    assert set(powers.window.tolist()) <= set(cars.tolist())
    assert powers.is_charger.any()
    assert not np.isnan(powers.evidence).any()
