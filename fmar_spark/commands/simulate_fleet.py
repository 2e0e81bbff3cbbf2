"""Simulates a fleet of meters with a known truth, as DIP messages in a landing folder."""

from datetime import date
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.intake.intervals.companions import LABEL_SCHEMA
from fmar_spark.intake.intervals.weather import WEATHER_SCHEMA
from fmar_spark.simulate.plan import FleetPlan, check_plan
from fmar_spark.steps import load_labels, load_weather, record_legal_basis, simulate_fleet


def run(
    app: App,
    meters: int,
    first_date: date,
    last_date: date,
    out: Path,
    seed: int,
    faults: str,
    mix: Path | None,
    workers: int,
    deliveries: int = 0,
) -> None:
    """Run the four steps."""
    plan = check_plan(FleetPlan(meters, first_date, last_date, seed, simulate_fleet.read_mix(mix)))
    order = simulate_fleet.Order(plan, out, tuple(name for name in faults.split(",") if name), workers, deliveries)
    app.run_step("simulate_fleet", lambda store, run: simulate_fleet.run(order))
    weather = simulate_fleet.read_truth(out, "weather", WEATHER_SCHEMA)
    app.run_step("load_weather", lambda store, run: load_weather.run(store, run, weather))
    grants = simulate_fleet.read_truth(out, "legal_bases", record_legal_basis.GRANT_SCHEMA)
    app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run(store, run, grants))
    labels = simulate_fleet.read_truth(out, "labels", LABEL_SCHEMA)
    app.run_step("load_labels", lambda store, run: load_labels.run(store, run, labels))
