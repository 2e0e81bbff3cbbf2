"""Writes the page about an evaluation: one file with everything in it, that opens without a network."""

import html
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any, Final

from fmar_spark.evaluation.tables import SUBJECT_WORDS, TextTable
from fmar_spark.report.frame import list_class_words, read_page_file, render_frame, write_json

SHARED_SCRIPTS: Final = ("page.js", "charts.js")
"""What this page and the report both run."""
OWN_FILES: Final = ("evaluation.html", "evaluation.js", "pictures.js")


def render_page(document: Mapping[str, Any], tables: Sequence[TextTable], evidence_file: str) -> str:
    """The page as text. Data stand in a script element that holds no script; only the page's own files are script.

    Args:
        document: of ``evaluate_lake``.
        tables: of ``list_tables``.
        evidence_file: page beside this one that holds the evidence of the mistakes; empty where there is none.
    """
    own = resources.files(__package__).joinpath("page")
    read = {name: own.joinpath(name).read_text(encoding="utf-8") for name in OWN_FILES}
    data = {
        "words": list_class_words(),
        "evaluation": document,
        "tables": [table._asdict() for table in tables],
        "evidence_file": evidence_file,
        "subject_words": SUBJECT_WORDS,
    }
    body = Template(read["evaluation.html"]).substitute(
        lake=html.escape(str(document["lake"])),
        version=html.escape(str(document["model_version"])),
        made_at=html.escape(str(document["made_at"])),
        data=write_json(data),
    )
    scripts = [*(read_page_file(name) for name in SHARED_SCRIPTS), read["pictures.js"], read["evaluation.js"]]
    return render_frame(f"Evaluation: {document['lake']}", body, scripts)
