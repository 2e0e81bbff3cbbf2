"""Imports a user's own intervals, so that their meters can be characterised."""

import sys
import tempfile
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.intake.intervals.options import ReadingOptions, read_columns
from fmar_spark.intake.intervals.own_files import OwnFiles, understand_files
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
    options = ReadingOptions(format, read_columns(columns or []), series, units, stamps, time_zone, dates, decimal_comma, readings)
    own = OwnFiles(input, weather, sites, labels, legal_basis, options)
    with tempfile.TemporaryDirectory(prefix="fmar_import_") as folder:
        found = understand_files(own, Path(folder), app.settings)
        sys.stdout.write("\n".join([*found.lines, ""]))
        if dry_run:
            sys.stdout.write("dry run    nothing was written\n")
            return
        measured, known_labels, names = found.weather, found.labels, found.series_ids
        if measured is not None:
            app.run_step("load_weather", lambda store, run: load_weather.run(store, run, measured.days, measured.ignored))
        app.run_step("import_intervals", lambda store, run: import_intervals.run(store, run, found.staged, found.around))
        source = f"import_intervals {input.name}"
        app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run_for_series(store, run, names, legal_basis, source))
        if known_labels is not None:
            app.run_step("load_labels", lambda store, run: load_labels.run(store, run, known_labels))
    app.run_step("build_readings", build_readings.run)
