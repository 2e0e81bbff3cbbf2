"""Writes the documents that are rendered from code: the data dictionary and the settings."""

import sys
from pathlib import Path

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.dictionary import render_dictionary
from fmar_spark.settings.reference import render_settings

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> int:
    """The rendered documents stand in docs/."""
    DOCS.mkdir(exist_ok=True)
    (DOCS / "data_dictionary.md").write_text(render_dictionary(ALL_TABLES), encoding="utf-8")
    (DOCS / "settings.md").write_text(render_settings(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
