"""Writes the documents that are rendered from code; a layout test fails where one is not current."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from draw_architecture import draw_architecture
from draw_monitoring import draw_alerts, draw_dashboard

from fmar_spark.cli import build_program
from fmar_spark.cli.declaring import JOBS
from fmar_spark.cli.reference import render_commands
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.dictionary import render_dictionary
from fmar_spark.learning.methods_page import render_methods
from fmar_spark.learning.model_card import render_model_card
from fmar_spark.settings.reference import render_settings
from fmar_spark.simulate.behaviours.behaviours_page import render_behaviours

ROOT = Path(__file__).resolve().parents[1]
CARD = ROOT / "fmar_spark" / "learning" / "bundled" / "asset_classifier.json"
DOCUMENTS: Final[dict[str, Callable[[], str]]] = {
    "docs/data_dictionary.md": lambda: render_dictionary(ALL_TABLES),
    "docs/commands.md": lambda: render_commands(build_program()),
    "docs/methods.md": render_methods,
    "docs/behaviours.md": render_behaviours,
    "docs/settings.md": render_settings,
    "docs/architecture.svg": lambda: draw_architecture(ALL_TABLES, JOBS),
    "monitoring/grafana_dashboard.json": draw_dashboard,
    "monitoring/alerts.yaml": draw_alerts,
    "mlflow/model_card.md": lambda: render_model_card(json.loads(CARD.read_text(encoding="utf-8"))),
}
"""How each of them is rendered."""


def main() -> int:
    """Every rendered document is current."""
    for name, render in DOCUMENTS.items():
        (ROOT / name).write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
