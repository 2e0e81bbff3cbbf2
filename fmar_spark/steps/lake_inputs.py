"""What the steps that look at whole histories read from the lake."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.profiling.windows import WeatherBook, build_weather_book, empty_weather
from fmar_spark.transforms.eligibility import eligible_meter_days

MAX_NAMED_METERS: Final = 10_000


def find_newest_day(store: TableStore) -> date:
    """The newest UTC day in silver.readings.

    Raises:
        ConfigError: there are no readings.
    """
    newest = store.read(READINGS).agg(F.max("utc_date").alias("day")).first()
    if newest is None or newest["day"] is None:
        raise ConfigError("silver.readings: no readings yet; run jobs/build_readings.py or jobs/import_intervals.py first")
    found: date = newest["day"]
    return found


def read_eligible_days(store: TableStore, until_date: date, meters: Sequence[str]) -> DataFrame:
    """Meter-days that passed the gate, of all meters or of the named ones."""
    days = eligible_meter_days(store.read(READINGS), store.read(METER_POINTS), store.read_or_empty(LEGAL_BASES), until_date)
    return days.where(name_meters(store, meters)) if meters else days


def name_meters(store: TableStore, meters: Sequence[str]) -> str:
    """A condition on mpan_id that holds for the named meters, given by MPAN or by series id.

    Raises:
        ConfigError: too many for one condition.
    """
    if len(meters) > MAX_NAMED_METERS:
        raise ConfigError(f"--meters: {len(meters)} named, at most {MAX_NAMED_METERS} wanted; leave it out to run all")
    mpan_ids = set(meters)
    if store.has(SERIES):
        mpan_ids |= {row["mpan_id"] for row in store.rows_of(SERIES, "series_id", meters).select("mpan_id").collect()}
    quoted = ", ".join("'" + mpan.replace("'", "") + "'" for mpan in sorted(mpan_ids))
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
