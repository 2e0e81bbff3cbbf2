"""Lands two measured London homes as DIP messages, with their temperatures and the legal basis of their use."""

import argparse
import sys
from pathlib import Path

from fmar_spark.app import App, Job, existing_path, run_job
from fmar_spark.contracts.readings import LABELS, LEGAL_BASES, WEATHER
from fmar_spark.intake.london_homes import read_homes
from fmar_spark.steps import land_london_homes, load_labels, load_weather, record_legal_basis

JOB = Job(
    name="land_london_homes",
    summary="Correct the two London homes of the package opendsm 1.2.7: messages to a landing folder, weather and legal bases to the lake.",
    reads=(),
    writes=(WEATHER, LEGAL_BASES, LABELS),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the homes come from and go to."""
    parser.add_argument("--package", type=existing_path, required=True, metavar="WHEEL", help="wheel file of opendsm 1.2.7")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="landing folder; other messages there stay as they are")


def body(app: App) -> None:
    """Wire the four steps."""
    package = app.arguments.package
    homes = read_homes(package)
    app.run_step("land_london_homes", lambda store, run: land_london_homes.run(land_london_homes.Order(homes, app.arguments.out)))
    weather = land_london_homes.build_weather(package)
    app.run_step("load_weather", lambda store, run: load_weather.run(store, run, weather))
    grants = land_london_homes.build_legal_bases(homes)
    app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run(store, run, grants))
    labels = land_london_homes.build_labels(homes)
    app.run_step("load_labels", lambda store, run: load_labels.run(store, run, labels))


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
