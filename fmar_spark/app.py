"""What every job and notebook shares: arguments, settings, logging, session, store and journal."""

import argparse
import logging
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import SparkSession

from fmar_spark import clock
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.journal import Run, Written, describe_counts, record_run, start_run, tell_error
from fmar_spark.engine.progress import CLEAR_LINE, ProgressLine
from fmar_spark.engine.session import SPARK_ERRORS, build_session, is_running, stop_session
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.stream import ENDING_SIGNALS, is_address
from fmar_spark.errors import ConfigError, FmarError
from fmar_spark.settings.overlays import digest_settings, load_settings
from fmar_spark.settings.sections import Settings

DONE, FAILED, WRONG_ARGUMENTS = 0, 1, 2
JAVA_FRAMES = re.compile(r"\t+(at |\.\.\. )")
"""Where in Spark an error was raised: a hundred lines that hide the one that says what it was."""
LOST_SIGNAL_SECONDS = 0.05
STOPPED = FmarError("stopped; run the same command again to go on")
_log = logging.getLogger("fmar")


class Job(NamedTuple):
    """What a job says of itself."""

    name: str
    summary: str
    reads: tuple[TableContract, ...]
    writes: tuple[TableContract, ...]
    needs_lake: bool = False
    """It works on what others have brought: a lake that is not there is a mistake."""


@dataclass(frozen=True)
class App:
    """What a job's body works with."""

    job: Job
    arguments: argparse.Namespace
    settings: Settings
    spark: SparkSession
    run_date: date | None

    def run_step(self, step: str, body: Callable[[TableStore, Run], Written]) -> Written:
        """Run one step under the journal: its row is left whether it succeeds or fails, unless there is no lake yet to leave it in."""
        store = TableStore(self.spark, self.settings.lake.root)
        run = start_run(step, self.run_date, digest_settings(self.settings))
        context = self.spark.sparkContext
        context.setJobDescription(step)
        context.addJobTag(run.run_id)
        _log.info("%s: started, run %s", step, run.run_id)
        try:
            with self._show_progress(store, step):
                written = body(store, run)
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
        except SPARK_ERRORS as another:
            error.add_note(f"{run.step}: not in {RUN_JOURNAL.full_name}: {tell_error(another)}")

    def _show_progress(self, store: TableStore, step: str) -> AbstractContextManager[object]:
        is_watched = self.settings.spark.show_progress and sys.stderr.isatty()
        return ProgressLine(self.spark, store, step) if is_watched else nullcontext()


def describe_failure(step: str, at_hand: str, error: BaseException) -> str:
    """Which step failed at which table and why, and what that means for the lake: stands last below a traceback."""
    place = f" while {at_hand}" if at_hand else ""
    why = "" if isinstance(error, KeyboardInterrupt) else f": {tell_error(error)}"
    how = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
    return f"{step}: {how}{place}{why}\n{step}: what was written before stands; run the same command again once mended (docs/operations.md)"


