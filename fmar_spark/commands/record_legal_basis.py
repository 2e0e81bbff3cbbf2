"""Records or ends the legal basis on which meters are examined."""

from datetime import UTC, date, datetime
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.errors import ConfigError
from fmar_spark.intake.consent.basis_files import read_bases
from fmar_spark.intake.intervals.companions import read_meter_names
from fmar_spark.steps import record_legal_basis


def run(app: App, meters: Path | None, bases: Path | None, basis: str | None, end: bool, on: date | None) -> None:
    """Run the step.

    Raises:
        ConfigError: neither or both of a basis and its end are asked for, or of the two files.
    """
    if (meters is None) == (bases is None):
        raise ConfigError(f"--meters, --bases: {'neither' if meters is None else 'both'} found; one of them wanted")
    if bases is not None:
        if end or basis is not None or on is not None:
            raise ConfigError("--bases: found beside --basis, --end or --on; the file says all of it")
        rows = read_bases(bases)
        app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run_for_rows(store, run, rows))
        return
    assert meters is not None
    if end == (basis is not None):
        raise ConfigError(f"--basis, --end: {'both' if end else 'neither'} found; one of them wanted")
    names, day = read_meter_names(meters), on or datetime.now(UTC).date()
    if basis is None:
        app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run_for_ending(store, run, names, day))
    else:
        app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run_for_meters(store, run, names, basis, day))
