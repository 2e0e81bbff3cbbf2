"""What every job and notebook shares: settings, logging, session, store and journal."""

import logging
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import date

from pyspark.sql import SparkSession

from fmar_spark import clock
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.domain.consent import ADMITS_HOUSEHOLDS
from fmar_spark.engine.interrupts import leave_out_interrupts, plain_signals, settle
from fmar_spark.engine.journal import open_journal, record_run
from fmar_spark.engine.progress import CLEAR_LINE, ProgressLine
from fmar_spark.engine.runs import Run, Written, describe_counts, describe_error, start_run
from fmar_spark.engine.session import SPARK_ERRORS, build_session, end_session, is_running, stop_session
from fmar_spark.engine.store import CATALOG, TableStore
from fmar_spark.engine.table_log import asks_spark
from fmar_spark.errors import DONE, FAILED, INTERRUPTED, ConfigError, FmarError, escape_controls
from fmar_spark.settings.overlays import digest_settings
from fmar_spark.settings.run_options import RunOptions
from fmar_spark.settings.sections import Settings

JAVA_FRAMES = re.compile(r"\t+(at |\.\.\. )")
"""Where in Spark an error was raised: a hundred lines that hide the one that says what it was."""
STOPPED = "stopped; run the same command again to go on"
_log = logging.getLogger("fmar")


class App:
    """What a job's body works with: settings, the day that the run stands for, and a session that starts when it is first needed."""

    def __init__(self, job: Job, settings: Settings, run_date: date | None) -> None:
        """Nothing is started yet."""
        self.job, self.settings, self.run_date = job, settings, run_date
        self._session: SparkSession | None = None
        self._has_joined = False
        self._interrupted: tuple[Run, dict[str, int], dict[str, int]] | None = None

    @property
    def spark(self) -> SparkSession:
        """The session; the first use starts or joins it.

        Raises:
            ConfigError: no Java 17, or the jars cannot be downloaded.
        """
        return self.start_spark()

    @property
    def has_lost_spark(self) -> bool:
        """Whether a session was started and its process has gone."""
        return self._session is not None and not is_running(self._session)

    def start_spark(self, packages: tuple[str, ...] = ()) -> SparkSession:
        """The session, with these Maven packages if it starts now."""
        if self._session is None:
            self._has_joined = SparkSession.getActiveSession() is not None
            answer = signal.getsignal(signal.SIGINT)
            self._session = build_session(self.job.name, self.settings.spark, packages)
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, answer)  # PySpark puts its own there
        return self._session

    def close(self) -> None:
        """Stop the session, unless it was there before: it is another's."""
        if self._session is not None and not self._has_joined:
            stop_session(self._session)

    def abandon(self, error: KeyboardInterrupt) -> None:
        """Spark ends without waiting for its tasks, and the journal of a lake on this machine has the row of the step that was interrupted.

        A session of another stays.
        """
        if self._session is not None and not self._has_joined:
            end_session(self._session)
            self._session = None
        if self._interrupted is not None and not asks_spark(self.settings.lake.root):
            run, *versions = self._interrupted
            journal = open_journal(self.settings.lake.root, *versions)
            if any(journal.has(table) for table in (RUN_JOURNAL, *self.job.writes)):
                journal.record_run(run, None, error)

    def run_step(self, step: str, body: Callable[[TableStore, Run], Written]) -> Written:
        """Run one step under the journal: its row is left whether it succeeds or fails, unless there is no lake yet to leave it in."""
        store = TableStore(self.spark, self.settings.lake.root)
        run = start_run(step, self.run_date, digest_settings(self.settings))
        self.spark.conf.set(CATALOG, self.settings.lake.catalog)
        self.spark.conf.set(ADMITS_HOUSEHOLDS, str(self.settings.consent.admits_households).lower())
        context = self.spark.sparkContext
        context.setJobDescription(step)
        context.addJobTag(run.run_id)
        _log.info("%s: started, run %s", step, run.run_id)
        try:
            with self._show_progress(store, step):
                written = body(store, run)
        except KeyboardInterrupt:
            self._interrupted = run, store.versions_read, store.versions_written
            raise
        except BaseException as error:
            if not isinstance(error, FmarError):
                error.add_note(describe_failure(step, store.at_hand, error))
            if is_running(self.spark):
                self._account_for(store, run, error)
            raise
        record_run(store, run, written, None)
        context.removeJobTag(run.run_id)
        _log.info("%s: done; %s", step, describe_counts(written))
        return written

    def _account_for(self, store: TableStore, run: Run, error: BaseException) -> None:
        """What still runs of a failed step ends, and the journal has its row, unless what failed the step fails this too."""
        try:
            self.spark.sparkContext.cancelJobsWithTag(run.run_id)
            self.spark.sparkContext.removeJobTag(run.run_id)
            if any(store.has(table) for table in (RUN_JOURNAL, *self.job.writes)):
                record_run(store, run, None, error)
        except (*SPARK_ERRORS, FmarError, OSError) as another:
            error.add_note(f"{run.step}: not in {RUN_JOURNAL.full_name}: {describe_error(another)}")

    def _show_progress(self, store: TableStore, step: str) -> AbstractContextManager[object]:
        return ProgressLine(self.spark, store, step) if self.settings.spark.show_progress else nullcontext()


