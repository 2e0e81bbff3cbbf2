"""Writes the health of the register as a whole: how fresh, how sure, how complete, and how it has changed."""

import logging
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.audiences import AREA_CAPABILITY, PUBLISHED_MEASURES, SYSTEM_HEALTH
from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS
from fmar_spark.domain.network import AreaLevel
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.profiling.health_measures import Coverage, Measure, measure_areas, measure_change, measure_coverage
from fmar_spark.settings.sections import AreaSettings
from fmar_spark.transforms.eligibility import eligible_meters

READS: Final = (ASSET_DETECTIONS, METER_POINTS, LEGAL_BASES, QUARANTINE, AREA_CAPABILITY, SYSTEM_HEALTH, PUBLISHED_MEASURES)
WRITES: Final = (SYSTEM_HEALTH, PUBLISHED_MEASURES)
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: AreaSettings) -> Written:
    """One row a measure, of Great Britain, of each class, and of each class by GSP group.

    Raises:
        ConfigError: nothing is characterised yet.
    """
    day = run.run_date or run.started_at.date()
    points = store.read(METER_POINTS)
    eligible = eligible_meters(points, store.read_or_empty(LEGAL_BASES), day)
    detections = store.read(ASSET_DETECTIONS).join(eligible, "mpan_id", "left_semi")
    newest = detections.agg(F.max("as_of_date").alias("day")).first()
    if newest is None or newest["day"] is None:
        raise ConfigError("gold.asset_detections: no eligible meter characterised yet; run jobs/characterise.py first")
    whole = store.read_or_empty(SYSTEM_HEALTH).where("asset_class = ''").select("metric", "value").collect()
    measures = list(measure_areas(_list_areas(store.read_or_empty(AREA_CAPABILITY))))
    changes = measure_change(measures, [row.asDict() for row in store.read_or_empty(PUBLISHED_MEASURES).collect()])
    rows = [
        *measure_coverage(
            _count_coverage(store, points, detections, (day - newest["day"]).days),
            {row["metric"]: row["value"] for row in whole},
            newest["day"],
            settings.min_meters,
        ),
        *measures,
        *changes,
    ]
    store.overwrite(_to_rows(store, rows, SYSTEM_HEALTH, run), SYSTEM_HEALTH)
    store.merge(_to_rows(store, measures, PUBLISHED_MEASURES, run), PUBLISHED_MEASURES)
    _log.info("build_system_health: %s measures", len(rows))
    return Written({"measures": len(rows)}, len(rows))


def _count_coverage(store: TableStore, points: DataFrame, detections: DataFrame, days_since_newest: int) -> Coverage:
    known = points.select("boundary_mpan_id").distinct().count()
    examined = detections.select("mpan_id").distinct().count()
    rejected = store.read_or_empty(QUARANTINE).agg(F.sum(F.coalesce("messages", F.lit(1))).alias("rows")).first()
    return Coverage(known, examined, days_since_newest, int((rejected and rejected["rows"]) or 0))


def _list_areas(areas: DataFrame) -> list[dict[str, Any]]:
    """What is published of Great Britain and of GSP groups, in the direction that a class is sized in."""
    main = F.create_map(*(F.lit(str(one)) for asset in ASSET_CLASSES for one in (asset, ASSET_FACTS[asset].main_direction)))
    is_whole = F.col("area_level") == AreaLevel.GB.value
    wanted = areas.where(
        (is_whole | (F.col("area_level") == AreaLevel.GSP_GROUP.value)) & (F.col("direction") == main[F.col("asset_class")])
    )
    placed = wanted.withColumn("gsp_group_id", F.when(is_whole, F.lit("")).otherwise(F.col("area_id")))
    return [row.asDict() for row in placed.orderBy("gsp_group_id", "asset_class").collect()]


def _to_rows(store: TableStore, measures: list[Measure], contract: TableContract, run: Run) -> DataFrame:
    rows = [{**one, "run_id": run.run_id} for one in measures]
    return store.spark.createDataFrame(pa.Table.from_pylist(rows, arrow_schema(contract)))
