"""Where the meters that may be looked at are connected."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR
from fmar_spark.domain.network import DNO_OF_DISTRIBUTOR, LEVELS
from fmar_spark.transforms.eligibility import eligible_meters
from fmar_spark.transforms.validity import holds_on

BRANCH: Final = tuple(f"{level}_id" for level in LEVELS)
TERMS: Final = ("firmness", "connection_status", "max_export_kw", "max_import_kw", "poc_voltage_kv")


def place_meters(meter_points: DataFrame, legal_bases: DataFrame, connections: DataFrame, day: date) -> DataFrame:
    """One row for every boundary that passes the consent check on that day.

    Columns: mpan_id, export_mpan_id, is_domestic, is_energised, gsp_group_id, dno_code, the branch of nodes above it, and the
    terms of its connection, null where they are not known. An export limit may stand with the export meter.
    """
    eligible = eligible_meters(meter_points, legal_bases, day)
    exports = (
        meter_points.where((F.col("energy_direction") == "E") & (F.col("mpan_id") != F.col("boundary_mpan_id")))
        .groupBy(F.col("boundary_mpan_id").alias("mpan_id"))
        .agg(F.min("mpan_id").alias("export_mpan_id"))
    )
    now = connections.where(holds_on(day)).withColumnRenamed("dno_code", "stated_dno")
    own = now.select("mpan_id", "stated_dno", *BRANCH, *TERMS)
    of_export = now.select(F.col("mpan_id").alias("export_mpan_id"), F.col("max_export_kw").alias("_export_limit"))
    standing = meter_points.select("mpan_id", "is_domestic", "is_energised", F.col("gsp_group_id").alias("_group"))
    joined = (
        eligible.join(standing, "mpan_id")
        .join(exports, "mpan_id", "left")
        .join(own, "mpan_id", "left")
        .join(of_export, "export_mpan_id", "left")
    )
    return joined.withColumns(
        {
            "gsp_group_id": F.coalesce("_group", by_distributor(GSP_GROUP_OF_DISTRIBUTOR)),
            "dno_code": F.coalesce("stated_dno", by_distributor(DNO_OF_DISTRIBUTOR)),
            "max_export_kw": F.coalesce("max_export_kw", "_export_limit"),
        }
    ).drop("_group", "stated_dno", "_export_limit")


def list_zones(placed: DataFrame, zones: DataFrame, day: date) -> DataFrame:
    """``mpan_id`` and ``zone_ids``, sorted, of the meters that are in a zone."""
    above = placed.select("mpan_id", F.explode(F.array(*BRANCH)).alias("node_id")).where(F.col("node_id").isNotNull())
    inside = above.join(F.broadcast(zones.where(holds_on(day)).select("zone_id", "node_id")), "node_id")
    return inside.groupBy("mpan_id").agg(F.array_sort(F.collect_set("zone_id")).alias("zone_ids"))


def by_distributor(meaning: Mapping[str, str]) -> Column:
    """What the first two digits of ``mpan_id`` mean; null where nothing."""
    pairs = F.create_map(*(F.lit(str(word)) for pair in meaning.items() for word in pair))
    return F.try_element_at(pairs, F.substring("mpan_id", 1, 2))
