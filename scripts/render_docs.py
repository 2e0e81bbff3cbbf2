"""Writes the documents that are rendered: data dictionary, methods, settings, model card and the picture of the architecture."""

import json
import sys
from pathlib import Path

from draw_architecture import draw_architecture

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.dictionary import render_dictionary
from fmar_spark.learning.methods_page import render_methods
from fmar_spark.learning.model_card import render_model_card
from fmar_spark.settings.reference import render_settings

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "fmar_spark" / "learning" / "bundled" / "asset_classifier.json"


def main() -> int:
    """The rendered documents stand in docs/ and mlflow/."""
    (ROOT / "docs").mkdir(exist_ok=True)
    (ROOT / "docs" / "data_dictionary.md").write_text(render_dictionary(ALL_TABLES), encoding="utf-8")
    (ROOT / "docs" / "methods.md").write_text(render_methods(), encoding="utf-8")
    (ROOT / "docs" / "settings.md").write_text(render_settings(), encoding="utf-8")
    jobs = [path.stem for path in (ROOT / "jobs").glob("*.py")]
    (ROOT / "docs" / "architecture.svg").write_text(draw_architecture(ALL_TABLES, jobs), encoding="utf-8")
    card = json.loads(CARD.read_text(encoding="utf-8"))
    (ROOT / "mlflow" / "model_card.md").write_text(render_model_card(card), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
