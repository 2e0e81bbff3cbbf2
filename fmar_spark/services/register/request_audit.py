"""Leaves a row for every request: who asked what and how it ended. What was changed is in the ledger, with the change itself."""

import logging
import queue
import threading
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from fmar_spark.services.register.access import NOTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.tables import REQUEST_AUDIT
from fmar_spark.services.web.metrics import Metrics
from fmar_spark.services.web.problems import BusyError

_MOST_WAITING: Final = 100_000
_ROWS_AT_ONCE: Final = 1000
_PAUSE_SECONDS: Final = 0.05
_log = logging.getLogger(__name__)


class RequestAudit:
    """Stores rows a moment after the answers, many at once, so that a reader never waits for a writer."""

    def __init__(self, database: RegisterDatabase, metrics: Metrics) -> None:
        """Nothing is stored before ``start``."""
        self._database = database
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
            with self._database.writing(NOTHING) as connection:
                connection.execute(insert(REQUEST_AUDIT), rows)
        except (BusyError, SQLAlchemyError) as error:
            _log.warning("audit rows wait: %s", type(error).__name__)
            self._is_ending.wait(_PAUSE_SECONDS)
            return False
        return True
