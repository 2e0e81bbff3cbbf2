"""Asks the consent service which households may be examined; what cannot be believed goes to the quarantine."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import pyarrow as pa
from pyspark.sql import functions as F

from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.domain.consent import OBJECTIONS, ConsentState, Purpose
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import FmarError
from fmar_spark.intake.consent.decisions import SERVICE, Decisions, read_decisions
from fmar_spark.settings.sections import ConsentSettings

READS: Final = (METER_POINTS, LEGAL_BASES)
WRITES: Final = (QUARANTINE,)
MAX_RAW_CHARS: Final = 4096
_log = logging.getLogger(__name__)


class Service(Protocol):
    """Whoever can be asked which meters may be examined."""

    def ask(self, mpans: list[str], purpose: Purpose) -> bytes:
        """The body of its answer.

        Raises:
            FmarError: it gives none.
        """


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: ConsentSettings, service: Service, answers: list[Decisions]) -> Written:
    """The service was asked about every household whose last answer expires soon; its answers are appended to ``answers``.

    A service that does not answer, or answers what makes no sense, changes nothing: what it said last holds until it expires, and no
    longer.

    Returns:
        Counts; ``unanswered`` are meters of which the service said nothing that can be believed.
    """
    due, purpose = list_due(store, run.started_at, settings), Purpose(settings.purpose)
    counts = {"due": len(due), "granted": 0, "objected": 0, "unknown": 0, "unanswered": 0}
    for first in range(0, len(due), settings.batch_meters):
        batch = due[first : first + settings.batch_meters]
        try:
            body = service.ask(batch, purpose)
        except FmarError as error:
            counts["unanswered"] += len(due) - first
            _log.warning("%s; %s meters keep its last answer until it expires, and no longer", error, len(due) - first)
            break
        found = read_decisions(body, batch, purpose, datetime.now(UTC))
        granted = sum(row["state"] == ConsentState.GRANTED for row in found.rows)
        counts["granted"] += granted
        counts["objected"] += len(found.rows) - granted
        counts["unknown"] += len(found.unknown)
        counts["unanswered"] += len(batch) - len(found.rows) - len(found.unknown)
        answers.append(found)
    faulty = _reject(store, run, answers)
    return Written(counts, counts["granted"] + counts["objected"], faulty)


def list_due(store: TableStore, now: datetime, settings: ConsentSettings) -> list[str]:
    """Boundaries of households that the DIP reports, and whose answer is missing or expires soon; a number each, in order."""
    span = timedelta(hours=settings.renew_hours)
    recorded = store.read_or_empty(LEGAL_BASES).where((F.col("source") == SERVICE) & F.col("valid_to_date").isNull())
    is_objection = F.col("state").isin(*OBJECTIONS) & (F.col("verified_at") > F.lit(now - span))
    fresh = recorded.where((F.col("expires_at") > F.lit(now + span)) | is_objection)
    fresh = fresh.where(F.col("purpose").isin(settings.purpose, Purpose.ANY.value))
    households = store.read(METER_POINTS).where("source = 'dip' AND coalesce(is_domestic, TRUE) AND mpan_id = boundary_mpan_id")
    return [row["mpan_id"] for row in households.select("mpan_id").join(fresh, "mpan_id", "left_anti").orderBy("mpan_id").collect()]


def _reject(store: TableStore, run: Run, answers: Iterable[Decisions]) -> int:
    """Every fault of the answers is a row of the quarantine; how many."""
    rows = [
        {
            "quarantine_id": hashlib.sha256(f"{run.run_id}/{number}/{fault.place}/{fault.rule}".encode()).hexdigest(),
            "source": f"{SERVICE}, answer {number}, decision {fault.place}" if fault.place else f"{SERVICE}, answer {number}",
            "rule": fault.rule,
            "reason": fault.reason,
            "raw": fault.raw[:MAX_RAW_CHARS],
            "raw_bytes": len(fault.raw.encode()) if len(fault.raw) > MAX_RAW_CHARS else None,
            "run_id": run.run_id,
            "quarantined_at": run.started_at,
        }
        for number, one in enumerate(answers, start=1)
        for fault in one.faults
    ]
    if rows:
        store.insert_new(store.spark.createDataFrame(pa.Table.from_pylist(rows, schema=arrow_schema(QUARANTINE))), QUARANTINE)
        named = ", ".join(f"{rule} {count}" for rule, count in Counter(str(row["rule"]) for row in rows).most_common())
        _log.warning("consent service: what cannot be believed is in %s and changes nothing: %s", QUARANTINE.full_name, named)
    return len(rows)
