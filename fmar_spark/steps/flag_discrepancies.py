"""Flags what observation contradicts: opened, updated and cleared with the evidence; what is to be sent goes to the outbox."""

from datetime import date, timedelta
from functools import reduce
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.capability import CAPABILITY
from fmar_spark.contracts.deliveries import DELIVERY_CHECKS, DELIVERY_EVIDENCE, DISCREPANCIES, NOTICES
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.contracts.register import AGREEMENTS, DISPUTES, OVERRIDES
from fmar_spark.domain.consent import Purpose
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.settings.sections import DeliverySettings
from fmar_spark.transforms.discrepancies import (
    DELIVERY,
    OVERRIDE,
    SUBJECT,
    FlagRules,
    list_deliveries,
    list_dispute_notices,
    list_ended,
    list_markets,
    list_notices,
    list_overrides,
    list_proven,
    update_flags,
)
from fmar_spark.transforms.eligibility import eligible_meters

READS: Final = (OVERRIDES, AGREEMENTS, CAPABILITY, DELIVERY_EVIDENCE, DELIVERY_CHECKS, DISCREPANCIES, DISPUTES, METER_POINTS, LEGAL_BASES)
WRITES: Final = (DISCREPANCIES, NOTICES)
KEPT_NOTICES_DAYS: Final = 90
"""Flags that changed so long ago have had their notices written."""
PURPOSE_OF_KIND: Final = {OVERRIDE: Purpose.CHARACTERISATION, DELIVERY: Purpose.VERIFICATION}
"""What a flag's observation was derived for."""


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: DeliverySettings) -> Written:
    """Every divergence has one open flag, every flag whose divergence or subject is gone is cleared; the outbox holds what is to be sent
    of both flags and disputes.

    Nothing is corrected: what was declared and what was derived stay as they are. A second run on the same tables changes nothing;
    one that was killed between flags and outbox is completed by the next. Flags and their notices of meters that may no longer be examined
    are gone.
    """
    day = run.run_date or run.started_at.date()
    forgotten = _forget(store, day)
    rules = FlagRules(settings.flag_least_events, settings.flag_material_share, settings.flag_sustained_days)
    declared, capability, evidence = (store.read_or_empty(table) for table in (OVERRIDES, CAPABILITY, DELIVERY_EVIDENCE))
    markets = list_markets(store.read_or_empty(DELIVERY_CHECKS))
    found = list_overrides(declared, capability, rules).drop("unit").unionByName(list_deliveries(evidence, markets, rules))
    found = found.join(_find_excluded(store, found, day).select(*SUBJECT), list(SUBJECT), "left_anti")
    open_flags = store.read_or_empty(DISCREPANCIES).where("state = 'open'")
    ended = list_ended(open_flags, declared, capability, evidence, day)
    own = (run.run_id, run.started_at)
    changed = update_flags(open_flags, found.unionByName(ended), own)
    written = store.merge(changed.select(*DISCREPANCIES.names), DISCREPANCIES)
    since = F.lit(run.started_at - timedelta(days=KEPT_NOTICES_DAYS))
    recent = store.read(DISCREPANCIES).where(F.col("updated_at") >= since)
    disputes = store.read_or_empty(DISPUTES).where(F.col("known_from_at") >= since)
    proven = list_proven(store.read_or_empty(AGREEMENTS), run.started_at)
    notices = store.insert_new(list_notices(recent, proven, own).unionByName(list_dispute_notices(disputes, own)), NOTICES)
    states = store.read(DISCREPANCIES).groupBy("state").count().collect()
    counts = {"flags_written": written, "notices": notices, "flags_forgotten": forgotten} | {
        f"flags_{row['state']}": row["count"] for row in states
    }
    return Written(counts, written)


def _find_excluded(store: TableStore, rows: DataFrame, day: date) -> DataFrame:
    """Rows with ``kind`` and ``mpan_id`` of meters that may not be examined on that day for what the kind was derived for."""
    if not store.has(METER_POINTS):
        return rows.limit(0)
    points, bases = store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES)
    admitted = [
        eligible_meters(points, bases, day, purpose).withColumn("kind", F.lit(kind)).select("kind", "mpan_id")
        for kind, purpose in PURPOSE_OF_KIND.items()
    ]
    return rows.join(reduce(DataFrame.unionByName, admitted), ["kind", "mpan_id"], "left_anti")


def _forget(store: TableStore, day: date) -> int:
    """Flags say what was observed: those of excluded meters go, and the notices of them; how many flags."""
    if not store.has(DISCREPANCIES):
        return 0
    flags = store.read(DISCREPANCIES)
    names = sorted(row["flag_id"] for row in _find_excluded(store, flags, day).select("flag_id").collect())
    gone = F.col("flag_id").isin(names)
    for table in (NOTICES, DISCREPANCIES) if names else ():  # A run that is killed between the two finds the flags again.
        if store.has(table):
            store.keep_only(store.read(table).where(~gone), table, "flag_id")
    return len(names)
