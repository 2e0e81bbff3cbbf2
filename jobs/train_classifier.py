"""Trains the asset classifiers on labelled meters and promotes them if they pass the gates."""

import argparse
import sys

from fmar_spark.app import App, Job, run_job
from fmar_spark.domain.assets import LABEL_OF_CLASS
from fmar_spark.steps import train_classifier

SUMMARY = "Trains the classifiers and registers them in MLflow."
JOB = Job("train_classifier", SUMMARY, train_classifier.READS, train_classifier.WRITES, needs_lake=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The job's own options."""
    parser.add_argument(
        "--labels",
        default=train_classifier.MEMORY_TABLE,
        metavar="FILE_OR_TABLE",
        help=f"CSV of series_id (or MPAN), {', '.join(LABEL_OF_CLASS.values())}, or the table silver.labels (default)",
    )


def body(app: App) -> None:
    """Wire the step."""
    app.run_step("train_classifier", lambda store, run: train_classifier.run(store, run, app.settings, app.arguments.labels))


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
