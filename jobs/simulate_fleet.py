"""Simulates a fleet of meters with a known truth, as DIP messages in a landing folder."""

import argparse
import sys
from pathlib import Path

from fmar_spark.app import App, Job, existing_path, parse_date, run_job
from fmar_spark.contracts.readings import LABELS, LEGAL_BASES, WEATHER
from fmar_spark.intake.intervals.companions import LABEL_SCHEMA
from fmar_spark.intake.intervals.weather import WEATHER_SCHEMA
from fmar_spark.simulate.faults import FAULTS
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.steps import load_labels, load_weather, record_legal_basis, simulate_fleet

JOB = Job(
    name="simulate_fleet",
    summary="Simulate meters with a known truth: messages to a landing folder, weather, labels and legal bases to the lake.",
    reads=(),
    writes=(WEATHER, LEGAL_BASES, LABELS),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What fleet is wanted."""
    parser.add_argument("--meters", type=int, required=True, metavar="N", help="how many import meters")
    parser.add_argument("--from", dest="first_date", type=parse_date, required=True, metavar="YYYY-MM-DD", help="first UTC day")
    parser.add_argument("--to", dest="last_date", type=parse_date, required=True, metavar="YYYY-MM-DD", help="last UTC day, inclusive")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same fleet (default: 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="landing folder; the truth goes to DIR/_truth")
    parser.add_argument("--faults", default="", metavar="NAME,...", help=f"faults to put into the messages: {', '.join(FAULTS)}")
    parser.add_argument("--mix", type=existing_path, metavar="FILE", help="YAML of shares that replace the defaults")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that simulate (default: 2)")


def body(app: App) -> None:
    """Wire the four steps."""
    arguments = app.arguments
    plan = FleetPlan(arguments.meters, arguments.first_date, arguments.last_date, arguments.seed, simulate_fleet.read_mix(arguments.mix))
    faults = tuple(name for name in arguments.faults.split(",") if name)
    order = simulate_fleet.Order(plan, arguments.out, faults, arguments.workers)
    app.run_step("simulate_fleet", lambda store, run: simulate_fleet.run(order))
    weather = simulate_fleet.read_truth(arguments.out, "weather", WEATHER_SCHEMA)
    app.run_step("load_weather", lambda store, run: load_weather.run(store, run, weather))
    grants = simulate_fleet.read_truth(arguments.out, "legal_bases", record_legal_basis.GRANT_SCHEMA)
    app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run(store, run, grants))
    labels = simulate_fleet.read_truth(arguments.out, "labels", LABEL_SCHEMA)
    app.run_step("load_labels", lambda store, run: load_labels.run(store, run, labels))


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
