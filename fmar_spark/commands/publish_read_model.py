"""Publishes what the read API serves; starts no Spark."""

from pathlib import Path

from fmar_spark.app import App
from fmar_spark.engine.runs import start_run
from fmar_spark.errors import ConfigError
from fmar_spark.settings.overlays import digest_settings
from fmar_spark.settings.run_options import is_address
from fmar_spark.steps import publish_read_model


def run(app: App) -> None:
    """Run the step.

    Raises:
        ConfigError: the lake is not on a disk of this machine.
    """
    root = app.settings.lake.root
    if is_address(root):
        raise ConfigError(f"--lake: {root}: a folder on this machine wanted; DuckDB writes no files to an address")
    run = start_run("publish_read_model", app.run_date, digest_settings(app.settings))
    publish_read_model.run(Path(root), run, app.run_date)
