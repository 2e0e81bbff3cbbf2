"""Documents that are rendered from code are current, and those written by hand name what exists."""

import re
from pathlib import Path

import pytest

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.dictionary import render_dictionary
from fmar_spark.settings.reference import render_settings

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"


@pytest.mark.parametrize(
    ("name", "rendered"),
    [("data_dictionary.md", render_dictionary(ALL_TABLES)), ("settings.md", render_settings())],
    ids=["tables", "settings"],
)
def test_a_rendered_document_is_current(name: str, rendered: str) -> None:
    message = f"docs/{name} is not what the code says: run .venv/bin/python scripts/render_docs.py and commit it"
    assert (DOCS / name).read_text(encoding="utf-8") == rendered, message


def test_the_dictionary_holds_every_table_and_column() -> None:
    rendered = render_dictionary(ALL_TABLES)
    for table in ALL_TABLES:
        part = rendered.partition(f"### {table.full_name}\n")[2].partition("\n###")[0]
        assert [row.split(" | ")[0].removeprefix("| ") for row in part.splitlines() if row.startswith("| ")][1:] == list(table.names)


def test_the_readme_names_files_that_exist() -> None:
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w/.*])(?:scripts|jobs|conf|docs|mlflow|notebooks|fmar_spark)/[\w./-]*\w", text))
    assert named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_the_readme_says_how_each_job_is_started() -> None:
    text = README.read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "jobs").glob("*.py") if f"jobs/{path.name}" not in text] == []
