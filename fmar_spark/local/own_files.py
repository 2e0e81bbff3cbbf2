"""A user's own files to tables of a lake, in seconds and without Spark: what each connection can do, and what is expected of it next."""

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.readings import DIP_MESSAGES
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.runs import Run, Written, start_run
from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.companions import read_labels, read_sites
from fmar_spark.intake.intervals.files import estimate_rows, find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.options import ReadingOptions
from fmar_spark.intake.intervals.report import describe_energy, describe_formats, describe_intake
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.series_rows import Surroundings
from fmar_spark.intake.intervals.weather import read_weather
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.local import lake_steps
from fmar_spark.profiling.verdicts import Scorer
from fmar_spark.settings.overlays import digest_settings
from fmar_spark.settings.sections import LearningSettings, Settings

MAX_ROWS: Final = 10_000_000
"""Some 300 series with two years each: more is Spark's."""
SQLITE: Final = "sqlite:///"
AS_IT_STANDS: Final = ReadingOptions()


class OwnFiles(NamedTuple):
    """What a user brings."""

    input: Path
    weather: Path | None = None
    sites: Path | None = None
    labels: Path | None = None
    legal_basis: str = "own data"
    options: ReadingOptions = AS_IT_STANDS

    @property
    def beside(self) -> tuple[Path, ...]:
        """Files that are none of the readings."""
        return tuple(path for path in (self.weather, self.sites, self.labels) if path)


def find_obstacle(lake: Path, own: OwnFiles) -> str:
    """Why these files, or this lake, need Spark; "" where they do not.

    Raises:
        InputError: there is no file.
    """
    writer = LakeWriter(lake)
    rows = sum(estimate_rows(file) for file in find_files(own.input, own.beside))
    if rows > MAX_ROWS:
        return f"about {rows:,} rows are more than {MAX_ROWS:,}"
    if writer.has(DIP_MESSAGES):
        return f"{lake} holds DIP messages as well"
    older = [table.full_name for table in ALL_TABLES if writer.has(table) and any("size(" in rule for rule in writer.rules(table).values())]
    return f"{older[0]} was made by an older version" if older else ""


def characterise_files(lake: Path, own: OwnFiles, settings: Settings, say: Callable[[str], None]) -> None:
    """The files stand in the tables of the lake, and every table that is derived from them: the same rows as the jobs write.

    Nothing is written unless the files can be used. Run again with the same files, the tables hold the same rows.

    Args:
        lake: root of the lake; made if it is not there.
        own: the files.
        settings: of the run.
        say: takes a line for the user, as soon as it is known.

    Raises:
        ConfigError: a column is missing, or an option does not fit the files; before anything is started.
        InputError: there is nothing to read, or nothing usable in it.
    """
    defaults = settings.imports
    sites = read_sites(own.sites) if own.sites else {}
    labels = read_labels(own.labels) if own.labels else None
    weather = read_weather(own.weather) if own.weather else None
    zones = {name: site.time_zone for name, site in sites.items() if site.time_zone}
    rules = ReadingRules(zones, defaults.time_zone, defaults.max_kwh_per_slot)
    steps = _Steps(LakeWriter(lake), settings)
    with tempfile.TemporaryDirectory(prefix="fmar_import_") as folder:
        staged = import_files(find_files(own.input, own.beside), Path(folder), rules, own.options)
        series = staged.intake.series
        labelled = tuple(labels["series_id"].to_pylist()) if labels is not None else ()
        lines = [*describe_formats(staged.formats), *describe_intake(staged.intake, sites, weather, labelled, defaults)]
        for line in [*lines, *describe_energy(series, settings.sufficiency.min_days)]:
            say(line)
        if weather is not None:
            steps.run("load_weather", lambda lake, run: lake_steps.load_weather(lake, weather.days, weather.ignored))
        around = Surroundings(sites, weather, defaults)
        steps.run("import_intervals", lambda lake, run: lake_steps.import_intervals(lake, run, staged, around))
    names = tuple(fact.series_id for fact in series)
    source = f"import_intervals {own.input.name}"
    steps.run("record_legal_basis", lambda lake, run: lake_steps.record_legal_basis(lake, run, names, own.legal_basis, source))
    if labels is not None:
        steps.run("load_labels", lambda lake, run: lake_steps.load_labels(lake, labels))
    steps.run("build_readings", lambda lake, run: lake_steps.build_readings(lake))
    scorer = choose_scorer(settings.learning)
    steps.run("characterise", lambda lake, run: lake_steps.characterise(lake, run, settings, scorer))
    steps.run("predict_baseline", lambda lake, run: lake_steps.predict_baseline(lake, run, settings))


def choose_scorer(settings: LearningSettings) -> Scorer:
    """The classifier that the jobs would score with; MLflow is imported only where a registry may have one.

    Raises:
        InputError: a registry is wanted and MLflow is not installed.
    """
    uri = settings.tracking_uri
    has_registry = not uri.startswith(SQLITE) or Path(uri.removeprefix(SQLITE)).exists()
    if settings.source == "bundled" or (settings.source == "auto" and not has_registry):
        return load_bundled()
    try:
        registry = import_module("fmar_spark.learning.registry")
    except ModuleNotFoundError as error:
        raise InputError(
            f"classifier: {error.name} is not installed; pip install 'fmar-spark[train]', or learning.source=bundled"
        ) from error
    scorer: Scorer = registry.choose_scorer(settings)
    return scorer


class _Steps:
    """Runs steps one after another, each with its row in the journal."""

    def __init__(self, lake: LakeWriter, settings: Settings) -> None:
        self.lake = lake
        self.digest = digest_settings(settings)

    def run(self, step: str, body: Callable[[LakeWriter, Run], Written]) -> None:
        """Run one step; its row is left whether it succeeds or fails."""
        run = start_run(step, None, self.digest)
        self.lake.versions_read, self.lake.versions_written = {}, {}
        try:
            written = body(self.lake, run)
        except BaseException as error:
            if self.lake.root.exists():
                self.lake.record_run(run, None, error)
            raise
        self.lake.record_run(run, written, None)
