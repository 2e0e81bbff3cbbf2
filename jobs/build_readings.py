"""Folds what was ingested and imported into silver.readings and silver.meter_points."""

import argparse
import sys

from fmar_spark.app import App, Job, run_job
from fmar_spark.steps import build_readings

SUMMARY = "Folds everything told since the last run: the newest value of every half-hour."
JOB = Job("build_readings", SUMMARY, build_readings.READS, build_readings.WRITES, needs_lake=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def body(app: App) -> None:
    """Wire the step."""
    app.run_step("build_readings", build_readings.run)


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
