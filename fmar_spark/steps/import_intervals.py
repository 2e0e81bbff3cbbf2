"""Writes what an intake understood: bronze.interval_imports, silver.series, and the rejected rows to bronze.quarantine."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql import types as T

from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, SERIES
from fmar_spark.domain.mpan import assign_mpans
from fmar_spark.engine.journal import Run, Written
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.intervals.companions import SiteRow
from fmar_spark.intake.intervals.importing import SeriesFacts, StagedIntake
from fmar_spark.intake.intervals.weather import WeatherFile
from fmar_spark.settings.sections import ImportSettings

READS = (SERIES, INTERVAL_IMPORTS)
WRITES = (INTERVAL_IMPORTS, SERIES, QUARANTINE)
DAY_KEY = ["mpan_id", "utc_date", "quantity"]
_log = logging.getLogger(__name__)


class Surroundings(NamedTuple):
    """What comes with the intervals: where the series are and which weather is theirs."""

    sites: Mapping[str, SiteRow]
    weather: WeatherFile | None
    defaults: ImportSettings


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, staged: StagedIntake, surroundings: Surroundings) -> Written:
    """The days of the intake stand in bronze.interval_imports, once; its series in silver.series; its faults in bronze.quarantine.

    A day whose values are those of the newest import is not added again. Each of the three writes may be repeated, so a
    run that was killed is completed by the same run again.
    """
    intake = staged.intake
    known = {row["series_id"]: row.asDict() for row in store.read_or_empty(SERIES).collect()}
    facts = {fact.series_id: fact for fact in intake.series}
    mpans = assign_mpans(facts, {name: row["mpan_id"] for name, row in known.items()})
    rows = [build_series_row(fact, mpans[name], known.get(name), surroundings, run.started_at) for name, fact in facts.items()]
    changed = [row for row in rows if not _is_same(row, known.get(str(row["series_id"])))]
    if changed:
        series = store.spark.createDataFrame([Row(**row) for row in changed], struct_type(SERIES))
        store.merge(series, SERIES)
    numbered = _number_series(store, mpans)
    added = _append_days(store, run, staged, numbered)
    if intake.faults_by_rule:
        faults = store.spark.read.parquet(staged.faults_path.as_uri())
        store.insert_new(_build_faults(faults, numbered, run), QUARANTINE)
    counts = {**intake.counts, "series": len(facts), "series_changed": len(changed), "days_added": added}
    counts |= {f"rule_{name}": count for name, count in intake.faults_by_rule.items()}
    return Written(counts, intake.counts.get("rows_kept", 0), intake.counts.get("rows_quarantined", 0))


def build_series_row(
    fact: SeriesFacts, mpan_id: str, before: Mapping[str, Any] | None, surroundings: Surroundings, imported_at: datetime
) -> dict[str, object]:
    """The row of a series: what the files say now, on top of what earlier imports said and these leave out."""
    old: Mapping[str, Any] = before or {}
    site = surroundings.sites.get(fact.series_id, SiteRow())
    defaults = surroundings.defaults
    area = surroundings.weather.area_of(fact.series_id) if surroundings.weather else None
    first_at, last_at = fact.first_at, fact.last_at
    return {
        "series_id": fact.series_id,
        "mpan_id": mpan_id,
        "source": fact.source,
        "interval_minutes": max(fact.interval_minutes, old.get("interval_minutes") or 0),
        "first_at": min(first_at, _in_utc(old["first_at"])) if old else first_at,
        "last_at": max(last_at, _in_utc(old["last_at"])) if old else last_at,
        "has_export": fact.has_export or bool(old.get("has_export")),
        "time_zone": _first_known(site.time_zone, old.get("time_zone"), defaults.time_zone),
        "rows_read": fact.rows_read,
        "rows_quarantined": fact.rows_quarantined,
        "gsp_group_id": _first_known(site.gsp_group_id, old.get("gsp_group_id")),
        "latitude": _first_known(site.latitude, old.get("latitude"), defaults.latitude),
        "longitude": _first_known(site.longitude, old.get("longitude"), defaults.longitude),
        "weather_area": _first_known(area, old.get("weather_area")),
        "is_domestic": _first_known(site.is_domestic, old.get("is_domestic")),
        "imported_at": imported_at,
    }


def _append_days(store: TableStore, run: Run, staged: StagedIntake, numbered: DataFrame) -> int:
    """Add the days whose values are not those of the newest import; the number of rows added."""
    days = store.spark.read.parquet(staged.days_path.as_uri()).join(F.broadcast(numbered), "series_id", "inner")
    if store.has(INTERVAL_IMPORTS):
        own = store.read(INTERVAL_IMPORTS).join(F.broadcast(numbered.select("mpan_id")), "mpan_id", "left_semi")
        newest = own.groupBy(*DAY_KEY).agg(F.max_by("content_hash", "imported_at").alias("newest_hash"))
        days = days.join(newest, DAY_KEY, "left").where(~F.col("content_hash").eqNullSafe(F.col("newest_hash")))
        if days.isEmpty():
            return 0
    store.append(days.withColumn("imported_at", F.lit(run.started_at)), INTERVAL_IMPORTS)
    return store.last_metrics(INTERVAL_IMPORTS).get("numOutputRows", 0)


def _build_faults(faults: DataFrame, numbered: DataFrame, run: Run) -> DataFrame:
    identity = F.concat_ws("\x1f", "source", "rule", F.coalesce("raw", F.lit("")))
    return faults.join(F.broadcast(numbered), "series_id", "left").select(
        F.sha2(identity, 256).alias("quarantine_id"),
        "source",
        "rule",
        "reason",
        "raw",
        "mpan_id",
        F.lit(None).cast("string").alias("transaction_id"),
        F.lit(run.run_id).alias("run_id"),
        F.lit(run.started_at).alias("quarantined_at"),
    )


def _number_series(store: TableStore, mpans: Mapping[str, str]) -> DataFrame:
    schema = T.StructType([T.StructField("series_id", T.StringType()), T.StructField("mpan_id", T.StringType())])
    return store.spark.createDataFrame(list(mpans.items()), schema)


def _is_same(row: Mapping[str, object], before: Mapping[str, Any] | None) -> bool:
    if before is None:
        return False
    return all(_comparable(row[name]) == _comparable(before[name]) for name in row if name != "imported_at")


def _comparable(value: object) -> object:
    return _in_utc(value) if isinstance(value, datetime) else value


def _in_utc(at: datetime) -> datetime:
    """Spark hands out timestamps without a zone, in the clock of this machine."""
    return at.astimezone(UTC)


def _first_known(*values: object) -> object:
    return next((value for value in values if value is not None), None)
