"""Gold tables and events as cheap projections of meter profiles."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark import clock
from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, BASELINES, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.schema import conform

_RUN = ("run_id", "as_of_date")


def list_detections(profiles: DataFrame) -> DataFrame:
    """An answer for each meter and class."""
    return _explode(profiles, "detections", ASSET_DETECTIONS, "days_seen", "model_version", *_RUN)


def list_changes(profiles: DataFrame) -> DataFrame:
    """Dated changes; of two on one day the later state is kept."""

    def is_last_of_day(one: Column, place: Column) -> Column:
        later = F.slice("changes", place + 2, F.size("changes"))
        return ~F.exists(later, lambda other: (other["asset_class"] == one["asset_class"]) & (other["changed_date"] == one["changed_date"]))

    return _explode(profiles.withColumn("changes", F.filter("changes", is_last_of_day)), "changes", ASSET_CHANGES, *_RUN)


def list_capabilities(profiles: DataFrame) -> DataFrame:
    """Parameters of the classes that are there on the last day."""
    is_present = F.exists(
        "detections",
        lambda one: (one["asset_class"] == F.col("row.asset_class")) & F.coalesce(one["is_present"], F.lit(False)),
    )
    return _explode(profiles, "capabilities", CAPABILITY, *_RUN, keep=is_present)


def list_availabilities(profiles: DataFrame) -> DataFrame:
    """One row for each weekday and slot of each 7 x 48 matrix."""
    matrices = profiles.select("mpan_id", *_RUN, F.explode("availabilities").alias("row"))
    cells = matrices.select(
        "mpan_id",
        *_RUN,
        "row.asset_class",
        "row.direction",
        "row.season",
        "row.weeks_observed",
        # Zipped first: a row of the result would otherwise carry both whole matrices with it.
        F.posexplode(F.arrays_zip("row.probability", "row.kw_p50")).alias("cell", "value"),
    )
    weekday = (F.col("cell") / clock.SLOTS_PER_DAY).cast("int")
    rows = cells.select(
        "mpan_id",
        "asset_class",
        "direction",
        "season",
        (weekday + 1).alias("weekday"),
        (F.col("cell") % clock.SLOTS_PER_DAY).alias("slot"),
        F.col("value.probability").cast("double").alias("probability"),
        F.get(F.col("weeks_observed"), weekday).alias("weeks_observed"),
        F.col("value.kw_p50").cast("double").alias("kw_p50"),
        *_RUN,
    )
    return conform(rows, AVAILABILITY)


def list_events(profiles: DataFrame) -> DataFrame:
    """One row an episode."""
    return _explode(profiles, "events", ASSET_EVENTS)


def list_baselines(profiles: DataFrame) -> DataFrame:
    """How each meter's baseline did."""
    return conform(profiles.where("baseline.model is not null").select("mpan_id", "baseline.*", *_RUN), BASELINES)


def _explode(profiles: DataFrame, column: str, contract: TableContract, *kept: str, keep: Column | None = None) -> DataFrame:
    exploded = profiles.select("*", F.explode(column).alias("row"))
    wanted = exploded if keep is None else exploded.where(keep)
    return conform(wanted.select("mpan_id", "row.*", *kept), contract)
