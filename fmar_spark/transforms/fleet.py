"""Joins what was detected with who may dispatch it."""

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.register import FLEET
from fmar_spark.engine.schema import conform

_RIGHTS = ("agreement_id", "fsp_id", "amsid", "claim_state", "market", "primacy_tier", "is_exclusive", "valid_from_at", "valid_to_at")


def current_at(versions: DataFrame, moment: datetime) -> DataFrame:
    """The versions that are known now and hold at the moment."""
    return versions.where(F.col("known_to_at").isNull() & _holds(moment))


def classes_of_assets(overrides: DataFrame, confirmations: DataFrame) -> DataFrame:
    """Which class an AMSID is, where its FSP said so by a declaration or a confirmation: one row an asset and class."""
    declared = overrides.where(F.col("known_to_at").isNull())
    confirmed = confirmations.where(F.col("known_to_at").isNull() & F.col("is_present"))
    names = [F.col(name) for name in ("fsp_id", "mpan_id", "amsid", "asset_class")]
    return declared.select(*names).unionByName(confirmed.select(*names)).distinct()


def join_fleet(capabilities: DataFrame, rights: DataFrame, classes: DataFrame, declared: DataFrame, run_id: str) -> DataFrame:
    """One row for every present asset and direction, and right that may be to it; assets that nobody registered too.

    Args:
        capabilities: rows of ``present_capabilities``.
        rights: agreements in force.
        classes: rows of ``classes_of_assets``.
        declared: overrides in force.
        run_id: of the run that asks.
    """
    said = classes.withColumnRenamed("asset_class", "said_class")
    known = rights.select("mpan_id", *_RIGHTS).join(said, ["fsp_id", "mpan_id", "amsid"], "left")
    may_be = F.col("said_class").isNull() | (F.col("said_class") == F.col("asset_class"))
    joined = capabilities.join(known, (capabilities.mpan_id == known.mpan_id) & may_be, "left").drop(known.mpan_id)
    sizes = (
        declared.where(F.col("parameter") == "rated_kw")
        .groupBy("fsp_id", "mpan_id", "amsid", "asset_class", "direction")
        .agg(F.max_by("value", "known_from_at").alias("declared_kw"))
    )
    rows = joined.join(sizes, ["fsp_id", "mpan_id", "amsid", "asset_class", "direction"], "left")
    is_registered = F.col("agreement_id").isNotNull()
    link = F.when(~is_registered, "none").when(F.col("said_class").isNull(), "meter_point").otherwise("asset")
    marked = rows.withColumns(
        {
            "is_registered": is_registered,
            "link": link,
            "agreement_id": F.coalesce("agreement_id", F.lit("")),
            "run_id": F.lit(run_id),
        }
    )
    return conform(marked, FLEET)


def present_capabilities(detections: DataFrame, capabilities: DataFrame) -> DataFrame:
    """Assets that are there, each with its sizes by direction; one row without a direction where no size was derived."""
    present = detections.where(F.col("is_present")).select("mpan_id", "asset_class", "present_probability", "tier", "as_of_date")
    sizes = capabilities.select("mpan_id", "asset_class", "direction", "rated_kw", "rated_kw_lower", "rated_kw_upper")
    return present.join(sizes, ["mpan_id", "asset_class"], "left").withColumn("direction", F.coalesce("direction", F.lit("")))


def _holds(moment: datetime) -> Column:
    at = F.lit(moment)
    return (F.col("valid_from_at") <= at) & (F.col("valid_to_at").isNull() | (F.col("valid_to_at") > at))
