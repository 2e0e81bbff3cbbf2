"""Predicts the wanted local days of every eligible meter, each from readings before that day only."""

import argparse
import sys

from fmar_spark.app import App, Job, existing_path, parse_date, run_job
from fmar_spark.steps import predict_baseline

JOB = Job(
    "predict_baseline",
    "Predicts wanted local days, each from readings before that day only.",
    predict_baseline.READS,
    predict_baseline.WRITES,
    needs_lake=True,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The job's own options."""
    parser.add_argument("--from", dest="from_date", type=parse_date, metavar="YYYY-MM-DD", help="first local day")
    parser.add_argument("--to", dest="to_date", type=parse_date, metavar="YYYY-MM-DD", help="last local day, inclusive")
    parser.add_argument("--days", type=existing_path, metavar="FILE", help="CSV of series_id or mpan_id, and date, instead of a range")


def body(app: App) -> None:
    """Wire the step."""
    request = predict_baseline.Request(app.arguments.from_date, app.arguments.to_date, app.arguments.days)
    app.run_step("predict_baseline", lambda store, run: predict_baseline.run(store, run, app.settings, request))


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
