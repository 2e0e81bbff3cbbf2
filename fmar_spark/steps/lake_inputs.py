"""What the steps that look at whole histories read from the lake."""

import logging
from collections.abc import Sequence
from datetime import date
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark import clock
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.domain.figures import write_count
from fmar_spark.engine.runs import Run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.profiling.windows import WeatherBook, build_weather_book, empty_weather
from fmar_spark.transforms.eligibility import RunDays, eligible_meter_days

MAX_NAMED_METERS: Final = 10_000
_log = logging.getLogger(__name__)


def choose_days(store: TableStore, run: Run) -> RunDays:
    """The days that a run stands for: those that it was given, else the newest readings as of the day on which it runs.

    Raises:
        ConfigError: the given day is still to come, or there are no readings.
    """
    today = run.started_at.date()
    if run.run_date is None:
        return RunDays(find_newest_day(store, today), today)
    if run.run_date > today:
        raise ConfigError(f"--run-date: {run.run_date} found, {today} or earlier wanted")
    return RunDays(run.run_date, run.run_date)


def find_newest_day(store: TableStore, until_date: date) -> date:
    """The newest UTC day in silver.readings that is not after ``until_date``.

    Raises:
        ConfigError: there are no readings.
    """
    known = store.find_range(READINGS, "utc_date")
    if known is not None and clock.FIRST_DAY <= known[1] <= until_date:
        return known[1]
    is_possible = F.col("utc_date").between(F.lit(clock.FIRST_DAY), F.lit(until_date))
    found = store.read(READINGS).where(is_possible).agg(F.max("utc_date").alias("day")).first()
    if found is None or found["day"] is None:
        raise ConfigError("silver.readings: no readings yet; run jobs/build_readings.py or jobs/import_intervals.py first")
    day: date = found["day"]
    return day


def find_first_day(store: TableStore) -> date | None:
    """The first UTC day in silver.readings that any clock can have written; None where there are no readings."""
    known = store.find_range(READINGS, "utc_date")
    if known is not None and known[0] >= clock.FIRST_DAY:
        return known[0]
    found = store.read(READINGS).where(F.col("utc_date") >= F.lit(clock.FIRST_DAY)).agg(F.min("utc_date").alias("first")).first()
    return found["first"] if found is not None else None


def read_eligible_days(store: TableStore, days: RunDays, meters: str = "") -> DataFrame:
    """Meter-days that passed the consent check, of all meters or of those for which the condition of ``name_meters`` holds."""
    eligible = eligible_meter_days(store.read(READINGS), store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), days)
    return eligible.where(meters) if meters else eligible


def name_meters(store: TableStore, meters: Sequence[str]) -> str:
    """A condition on mpan_id that holds for the boundaries of the named meters; '' where none is named.

    Args:
        store: the lake.
        meters: MPANs or series ids. An export MPAN names the boundary that it belongs to.

    Raises:
        ConfigError: too many for one condition.
        InputError: the lake knows none of them.
    """
    if not meters:
        return ""
    if len(meters) > MAX_NAMED_METERS:
        raise ConfigError(f"--meters: {len(meters)} named, at most {MAX_NAMED_METERS} wanted; leave it out to run all")
    series = store.rows_of(SERIES, "series_id", meters).collect() if store.has(SERIES) else []
    series_of = {row["mpan_id"]: row["series_id"] for row in series}
    known = store.rows_of(METER_POINTS, "mpan_id", [*meters, *series_of]).select("mpan_id", "boundary_mpan_id").collect()
    if not known:
        raise InputError(
            f"--meters: {write_count(len(meters), 'meter')} named, none in {METER_POINTS.full_name}; ingest or import them first"
        )
    found = {row["mpan_id"] for row in known}
    unknown = len(set(meters) - found - {series_of.get(mpan_id) for mpan_id in found})
    if unknown:
        _log.warning("--meters: %s named, of which %s not in %s", write_count(len(meters), "meter"), unknown, METER_POINTS.full_name)
    quoted = ", ".join(sorted({f"'{row['boundary_mpan_id']}'" for row in known}))
    return f"mpan_id IN ({quoted})"


def collect_weather(store: TableStore, max_areas: int) -> WeatherBook:
    """All weather as one matrix.

    Raises:
        ConfigError: more areas than a worker should hold.
    """
    if not store.has(WEATHER):
        return empty_weather()
    book = build_weather_book(store.read(WEATHER).select("weather_area", "utc_date", "temp_c", "ghi_w_m2").toArrow())
    if len(book.area_of_name) > max_areas:
        raise ConfigError(f"silver.weather: {len(book.area_of_name)} areas, at most {max_areas} (characterise.max_weather_areas) wanted")
    return book
