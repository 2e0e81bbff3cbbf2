"""What a run of a step is and leaves, without Spark: its identity, its counts and its row of the journal."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final, NamedTuple
from uuid import uuid4

from fmar_spark import __version__

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


def describe_run(
    run: Run, written: Written | None, error: BaseException | None, versions_read: Mapping[str, int], versions_written: Mapping[str, int]
) -> dict[str, object]:
    """The run's row of ``ops.run_journal``.

    Args:
        run: which one, ending now.
        written: what it did; None where it failed.
        error: why it failed.
        versions_read: Delta version of each table that it read.
        versions_written: Delta version of each table after it.
    """
    return {
        "run_id": run.run_id,
        "step": run.step,
        "run_date": run.run_date,
        "status": "failed" if error else "done",
        "error": None if error is None else describe_error(error),
        "code_version": __version__,
        "settings_hash": run.settings_hash,
        "tables_read": dict(versions_read),
        "tables_written": dict(versions_written),
        "counts": dict(written.counts) if written else {},
        "rows_kept": written.rows_kept if written else None,
        "rows_quarantined": written.rows_quarantined if written else None,
        "started_at": run.started_at,
        "seconds": (datetime.now(UTC) - run.started_at).total_seconds(),
    }


def describe_counts(written: Written) -> str:
    """The counts as one line for the log."""
    return json.dumps(written.counts, separators=(", ", "=")).strip("{}").replace('"', "")


def describe_error(error: BaseException) -> str:
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