def build_parser(job: Job) -> argparse.ArgumentParser:
    """The arguments that every job takes."""
    reads = ", ".join(table.full_name for table in job.reads) or "files only"
    writes = ", ".join(table.full_name for table in job.writes) or "files only"
    parser = argparse.ArgumentParser(
        prog=f"{job.name}.py",
        description=f"{job.summary}\n\nreads   {reads}\nwrites  {writes}\nexit    0 done, 1 failed, 2 wrong arguments or settings",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--lake", metavar="PATH", help="root of the lake (default: the setting lake.root)")
    parser.add_argument("--env", default="local", metavar="NAME", help="overlay conf/NAME.yaml over conf/base.yaml (default: local)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="SECTION.KEY=VALUE",
        help="one setting for this run; may be repeated",
    )
    parser.add_argument(
        "--run-date", type=parse_date, metavar="YYYY-MM-DD", help="day that the run stands for (default: the newest day with data)"
    )
    return parser


def run_job(
    argv: Sequence[str],
    job: Job,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    body: Callable[[App], None],
) -> int:
    """Parse, set up, run, tidy up; the exit status of the job.

    Problems that a person can mend are one line on standard error; anything else keeps its traceback.
    """
    parser = build_parser(job)
    add_arguments(parser)
    arguments = parser.parse_args(list(argv))
    start_logging()
    try:
        settings = load_settings(arguments.env, arguments.overrides)
        if arguments.lake:
            settings = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": arguments.lake})})
        if job.needs_lake:
            require_lake(settings.lake.root)
        packages = tuple(getattr(arguments, "extra_packages", ()))
        spark = build_session(job.name, settings.spark, packages)
    except ConfigError as error:
        return _refuse(job, error, WRONG_ARGUMENTS)
    except KeyboardInterrupt:
        return _refuse(job, STOPPED, FAILED)
    app = App(job, arguments, settings, spark, arguments.run_date)
    try:
        with plain_signals():
            body(app)
    except (Exception, KeyboardInterrupt) as error:
        return _tell_failure(job, spark, error)
    finally:
        stop_session(spark)
    return DONE


def open_notebook(name: str, told: Mapping[str, str]) -> App:
    """What a notebook works with: the same settings, session and journal as a job. A running session is joined.

    Args:
        name: of the notebook, for the session and the log.
        told: what its widgets say: environment, lake, run_date (YYYY-MM-DD) and settings (``section.key=value``, with spaces
            between); empty = the default.

    Raises:
        ConfigError: an unknown environment, a misspelt setting, a wrong date, or no session.
    """
    start_logging()
    settings = load_settings(told.get("environment") or "local", told.get("settings", "").split())
    if told.get("lake"):
        settings = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": told["lake"]})})
    try:
        run_date = clock.parse_day(told["run_date"]) if told.get("run_date") else None
    except ValueError as error:
        raise ConfigError(f"run_date: {told['run_date']!r} found, YYYY-MM-DD wanted") from error
    return App(Job(name, name, (), ()), argparse.Namespace(**told), settings, build_session(name, settings.spark), run_date)


def start_logging() -> None:
    """One line a message, time first, on standard error; our own words only."""
    begin = CLEAR_LINE if sys.stderr.isatty() else ""
    logging.basicConfig(level=logging.WARNING, format=f"{begin}%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger("fmar").setLevel(logging.INFO)
    logging.getLogger("fmar_spark").setLevel(logging.INFO)


@contextmanager
def plain_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM interrupt Python alone, and are not lost.

    Spark's own answer to Ctrl-C talks to the JVM in the middle of another call. An interrupt that falls into a finaliser
    (py4j has one for every object of the JVM), where Python prints and forgets it, comes once more a moment later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in (*ENDING_SIGNALS, signal.SIGALRM)}
    tell = sys.unraisablehook

    def send_again(lost: "sys.UnraisableHookArgs") -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, LOST_SIGNAL_SECONDS)
        else:
            tell(lost)

    sys.unraisablehook = send_again
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = tell
        for number, handler in before.items():
            signal.signal(number, handler)


def require_lake(root: str) -> None:
    """Refuse a folder on this machine that is not there, before anything is started.

    Raises:
        ConfigError: no such folder.
    """
    if not is_address(root) and not Path(root).is_dir():
        raise ConfigError(f"--lake: {root}: no lake there; jobs/ingest_dip.py or jobs/import_intervals.py begins one")


def existing_path(text: str) -> Path:
    """An argument that names a file or folder that is there."""
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{text}: no such file or folder")
    return path


def parse_date(text: str) -> date:
    """An argument that is a civil day."""
    try:
        return clock.parse_day(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} found, YYYY-MM-DD wanted") from error


def _tell_failure(job: Job, spark: SparkSession, error: BaseException) -> int:
    """One line where a person can mend it, else a traceback; the exit status."""
    if isinstance(error, FmarError):
        return _refuse(job, error, WRONG_ARGUMENTS if isinstance(error, ConfigError) else FAILED)
    if isinstance(error, KeyboardInterrupt):
        return _refuse(job, STOPPED, FAILED)
    if not is_running(spark):
        gone = "Spark's process has gone: it was ended, or the machine ran out of memory"
        return _refuse(job, FmarError(f"{gone}; run the same command again"), FAILED)
    told = "".join(traceback.format_exception(error)).splitlines()
    sys.stderr.write("\n".join(line for line in told if not JAVA_FRAMES.match(line)) + "\n")
    return FAILED


def _refuse(job: Job, error: FmarError, status: int) -> int:
    sys.stderr.write(f"{job.name}: {error}\n")
    return status
