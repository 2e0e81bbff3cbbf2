"""Leaves one row for every run of a step, whatever became of it."""

import json
import re
from datetime import UTC, date, datetime
from typing import Final, NamedTuple
from uuid import uuid4

from pyspark.sql import Row

from fmar_spark import __version__
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.store import TableStore

MAX_ERROR_CHARS: Final = 500
CAUSE: Final = "Caused by: "
TRACEBACK: Final = "Traceback (most recent call last):"
WORKER_ERROR: Final = re.compile(r"[A-Za-z_][\w.]*: ")


class Written(NamedTuple):
    """What a step did: its own counts, and the two that every journal row shows."""

    counts: dict[str, int]
    rows_kept: int | None = None
    rows_quarantined: int | None = None


class Run(NamedTuple):
    """Identity of one run of a step."""

    run_id: str
    step: str
    run_date: date | None
    settings_hash: str
    started_at: datetime


def start_run(step: str, run_date: date | None, settings_hash: str) -> Run:
    """A run that begins now; its id sorts by time."""
    now = datetime.now(UTC)
    return Run(f"{now:%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}", step, run_date, settings_hash, now)


def record_run(store: TableStore, run: Run, written: Written | None, error: BaseException | None) -> None:
    """Append the run's row to ``ops.run_journal``."""
    seconds = (datetime.now(UTC) - run.started_at).total_seconds()
    row = Row(
        run_id=run.run_id,
        step=run.step,
        run_date=run.run_date,
        status="failed" if error else "done",
        error=None if error is None else tell_error(error),
        code_version=__version__,
        settings_hash=run.settings_hash,
        tables_read=dict(store.versions_read),
        tables_written=dict(store.versions_written),
        counts=dict(written.counts) if written else {},
        rows_kept=written.rows_kept if written else None,
        rows_quarantined=written.rows_quarantined if written else None,
        started_at=run.started_at,
        seconds=seconds,
    )
    store.append(store.spark.createDataFrame([row], struct_type(RUN_JOURNAL)), RUN_JOURNAL)


def describe_counts(written: Written) -> str:
    """The counts as one line for the log."""
    return json.dumps(written.counts, separators=(", ", "=")).strip("{}").replace('"', "")


def tell_error(error: BaseException) -> str:
    """Kind and sentence of what went wrong, on one line.

    Where Python knows only which call failed: the JVM's sentence with its first cause, or that of the Python worker.
    """
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    in_worker = [line for line in lines if WORKER_ERROR.match(line)] if TRACEBACK in lines else []
    if in_worker:
        return f"{type(error).__name__}: {in_worker[-1]}"[:MAX_ERROR_CHARS]
    behind = lines[1].removeprefix(": ") if len(lines) > 1 and lines[1].startswith(": ") else lines[0].strip()
    causes = [line.removeprefix(CAUSE) for line in lines if line.startswith(CAUSE)]
    said = f"{type(error).__name__}: {behind}"
    return f"{said[: MAX_ERROR_CHARS // 2]}; caused by {causes[-1]}"[:MAX_ERROR_CHARS] if causes else said[:MAX_ERROR_CHARS]
