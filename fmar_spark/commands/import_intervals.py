"""Imports a user's own intervals, so that their meters can be characterised."""

import sys
import tempfile
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.intake.intervals.companions import read_labels, read_sites
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.options import ReadingOptions, read_columns
from fmar_spark.intake.intervals.report import describe_energy, describe_formats, describe_intake
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.series_rows import Surroundings
from fmar_spark.intake.intervals.weather import read_weather
from fmar_spark.steps import build_readings, import_intervals, load_labels, load_weather, record_legal_basis


def run(
    app: App,
    input: Path,
    weather: Path | None,
    sites: Path | None,
    labels: Path | None,
    legal_basis: str,
    dry_run: bool,
    format: str | None = None,
    columns: list[str] | None = None,
    series: str | None = None,
    units: str | None = None,
    stamps: str | None = None,
    time_zone: str | None = None,
    dates: str | None = None,
    decimal_comma: bool = False,
    readings: str | None = None,
) -> None:
    """Understand the files, say so, and unless it is a dry run write them and fold them into silver.readings."""
    defaults = app.settings.imports
    beside = [path for path in (weather, sites, labels) if path]
    known_sites = read_sites(sites) if sites else {}
    known_labels = read_labels(labels) if labels else None
    measured = read_weather(weather) if weather else None
    zones = {name: site.time_zone for name, site in known_sites.items() if site.time_zone}
    options = ReadingOptions(format, read_columns(columns or []), series, units, stamps, time_zone, dates, decimal_comma, readings)
    with tempfile.TemporaryDirectory(prefix="fmar_import_") as folder:
        rules = ReadingRules(zones, defaults.time_zone, defaults.max_kwh_per_slot)
        staged = import_files(find_files(input, tuple(beside)), Path(folder), rules, options)
        facts = staged.intake.series
        labelled = tuple(known_labels["series_id"].to_pylist()) if known_labels is not None else ()
        lines = [*describe_formats(staged.formats), *describe_intake(staged.intake, known_sites, measured, labelled, defaults)]
        lines += describe_energy(facts, app.settings.sufficiency.min_days)
        sys.stdout.write("\n".join([*lines, ""]))
        if dry_run:
            sys.stdout.write("dry run    nothing was written\n")
            return
        if measured is not None:
            app.run_step("load_weather", lambda store, run: load_weather.run(store, run, measured.days, measured.ignored))
        around = Surroundings(known_sites, measured, defaults)
        app.run_step("import_intervals", lambda store, run: import_intervals.run(store, run, staged, around))
        names = tuple(fact.series_id for fact in facts)
        source = f"import_intervals {input.name}"
        app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run_for_series(store, run, names, legal_basis, source))
        if known_labels is not None:
            app.run_step("load_labels", lambda store, run: load_labels.run(store, run, known_labels))
    app.run_step("build_readings", build_readings.run)
