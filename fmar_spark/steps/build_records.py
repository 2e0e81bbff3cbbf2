"""Writes FMAR's record of every detected asset, the FSPs' portfolios, and the envelopes that platforms see."""

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.audiences import ENVELOPES, FMAR_ASSETS, PORTFOLIO
from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.network import CONNECTIONS
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS
from fmar_spark.contracts.register import CONFIRMATIONS, FLEET
from fmar_spark.domain.words import Quantity
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.steps.lake_inputs import choose_days, read_eligible_days
from fmar_spark.transforms.envelopes import is_verified, list_envelopes, list_portfolio
from fmar_spark.transforms.fmar_assets import ATTRIBUTES, describe_assets, identify_assets, keep_departed
from fmar_spark.transforms.placement import place_meters

READS: Final = (
    ASSET_DETECTIONS,
    CAPABILITY,
    METER_PROFILES,
    METER_POINTS,
    LEGAL_BASES,
    CONNECTIONS,
    READINGS,
    FLEET,
    CONFIRMATIONS,
    FMAR_ASSETS,
)
WRITES: Final = (FMAR_ASSETS, PORTFOLIO, ENVELOPES)
YEAR: Final = timedelta(days=365)
HOURS: Final = 0.5
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run) -> Written:
    """The three tables hold the present assets of eligible meters; an asset keeps the id that it was given first.

    Raises:
        ConfigError: nothing is characterised yet.
    """
    day = run.run_date or run.started_at.date()
    points, connections = store.read(METER_POINTS), store.read_or_empty(CONNECTIONS)
    placed = place_meters(points, store.read_or_empty(LEGAL_BASES), connections, day).persist(StorageLevel.MEMORY_AND_DISK)
    fleet = store.read_or_empty(FLEET)
    try:
        detections, sizes, profiles = store.read(ASSET_DETECTIONS), store.read(CAPABILITY), store.read(METER_PROFILES)
        present = _list_present(detections, profiles, fleet).join(placed.select("mpan_id"), "mpan_id", "left_semi")
        known = store.read_or_empty(FMAR_ASSETS)
        identified = identify_assets(present, known)
        described = describe_assets(identified, sizes, placed, run.run_id)
        absent = detections.where(~F.col("is_present")).select("mpan_id", "asset_class")
        store.overwrite(described.unionByName(keep_departed(known, described, placed, absent)), FMAR_ASSETS)
        assets = store.read(FMAR_ASSETS)
        answered = store.read_or_empty(CONFIRMATIONS).where(F.col("known_to_at").isNull())
        store.overwrite(list_portfolio(fleet, assets, sizes, answered, _find_excess(store, run, placed, day)), PORTFOLIO)
        store.overwrite(list_envelopes(assets, sizes, profiles, placed), ENVELOPES)
    finally:
        placed.unpersist()
    return Written(*_count(store))


def _count(store: TableStore) -> tuple[dict[str, int], int]:
    here = store.read(FMAR_ASSETS).where("is_present")
    totals = here.agg(F.count("*").alias("assets"), F.coalesce(F.sum("attributes_filled"), F.lit(0)).alias("filled")).first()
    counts = {
        "assets": int(totals["assets"]) if totals else 0,
        "attributes": ATTRIBUTES,
        "attributes_filled": int(totals["filled"]) if totals else 0,
        "portfolio_rows": store.read(PORTFOLIO).count(),
        "envelopes": store.read(ENVELOPES).count(),
    }
    _log.info("build_records: %s", counts)
    return counts, counts["assets"]


def _list_present(detections: DataFrame, profiles: DataFrame, fleet: DataFrame) -> DataFrame:
    """Present assets with the verified right to them that was there first, where somebody has registered it as that class."""
    here = detections.where("is_present").drop("run_id")
    first = F.min_by(F.struct("fsp_id", "amsid", "valid_from_at", "declared_kw"), F.struct("primacy_tier", "valid_from_at", "agreement_id"))
    rights = (
        fleet.where(is_verified() & (F.col("link") == "asset"))
        .groupBy("mpan_id", "asset_class")
        .agg(first.alias("right"))
        .select(
            "mpan_id",
            "asset_class",
            "right.fsp_id",
            "right.amsid",
            F.to_date("right.valid_from_at").alias("right_from_date"),
            "right.declared_kw",
        )
    )
    begun = profiles.select("mpan_id", "first_date")
    return here.join(rights, ["mpan_id", "asset_class"], "left").join(begun, "mpan_id", "left")


def _find_excess(store: TableStore, run: Run, placed: DataFrame, day: date) -> DataFrame:
    """Whether a half-hour of the last year exported more than was agreed, of connections with a limit."""
    limited = placed.where(F.col("max_export_kw").isNotNull()).select("mpan_id", "max_export_kw")
    if limited.isEmpty():
        return limited.select("mpan_id", F.lit(False).alias("is_over_export_limit"))
    since = datetime(day.year, day.month, day.day, tzinfo=UTC).date() - YEAR
    exported = (
        read_eligible_days(store, choose_days(store, run))
        .where((F.col("quantity") == Quantity.AE.value) & (F.col("utc_date") >= F.lit(since)))
        .join(F.broadcast(limited), "mpan_id")
    )
    is_over = (F.max(F.array_max("kwh")) / HOURS) > F.col("max_export_kw")
    return exported.groupBy("mpan_id", "max_export_kw").agg(is_over.alias("is_over_export_limit")).drop("max_export_kw")
