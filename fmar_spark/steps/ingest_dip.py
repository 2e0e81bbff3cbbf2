"""Takes DIP messages from a landing folder or a Kafka topic into bronze.dip_messages, each exactly once."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from fmar_spark.contracts.operations import LANDING_FILES, QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.readings import DIP_MESSAGES
from fmar_spark.domain.figures import write_count
from fmar_spark.engine.landing import Decoding, Folder, LandingIntake, Pace
from fmar_spark.engine.marks import Mark, append_marked, is_journalled, read_newest_mark
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.engine.stream import Topic, drain
from fmar_spark.errors import ConfigError, RejectedError
from fmar_spark.intake.dip.rows import DECODED, FileDecoder
from fmar_spark.intake.dip.rules import read_rules
from fmar_spark.settings.run_options import is_address
from fmar_spark.settings.sections import IngestSettings
from fmar_spark.transforms.message_verdicts import DUPLICATE, REUSED, accept, is_near, list_losers, reject

READS: Final = (DIP_MESSAGES, RUN_JOURNAL)
WRITES: Final = (DIP_MESSAGES, QUARANTINE, LANDING_FILES)
STEP: Final = "ingest_dip"
BROADCAST_IDS: Final = 500_000
"""Up to so many ids of a batch are sent to every worker, rather than the table's ids being shuffled."""
_log = logging.getLogger(__name__)


def find_landing(folder: str) -> Folder:
    """The landing folder, looked for where it is on this machine.

    Raises:
        ConfigError: no such folder.
    """
    if not is_address(folder) and not os.path.isdir(folder):
        raise ConfigError(f"--landing: {folder}: no such folder")
    return Folder(folder)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: IngestSettings, source: Folder | Topic, *, is_continuous: bool = False) -> Written:
    """Everything new in the source stands in bronze.dip_messages or bronze.quarantine, or was there before.

    Messages in = accepted + quarantined + duplicates. The counts are those of the run and of runs before it of the same
    source that were cut off, whose batches nobody has accounted for.

    Raises:
        ConfigError: no such folder.
    """
    for table in (DIP_MESSAGES, QUARANTINE):
        store.create(table)
    digest = hashlib.sha256(source.identity.encode()).hexdigest()[:12]
    stream = f"{STEP}/{digest}-to-{store.identity(DIP_MESSAGES)}"
    intake = _Intake(run, settings, stream, read_newest_mark(store, DIP_MESSAGES, stream))
    intake.take_over(store)
    rules = read_rules(settings)
    pause = settings.trigger_seconds if is_continuous else 0
    if isinstance(source, Folder):
        pace = Pace(settings.files_per_trigger, settings.max_file_age_days, pause)
        decoding = Decoding(FileDecoder(rules), DECODED, rules.max_file_bytes)
        LandingIntake(store, source, stream, decoding).take(pace, run.run_id, lambda batch, transaction: intake(store, batch, transaction))
    else:
        decoded = source.rows(store.spark, settings.records_per_trigger).mapInArrow(FileDecoder(rules), DECODED)
        drain(store, decoded, stream, intake, pause)
    intake.account(store)
    if not intake.counts["messages_in"]:
        _log.info("%s: no new messages in %s", STEP, source.identity)
    elif intake.counts["quarantined"]:
        _log.warning("%s: %s", STEP, describe_rejected(intake.counts))
    return Written(dict(intake.counts), intake.counts["accepted"], intake.counts["quarantined"])


def describe_rejected(counts: Mapping[str, int]) -> str:
    """How many messages were rejected, and by which rules."""
    rules = sorted(((count, name.removeprefix("rule_")) for name, count in counts.items() if name.startswith("rule_")), reverse=True)
    named = ", ".join(f"{name} {count}" for count, name in rules)
    return f"{counts['quarantined']} of {write_count(counts['messages_in'], 'message')} rejected: {named}; bronze.quarantine holds them"


def check_rejected(written: Written, max_rejected_share: float) -> None:
    """End a run loudly of which too much was rejected; what it wrote stands.

    Raises:
        RejectedError: at least that share of its messages was rejected.
    """
    counts = written.counts
    if counts["messages_in"] and counts["quarantined"] >= max_rejected_share * counts["messages_in"]:
        raise RejectedError(f"messages: {describe_rejected(counts)} (ingest.max_rejected_share={max_rejected_share:g})")


