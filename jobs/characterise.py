"""Characterises every eligible meter: assets, sizes, dates, availability, baseline quality."""

import argparse
import sys

from fmar_spark.app import App, Job, existing_path, run_job
from fmar_spark.intake.intervals.companions import read_meter_names
from fmar_spark.steps import characterise

SUMMARY = "Derives what every eligible connection can do from its readings."
JOB = Job("characterise", SUMMARY, characterise.READS, characterise.WRITES, needs_lake=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The job's own options."""
    parser.add_argument("--meters", type=existing_path, metavar="FILE", help="MPANs or series ids, one a line (default: all)")


def body(app: App) -> None:
    """Wire the step."""
    meters = read_meter_names(app.arguments.meters) if app.arguments.meters else ()
    request = characterise.Request(app.run_date, meters)
    app.run_step("characterise", lambda store, run: characterise.run(store, run, app.settings, request))


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
