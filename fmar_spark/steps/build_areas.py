"""Writes what the assets of every area can do together, with single meters kept out of it."""

import logging
from collections.abc import Sequence
from typing import Final

import pandas as pd
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.audiences import AREA_AVAILABILITY, AREA_CAPABILITY, AREAS, PUBLISHED_BLOCKS, PUBLISHED_METERS
from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.network import CONNECTIONS, NETWORK_NODES, NETWORK_ZONES
from fmar_spark.contracts.profiles import ASSET_EVENTS, METER_PROFILES
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.contracts.register import FLEET
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.words import Status
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.bridge import map_whole_keys
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.kernels.disclosure import Rules
from fmar_spark.profiling.area_errors import load_errors
from fmar_spark.profiling.area_history import METER_COLUMNS, Continued, History, continue_publication, hold_unanswered
from fmar_spark.profiling.area_plan import ATOM_COLUMNS, Publication, describe_areas, list_areas_of, plan_publication
from fmar_spark.profiling.area_sums import AreaPass, AvailabilityPass, BlockPass, CapabilityPass, Rounding, Stamp
from fmar_spark.profiling.shared_days import SharedFactors, find_shared_factors
from fmar_spark.settings.sections import AreaSettings
from fmar_spark.transforms.envelopes import is_verified
from fmar_spark.transforms.placement import list_zones, place_meters
from fmar_spark.transforms.validity import holds_on

READS: Final = (
    ASSET_DETECTIONS,
    CAPABILITY,
    METER_PROFILES,
    ASSET_EVENTS,
    METER_POINTS,
    LEGAL_BASES,
    NETWORK_NODES,
    NETWORK_ZONES,
    CONNECTIONS,
    FLEET,
    PUBLISHED_BLOCKS,
    PUBLISHED_METERS,
    AREA_CAPABILITY,
)
WRITES: Final = (AREAS, PUBLISHED_BLOCKS, PUBLISHED_METERS, AREA_CAPABILITY, AREA_AVAILABILITY)
KEYS_PER_CHUNK: Final = 32
DAYS_OF_GROWTH: Final = 365
SEPARATOR: Final = "\x1f"
AREA_OF_BLOCK: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("asset_class", "block_id", "area_level", "area_id", "area_key")),
        ("share_unanswered", pa.float64()),
    ]
)
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: AreaSettings) -> Written:
    """The tables of areas say what the present assets of eligible meters do together on the run date.

    Raises:
        ConfigError: nothing is characterised yet.
    """
    day = run.run_date or run.started_at.date()
    placed = place_meters(store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), store.read_or_empty(CONNECTIONS), day)
    zones = list_zones(placed, store.read_or_empty(NETWORK_ZONES), day).withColumn("zone_ids", F.concat_ws("\x1f", "zone_ids"))
    names = [F.coalesce(F.col(name), F.lit("")).alias(name) for name in ATOM_COLUMNS]
    located = placed.join(zones, "mpan_id", "left").select("mpan_id", *names).withColumn("atom", F.concat_ws("\x1e", *ATOM_COLUMNS))
    located = located.persist(StorageLevel.MEMORY_AND_DISK)
    assets = store.read(ASSET_DETECTIONS).join(located, "mpan_id").persist(StorageLevel.MEMORY_AND_DISK)
    try:
        newest = assets.agg(F.max("as_of_date").alias("day")).first()
        if newest is None or newest["day"] is None:
            raise ConfigError("gold.asset_detections: no eligible meter characterised yet; run jobs/characterise.py first")
        stamp = Stamp(run.run_id, newest["day"])
        counts = _count_atoms(assets, store.read(CAPABILITY))
        wanted = plan_publication(counts, Rules(settings.min_meters, settings.max_meter_share))
        continued = continue_publication(wanted, _list_meters(assets), _read_history(store), settings.min_meters)
        publication = continued.publication
        _write_areas(store, counts, day, stamp)
        _write_blocks(store, assets, continued, stamp)
        areas = AreaPass(
            stamp,
            Rounding(settings.count_step, settings.share_step),
            _find_shared(store.read(ASSET_EVENTS), located),
            load_errors(),
        )
        shares = hold_unanswered(publication.examined, _read_shares(store), settings.min_meters, settings.share_step)
        written = _write_sums(store, publication, shares, areas)
    finally:
        assets.unpersist()
        located.unpersist()
    published = len(publication.areas.drop_duplicates(["asset_class", "area_key"]))
    found = {"published": published, "withheld": len(publication.withheld), "rows": written}
    _log.info("build_areas: %s", found)
    return Written(found, written)


