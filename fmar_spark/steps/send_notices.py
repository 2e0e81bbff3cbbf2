"""Sends what the outbox holds: each notice at least once, again after a growing pause, and given up in the end."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from fmar_spark.contracts.deliveries import NOTICE_ATTEMPTS, NOTICES
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore

READS: Final = (NOTICES, NOTICE_ATTEMPTS)
WRITES: Final = (NOTICE_ATTEMPTS,)
ATTEMPTS_A_COMMIT: Final = 20
"""After a crash at most so many notices are sent a second time."""
LONGEST_PAUSE: Final = timedelta(hours=6)
_log = logging.getLogger(__name__)


class ReceiverAnswer(Protocol):
    """How a receiver answered."""

    @property
    def http_status(self) -> int | None:
        """Status; None without an answer."""

    @property
    def error(self) -> str | None:
        """None where it was received."""


class NoticeSender(Protocol):
    """Whoever can send a notice."""

    @property
    def recipients(self) -> tuple[str, ...]:
        """To whom it can send."""

    def send(self, notice_id: str, recipient: str, body: str) -> ReceiverAnswer:
        """Send one."""


class RetryRules(NamedTuple):
    """How often and after which pauses."""

    attempts: int
    backoff_seconds: int


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, sender: NoticeSender, rules: RetryRules) -> Written:
    """Every notice that is due was tried once more; attempts are recorded as they are made.

    A notice whose attempt could not be recorded is sent again: a receiver sees it at least once, with the same id.
    """
    due = [row.asDict() for row in _list_due(store, run.started_at, sender.recipients).collect()]
    counts = {"due": len(due), "delivered": 0, "failed": 0, "dead": 0}
    store.create(NOTICE_ATTEMPTS)
    for first in range(0, len(due), ATTEMPTS_A_COMMIT):
        made = []
        for notice in due[first : first + ATTEMPTS_A_COMMIT]:
            answer = sender.send(notice["notice_id"], notice["recipient"], notice["body"])
            made.append(_describe_attempt(notice, answer, run, rules))
            counts[str(made[-1]["outcome"])] += 1
        rows = store.spark.createDataFrame([Row(**attempt) for attempt in made], struct_type(NOTICE_ATTEMPTS))
        store.append(rows, NOTICE_ATTEMPTS)
    _log.info("send_notices: %s", counts)
    return Written(counts, counts["delivered"])


def _list_due(store: TableStore, now: datetime, recipients: tuple[str, ...]) -> DataFrame:
    """Notices that can be sent and were neither received nor given up, and whose pause is over; oldest first."""
    last = (
        store.read_or_empty(NOTICE_ATTEMPTS)
        .groupBy("notice_id")
        .agg(F.max("attempt").alias("attempts"), F.max_by(F.struct("outcome", "next_attempt_at"), "attempt").alias("last"))
    )
    notices = store.read_or_empty(NOTICES).where(F.col("recipient").isin(*recipients))
    joined = notices.join(last, "notice_id", "left")
    is_due = F.col("last").isNull() | ((F.col("last.outcome") == "failed") & (F.col("last.next_attempt_at") <= F.lit(now)))
    chosen = joined.where(is_due).orderBy("created_at", "notice_id")
    return chosen.select("notice_id", "recipient", "body", F.coalesce("attempts", F.lit(0)).alias("attempts"))


def _describe_attempt(notice: dict[str, object], answer: ReceiverAnswer, run: Run, rules: RetryRules) -> dict[str, object]:
    attempt = int(str(notice["attempts"])) + 1
    now = datetime.now(UTC)
    pause = min(timedelta(seconds=rules.backoff_seconds * 2 ** (attempt - 1)), LONGEST_PAUSE)
    is_failed = answer.error is not None
    is_dead = is_failed and attempt >= rules.attempts
    return {
        "notice_id": notice["notice_id"],
        "attempt": attempt,
        "outcome": "dead" if is_dead else "failed" if is_failed else "delivered",
        "http_status": answer.http_status,
        "error": answer.error,
        "attempted_at": now,
        "next_attempt_at": now + pause if is_failed and not is_dead else None,
        "run_id": run.run_id,
    }
