"""Writes silver.weather: the only step that does, for imports and for simulated fleets."""

import logging

import pyarrow as pa

from fmar_spark.contracts.readings import WEATHER
from fmar_spark.engine.runs import Run, Written
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.intervals.weather import WEATHER_SCHEMA

READS = ()
WRITES = (WEATHER,)
CHANGED = "old.temp_c <> new.temp_c OR old.ghi_w_m2 <> new.ghi_w_m2 OR old.source <> new.source"
_log = logging.getLogger(__name__)


@limit_tables(READS, WRITES)
def run(store: TableStore, run: Run, days: pa.Table, rows_ignored: int = 0) -> Written:
    """The days (format of ``WEATHER_SCHEMA``) stand in silver.weather; a day that was there before is replaced where it differs."""
    rows = store.spark.createDataFrame(days.select(WEATHER_SCHEMA.names).cast(WEATHER_SCHEMA))
    store.merge(rows, WEATHER, update_when=CHANGED)
    _log.info("load_weather: %s area-days", days.num_rows)
    return Written({"days": days.num_rows, "rows_ignored": rows_ignored}, days.num_rows, rows_ignored)
