"""Runs jobs one after another under one Spark session."""

from datetime import date
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from pyspark.sql import SparkSession

from fmar_spark.app import App, run_job, start_logging
from fmar_spark.contracts.job import Job
from fmar_spark.engine.session import build_session, end_session
from fmar_spark.settings.sections import Settings


class JobsInTurn:
    """A session that starts with the first job and ends with the block."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Nothing is started yet.

        Args:
            name: of the session.
            settings: of all jobs.
        """
        self.name, self.settings = name, settings
        self._session: SparkSession | None = None

    def __enter__(self) -> Self:
        """Log as a job does."""
        start_logging()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the session, if a job began one."""
        if self._session is not None:
            end_session(self._session)

    def run(self, job: str, given: dict[str, Any], run_date: date | None = None) -> int:
        """One job as its own command would run it; its exit status."""
        self._session = self._session or build_session(self.name, self.settings.spark)
        command = import_module(f"fmar_spark.commands.{job}")

        def body(app: App) -> None:
            command.run(app, **given)

        return run_job(Job(job), self.settings, run_date, body)
