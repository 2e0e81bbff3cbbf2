"""What earlier readings showed stays known after they have been deleted or have left the window."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.domain.words import Status

EDGE_DAYS: Final = 60
"""A change so soon after the first day of a window cannot be dated in it."""
APPEARANCE: Final = ("appeared_date", "appeared_p10_date", "appeared_p90_date")


def keep_earlier_evidence(profiles: DataFrame, before: DataFrame, eligible: DataFrame) -> DataFrame:
    """Profiles of a run, with what those of the run before rested on earlier readings.

    Where the new window begins later than the old one did: an asset that is still there keeps the date on which it appeared, dated
    changes from before the window stay, and ``first_date`` still says from when the evidence is. A meter that was answered and now shows
    too little, or nothing, since its readings were deleted keeps its whole former profile, with the day for which that was derived.

    Args:
        profiles: of the run, one row a meter.
        before: silver.meter_profiles of the run before.
        eligible: mpan_id of the meters that may be examined: nothing is kept of another.
    """
    old = before.join(eligible, "mpan_id", "left_semi").select("mpan_id", F.struct(*METER_PROFILES.names).alias("old"))
    new = profiles.select("mpan_id", F.struct(*METER_PROFILES.names).alias("new"))
    joined = new.join(old, "mpan_id", "full_outer").withColumns(
        {"is_cut": F.coalesce(F.col("old.first_date") < F.col("new.first_date"), F.col("new").isNull())}
    )
    is_lost = F.col("is_cut") & _is_answered("old.detections") & ~F.coalesce(_is_answered("new.detections"), F.lit(False))
    kept = joined.where(F.col("new").isNotNull() | is_lost)
    merged = {
        "first_date": F.least("new.first_date", "old.first_date"),
        "detections": F.transform("new.detections", _keep_appearance),
        "changes": F.concat("new.changes", F.filter("old.changes", lambda one: one["changed_date"] < F.col("new.first_date"))),
    }
    carried = F.struct(*(merged.get(name, F.col(f"new.{name}")).alias(name) for name in METER_PROFILES.names))
    chosen = F.when(is_lost, F.col("old")).when(F.col("is_cut"), carried).otherwise(F.col("new"))
    return kept.select(chosen.alias("row")).select("row.*")


def _is_answered(detections: str) -> Column:
    return F.coalesce(F.exists(detections, lambda one: one["status"] == Status.CHARACTERISED.value), F.lit(False))


def _keep_appearance(one: Column) -> Column:
    """A detection of an asset that was there from the first day on has the dates that an earlier window gave it."""
    edge = F.date_add(F.col("new.first_date"), EDGE_DAYS)
    same = F.filter(
        "old.detections",
        lambda earlier: (earlier["asset_class"] == one["asset_class"]) & earlier["is_present"] & (earlier["appeared_date"] < edge),
    )
    is_undated = one["is_present"] & one["appeared_date"].isNull()
    dated = one
    for name in APPEARANCE:
        dated = dated.withField(name, F.when(is_undated, F.get(same, F.lit(0))[name]).otherwise(one[name]))
    return dated
