"""Lands two measured London homes as DIP messages, with their temperatures and the legal basis of their use."""

from pathlib import Path

from fmar_spark.app import App
from fmar_spark.intake.london_homes import read_homes
from fmar_spark.steps import land_london_homes, load_labels, load_weather, record_legal_basis


def run(app: App, package: Path, out: Path) -> None:
    """Run the four steps."""
    homes = read_homes(package)
    app.run_step("land_london_homes", lambda store, run: land_london_homes.run(land_london_homes.Order(homes, out)))
    weather = land_london_homes.build_weather(package)
    app.run_step("load_weather", lambda store, run: load_weather.run(store, run, weather))
    grants = land_london_homes.build_legal_bases(homes)
    app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run(store, run, grants))
    labels = land_london_homes.build_labels(homes)
    app.run_step("load_labels", lambda store, run: load_labels.run(store, run, labels))
