"""The script that leaves each behaviour out of training in turn."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.learning.examples import Examples
from fmar_spark.learning.training import Split

ROOT = Path(__file__).resolve().parents[2]
COUNT = 40


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    sys.path.insert(0, str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location("leave_behaviours_out", ROOT / "scripts" / "leave_behaviours_out.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer_car(examples: Examples, split: Split, asset: AssetClass, *, has_asset: bool) -> np.ndarray:
    """Probability of the right answer where every meter is said to have a car and nothing else."""
    probability = 0.95 if asset is AssetClass.EV else 0.05
    return np.full(int(split.test.sum()), probability if has_asset else 1.0 - probability)


@pytest.fixture
def examples() -> Examples:
    """Half of the meters have a car that charges every night, a quarter a hot tub."""
    labels = np.zeros((COUNT, len(ASSET_CLASSES)))
    labels[: COUNT // 2, ASSET_CLASSES.index(AssetClass.EV)] = 1.0
    names = ["ev_off_peak_nightly_7kw"] * (COUNT // 2) + ["hot_tub"] * (COUNT // 4) + [""] * (COUNT // 4)
    none: Any = None
    fields = dict.fromkeys(Examples._fields, none)
    fields |= {"meter_id": [f"m{number}" for number in range(COUNT)], "labels": labels, "behaviours": names}
    return Examples(**{**fields, "features": np.zeros((COUNT, 2))})


def test_a_behaviour_is_kept_out_of_training_and_scored_by_its_own_class(
    script: ModuleType, examples: Examples, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Split] = []
    monkeypatch.setattr(
        script, "answer_rows", lambda rows, split, *rest, **more: seen.append(split) or answer_car(rows, split, *rest, **more)
    )
    scores = script.leave_each_out(examples, 5, set())
    assert [(one.behaviour, one.asset, one.right, one.sure_and_wrong) for one in scores] == [
        ("hot_tub", AssetClass.EV, 0.0, 1.0),
        ("ev_off_peak_nightly_7kw", AssetClass.EV, 1.0, 0.0),
    ]
    for split in seen:
        left_out = {examples.behaviours[row] for row in np.flatnonzero(split.test)}
        learnt = {examples.behaviours[row] for row in np.flatnonzero(split.train | split.calibrate)}
        assert len(left_out) == 1
        assert not left_out & learnt
    script.print_scores(scores)
    assert "Worst: hot_tub, 0% of 10 meters answered right" in capsys.readouterr().out


def test_a_behaviour_of_few_meters_is_passed_over(script: ModuleType, examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "answer_rows", answer_car)
    assert [one.behaviour for one in script.leave_each_out(examples, 15, set())] == ["ev_off_peak_nightly_7kw"]


def test_only_the_wanted_subjects_are_left_out(script: ModuleType, examples: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "answer_rows", answer_car)
    assert [one.behaviour for one in script.leave_each_out(examples, 5, {"hot_tub"})] == ["hot_tub"]
