"""The small world, and its evaluation."""

from pathlib import Path
from typing import Any

import pytest
from evaluation_world import evaluate_everything, write_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake; see ``evaluation_world``."""
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def home_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user knows of the own series: little."""
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    rows = [
        "series_id,has_ev,has_heat_pump,has_pv,has_battery,has_dr,provenance",
        'home0,1,,0,,,"real, of our street"',
        "home1,0,,0,,,real",
        "home2,,,,,,real",
        "home3,1,0,,,,SEMI-SYNTHETIC: a home and a car",
        "elsewhere,1,,,,,real",
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def document(world: Path, home_labels: Path) -> dict[str, Any]:
    """All figures of the world's lake."""
    return evaluate_everything(world, home_labels)
