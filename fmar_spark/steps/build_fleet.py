"""Writes gold.fleet: what was detected, what it can do, who may dispatch it, and what nobody has registered."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from pyspark.sql import functions as F

from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.register import AGREEMENTS, CONFIRMATIONS, FLEET, OVERRIDES
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.transforms.fleet import classes_of_assets, current_at, join_fleet, present_capabilities

READS: Final = (ASSET_DETECTIONS, CAPABILITY, AGREEMENTS, OVERRIDES, CONFIRMATIONS)
WRITES: Final = (FLEET,)
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run) -> Written:
    """The whole view is written anew from what is known now; rights are those in force at the end of the run date, or now."""
    moment = run.started_at
    if run.run_date is not None:
        moment = datetime(run.run_date.year, run.run_date.month, run.run_date.day, tzinfo=UTC) + timedelta(days=1)
    overrides, confirmations = store.read(OVERRIDES), store.read(CONFIRMATIONS)
    fleet = join_fleet(
        present_capabilities(store.read_or_empty(ASSET_DETECTIONS), store.read_or_empty(CAPABILITY)),
        current_at(store.read(AGREEMENTS), moment),
        classes_of_assets(overrides, confirmations),
        current_at(overrides, moment),
        run.run_id,
    )
    store.overwrite(fleet, FLEET)
    written = store.read(FLEET)
    assets = written.agg(
        F.countDistinct("mpan_id", "asset_class").alias("all"),
        F.countDistinct(F.when(~F.col("is_registered"), F.struct("mpan_id", "asset_class"))).alias("unregistered"),
    ).first()
    counts = {"assets": int(assets["all"]), "unregistered_assets": int(assets["unregistered"])} if assets else {}
    _log.info("build_fleet: %s", counts)
    return Written(counts, written.count())
