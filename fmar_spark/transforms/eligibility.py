"""The gate before characterisation: which meter-days may be looked at at all."""

from datetime import date
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.domain.words import Quantity

ACTIVE_QUANTITIES: Final = (Quantity.AI.value, Quantity.AE.value)
HALF_HOURLY: Final = "H"
UNMETERED: Final = "U"
FROM_DIP: Final = "dip"
METER_ATTRIBUTES: Final = (
    "interval_minutes",
    "time_zone",
    "latitude",
    "longitude",
    "weather_area",
    "gsp_group_id",
    "is_domestic",
)


def eligible_meter_days(
    readings: DataFrame, meter_points: DataFrame, legal_bases: DataFrame, until_date: date, *, is_broadcast: bool = True
) -> DataFrame:
    """Keep the active-energy days up to ``until_date`` of the meters that pass the gate, opted-out slots nulled.

    Columns: mpan_id (of the boundary: an export meter's rows carry the import MPAN that it is linked to), utc_date,
    quantity, kwh, and the boundary meter's interval_minutes, time_zone, latitude, longitude, weather_area,
    gsp_group_id and is_domestic.

    Args:
        readings: silver.readings.
        meter_points: silver.meter_points; a meter without a row there does not pass.
        legal_bases: silver.legal_bases, judged as of ``until_date``.
        until_date: last UTC day that comes out.
        is_broadcast: send the meters' attributes to every worker, so that the readings are not shuffled here. Switch
            off above some ten million meters: the readings are then shuffled once, by meter.
    """
    admitted = judge_meters(meter_points, legal_bases, until_date).where(F.col("refusal").isNull()).drop("refusal")
    wanted = readings.where(F.col("quantity").isin(*ACTIVE_QUANTITIES) & (F.col("utc_date") <= F.lit(until_date)))
    meters = F.broadcast(admitted) if is_broadcast else admitted
    return wanted.join(meters, "mpan_id", "inner").select(
        F.col("boundary_mpan_id").alias("mpan_id"),
        "utc_date",
        "quantity",
        unread_where_opted_out(F.col("kwh"), F.col("opted_out")).alias("kwh"),
        *METER_ATTRIBUTES,
    )


def judge_meters(meter_points: DataFrame, legal_bases: DataFrame, until_date: date) -> DataFrame:
    """Say of every meter point whether it passes the gate: ``refusal`` is null, or names the first rule that it breaks.

    An export meter passes only if the boundary that its rows will carry passes as well. Columns: mpan_id,
    boundary_mpan_id, refusal, and the boundary's attributes.
    """
    covered = legal_bases.where(_covers(until_date)).select(F.col("mpan_id").alias("covered_mpan_id")).distinct()
    meters = meter_points.join(covered, F.col("mpan_id") == F.col("covered_mpan_id"), "left").select(
        "*", F.col("covered_mpan_id").isNotNull().alias("has_basis")
    )
    boundary = meters.select(
        F.col("mpan_id").alias("boundary_mpan_id"),
        F.col("is_domestic").alias("boundary_is_domestic"),
        F.col("has_basis").alias("boundary_has_basis"),
        _refusal(F.col("is_domestic"), F.col("has_basis")).alias("boundary_refusal"),
        *(F.col(name).alias(f"boundary_{name}") for name in METER_ATTRIBUTES if name != "is_domestic"),
    )
    own = _refusal(
        F.coalesce("is_domestic", "boundary_is_domestic"),
        F.col("has_basis") | F.coalesce("boundary_has_basis", F.lit(False)),
    )
    refusal = (
        F.when(F.col("boundary_interval_minutes").isNull(), "boundary_unknown")
        .when(own.isNotNull(), own)
        .when(F.col("boundary_refusal").isNotNull(), "boundary_refused")
    )
    return meters.join(boundary, "boundary_mpan_id", "left").select(
        "mpan_id",
        "boundary_mpan_id",
        refusal.alias("refusal"),
        *(F.col(f"boundary_{name}").alias(name) for name in METER_ATTRIBUTES),
    )


def unread_where_opted_out(kwh: Column, opted_out: Column) -> Column:
    """The 48 energies with null where the customer opted out; untouched where nothing was."""
    masked = F.zip_with(kwh, opted_out, lambda energy, is_out: F.when(~F.coalesce(is_out, F.lit(False)), energy))
    return F.when(opted_out.isNull(), kwh).otherwise(masked)


def _refusal(is_domestic: Column, has_basis: Column) -> Column:
    """The first rule that a meter breaks by itself, null where it breaks none.

    A meter that nobody calls non-domestic is treated as a household. A business need not have been asked for its
    consent, but its refusal counts.
    """
    is_household = F.coalesce(is_domestic, F.lit(True))
    granularity = F.col("consent_granularity")
    has_consent = F.coalesce(granularity == HALF_HOURLY, ~is_household)
    return (
        F.when(~F.coalesce("is_energised", F.lit(True)), "de_energised")
        .when(F.coalesce(F.col("market_segment") == UNMETERED, F.lit(False)), "unmetered")
        .when(F.coalesce(F.col("connection_type") == UNMETERED, F.lit(False)), "unmetered")
        .when((F.col("source") == FROM_DIP) & ~has_consent, "no_half_hourly_consent")
        .when(is_household & ~has_basis, "no_legal_basis")
    )


def _covers(day: date) -> Column:
    starts = F.coalesce("valid_from_date", F.lit(day)) <= F.lit(day)
    ends = F.col("valid_to_date").isNull() | (F.col("valid_to_date") > F.lit(day))
    return starts & ends