def describe_failure(step: str, at_hand: str, error: BaseException) -> str:
    """Which step failed at which table and why, and what that means for the lake: stands last below a traceback."""
    place = f" while {at_hand}" if at_hand else ""
    after = "correct the cause and run the same command again (docs/operations.md)"
    return f"{step}: failed{place}: {describe_error(error)}\n{step}: what was written before stands; {after}"


def run_job(job: Job, settings: Settings, run_date: date | None, body: Callable[[App], None]) -> int:
    """Set up, run, tidy up; the exit status of the job.

    Problems that a user can correct are one line on standard error; anything else keeps its traceback.
    """
    start_logging()
    app = App(job, settings, run_date)
    try:
        with plain_signals():
            try:
                body(app)
            except KeyboardInterrupt as error:
                settle()
                sys.stderr.write(f"{job.name}: {STOPPED}\n")
                app.abandon(error)
                return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return _report_failure(app, error)
    finally:
        app.close()
    return DONE


def open_notebook(name: str, fields: Mapping[str, str]) -> App:
    """What a notebook works with: the same settings, session and journal as a job. A running session is joined.

    Args:
        name: of the notebook, for the session and the log.
        fields: what its widgets hold: environment, lake, run_date (YYYY-MM-DD) and settings (``section.key=value``, with spaces
            between); empty = the default.

    Raises:
        ConfigError: an unknown environment, a misspelt setting, a wrong date, or no session.
    """
    start_logging()
    options = RunOptions(fields.get("lake"), fields.get("environment") or "local", tuple(fields.get("settings", "").split()))
    settings = options.load_settings()
    try:
        run_date = clock.parse_day(fields["run_date"]) if fields.get("run_date") else None
    except ValueError as error:
        raise ConfigError(f"run_date: {fields['run_date']!r} found, YYYY-MM-DD wanted") from error
    app = App(Job(name), settings, run_date)
    app.start_spark()
    return app


def start_logging() -> None:
    """One line a message, time first, on standard error; our own words only."""
    begin = CLEAR_LINE if sys.stderr.isatty() else ""
    logging.basicConfig(level=logging.WARNING, format=f"{begin}%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(leave_out_interrupts)
        handler.addFilter(escape_message)
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger("fmar").setLevel(logging.INFO)
    logging.getLogger("fmar_spark").setLevel(logging.INFO)


def escape_message(record: logging.LogRecord) -> bool:
    """A filter that keeps every record; names of files and series in our own are text, whatever they hold."""
    if record.name.startswith("fmar"):
        record.msg, record.args = escape_controls(record.getMessage()), None
    return True


def _report_failure(app: App, error: Exception) -> int:
    """One line where a user can correct it, else a traceback; the exit status."""
    if isinstance(error, FmarError):
        return _report(app.job, error)
    if app.has_lost_spark:
        gone = "Spark's process has gone: it was ended, or the machine ran out of memory"
        return _report(app.job, FmarError(f"{gone}; run the same command again"))
    lines = "".join(traceback.format_exception(error)).splitlines()
    sys.stderr.write("\n".join(line for line in lines if not JAVA_FRAMES.match(line)) + "\n")
    return FAILED


def _report(job: Job, error: FmarError) -> int:
    sys.stderr.write(f"{job.name}: {error}\n")
    return error.exit_status
