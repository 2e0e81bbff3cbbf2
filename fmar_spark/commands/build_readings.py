"""Folds what was ingested and imported into silver.readings and silver.meter_points."""

from fmar_spark.app import App
from fmar_spark.steps import build_readings


def run(app: App, continuous: bool) -> None:
    """Run the step."""
    pause = app.settings.ingest.trigger_seconds if continuous else 0
    app.run_step("build_readings", lambda store, run: build_readings.run(store, run, pause))
