"""Dispatch events with what was declared of each, by the boundary that shows it."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.domain.deliveries import ESTIMATED, OPTED_OUT, RIGHT_ENDED, RIGHT_UNKNOWN

ACTUAL: Final = ("A", "A1", "A2", "A3", "AAE1", "AAE2", "AAE3")
"""Qualities of measured half-hours, adjusted ones included; all others are estimates (DIP)."""
SLOT: Final = "INTERVAL 30 MINUTES"


def mark_unmeasured(readings: DataFrame) -> DataFrame:
    """The readings with ``ESTIMATED`` or ``OPTED_OUT`` for half-hours that were not measured or must not be looked at."""
    is_plain = F.size(F.array_except("quality", F.array(*(F.lit(code) for code in (*ACTUAL, None))))) == 0
    measured = F.zip_with("kwh", "quality", lambda kwh, code: F.when(code.isin(*ACTUAL) | kwh.isNull(), kwh).otherwise(ESTIMATED))
    kwh = F.when(is_plain, F.col("kwh")).otherwise(measured)
    allowed = F.zip_with(kwh, "opted_out", lambda kwh, is_out: F.when(is_out, F.lit(OPTED_OUT)).otherwise(kwh))
    marked = F.when(F.col("opted_out").isNull(), kwh).otherwise(allowed).cast("array<float>")
    return readings.withColumn("kwh", marked).withColumn("opted_out", F.lit(None).cast("array<boolean>"))


def list_dispatches(events: DataFrame, meter_points: DataFrame) -> DataFrame:
    """The newest version of each event that names a meter point, by its boundary; ``event_date`` is its local day.

    Args:
        events: silver.dispatch_events.
        meter_points: silver.meter_points; an export meter point belongs to the boundary of its import meter.
    """
    boundary = _list_boundaries(meter_points)
    newest = events.where(F.col("is_newest") & (F.col("mpan_id") != "")).join(F.broadcast(boundary), "mpan_id", "left")
    known = newest.withColumn("mpan_id", F.coalesce("boundary_mpan_id", "mpan_id"))
    dated = known.withColumn("event_date", F.to_date(F.from_utc_timestamp("start_at", F.coalesce("time_zone", F.lit("Europe/London")))))
    return dated.drop("boundary_mpan_id", "time_zone").dropDuplicates(["event_id", "mpan_id", "amsid"])


def list_volumes(volumes: DataFrame, meter_points: DataFrame) -> DataFrame:
    """The newest version of each declared half-hour, by its boundary."""
    newest = volumes.where("is_newest").join(F.broadcast(_list_boundaries(meter_points)), "mpan_id", "left")
    place = ("mpan_id", "amsid", "fsp_id", "slot_start_at")
    return newest.withColumn("mpan_id", F.coalesce("boundary_mpan_id", "mpan_id")).dropDuplicates(list(place))


def join_volumes(dispatches: DataFrame, volumes: DataFrame) -> DataFrame:
    """Each event with the sum of what its FSP declared of its asset in its half-hours.

    Adds declared_kwh (null where nothing was declared), declared_slots, is_above_metered, volume_notices and
    ``newest_at``, when the newest of its declarations was loaded.

    Args:
        dispatches: of ``list_dispatches``.
        volumes: of ``list_volumes``.
    """
    key = ("event_id", "mpan_id", "amsid")
    last = F.expr("end_at - INTERVAL 1 MICROSECOND")
    slots = F.sequence(_floor_slot(F.col("start_at")), _floor_slot(last), F.expr(SLOT))
    exploded = dispatches.select(*key, "fsp_id", "dispatch_direction", F.explode(slots).alias("slot_start_at"))
    said = volumes.select(
        "mpan_id",
        "amsid",
        "fsp_id",
        "slot_start_at",
        "delivered_kwh",
        "metered_kwh",
        "is_network_sign",
        F.col("notices").alias("said_notices"),
        F.col("loaded_at").alias("said_at"),
    )
    is_turned = F.col("is_network_sign") & (F.col("dispatch_direction") == "up")
    matched = exploded.join(said, ["mpan_id", "amsid", "fsp_id", "slot_start_at"], "inner")
    matched = matched.withColumn("declared", F.when(is_turned, -F.col("delivered_kwh")).otherwise(F.col("delivered_kwh")))
    given = F.when(F.col("dispatch_direction") == "down", -F.col("metered_kwh")).otherwise(F.col("metered_kwh"))
    sums = matched.groupBy(*key).agg(
        F.sum("declared").alias("declared_kwh"),
        F.count(F.lit(1)).cast("int").alias("declared_slots"),
        F.coalesce(F.max((given > 0) & (F.col("declared") > given * 1.001 + 0.001)), F.lit(False)).alias("is_above_metered"),
        F.array_distinct(F.flatten(F.collect_set("said_notices"))).alias("volume_notices"),
        F.max("said_at").alias("said_at"),
    )
    joined = dispatches.join(sums, list(key), "left")
    return joined.withColumns(
        {
            "declared_slots": F.coalesce("declared_slots", F.lit(0)),
            "is_above_metered": F.coalesce("is_above_metered", F.lit(False)),
            "volume_notices": F.coalesce("volume_notices", F.array().cast("array<string>")),
            "newest_at": F.greatest("loaded_at", "said_at"),
        }
    ).drop("said_at")


def list_unasked(dispatches: DataFrame, volumes: DataFrame) -> DataFrame:
    """Declared volumes of assets and local days without any event: one row each, with the sum and when the newest was loaded."""
    days = dispatches.select("mpan_id", "amsid", "fsp_id", "event_date").distinct()
    dated = volumes.where("mpan_id <> ''").withColumn("event_date", F.to_date(F.from_utc_timestamp("slot_start_at", "Europe/London")))
    return (
        dated.join(days, ["mpan_id", "amsid", "fsp_id", "event_date"], "left_anti")
        .groupBy("mpan_id", "amsid", "fsp_id", "event_date")
        .agg(
            F.min("slot_start_at").alias("start_at"),
            F.expr(f"max(slot_start_at) + {SLOT}").alias("end_at"),
            F.sum("delivered_kwh").alias("declared_kwh"),
            F.count(F.lit(1)).cast("int").alias("half_hours"),
            F.max("loaded_at").alias("newest_at"),
        )
    )


def join_rights(dispatches: DataFrame, agreements: DataFrame) -> DataFrame:
    """Each event with what the register says of its FSP's right: ``RIGHT_UNKNOWN``, ``RIGHT_ENDED``, or '' where there is one.

    Without a register nothing is known of any right, and nothing is said.

    Args:
        dispatches: of ``list_dispatches``.
        agreements: silver.agreements.
    """
    current = agreements.where(F.col("known_to_at").isNull())
    if current.isEmpty():
        return dispatches.withColumn("right", F.lit(""))
    rights = current.groupBy("fsp_id", "mpan_id", "amsid").agg(
        F.collect_list(F.struct("valid_from_at", "valid_to_at")).alias("stretches"), F.lit(True).alias("is_known")
    )
    covers = F.exists(
        "stretches",
        lambda one: (one.valid_from_at <= F.col("start_at")) & (one.valid_to_at.isNull() | (one.valid_to_at > F.col("start_at"))),
    )
    right = F.when(F.col("is_known").isNull(), RIGHT_UNKNOWN).when(covers, "").otherwise(RIGHT_ENDED)
    return dispatches.join(rights, ["fsp_id", "mpan_id", "amsid"], "left").withColumn("right", right).drop("stretches", "is_known")


def join_limits(dispatches: DataFrame, connections: DataFrame) -> DataFrame:
    """Each event with what its connection can swing at most, kW: import and export capacity together; null where unknown.

    Args:
        dispatches: of ``list_dispatches``.
        connections: silver.connections.
    """
    terms = connections.where(F.col("valid_to_date").isNull()).select(
        "mpan_id", (F.col("max_import_kw") + F.coalesce("max_export_kw", F.lit(0.0))).alias("limit_kw")
    )
    return dispatches.join(F.broadcast(terms.dropDuplicates(["mpan_id"])), "mpan_id", "left")


def _list_boundaries(meter_points: DataFrame) -> DataFrame:
    return meter_points.select("mpan_id", "boundary_mpan_id", "time_zone")


def _floor_slot(moment: Column) -> Column:
    return F.timestamp_seconds(F.floor(F.unix_timestamp(moment) / 1800) * 1800)
