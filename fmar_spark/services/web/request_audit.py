"""Leaves a row for every request of an accepted client: who asked what and how it ended. What was changed is in the ledger.

Requests without an accepted token leave rows up to a rate, so that nobody unknown can fill the disk; rows are kept for a time.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Column, Connection, Float, Integer, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from fmar_spark.services.web.limits import RateLimit
from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.moments import UtcDateTime
from fmar_spark.services.web.problems import BusyError, TooManyError
from fmar_spark.settings.sections import ServiceSettings

_MOST_WAITING: Final = 100_000
_ROWS_AT_ONCE: Final = 1000
_PAUSE_SECONDS: Final = 0.05
"""Between two attempts to store."""
_GATHER_SECONDS: Final = 0.05
"""From the first row that waits to the transaction that stores it and all that came meanwhile."""
_IDLE_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)


class AuditStore(Protocol):
    """Where audit rows are kept."""

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Keep rows, all or none.

        Raises:
            BusyError, SQLAlchemyError: none was kept; the same rows come again.
        """

    def forget(self, before: datetime, most: int) -> int:
        """Delete some of the rows from before a moment; how many.

        Raises:
            BusyError, SQLAlchemyError: none was deleted.
        """


def audit_table(metadata: MetaData) -> Table:
    """Where a service with a database keeps its audit."""
    return Table(
        "request_audit",
        metadata,
        Column("request_id", String(64), primary_key=True),
        Column("requested_at", UtcDateTime, nullable=False, index=True),
        Column("party_id", String(64)),
        Column("client_id", String(128)),
        Column("method", String(16), nullable=False),
        Column("route", String(200), nullable=False),
        Column("status", Integer, nullable=False),
        Column("problem", String(64)),
        Column("seconds", Float(53), nullable=False),
    )


class AuditRows(NamedTuple):
    """A table of audit rows in a database."""

    table: Table
    writing: Callable[[], AbstractContextManager[Connection]]
    """Opens a transaction."""

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Keep rows, all or none."""
        with self.writing() as connection:
            connection.execute(insert(self.table), rows)

    def forget(self, before: datetime, most: int) -> int:
        """Delete some of the rows from before a moment; how many."""
        old = select(self.table.c.request_id).where(self.table.c.requested_at < before).limit(most)
        with self.writing() as connection:
            return int(connection.execute(delete(self.table).where(self.table.c.request_id.in_(old))).rowcount)


class RequestAudit:
    """Stores rows a moment after the answers, many at once, so that a reader never waits for a writer."""

    def __init__(self, store: AuditStore, metrics: Metrics, settings: ServiceSettings) -> None:
        """Nothing is stored before ``start``."""
        self._rows = store
        self._age = timedelta(days=settings.audit_days)
        self._anonymous = RateLimit(settings.anonymous_audit_per_minute, settings.anonymous_audit_per_minute)
        self._forgot_at = float("-inf")
        self._metrics = metrics
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(_MOST_WAITING)
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to store."""
        self._thread = threading.Thread(target=self._run, name="request-audit", daemon=True)
        self._thread.start()

    def add(self, row: dict[str, Any]) -> None:
        """Hand a row over; a full queue is counted as lost, and what nobody known asked as skipped beyond a rate."""
        if row["client_id"] is None and not self._admits(row):
            self._metrics.audit_rows_skipped.inc()
            return
        try:
            self._waiting.put_nowait(row)
        except queue.Full:
            self._metrics.audit_rows_lost.inc()

    def _admits(self, row: dict[str, Any]) -> bool:
        try:
            self._anonymous.take("")
        except TooManyError:
            return False
        return bool(row["status"] != TooManyError.status)

    def stop(self) -> None:
        """Store what is left and end."""
        self._is_ending.set()
        with suppress(queue.Full):
            self._waiting.put_nowait(None)  # ends its wait for a row
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _run(self) -> None:
        rows: list[dict[str, Any]] = []
        while not (self._is_ending.is_set() and self._waiting.empty() and not rows):
            self._fill(rows)
            if not rows:
                self._forget()
            if rows and self._store(rows):
                rows = []
            elif rows and self._is_ending.is_set():
                self._metrics.audit_rows_lost.inc(len(rows))
                return

    def _fill(self, rows: list[dict[str, Any]]) -> None:
        with suppress(queue.Empty):
            row = None if rows else self._waiting.get(timeout=_IDLE_SECONDS)
            if row is not None:
                self._is_ending.wait(_GATHER_SECONDS)
            while len(rows) < _ROWS_AT_ONCE:
                if row is not None:
                    rows.append(row)
                row = self._waiting.get_nowait()

    def _forget(self) -> None:
        """Now and then, when there is nothing else to do."""
        if time.monotonic() - self._forgot_at < _FORGET_SECONDS:
            return
        try:
            if self._rows.forget(datetime.now(UTC) - self._age, _ROWS_AT_ONCE) < _ROWS_AT_ONCE:
                self._forgot_at = time.monotonic()
        except (BusyError, SQLAlchemyError) as error:
            self._forgot_at = time.monotonic()
            _log.warning("old audit rows stay for now: %s", type(error).__name__)

    def _store(self, rows: list[dict[str, Any]]) -> bool:
        try:
            self._rows.add(rows)
        except (BusyError, SQLAlchemyError) as error:
            _log.warning("audit rows wait: %s", type(error).__name__)
            self._is_ending.wait(_PAUSE_SECONDS)
            return False
        return True
