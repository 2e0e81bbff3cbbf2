"""Documents that are rendered from code are current, and those written by hand name what exists."""

import json
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
import yaml

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.dictionary import render_dictionary
from fmar_spark.learning.model_card import render_model_card
from fmar_spark.settings.reference import render_settings

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def render_card() -> str:
    """The model card of the bundled classifier."""
    bundled = resources.files("fmar_spark.learning").joinpath("bundled", "asset_classifier.json")
    return render_model_card(json.loads(bundled.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("name", "render"),
    [
        ("docs/data_dictionary.md", lambda: render_dictionary(ALL_TABLES)),
        ("docs/settings.md", render_settings),
        ("mlflow/model_card.md", render_card),
    ],
    ids=["tables", "settings", "model_card"],
)
def test_a_rendered_document_is_current(name: str, render: Callable[[], str]) -> None:
    message = f"{name} is not what the code says: run .venv/bin/python scripts/render_docs.py and commit it"
    assert (ROOT / name).read_text(encoding="utf-8") == render(), message


def test_the_dictionary_holds_every_table_and_column() -> None:
    rendered = render_dictionary(ALL_TABLES)
    for table in ALL_TABLES:
        part = rendered.partition(f"### {table.full_name}\n")[2].partition("\n###")[0]
        assert [row.split(" | ")[0].removeprefix("| ") for row in part.splitlines() if row.startswith("| ")][1:] == list(table.names)


def test_the_readme_names_files_that_exist() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w/.*])(?:scripts|jobs|conf|docs|mlflow|notebooks|fmar_spark)/[\w./-]*\w", text))
    assert named
    assert sorted(name for name in named if "NAME" not in name and not (ROOT / name).exists()) == []


def test_the_readme_says_how_each_job_is_started() -> None:
    text = README.read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "jobs").glob("*.py") if f"jobs/{path.name}" not in text] == []


def test_the_ml_project_starts_what_exists_with_arguments_that_it_takes() -> None:
    project = yaml.safe_load((ROOT / "mlflow" / "MLproject").read_text(encoding="utf-8"))
    for entry in project["entry_points"].values():
        program = re.search(r"\.venv/bin/python (\S+\.py)", entry["command"])
        assert program is not None
        text = (ROOT / program[1]).read_text(encoding="utf-8") + (ROOT / "fmar_spark" / "app.py").read_text(encoding="utf-8")
        assert [option for option in re.findall(r"--[a-z-]+", entry["command"]) if f'"{option}"' not in text] == []
        assert set(re.findall(r"\{(\w+)\}", entry["command"])) == set(entry["parameters"])
