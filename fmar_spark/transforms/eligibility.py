"""The consent check before anything is derived: which meter-days may be examined."""

from datetime import date
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark import clock
from fmar_spark.domain.consent import ADMITS_HOUSEHOLDS, METER_ATTRIBUTES, ConsentRules, Purpose, render_consent_check
from fmar_spark.domain.words import Quantity

ACTIVE_QUANTITIES: Final = (Quantity.AI.value, Quantity.AE.value)


class RunDays(NamedTuple):
    """The days that a run over whole histories stands for."""

    until_date: date
    """Last UTC day whose readings are examined."""
    consent_date: date
    """Day on which a meter must have consent and a legal basis."""
    purpose: Purpose = Purpose.CHARACTERISATION
    """What the legal basis must cover."""


def eligible_meter_days(
    readings: DataFrame, meter_points: DataFrame, legal_bases: DataFrame, days: RunDays, *, is_broadcast: bool = True
) -> DataFrame:
    """Keep the active-energy days of the meters that pass the consent check, opted-out slots nulled.

    Columns: mpan_id (of the boundary: an export meter's rows carry the import MPAN that it is linked to), utc_date,
    quantity, kwh, and the boundary meter's interval_minutes, time_zone, latitude, longitude, weather_area,
    gsp_group_id and is_domestic.

    Args:
        readings: silver.readings.
        meter_points: silver.meter_points; a meter without a row there does not pass.
        legal_bases: silver.legal_bases.
        days: which days come out, and on which the consent check is made.
        is_broadcast: send the meters' attributes to every worker, so that the readings are not shuffled here. Switch
            off above some ten million meters: the readings are then shuffled once, by meter.
    """
    admitted = check_meters(meter_points, legal_bases, days.consent_date, days.purpose).where(F.col("rejection").isNull()).drop("rejection")
    is_wanted = F.col("utc_date").between(F.lit(clock.FIRST_DAY), F.lit(days.until_date))
    wanted = readings.where(F.col("quantity").isin(*ACTIVE_QUANTITIES) & is_wanted)
    meters = F.broadcast(admitted) if is_broadcast else admitted
    return wanted.join(meters, "mpan_id", "inner").select(
        F.col("boundary_mpan_id").alias("mpan_id"),
        "utc_date",
        "quantity",
        unread_where_opted_out(F.col("kwh"), F.col("opted_out")).alias("kwh"),
        *METER_ATTRIBUTES,
    )


def eligible_meters(meter_points: DataFrame, legal_bases: DataFrame, day: date, purpose: Purpose = Purpose.CHARACTERISATION) -> DataFrame:
    """``mpan_id`` of every boundary whose meters may be examined on that day: whatever was derived of another is to be forgotten."""
    admitted = check_meters(meter_points, legal_bases, day, purpose).where(F.col("rejection").isNull())
    return admitted.select(F.col("boundary_mpan_id").alias("mpan_id")).distinct()


def check_meters(meter_points: DataFrame, legal_bases: DataFrame, day: date, purpose: Purpose = Purpose.CHARACTERISATION) -> DataFrame:
    """The consent check of every meter point on that day, as ``fmar_spark.domain.consent`` declares it.

    Whether households are admitted at all stands in the session (``ADMITS_HOUSEHOLDS``), so that no step can leave it out.
    """
    session = meter_points.sparkSession
    rules = ConsentRules(purpose, session.conf.get(ADMITS_HOUSEHOLDS, "true") != "false")
    query = render_consent_check("{meter_points}", "{legal_bases}", day, rules)
    return session.sql(query, meter_points=meter_points, legal_bases=legal_bases)


def unread_where_opted_out(kwh: Column, opted_out: Column) -> Column:
    """The 48 energies with null where the customer opted out; untouched where nothing was."""
    masked = F.zip_with(kwh, opted_out, lambda energy, is_out: F.when(~F.coalesce(is_out, F.lit(False)), energy))
    return F.when(opted_out.isNull(), kwh).otherwise(masked)
