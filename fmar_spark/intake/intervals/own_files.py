"""A user's own files as they are named on a command line, and what is understood of them before anything is written."""

from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from fmar_spark.errors import escape_controls
from fmar_spark.intake.intervals.companions import SiteRow, read_labels, read_sites
from fmar_spark.intake.intervals.files import InputFile, find_files
from fmar_spark.intake.intervals.formats import plan_reading
from fmar_spark.intake.intervals.importing import StagedIntake, import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.report import describe_energy, describe_formats, describe_intake
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.series_rows import Surroundings
from fmar_spark.intake.intervals.weather import WeatherFile, read_weather
from fmar_spark.settings.sections import Settings

AS_IT_STANDS: Final = ReadingOptions()


class OwnFiles(NamedTuple):
    """What a user brings."""

    input: Path
    weather: Path | None = None
    sites: Path | None = None
    labels: Path | None = None
    legal_basis: str = "own data"
    options: ReadingOptions = AS_IT_STANDS

    def list_inputs(self) -> list[InputFile]:
        """The files of readings; those beside them are none.

        Raises:
            InputError: there is no file.
        """
        return find_files(self.input, tuple(path for path in (self.weather, self.sites, self.labels) if path))


class Understood(NamedTuple):
    """What was understood of the files; days and faults lie in a folder."""

    staged: StagedIntake
    around: Surroundings
    labels: pa.Table | None
    lines: tuple[str, ...]
    """For the user: what was read, what is unusual, energy by series."""

    @property
    def weather(self) -> WeatherFile | None:
        """What the file of weather says, where there is one."""
        return self.around.weather

    @property
    def series_ids(self) -> tuple[str, ...]:
        """Names of the series."""
        return tuple(fact.series_id for fact in self.staged.intake.series)


def check_headings(own: OwnFiles) -> None:
    """Reject at once what the whole import would reject after a while: companions that cannot be used, the heading of the only file.

    Raises:
        ConfigError: columns that cannot be understood, or an option that does not fit.
        InputError: a file that cannot be read.
    """
    files = own.list_inputs()
    if len(files) == 1:
        plan_reading(files[0], own.options)
    _read_companions(own)


def understand_files(own: OwnFiles, folder: Path, settings: Settings) -> Understood:
    """Read and check every row; nothing is written but days and faults into ``folder``.

    Raises:
        ConfigError: a column is missing, or an option does not fit the files.
        InputError: there is nothing to read, or nothing usable in it.
    """
    defaults = settings.imports
    sites, labels, weather = _read_companions(own)
    zones = {name: site.time_zone for name, site in sites.items() if site.time_zone}
    rules = ReadingRules(zones, defaults.time_zone, defaults.max_kwh_per_slot, defaults.max_series_chars)
    staged = import_files(own.list_inputs(), folder, rules, own.options)
    labelled = tuple(labels["series_id"].to_pylist()) if labels is not None else ()
    lines = [*describe_formats(staged.formats), *describe_intake(staged.intake, sites, weather, labelled, defaults, own.options)]
    lines += describe_energy(staged.intake.series, settings.sufficiency.min_days)
    return Understood(staged, Surroundings(sites, weather, defaults), labels, tuple(map(escape_controls, lines)))


def _read_companions(own: OwnFiles) -> tuple[dict[str, SiteRow], pa.Table | None, WeatherFile | None]:
    sites = read_sites(own.sites) if own.sites else {}
    labels = read_labels(own.labels) if own.labels else None
    return sites, labels, read_weather(own.weather) if own.weather else None
