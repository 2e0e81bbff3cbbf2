"""Characterises every eligible meter: assets, sizes, dates, availability, baseline quality."""

from pathlib import Path

from fmar_spark.app import App
from fmar_spark.intake.intervals.companions import read_meter_names
from fmar_spark.steps import characterise


def run(app: App, meters: Path | None, accept_drop: bool) -> None:
    """Run the step."""
    names = read_meter_names(meters) if meters else ()
    app.run_step("characterise", lambda store, run: characterise.run(store, run, app.settings, names, accepts_drop=accept_drop))
