"""Flags what observation contradicts: opened, updated and cleared with the evidence; what is to be sent goes to the outbox."""

from datetime import timedelta
from typing import Final

from pyspark.sql import functions as F

from fmar_spark.contracts.capability import CAPABILITY
from fmar_spark.contracts.deliveries import DELIVERY_CHECKS, DELIVERY_EVIDENCE, DISCREPANCIES, NOTICES
from fmar_spark.contracts.register import AGREEMENTS, DISPUTES, OVERRIDES
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.settings.sections import DeliverySettings
from fmar_spark.transforms.discrepancies import (
    FlagRules,
    list_deliveries,
    list_dispute_notices,
    list_markets,
    list_notices,
    list_overrides,
    list_proven,
    update_flags,
)

READS: Final = (OVERRIDES, AGREEMENTS, CAPABILITY, DELIVERY_EVIDENCE, DELIVERY_CHECKS, DISCREPANCIES, DISPUTES)
WRITES: Final = (DISCREPANCIES, NOTICES)
KEPT_NOTICES_DAYS: Final = 90
"""Flags that changed so long ago have had their notices written."""


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: DeliverySettings) -> Written:
    """Every divergence has one open flag, every flag whose divergence is gone is cleared; the outbox holds what is to be sent of both
    flags and disputes.

    Nothing is corrected: what was declared and what was derived stay as they are. A second run on the same tables changes nothing;
    one that was killed between flags and outbox is completed by the next.
    """
    rules = FlagRules(settings.flag_least_events, settings.flag_material_share, settings.flag_sustained_days)
    overrides = list_overrides(store.read_or_empty(OVERRIDES), store.read_or_empty(CAPABILITY), rules)
    markets = list_markets(store.read_or_empty(DELIVERY_CHECKS))
    deliveries = list_deliveries(store.read_or_empty(DELIVERY_EVIDENCE), markets, rules)
    found = overrides.drop("unit").unionByName(deliveries)
    flags = store.read_or_empty(DISCREPANCIES)
    own = (run.run_id, run.started_at)
    changed = update_flags(flags.where("state = 'open'"), found, own)
    written = store.merge(changed.select(*DISCREPANCIES.names), DISCREPANCIES)
    since = F.lit(run.started_at - timedelta(days=KEPT_NOTICES_DAYS))
    recent = store.read(DISCREPANCIES).where(F.col("updated_at") >= since)
    disputes = store.read_or_empty(DISPUTES).where(F.col("known_from_at") >= since)
    proven = list_proven(store.read_or_empty(AGREEMENTS), run.started_at)
    notices = store.insert_new(list_notices(recent, proven, own).unionByName(list_dispute_notices(disputes, own)), NOTICES)
    states = store.read(DISCREPANCIES).groupBy("state").count().collect()
    counts = {"flags_written": written, "notices": notices} | {f"flags_{row['state']}": row["count"] for row in states}
    return Written(counts, written)
