"""What every meter was expected to do on each wanted local day, from readings before that day only."""

import logging
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.domain.consent import METER_ATTRIBUTES
from fmar_spark.domain.figures import write_count
from fmar_spark.engine.bridge import map_whole_keys
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.files import InputFile, list_columns, read_blocks
from fmar_spark.intake.intervals.rows import RULES, write_fault
from fmar_spark.profiling.baselines import PredictionPass, check_reach, read_rules
from fmar_spark.settings.sections import Settings
from fmar_spark.steps.lake_inputs import choose_days, collect_weather, find_first_day, read_eligible_days
from fmar_spark.transforms.eligibility import eligible_meters

READS: Final = (READINGS, METER_POINTS, LEGAL_BASES, WEATHER, SERIES)
WRITES: Final = (BASELINE_PREDICTIONS,)
MAX_DAYS: Final = 800
LAST_DAYS: Final = 7
_log = logging.getLogger(__name__)


class Request(NamedTuple):
    """Which meter-days are wanted."""

    from_date: date | None
    to_date: date | None
    """Both inclusive local days, for every eligible meter."""
    days_file: Path | None
    """Or a CSV with series_id or mpan_id, and date."""
    is_last_week: bool = False
    """Or the last seven days read of every eligible meter and the day after them."""


def check_request(request: Request) -> Request:
    """The same request.

    Raises:
        ConfigError: the range is missing, turned round or too long.
    """
    if request.days_file or request.is_last_week:
        return request
    if request.from_date is None or request.to_date is None:
        raise ConfigError("--from and --to: not both found; they, --last-week or --days FILE wanted")
    if request.from_date > request.to_date:
        raise ConfigError(f"--from, --to: {request.from_date} to {request.to_date} found, the first day first wanted")
    days = (request.to_date - request.from_date).days + 1
    if days > MAX_DAYS:
        raise ConfigError(f"--from, --to: {write_count(days, 'day')} found, 1 to {MAX_DAYS} wanted")
    return request


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, settings: Settings, request: Request) -> Written:
    """Predict the wanted meter-days and merge them into gold.baseline_predictions; meters that may no longer be examined leave it.

    Raises:
        ConfigError: the range is missing, turned round, too long, or far from all readings.
        InputError: the file of days cannot be used.
    """
    days = choose_days(store, run)
    meter_days = read_eligible_days(store, days)
    wanted = _find_wanted_days(store, meter_days, check_request(request))
    _check_reach(store, wanted, days.until_date)
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
    kept = store.merge(rows, BASELINE_PREDICTIONS)
    eligible = eligible_meters(store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), days.consent_date)
    forgotten = store.keep_only(eligible, BASELINE_PREDICTIONS)
    return Written({"half_hours": kept, "half_hours_forgotten": forgotten}, rows_kept=kept)


def _find_wanted_days(store: TableStore, meter_days: DataFrame, request: Request) -> DataFrame:
    if request.days_file:
        return _read_wanted_days(store, request.days_file)
    if request.from_date is None or request.to_date is None or request.is_last_week:
        return _last_week(meter_days)
    return _every_day(meter_days, request.from_date, request.to_date)


def _last_week(meter_days: DataFrame) -> DataFrame:
    newest = meter_days.groupBy("mpan_id").agg(F.max("utc_date").alias("newest"))
    week = F.sequence(F.date_add("newest", 1 - LAST_DAYS), F.date_add("newest", 1))
    return newest.select("mpan_id", F.explode(week).alias("utc_date"))


def _every_day(meter_days: DataFrame, first: date, last: date) -> DataFrame:
    """Each local day of the range for every eligible meter."""
    dates = F.array(*(F.lit(first + timedelta(days=day)) for day in range((last - first).days + 1)))
    return meter_days.select("mpan_id").distinct().select("mpan_id", F.explode(dates).alias("utc_date"))


def _check_reach(store: TableStore, wanted: DataFrame, until_date: date) -> None:
    """Reject days far from all readings.

    Raises:
        ConfigError: the first such day is named.
    """
    ends = wanted.agg(F.min("utc_date").alias("first"), F.max("utc_date").alias("last")).first()
    first = find_first_day(store)
    if ends is None or first is None or ends["first"] is None:
        return
    check_reach((ends["first"], ends["last"]), first, until_date)


def _read_wanted_days(store: TableStore, path: Path) -> DataFrame:
    """The meter-days of a CSV file by the boundary that each belongs to; meters that the lake does not know are counted and left out.

    Raises:
        InputError: the file cannot be read, or lacks a column, or none of its meters is known.
    """
    rows, name = _parse_days(path)
    wanted = store.spark.createDataFrame(rows, "name string, utc_date date")
    points = store.read(METER_POINTS).select("mpan_id", "boundary_mpan_id")
    known = points.withColumn("name", F.col("mpan_id"))
    if name == "series_id":
        known = store.read(SERIES).select(F.col("series_id").alias("name"), "mpan_id").join(points, "mpan_id")
    matched = wanted.join(known, "name", "left")
    unknown = matched.where(F.col("boundary_mpan_id").isNull()).select("name").distinct().count()
    meters = len({row[0] for row in rows})
    where = "silver.series" if name == "series_id" else "silver.meter_points"
    if unknown == meters:
        raise InputError(f"{path}: {write_count(meters, 'meter')} named, none in {where}; ingest or import their readings first")
    if unknown:
        _log.warning("predict_baseline: %s names %s, of which %s not in %s", path, write_count(meters, "meter"), unknown, where)
    found = matched.where(F.col("boundary_mpan_id").isNotNull())
    return found.select(F.col("boundary_mpan_id").alias("mpan_id"), "utc_date").distinct()


def _parse_days(path: Path) -> tuple[list[tuple[str, date]], str]:
    """The distinct rows of a file of days, and whether its meters are called by mpan_id or series_id.

    Raises:
        InputError: the file cannot be read, lacks a column, has no rows, or holds what is no date.
    """
    file = InputFile(path, path.name)
    found = list_columns(file)
    name = next((column for column in ("mpan_id", "series_id") if column in found), None)
    if name is None or "date" not in found:
        raise InputError(f"{path}: columns {', '.join(found)} found; series_id or mpan_id, and date wanted")
    days = set()
    for block in read_blocks(file, (name, "date")):
        for line, text, rule in block.broken:
            raise InputError(f"{path}: line {line}: {write_fault(repr(text), RULES[rule])}")
        for line, meter, written in zip(
            block.line.tolist(), *(block.columns[column].to_pylist() for column in (name, "date")), strict=True
        ):
            if not meter and not written:
                continue
            if not meter:
                raise InputError(f"{path}: line {line}: no {name} found")
            days.add((str(meter).strip(), _parse_day(f"{path}: line {line}", str(written or ""))))
    if not days:
        raise InputError(f"{path}: no days listed")
    return sorted(days), name


def _parse_day(place: str, text: str) -> date:
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").date()
    except ValueError as error:
        raise InputError(f"{place}: date {text!r} found, YYYY-MM-DD wanted") from error
