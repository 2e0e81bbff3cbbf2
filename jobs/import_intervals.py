"""Imports a user's own intervals, so that their meters can be characterised."""

import argparse
import sys
import tempfile
from pathlib import Path

from fmar_spark.app import App, Job, existing_path, run_job
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, LABELS, LEGAL_BASES, METER_POINTS, READING_VERSIONS, READINGS, SERIES, WEATHER
from fmar_spark.intake.intervals.companions import read_labels, read_sites
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.report import describe_intake
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.weather import read_weather
from fmar_spark.steps import build_readings, import_intervals, load_labels, load_weather, record_legal_basis
from fmar_spark.steps.import_intervals import Surroundings

JOB = Job(
    name="import_intervals",
    summary="Read series_id, timestamp_utc (interval start), kwh_import[, kwh_export] from CSV or Parquet: 15, 30 or 60 minutes.",
    reads=(SERIES, INTERVAL_IMPORTS),
    writes=(INTERVAL_IMPORTS, SERIES, LABELS, WEATHER, LEGAL_BASES, QUARANTINE, READING_VERSIONS, READINGS, METER_POINTS),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may come with the intervals."""
    parser.add_argument("--input", required=True, type=existing_path, metavar="FILE_OR_DIR", help="intervals: .csv, .csv.gz or .parquet")
    parser.add_argument(
        "--weather", type=existing_path, metavar="FILE", help="timestamp_utc, temp_c[, ghi_w_m2] for all series, or with series_id"
    )
    parser.add_argument("--sites", type=existing_path, metavar="FILE", help="series_id, latitude, longitude, time_zone, gsp_group")
    parser.add_argument(
        "--labels", type=existing_path, metavar="FILE", help="series_id, has_ev, ... as 1, 0 or nothing: for training and evaluation"
    )
    parser.add_argument("--legal-basis", default="own data", metavar="TEXT", help="recorded for the series (default: own data)")
    parser.add_argument("--dry-run", action="store_true", help="say what was understood and write nothing")


def body(app: App) -> None:
    """Understand the files, say so, and unless it is a dry run write them and fold them into silver.readings."""
    arguments, defaults = app.arguments, app.settings.imports
    beside = [path for path in (arguments.weather, arguments.sites, arguments.labels) if path]
    sites = read_sites(arguments.sites) if arguments.sites else {}
    labels = read_labels(arguments.labels) if arguments.labels else None
    weather = read_weather(arguments.weather) if arguments.weather else None
    zones = {name: site.time_zone for name, site in sites.items() if site.time_zone}
    with tempfile.TemporaryDirectory(prefix="fmar_import_") as folder:
        files = find_files(arguments.input, tuple(beside))
        rules = ReadingRules(zones, defaults.time_zone, defaults.max_kwh_per_slot)
        staged = import_files(files, Path(folder), rules)
        labelled = tuple(labels["series_id"].to_pylist()) if labels is not None else ()
        sys.stdout.write("\n".join([*describe_intake(staged.intake, sites, weather, labelled, defaults), ""]))
        if arguments.dry_run:
            sys.stdout.write("dry run    nothing was written\n")
            return
        if weather is not None:
            app.run_step("load_weather", lambda store, run: load_weather.run(store, run, weather.days, weather.ignored))
        around = Surroundings(sites, weather, defaults)
        app.run_step("import_intervals", lambda store, run: import_intervals.run(store, run, staged, around))
        names = tuple(fact.series_id for fact in staged.intake.series)
        basis, source = arguments.legal_basis, f"import_intervals {arguments.input.name}"
        app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run_for_series(store, run, names, basis, source))
        if labels is not None:
            app.run_step("load_labels", lambda store, run: load_labels.run(store, run, labels))
    app.run_step("build_readings", build_readings.run)


if __name__ == "__main__":
    sys.exit(run_job(sys.argv[1:], JOB, add_arguments, body))