class _Intake:
    """Handles the batches of one run and counts what became of their messages."""

    def __init__(self, run: Run, settings: IngestSettings, stream: str, last: Mark | None) -> None:
        self.run = run
        self.settings = settings
        self.stream = stream
        self.last = last
        self.is_accounted = True
        self.counts: Counter[str] = Counter({"messages_in": 0, "accepted": 0, "quarantined": 0, "duplicates": 0, "batches": 0})

    def take_over(self, store: TableStore) -> None:
        """Count what the run before did, where it was cut off before it could say so."""
        if self.last is not None and not is_journalled(store, self.last.run_id):
            self.counts.update(self.last.counts)
            self.is_accounted = False
            _log.info("%s: run %s was cut off; its %s messages are counted here", STEP, self.last.run_id, self.last.counts["messages_in"])

    def account(self, store: TableStore) -> None:
        """Leave a mark of this run where it took over counts and no batch has said so, so that no later run does as well."""
        if not self.is_accounted and self.last is not None:
            nothing = store.spark.createDataFrame([], struct_type(DIP_MESSAGES))
            append_marked(store, nothing, DIP_MESSAGES, self._mark(Transaction(f"{self.stream}/{self.run.run_id}", 0)))

    def __call__(self, store: TableStore, decoded: DataFrame, transaction: Transaction) -> None:
        """The batch's messages are accepted, rejected or known; its last commit says how many of each."""
        if self.last is not None and self.last.stands_for(transaction):
            return
        decoded = decoded.persist()
        try:
            self._take(store, decoded, transaction)
        finally:
            decoded.unpersist()

    def _take(self, store: TableStore, decoded: DataFrame, transaction: Transaction) -> None:
        """Check and write one batch; where another run wrote in the meantime, check again."""
        survey = decoded.groupBy("rule", F.to_date("transaction_at").alias("day")).agg(F.sum("messages").alias("count")).collect()
        losers = list_losers(decoded, self._find_known(store, decoded, survey)).persist()
        try:
            verdicts = {row["verdict"]: row["count"] for row in losers.groupBy("verdict").count().collect()}
            if store.version(DIP_MESSAGES) != store.versions_read[DIP_MESSAGES.full_name]:
                self._take(store, decoded, transaction)
                return
            counted = self._count(survey, verdicts)
            if counted["quarantined"]:
                rejected = reject(decoded, losers, self.settings.max_raw_chars)
                noted = {"run_id": F.lit(self.run.run_id), "quarantined_at": F.lit(datetime.now(UTC))}
                store.insert_new(rejected.withColumns(noted), QUARANTINE)
            self.counts.update(counted)
            accepted = accept(decoded, losers).withColumn("ingested_at", F.lit(datetime.now(UTC)))
            append_marked(store, accepted, DIP_MESSAGES, self._mark(transaction))
            self.is_accounted = True
        finally:
            losers.unpersist()
        _log.info("%s: batch %s; %s in, %s accepted so far", STEP, transaction.version, counted["messages_in"], self.counts["accepted"])

    def _find_known(self, store: TableStore, decoded: DataFrame, survey: list[Row]) -> DataFrame:
        """Accepted messages that have an id of the batch."""
        known = store.read(DIP_MESSAGES).select("transaction_id", "transaction_at", "content_hash")
        if self.settings.reuse_days:
            days: set[date] = {row["day"] for row in survey if row["rule"] is None}
            known = known.where(is_near(days, self.settings.reuse_days))
        ids = decoded.where(F.col("rule").isNull()).select("transaction_id").distinct()
        messages = sum(row["count"] for row in survey if row["rule"] is None)
        return known.join(F.broadcast(ids) if messages <= BROADCAST_IDS else ids, "transaction_id", "left_semi")

    def _count(self, survey: list[Row], verdicts: dict[str, int]) -> Counter[str]:
        """What the batch comes to; the counts of a batch that is handed over again are those of the first time."""
        rules: Counter[str] = Counter()
        whole = 0
        for row in survey:
            if row["rule"] is None:
                whole += row["count"]
            else:
                rules[row["rule"]] += row["count"]
        rules[REUSED.name] += verdicts.get(REUSED.name, 0)
        counts = Counter({f"rule_{rule}": count for rule, count in rules.items() if count})
        quarantined = sum(counts.values())
        duplicates = verdicts.get(DUPLICATE, 0)
        messages_in = whole + quarantined - verdicts.get(REUSED.name, 0)
        accepted = whole - duplicates - verdicts.get(REUSED.name, 0)
        counts.update(messages_in=messages_in, accepted=accepted, quarantined=quarantined, duplicates=duplicates, batches=1)
        return counts

    def _mark(self, transaction: Transaction) -> Mark:
        return Mark(self.stream, transaction.application, transaction.version, self.run.run_id, dict(self.counts))
