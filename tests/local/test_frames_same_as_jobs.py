"""The engine without Spark against the jobs, on the same files."""

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from readings_world import LAST_DAY, build_readings, build_weather, run_jobs, write_files

import fmar_spark as fmar
from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, BASELINE_PREDICTIONS, BASELINES, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS
from fmar_spark.contracts.readings import SERIES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.store import TableStore
from fmar_spark.settings.overlays import load_settings

TABLES = {
    "detections": ASSET_DETECTIONS,
    "capability": CAPABILITY,
    "availability": AVAILABILITY,
    "events": ASSET_EVENTS,
    "changes": ASSET_CHANGES,
    "baselines": BASELINES,
}


@pytest.fixture(scope="module")
def jobs(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TableStore:
    """The lake that the jobs make of the files."""
    folder = tmp_path_factory.mktemp("jobs")
    store = TableStore(spark, str(folder / "lake"))
    run_jobs(store, write_files(folder), load_settings("test", ["learning.source=bundled"]))
    return store


def read_by_series(store: TableStore, contract: TableContract) -> pd.DataFrame:
    series = store.read(SERIES).select("series_id", "mpan_id")
    return sort_rows(store.read(contract).join(series, "mpan_id").drop("mpan_id").toArrow(), contract)


def sort_rows(rows: pa.Table, contract: TableContract) -> pd.DataFrame:
    columns = ["series_id", *(name for name in contract.names if name not in {"mpan_id", "run_id"})]
    key = ["series_id", *(name for name in contract.key if name != "mpan_id")]
    frame: pd.DataFrame = rows.select(columns).sort_by([(name, "ascending") for name in key]).to_pandas()
    return frame


def test_frames_hold_what_the_jobs_write(jobs: TableStore) -> None:
    readings, weather = (pa.Table.from_pandas(frame) for frame in (build_readings(), build_weather()))
    found = fmar.characterise(readings, weather)
    for name, contract in TABLES.items():
        pd.testing.assert_frame_equal(sort_rows(getattr(found, name), contract), read_by_series(jobs, contract), check_exact=True)


def test_predictions_are_those_of_the_job(jobs: TableStore) -> None:
    readings, weather = (pa.Table.from_pandas(frame) for frame in (build_readings(), build_weather()))
    found = fmar.predict_baseline(readings, [LAST_DAY, LAST_DAY + pd.Timedelta(days=1)], weather)
    wanted = read_by_series(jobs, BASELINE_PREDICTIONS)
    pd.testing.assert_frame_equal(sort_rows(found, BASELINE_PREDICTIONS), wanted, check_exact=True)
