"""One row a meter point, from standing data, from a first message, or from an imported series."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.clock import LONDON
from fmar_spark.contracts.readings import METER_POINTS
from fmar_spark.domain.gsp_groups import GSP_GROUPS, MIDDLE
from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR
from fmar_spark.engine.schema import conform
from fmar_spark.units import SLOT_MINUTES

EXPORTS: Final = "E"
STANDING_FIELDS: Final = (
    "connection_type",
    "energy_direction",
    "is_energised",
    "market_segment",
    "annual_kwh",
    "is_domestic",
    "linked_mpan_id",
    "consent_granularity",
)


def points_of_standing(messages: DataFrame) -> DataFrame:
    """The newest standing data of every meter point, field by field: a message that leaves a field out changes nothing in it.

    An export meter point belongs to the boundary of the import meter point that it names, or that names it.

    Args:
        messages: all standing messages of ``bronze.dip_messages`` about the wanted meter points and their partners.
    """
    reported = messages.where(F.col("standing").isNotNull()).select(
        "mpan_id", "gsp_group_id", "transaction_at", _oldest_first().alias("_order"), "standing.*"
    )
    fields = ("gsp_group_id", *STANDING_FIELDS)
    newest = reported.groupBy("mpan_id").agg(
        *(F.max_by(name, F.when(F.col(name).isNotNull(), F.col("_order"))).alias(name) for name in fields),
        F.max("transaction_at").alias("reported_at"),
    )
    is_export = F.coalesce(F.col("energy_direction") == EXPORTS, F.lit(False))
    named = newest.where(~is_export & F.col("linked_mpan_id").isNotNull())
    partners = named.groupBy(F.col("linked_mpan_id").alias("mpan_id")).agg(F.min("mpan_id").alias("_named_by"))
    joined = newest.join(partners, "mpan_id", "left")
    boundary = F.when(is_export, F.coalesce("linked_mpan_id", "_named_by"))
    return _of_the_dip(joined.withColumn("boundary_mpan_id", F.coalesce(boundary, "mpan_id")))


def points_of_first_messages(messages: DataFrame) -> DataFrame:
    """Meter points of which nothing but readings was reported yet: unknown, and so treated as households without consent."""
    met = messages.groupBy("mpan_id").agg(
        F.max_by("gsp_group_id", F.when(F.col("gsp_group_id").isNotNull(), _oldest_first())).alias("gsp_group_id"),
        F.min("transaction_at").alias("reported_at"),
    )
    unknown = {name: METER_POINTS.column(name).type for name in STANDING_FIELDS if name in METER_POINTS.names}
    blank = met.select("*", *(F.lit(None).cast(kind).alias(name) for name, kind in unknown.items()))
    return _of_the_dip(blank.withColumn("boundary_mpan_id", F.col("mpan_id")))


def points_of_series(series: DataFrame) -> DataFrame:
    """Every imported series as a meter point of its own boundary."""
    unknown = ("connection_type", "energy_direction", "is_energised", "market_segment", "annual_kwh", "consent_granularity")
    rows = series.select(
        "mpan_id",
        F.lit("import").alias("source"),
        "gsp_group_id",
        "is_domestic",
        F.col("mpan_id").alias("boundary_mpan_id"),
        "interval_minutes",
        "time_zone",
        "latitude",
        "longitude",
        "weather_area",
        F.col("imported_at").alias("reported_at"),
        *(F.lit(None).cast(METER_POINTS.column(name).type).alias(name) for name in unknown),
    )
    return conform(rows, METER_POINTS)


def _oldest_first() -> Column:
    """Orders messages about one meter point: ties of time go by the transaction's name."""
    return F.struct("transaction_at", "transaction_id")


def _of_the_dip(rows: DataFrame) -> DataFrame:
    """What no message states: where the meter point is, by its settlement area, and whose weather is its own."""
    by_distributor = _look_up(F.substring("mpan_id", 1, 2), GSP_GROUP_OF_DISTRIBUTOR)
    group = F.coalesce("gsp_group_id", by_distributor)
    placed = rows.withColumn("gsp_group_id", group)
    latitudes = {one.gsp_group_id: one.latitude for one in GSP_GROUPS}
    longitudes = {one.gsp_group_id: one.longitude for one in GSP_GROUPS}
    return conform(
        placed.select(
            "*",
            F.lit("dip").alias("source"),
            F.lit(SLOT_MINUTES).alias("interval_minutes"),
            F.lit(LONDON).alias("time_zone"),
            F.coalesce(_look_up(F.col("gsp_group_id"), latitudes), F.lit(MIDDLE.latitude)).alias("latitude"),
            F.coalesce(_look_up(F.col("gsp_group_id"), longitudes), F.lit(MIDDLE.longitude)).alias("longitude"),
            F.col("gsp_group_id").alias("weather_area"),
        ),
        METER_POINTS,
    )


def _look_up(key: Column, table: dict[str, str] | dict[str, float]) -> Column:
    """The table's value of a key, null where it has none."""
    entries = F.create_map(*(F.lit(part) for pair in table.items() for part in pair))
    return F.try_element_at(entries, key)
