"""A user's own readings to tables of a lake, in seconds and without Spark: the same rows as the jobs write."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.locks import lock_step
from fmar_spark.engine.runs import Run, Written, start_run
from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.own_files import OwnFiles, Understood
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.local import lake_steps
from fmar_spark.profiling.verdicts import Scorer
from fmar_spark.settings.overlays import digest_settings
from fmar_spark.settings.sections import LearningSettings, Settings

SQLITE: Final = "sqlite:///"


class OwnLake:
    """A lake on this machine's disk, and the steps that fill it. Run again with the same files, its tables hold the same rows."""

    def __init__(self, root: Path, settings: Settings) -> None:
        """Nothing is written before the first step."""
        self.settings = settings
        self._writer = LakeWriter(root)
        self._digest = digest_settings(settings)

    def import_files(self, own: OwnFiles, understood: Understood) -> None:
        """What the job import_intervals does: the files stand in the tables up to silver.readings."""
        weather, labels = understood.weather, understood.labels
        if weather is not None:
            self._run("load_weather", lambda lake, run: lake_steps.load_weather(lake, weather.days, weather.ignored))
        self._run("import_intervals", lambda lake, run: lake_steps.import_intervals(lake, run, understood.staged, understood.around))
        source = f"import_intervals {own.input.name}"
        self._run(
            "record_legal_basis",
            lambda lake, run: lake_steps.record_legal_basis(lake, run, understood.series_ids, own.legal_basis, source),
        )
        if labels is not None:
            self._run("load_labels", lambda lake, run: lake_steps.load_labels(lake, labels))
        self._run("build_readings", lambda lake, run: lake_steps.build_readings(lake))

    def characterise(self) -> None:
        """What the job characterise does.

        Raises:
            ConfigError: there are no readings.
            InputError: a model registry is wanted and MLflow is not installed.
        """
        scorer = choose_scorer(self.settings.learning)
        self._run("characterise", lambda lake, run: lake_steps.characterise(lake, run, self.settings, scorer))

    def predict_last_week(self) -> None:
        """What ``predict_baseline --last-week`` does.

        Raises:
            ConfigError: there are no readings.
        """
        self._run("predict_baseline", lambda lake, run: lake_steps.predict_baseline(lake, run, self.settings))

    def _run(self, step: str, body: Callable[[LakeWriter, Run], Written]) -> None:
        """Run one step, alone on the lake; its row in the journal is left whether it succeeds or fails."""
        run = start_run(step, None, self._digest)
        self._writer.versions_read, self._writer.versions_written = {}, {}
        with lock_step(str(self._writer.root), step):
            try:
                written = body(self._writer, run)
            except BaseException as error:
                if self._writer.has(RUN_JOURNAL) or self._writer.versions_written:
                    self._writer.record_run(run, None, error)
                raise
            self._writer.record_run(run, written, None)


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
