"""Leaves a row for every request: who asked what and how it ended. What was changed is in the ledger, with the change itself."""

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Column, Connection, Float, Integer, MetaData, String, Table, insert
from sqlalchemy.exc import SQLAlchemyError

from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.moments import UtcDateTime
from fmar_spark.services.web.problems import BusyError

_MOST_WAITING: Final = 100_000
_ROWS_AT_ONCE: Final = 1000
_PAUSE_SECONDS: Final = 0.05
_log = logging.getLogger(__name__)


class AuditStore(Protocol):
    """Where audit rows are kept."""

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Keep rows, all or none.

        Raises:
            BusyError, SQLAlchemyError: none was kept; the same rows come again.
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


class RequestAudit:
    """Stores rows a moment after the answers, many at once, so that a reader never waits for a writer."""

    def __init__(self, store: AuditStore, metrics: Metrics) -> None:
        """Nothing is stored before ``start``."""
        self._rows = store
        self._metrics = metrics
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue(_MOST_WAITING)
        self._is_ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to store."""
        self._thread = threading.Thread(target=self._run, name="request-audit", daemon=True)
        self._thread.start()

    def add(self, row: dict[str, Any]) -> None:
        """Hand a row over; a full queue is counted as lost."""
        try:
            self._waiting.put_nowait(row)
        except queue.Full:
            self._metrics.audit_rows_lost.inc()

    def stop(self) -> None:
        """Store what is left and end."""
        self._is_ending.set()
        if self._thread is not None:
            self._thread.join(timeout=30)

    def _run(self) -> None:
        rows: list[dict[str, Any]] = []
        while not (self._is_ending.is_set() and self._waiting.empty() and not rows):
            self._fill(rows)
            if rows and self._store(rows):
                rows = []
            elif rows and self._is_ending.is_set():
                self._metrics.audit_rows_lost.inc(len(rows))
                return

    def _fill(self, rows: list[dict[str, Any]]) -> None:
        try:
            if not rows:
                rows.append(self._waiting.get(timeout=_PAUSE_SECONDS))
            while len(rows) < _ROWS_AT_ONCE:
                rows.append(self._waiting.get_nowait())
        except queue.Empty:
            return

    def _store(self, rows: list[dict[str, Any]]) -> bool:
        try:
            self._rows.add(rows)
        except (BusyError, SQLAlchemyError) as error:
            _log.warning("audit rows wait: %s", type(error).__name__)
            self._is_ending.wait(_PAUSE_SECONDS)
            return False
        return True
