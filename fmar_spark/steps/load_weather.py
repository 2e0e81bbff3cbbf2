"""Writes silver.weather: the only step that does, for imports and for simulated fleets."""

import logging

from fmar_spark.contracts.readings import WEATHER
from fmar_spark.engine.journal import Run, Written
from fmar_spark.engine.store import TableStore
from fmar_spark.transforms.interval_weather import WeatherFile

READS = ()
WRITES = (WEATHER,)
CHANGED = "old.temp_c <> new.temp_c OR old.ghi_w_m2 <> new.ghi_w_m2 OR old.source <> new.source"
_log = logging.getLogger(__name__)


def run(store: TableStore, run: Run, weather: WeatherFile) -> Written:
    """The weather of the file stands in silver.weather; a day of an area that was there before is replaced where it differs."""
    days = store.spark.createDataFrame(weather.days)
    store.merge(days, WEATHER, update_when=CHANGED)
    _log.info("load_weather: %s days from %s rows", weather.days.num_rows, weather.rows)
    return Written(
        {"rows_read": weather.rows, "rows_ignored": weather.ignored, "days": weather.days.num_rows}, weather.days.num_rows, weather.ignored
    )