def _count_atoms(assets: DataFrame, capabilities: DataFrame) -> pd.DataFrame:
    """Meters, answers and sizes of every atom and class."""
    sizes = capabilities.groupBy("mpan_id", "asset_class").agg(F.max("rated_kw").alias("kw"))
    is_present = F.coalesce(F.col("is_present"), F.lit(False))
    kw = F.when(is_present, F.coalesce("kw", F.lit(0.0))).otherwise(0.0)
    counted = (
        assets.join(sizes, ["mpan_id", "asset_class"], "left")
        .groupBy("atom", *ATOM_COLUMNS, "asset_class")
        .agg(
            F.count("*").alias("examined"),
            F.count_if(F.col("status") != Status.CHARACTERISED.value).alias("unanswered"),
            F.count_if(is_present).alias("meters"),
            F.sum(kw).alias("kw"),
            F.max(kw).alias("largest_kw"),
        )
    )
    return counted.toPandas().sort_values(["atom", "asset_class"], ignore_index=True)


def _write_areas(store: TableStore, counts: pd.DataFrame, day: object, stamp: Stamp) -> None:
    nodes = store.read_or_empty(NETWORK_NODES).where(holds_on(pd.Timestamp(str(day)).date()))
    zones = store.read_or_empty(NETWORK_ZONES).where(holds_on(pd.Timestamp(str(day)).date()))
    known = list(list_areas_of(counts.drop_duplicates("atom").reset_index(drop=True)))
    named = nodes.select("node_id", "level", "name", "dno_code", "parent_id", "latitude", "longitude").toPandas()
    zone_names = {row["zone_id"]: row["name"] for row in zones.select("zone_id", "name").distinct().collect()}
    described = describe_areas(known, named.astype(object).where(named.notna(), None), zone_names)
    store.overwrite(_to_rows(store, described.assign(run_id=stamp.run_id, as_of_date=stamp.as_of_date), AREAS), AREAS)


def _list_meters(assets: DataFrame) -> pd.DataFrame:
    digest = F.sha2("mpan_id", 256).alias("meter_digest")
    return assets.where("is_present").select("asset_class", digest, "atom").toPandas()


def _read_history(store: TableStore) -> History:
    areas = store.read_or_empty(PUBLISHED_BLOCKS).select("asset_class", "block_id", F.explode("areas").alias("area_key")).distinct()
    return History(store.read_or_empty(PUBLISHED_METERS).select(*METER_COLUMNS).toPandas(), areas.toPandas())


def _write_blocks(store: TableStore, assets: DataFrame, continued: Continued, stamp: Stamp) -> None:
    """The sums over the meters of every block that is renewed, in one pass over their profiles; the others stay."""
    publication = continued.publication
    blocks = _spread(store, publication.blocks[["atom", "asset_class", "block_id"]])
    is_appeared = F.coalesce(F.col("appeared_date") > F.date_sub("as_of_date", DAYS_OF_GROWTH), F.lit(False)).alias("is_appeared")
    registered = store.read_or_empty(FLEET).where(is_verified() & (F.col("link") == "asset")).select("mpan_id", "asset_class").distinct()
    present = (
        assets.where("is_present")
        .select("mpan_id", "asset_class", "tier", "present_probability", "atom", is_appeared)
        .join(registered.withColumn("_registered", F.lit(True)), ["mpan_id", "asset_class"], "left")
        .withColumn("is_registered", F.coalesce("_registered", F.lit(False)))
        .drop("_registered")
    )
    members = present.join(F.broadcast(blocks), ["atom", "asset_class"]).drop("atom")
    sizes = store.read(CAPABILITY).select(
        "mpan_id",
        "asset_class",
        "direction",
        *(f"rated_kw{suffix}" for suffix in ("", "_lower", "_upper", "_p10", "_p90")),
        "energy_kwh_day",
    )
    seasons = store.read(METER_PROFILES).select("mpan_id", F.explode("availabilities").alias("row"))
    timed = seasons.select("mpan_id", "row.asset_class", "row.direction", "row.season", "row.probability", "row.kw_p50")
    rows = members.join(sizes, ["mpan_id", "asset_class"], "left").join(timed, ["mpan_id", "asset_class", "direction"], "left")
    renewed = map_whole_keys(rows, "block_id", BlockPass(stamp), PUBLISHED_BLOCKS, KEYS_PER_CHUNK, 0)
    kept = store.read_or_empty(PUBLISHED_BLOCKS).join(
        F.broadcast(_spread(store, continued.kept[["asset_class", "block_id"]])), ["asset_class", "block_id"]
    )
    listed = publication.areas.groupby(["asset_class", "block_id"])["area_key"].agg(SEPARATOR.join).rename("area_keys").reset_index()
    areas = _spread(store, listed[["asset_class", "block_id", "area_keys"]])
    whole = renewed.select(*PUBLISHED_BLOCKS.names).unionByName(kept.select(*PUBLISHED_BLOCKS.names)).drop("areas")
    named = whole.join(F.broadcast(areas), ["asset_class", "block_id"]).withColumn("areas", F.split("area_keys", SEPARATOR))
    store.overwrite(named, PUBLISHED_BLOCKS)
    store.overwrite(_to_rows(store, continued.meters, PUBLISHED_METERS), PUBLISHED_METERS)


