"""Measures how a lake is, for Prometheus and on a page."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.domain.measures import LIMITED, Measured
from fmar_spark.errors import ConfigError
from fmar_spark.report.operations_page import METRICS_FILE, OPERATIONS_PAGE, find_folder_of, render_metrics, render_operations
from fmar_spark.settings.run_options import is_address
from fmar_spark.steps import measure_operation

_log = logging.getLogger(__name__)


def run(app: App) -> None:
    """Run the step, then write both files; a reader never sees half of one.

    Raises:
        ConfigError: the lake is at an address and no folder is named.
    """
    settings, lake = app.settings.monitoring, app.settings.lake.root
    if is_address(lake) and not settings.folder:
        raise ConfigError("monitoring.folder: empty; a folder on this machine's disk wanted, for the lake is at an address")
    folder = find_folder_of(lake, settings.folder)
    found: list[Measured] = []
    app.run_step("measure_operation", lambda store, run: measure_operation.run(store, run, settings, found))
    limits = {kind.limit: float(getattr(settings, kind.limit)) for kind in LIMITED}
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / METRICS_FILE, render_metrics(found, limits))
    _replace(folder / OPERATIONS_PAGE, render_operations(lake, datetime.now(UTC), found, limits))
    _log.info("measure_operation: %s", (folder / OPERATIONS_PAGE).absolute())


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
