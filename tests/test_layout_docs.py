"""Documents that are rendered from code are current, and those written by hand name what exists."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from draw_architecture import draw_architecture
from render_docs import DOCUMENTS

from fmar_spark.cli import build_program
from fmar_spark.cli.declaring import JOBS
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.dictionary import render_dictionary

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_rendered_document_is_current(name: str) -> None:
    message = f"{name} is not what the code says: run .venv/bin/python scripts/render_docs.py and commit it"
    assert (ROOT / name).read_text(encoding="utf-8") == DOCUMENTS[name](), message


def test_the_dictionary_holds_every_table_and_column() -> None:
    rendered = render_dictionary(ALL_TABLES)
    for table in ALL_TABLES:
        part = rendered.partition(f"### {table.full_name}\n")[2].partition("\n###")[0]
        assert [row.split(" | ")[0].removeprefix("| ") for row in part.splitlines() if row.startswith("| ")][1:] == list(table.names)


def test_the_picture_rejects_what_it_has_no_place_for() -> None:
    with pytest.raises(ValueError, match=r"^picture: jobs: new_job stands on one side only"):
        draw_architecture(ALL_TABLES, [*JOBS, "new_job"])
    homeless = replace(ALL_TABLES[0], job="new_job")
    with pytest.raises(ValueError, match=rf"^picture: tables: {homeless.full_name} stands"):
        draw_architecture([homeless, *ALL_TABLES[1:]], JOBS)
    crowd = [replace(ALL_TABLES[0], name=f"table_{number}") for number in range(9)]
    with pytest.raises(ValueError, match=r"^picture: landing_files: no room in its group"):
        draw_architecture([*crowd, *ALL_TABLES], JOBS)


def test_the_architecture_names_the_layers_that_the_import_rules_know() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]["layers"]
    part = ARCHITECTURE.read_text(encoding="utf-8").partition("## Layers of the code")[2].partition("\n## ")[0]
    given = [re.findall(r"`(\w+)`", row.split(" | ")[0]) for row in part.splitlines() if row.startswith("| `")]
    assert given == [[name.strip() for name in layer.split("|")] for layer in rules]


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
    assert [name for name in JOBS if f"jobs/{name}.py" not in text] == []


def test_the_ml_project_starts_what_exists_with_arguments_that_it_takes() -> None:
    project = yaml.safe_load((ROOT / "mlflow" / "MLproject").read_text(encoding="utf-8"))
    commands = build_program().commands
    for entry in project["entry_points"].values():
        assert set(re.findall(r"\{(\w+)\}", entry["command"])) == set(entry["parameters"])
        command = re.search(r"\.venv/bin/fmar (\w+)", entry["command"])
        if command is not None:
            known = {option for parameter in commands[command[1]].params for option in parameter.opts}
        else:
            program = re.search(r"\.venv/bin/python (\S+\.py)", entry["command"])
            assert program is not None
            known = set(re.findall(r'"(--[a-z-]+)"', (ROOT / program[1]).read_text(encoding="utf-8")))
        assert set(re.findall(r"--[a-z-]+", entry["command"])) <= known


WORDS = {
    r"told|tells?": "reported, distinguished, given",
    r"mend(?:s|ed)?": "repaired, corrected",
    r"foresee\w*": "forecast, predicted",
    r"refus\w+": "rejected",
    r"judg(?:e|es|ed|ing)": "checked",
    r"habits?": "usage patterns",
    r"laid": "arranged, placed",
}
"""What an engineer of a network operator would stumble over, and what to say."""
KEPT_WORDS = {
    "fmar_spark/simulate/fleet.py": "habits",
    "scripts/postgres_for_tests": "refuses",
}
"""The name of a stream of random numbers, which seeds it; what PostgreSQL itself does."""


def test_words_are_those_of_the_field() -> None:
    folders = ("fmar_spark", "jobs", "scripts", "docs", "conf", "notebooks")
    paths = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md", ".html", ".js", ".yaml", ".c", ""}
    ]
    pattern = re.compile("|".join(rf"\b(?:{word})\b" for word in WORDS), re.IGNORECASE)
    found = []
    for path in (*paths, README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        name = path.relative_to(ROOT).as_posix()
        if not path.is_file() or "migrations/versions" in name or "__pycache__" in name:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found += [f"{name}:{number}: {word}" for word in pattern.findall(line) if word != KEPT_WORDS.get(name)]
    assert found == [], f"say instead: {WORDS}"