def _spread(store: TableStore, frame: pd.DataFrame) -> DataFrame:
    schema = pa.schema([(name, pa.string()) for name in frame.columns])
    return store.spark.createDataFrame(pa.Table.from_pandas(frame.astype(str), schema, preserve_index=False))


def _find_shared(events: DataFrame, located: DataFrame) -> SharedFactors:
    """How far the days of a season differ for all meters of a settlement area alike, by class and direction."""
    half = F.pmod(F.crc32("mpan_id"), F.lit(2)).alias("half")
    daily = (
        events.join(located.select("mpan_id", "gsp_group_id"), "mpan_id")
        .groupBy("gsp_group_id", "asset_class", "is_import", F.to_date("started_at").alias("day"), half)
        .agg(F.sum("energy_kwh").alias("kwh"))
        .toPandas()
    )
    return find_shared_factors(daily)


def _read_shares(store: TableStore) -> pd.DataFrame:
    """What the last publication said of how much is unanswered."""
    key = F.concat_ws("/", "area_level", "area_id").alias("area_key")
    return store.read_or_empty(AREA_CAPABILITY).select("asset_class", key, "share_unanswered").dropna().distinct().toPandas()


def _write_sums(store: TableStore, publication: Publication, shares: pd.DataFrame, areas: AreaPass) -> int:
    shared = publication.areas.merge(shares, on=["asset_class", "area_key"], how="left")
    of_area = store.spark.createDataFrame(pa.Table.from_pandas(shared, AREA_OF_BLOCK, preserve_index=False))
    rows = store.read(PUBLISHED_BLOCKS).drop("run_id", "as_of_date").join(F.broadcast(of_area), ["asset_class", "block_id"])
    figures = map_whole_keys(rows, "area_key", CapabilityPass(areas), AREA_CAPABILITY, KEYS_PER_CHUNK, 0)
    withheld = _to_rows(store, _describe_withheld(publication.withheld, areas.stamp), AREA_CAPABILITY)
    written = store.overwrite(figures.unionByName(withheld), AREA_CAPABILITY)
    times = map_whole_keys(rows, "area_key", AvailabilityPass(areas), AREA_AVAILABILITY, KEYS_PER_CHUNK, 0)
    return written + store.overwrite(times, AREA_AVAILABILITY)


def _describe_withheld(withheld: pd.DataFrame, stamp: Stamp) -> pd.DataFrame:
    directions = pd.DataFrame(
        [(asset.value, direction.value) for asset in AssetClass for direction in ASSET_FACTS[asset].directions],
        columns=["asset_class", "direction"],
    )
    rows = withheld.merge(directions, on="asset_class").assign(is_suppressed=True, run_id=stamp.run_id, as_of_date=stamp.as_of_date)
    return rows.reindex(columns=list(AREA_CAPABILITY.names)).astype(object)


def _to_rows(store: TableStore, frame: pd.DataFrame, contract: TableContract) -> DataFrame:
    schema = arrow_schema(contract)
    columns: Sequence[pa.Array] = [
        pa.array([None if pd.isna(value) else value for value in frame[field.name]], field.type) for field in schema
    ]
    return store.spark.createDataFrame(pa.Table.from_arrays(list(columns), schema=schema))
