"""Meter-days as they were reported, by the DIP or by an import, with the one schema of ``silver.reading_versions``."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.readings import READING_VERSIONS, READINGS
from fmar_spark.engine.bridge import map_whole_keys
from fmar_spark.engine.schema import conform
from fmar_spark.intake.readings_fold import fold_chunk

IMPORT_PREFIX: Final = "import"
"""Begins the version of every import; ids of DIP transactions do not begin so."""
METERS_PER_CHUNK: Final = 32
"""Meters folded at once: with a year each some 40 MB."""


def versions_of_messages(messages: DataFrame) -> DataFrame:
    """One row for each UTC day of each consumption message of ``bronze.dip_messages``; standing data have none."""
    days = messages.where(F.col("quantity").isNotNull()).select(
        F.col("transaction_id").alias("version_id"),
        "mpan_id",
        "quantity",
        F.col("transaction_at").alias("reported_at"),
        F.explode("days").alias("day"),
    )
    return conform(days.select("*", "day.utc_date", "day.kwh", "day.quality", "day.reason"), READING_VERSIONS)


def versions_of_imports(imports: DataFrame) -> DataFrame:
    """One row for each meter-day of ``bronze.interval_imports``; a version is one meter in one import."""
    version_id = F.concat_ws(":", F.lit(IMPORT_PREFIX), "mpan_id", F.unix_micros("imported_at").cast("string"))
    rows = imports.select(
        version_id.alias("version_id"),
        "mpan_id",
        "utc_date",
        "quantity",
        "kwh",
        "quality",
        F.lit(None).cast("array<tinyint>").alias("reason"),
        F.col("imported_at").alias("reported_at"),
    )
    return conform(rows, READING_VERSIONS)


def fold_readings(versions: DataFrame, partitions: int = 0) -> DataFrame:
    """One row of ``silver.readings`` for each meter, UTC day and quantity of the versions."""
    wanted = versions.select(*READING_VERSIONS.names)
    return map_whole_keys(wanted, "mpan_id", fold_chunk, READINGS, METERS_PER_CHUNK, partitions)
