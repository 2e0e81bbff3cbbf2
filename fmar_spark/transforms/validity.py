"""Rows that hold for a time: what is stated anew ends what was stated before, and nothing of the past is lost."""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

VALIDITY = ("valid_from_date", "valid_to_date")


def holds_on(day: date) -> Column:
    """Whether a row holds on that day."""
    at = F.lit(day)
    return (F.col("valid_from_date") <= at) & (F.col("valid_to_date").isNull() | (F.col("valid_to_date") > at))


def is_open() -> Column:
    """Whether a row has no end."""
    return F.col("valid_to_date").isNull()


def succeed(current: DataFrame, stated: DataFrame, key: Sequence[str], day: date) -> DataFrame:
    """Rows to merge on key and ``valid_from_date`` so that what is stated holds from that day on.

    A row that says the same as the open one of its key changes nothing. Where it says something else, the open one ends on
    that day and a new one begins; one that began on that very day, or later, is corrected in place.

    Args:
        current: the table's rows.
        stated: the same columns without the two of validity; one row a key.
        key: columns that name what a row is about.
        day: first day on which the stated rows hold.
    """
    compared = [name for name in stated.columns if name not in (*key, "source")]
    old = current.where(is_open())
    before = old.select(*key, F.struct(*compared).alias("_old"), "valid_from_date", *(["source"] if "source" in old.columns else []))
    pairs = stated.select(*key, F.struct(*compared).alias("_new"), F.col("source").alias("_source")).join(before, list(key), "left")
    changed = pairs.where(~F.col("_old").eqNullSafe(F.col("_new")))
    at = F.lit(day)
    is_ended = F.col("_old").isNotNull() & (F.col("valid_from_date") < at)
    never = F.lit(None).cast("date")
    opened = changed.select(
        *key,
        "_new.*",
        F.when(F.col("_old").isNull() | is_ended, at).otherwise(F.col("valid_from_date")).alias("valid_from_date"),
        never.alias("valid_to_date"),
        F.col("_source").alias("source"),
    )
    ended = changed.where(is_ended).select(*key, "_old.*", "valid_from_date", at.alias("valid_to_date"), "source")
    return opened.unionByName(ended)
