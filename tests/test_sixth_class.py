"""What a sixth asset class touches: a copy of the package is given one, and it runs from the simulator to the page."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sixth_class import add_sixth_class

from fmar_spark.settings.overlays import CONF_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
MOST_FILES = 8
FILLED_BY_THE_JOB = pytest.mark.spark
"""Gold is, on a session of the copy's own."""


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of the copy, and the files of the package that were added or changed in it."""
    folder = tmp_path_factory.mktemp("sixth")
    return folder, add_sixth_class(ROOT / "fmar_spark", folder)


@pytest.fixture(scope="module")
def outcome(touched: tuple[Path, list[str]]) -> dict[str, Any]:
    """What became of the class on its way."""
    folder = touched[0]
    paths = os.pathsep.join([str(folder), str(ROOT / "tests" / "worlds")])
    script = ROOT / "tests" / "worlds" / "sixth_class_run.py"
    command = [sys.executable, str(script), str(folder / "world")]
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, CONF_VARIABLE: str(ROOT / "conf")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def test_a_sixth_class_touches_eight_files_at_most(touched: tuple[Path, list[str]]) -> None:
    assert len(touched[1]) <= MOST_FILES, touched[1]


@FILLED_BY_THE_JOB
def test_its_evidence_is_declared_described_and_learnt_from(outcome: dict[str, Any]) -> None:
    assert outcome["classes"][-1] == "lighting"
    assert outcome["features"] == ["lighting_dark_kw", "lighting_dark_share", "lighting_steadiness"]
    assert outcome["trained"] == sorted(outcome["classes"])
    assert outcome["auc"] > 0.8
    assert outcome["size_error"] < 0.5
    assert outcome["methods"]


@FILLED_BY_THE_JOB
def test_it_is_scored_sized_and_dated_in_gold(outcome: dict[str, Any]) -> None:
    found = outcome["detections"]
    assert len(found) == 24
    assert {row["status"] for row in found if row["probability"] is not None} == {"characterised"}
    there = [row for row in found if row["is_present"]]
    assert there
    assert all("kW of lamps, in runs of" in row["evidence"] for row in there)
    assert {row["mpan_id"] for row in outcome["capability"]} == {row["mpan_id"] for row in there}
    assert all(row["rated_kw"] > 0 and row["direction"] == "import" for row in outcome["capability"])
    assert outcome["events"] > 100


@FILLED_BY_THE_JOB
def test_labels_truth_and_evaluation_know_it(outcome: dict[str, Any]) -> None:
    assert outcome["label_columns"] == ["has_lighting", "lighting_kw"]
    assert outcome["labelled"] > 0
    assert outcome["evaluated"] > 0


@FILLED_BY_THE_JOB
def test_the_page_names_it_in_its_own_colour(outcome: dict[str, Any]) -> None:
    assert outcome["page_words"] == "Lighting"
    assert outcome["page_colours"] == ["#444444", "#cccccc"]
    assert (outcome["page_rows"], outcome["page_answers"]) == (24, 6)
