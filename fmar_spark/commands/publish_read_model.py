"""Publishes what the read API serves; starts no Spark."""

from fmar_spark.app import App
from fmar_spark.engine.model_file import find_folder
from fmar_spark.engine.runs import start_run
from fmar_spark.settings.overlays import digest_settings
from fmar_spark.steps import publish_read_model


def run(app: App) -> None:
    """Run the step."""
    lake = app.settings.lake.root
    run = start_run("publish_read_model", app.run_date, digest_settings(app.settings))
    publish_read_model.run(lake, find_folder(lake, app.settings.reads.model_folder), run, app.run_date)
