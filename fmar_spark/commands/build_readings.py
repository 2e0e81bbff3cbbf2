"""Folds what was ingested and imported into silver.readings and silver.meter_points."""

from fmar_spark.app import App
from fmar_spark.steps import build_readings


def run(app: App) -> None:
    """Run the step."""
    app.run_step("build_readings", build_readings.run)
