"""What every meter was expected to do on each wanted local day, from readings before that day only."""

import logging
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.domain.consent import METER_ATTRIBUTES
from fmar_spark.engine.bridge import map_whole_keys
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.profiling.baselines import PredictionPass, check_reach, read_rules
from fmar_spark.settings.sections import Settings
from fmar_spark.steps.lake_inputs import collect_weather, find_newest_day, read_eligible_days

READS: Final = (READINGS, METER_POINTS, LEGAL_BASES, WEATHER, SERIES)
WRITES: Final = (BASELINE_PREDICTIONS,)
MAX_DAYS: Final = 800
_log = logging.getLogger(__name__)


class Request(NamedTuple):
    """Which meter-days are wanted."""

    from_date: date | None
    to_date: date | None
    """Both inclusive local days, for every eligible meter."""
    days_file: Path | None
    """Or a CSV with series_id or mpan_id, and date."""


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: Settings, request: Request) -> Written:
    """Predict the wanted meter-days and merge them into gold.baseline_predictions.

    Raises:
        ConfigError: the range is missing, turned round, too long, or far from all readings.
        InputError: the file of days cannot be used.
    """
    until_date = run.run_date or find_newest_day(store)
    meter_days = read_eligible_days(store, until_date, ())
    wanted = _read_wanted_days(store, request.days_file) if request.days_file else _every_day(meter_days, request)
    _check_reach(store, wanted, until_date)
    attributes = meter_days.groupBy("mpan_id").agg(*(F.first(name, ignorenulls=True).alias(name) for name in METER_ATTRIBUTES))
    asked = wanted.join(attributes, "mpan_id", "inner").select(
        "mpan_id",
        "utc_date",
        F.lit(None).cast("string").alias("quantity"),
        F.array_repeat(F.lit(None).cast("float"), 48).alias("kwh"),
        *METER_ATTRIBUTES,
    )
    named = meter_days.join(F.broadcast(wanted.select("mpan_id").distinct()), "mpan_id", "left_semi") if request.days_file else meter_days
    prediction_pass = PredictionPass(
        weather=collect_weather(store, settings.characterise.max_weather_areas),
        rules=read_rules(settings.baseline).baseline,
        run_id=run.run_id,
    )
    rows = map_whole_keys(
        named.unionByName(asked),
        "mpan_id",
        prediction_pass,
        BASELINE_PREDICTIONS,
        settings.characterise.meters_per_chunk,
        settings.characterise.partitions,
    )
    store.merge(rows, BASELINE_PREDICTIONS)
    metrics = store.last_metrics(BASELINE_PREDICTIONS)
    kept = metrics.get("numTargetRowsInserted", 0) + metrics.get("numTargetRowsUpdated", 0) or metrics.get("numOutputRows", 0)
    return Written({"half_hours": kept}, rows_kept=kept)


def _every_day(meter_days: DataFrame, request: Request) -> DataFrame:
    """Each local day of the range for every eligible meter.

    Raises:
        ConfigError: the range is missing, turned round or too long.
    """
    if request.from_date is None or request.to_date is None:
        raise ConfigError("--from and --to: not both found; they, or --days FILE, wanted")
    days = (request.to_date - request.from_date).days + 1
    if not 1 <= days <= MAX_DAYS:
        raise ConfigError(f"--from, --to: {days} days found, 1 to {MAX_DAYS} wanted")
    dates = F.array(*(F.lit(request.from_date + timedelta(days=day)) for day in range(days)))
    return meter_days.select("mpan_id").distinct().select("mpan_id", F.explode(dates).alias("utc_date"))


def _check_reach(store: TableStore, wanted: DataFrame, until_date: date) -> None:
    """Reject days far from all readings.

    Raises:
        ConfigError: the first such day is named.
    """
    ends = wanted.agg(F.min("utc_date").alias("first"), F.max("utc_date").alias("last")).first()
    read = store.read(READINGS).agg(F.min("utc_date").alias("first")).first()
    if ends is None or read is None or ends["first"] is None or read["first"] is None:
        return
    check_reach((ends["first"], ends["last"]), read["first"], until_date)


def _read_wanted_days(store: TableStore, path: Path) -> DataFrame:
    """The meter-days of a CSV file; series ids are turned into MPANs, and a series that the lake does not know is counted and left out.

    Raises:
        InputError: the file cannot be read, or lacks a column, or none of its series is known.
    """
    rows, name = _parse_days(path)
    wanted = store.spark.createDataFrame(rows, "name string, utc_date date")
    if name == "mpan_id":
        return wanted.withColumnRenamed("name", "mpan_id")
    series = store.read(SERIES).select(F.col("series_id").alias("name"), "mpan_id")
    matched = wanted.join(series, "name", "left")
    unknown = matched.where(F.col("mpan_id").isNull()).select("name").distinct().count()
    asked = len({row[0] for row in rows})
    if unknown == asked:
        raise InputError(f"{path}: none of its {asked} series is in silver.series; import them first")
    if unknown:
        _log.warning("predict_baseline: %s of %s series asked for are not in silver.series", unknown, asked)
    return matched.where(F.col("mpan_id").isNotNull()).select("mpan_id", "utc_date")


def _parse_days(path: Path) -> tuple[list[tuple[str, date]], str]:
    """The distinct rows of a CSV file of days, and whether its meters are called by mpan_id or series_id.

    Raises:
        InputError: the file cannot be read, lacks a column, has no rows, or holds what is no date.
    """
    try:
        listed = pd.read_csv(path, dtype=str)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: cannot be read as CSV: {str(error).splitlines()[0]}") from error
    name = next((column for column in ("mpan_id", "series_id") if column in listed.columns), None)
    if name is None or "date" not in listed.columns:
        raise InputError(f"{path}: columns {', '.join(listed.columns)} found; series_id or mpan_id, and date wanted")
    parsed = pd.to_datetime(listed["date"], format="%Y-%m-%d", errors="coerce")
    if parsed.isna().any():
        line = int(parsed.isna().to_numpy().argmax()) + 2
        raise InputError(f"{path}: line {line}: date {listed['date'].iloc[line - 2]!r} found, YYYY-MM-DD wanted")
    if listed[name].isna().any():
        raise InputError(f"{path}: line {int(listed[name].isna().to_numpy().argmax()) + 2}: no {name} found")
    if listed.empty:
        raise InputError(f"{path}: no days listed")
    return sorted({(str(meter), stamp.date()) for meter, stamp in zip(listed[name], parsed, strict=True)}), name
