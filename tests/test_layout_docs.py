"""Documents that are rendered from code are current, and those written by hand name what exists."""

import importlib.util
import json
import re
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.dictionary import render_dictionary
from fmar_spark.learning.methods_page import render_methods
from fmar_spark.learning.model_card import render_model_card
from fmar_spark.settings.reference import render_settings

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
JOBS = sorted((ROOT / "jobs").glob("*.py"))


def load(path: Path) -> ModuleType:
    """A script or job as a module, not run."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def render_picture() -> str:
    """The architecture as it is drawn from the contracts and the jobs."""
    drawn = load(ROOT / "scripts" / "draw_architecture.py").draw_architecture(ALL_TABLES, [path.stem for path in JOBS])
    assert isinstance(drawn, str)
    return drawn


def render_card() -> str:
    """The model card of the bundled classifier."""
    bundled = resources.files("fmar_spark.learning").joinpath("bundled", "asset_classifier.json")
    return render_model_card(json.loads(bundled.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("name", "render"),
    [
        ("docs/data_dictionary.md", lambda: render_dictionary(ALL_TABLES)),
        ("docs/methods.md", render_methods),
        ("docs/settings.md", render_settings),
        ("docs/architecture.svg", render_picture),
        ("mlflow/model_card.md", render_card),
    ],
    ids=["tables", "methods", "settings", "picture", "model_card"],
)
def test_a_rendered_document_is_current(name: str, render: Callable[[], str]) -> None:
    message = f"{name} is not what the code says: run .venv/bin/python scripts/render_docs.py and commit it"
    assert (ROOT / name).read_text(encoding="utf-8") == render(), message


def test_the_dictionary_holds_every_table_and_column() -> None:
    rendered = render_dictionary(ALL_TABLES)
    for table in ALL_TABLES:
        part = rendered.partition(f"### {table.full_name}\n")[2].partition("\n###")[0]
        assert [row.split(" | ")[0].removeprefix("| ") for row in part.splitlines() if row.startswith("| ")][1:] == list(table.names)


def test_the_picture_refuses_what_it_has_no_place_for() -> None:
    draw = load(ROOT / "scripts" / "draw_architecture.py").draw_architecture
    with pytest.raises(ValueError, match=r"^picture: jobs: new_job stands on one side only"):
        draw(ALL_TABLES, [*(path.stem for path in JOBS), "new_job"])
    with pytest.raises(ValueError, match=rf"^picture: tables: {ALL_TABLES[0].full_name} stands"):
        draw(ALL_TABLES[1:], [path.stem for path in JOBS])


@pytest.mark.parametrize("path", JOBS, ids=[path.stem for path in JOBS])
def test_the_architecture_says_what_each_job_reads_and_writes(path: Path) -> None:
    job = load(path).JOB
    row = re.search(rf"^\| `{path.stem}` \| (.*) \| (.*) \|$", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    assert sorted(re.findall(r"`([\w.]+)`", row[1])) == sorted(table.full_name for table in job.reads)
    assert sorted(re.findall(r"`([\w.]+)`", row[2])) == sorted(table.full_name for table in job.writes)


def test_the_architecture_names_the_layers_that_the_import_rules_know() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]["layers"]
    part = ARCHITECTURE.read_text(encoding="utf-8").partition("## Layers of the code")[2].partition("\n## ")[0]
    told = [re.findall(r"`(\w+)`", row.split(" | ")[0]) for row in part.splitlines() if row.startswith("| `")]
    assert told == [[name.strip() for name in layer.split("|")] for layer in rules]


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs").glob("*.md")))
def test_a_document_links_and_names_what_exists(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    linked = [target for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) if not (ROOT / "docs" / target).exists()]
    named = set(re.findall(r"(?<![\w/.*])(?:scripts|jobs|conf|docs|mlflow|notebooks|fmar_spark)/[\w./-]*\w", text))
    assert linked == []
    assert sorted(name for name in named if "NAME" not in name and not (ROOT / name).exists()) == []


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
