"""The engine without Spark against the jobs, on the same files."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from readings_world import DAYS, LAST_DAY, build_weather, fill_own_lake, run_jobs, write_files
from readings_world import build_readings as build_rows

import fmar_spark as fmar
from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, BASELINE_PREDICTIONS, BASELINES, CAPABILITY
from fmar_spark.contracts.operations import QUARANTINE, RUN_JOURNAL
from fmar_spark.contracts.profiles import ASSET_EVENTS, METER_PROFILES
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, LABELS, LEGAL_BASES, METER_POINTS, READING_VERSIONS, READINGS, SERIES, WEATHER
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.intervals.own_files import OwnFiles
from fmar_spark.settings.overlays import load_settings
from fmar_spark.steps import build_readings

SETTINGS = load_settings("test", ["learning.source=bundled"])
CAR_COMES = 40
"""Day of the history on which the car comes: a change that both must date alike."""
OF_THE_RUN = {"run_id", "version_id", "imported_at", "reported_at", "recorded_at", "quarantined_at"}
"""Columns that say when and by what run a row was written."""
LAKE_TABLES = (
    INTERVAL_IMPORTS,
    SERIES,
    QUARANTINE,
    WEATHER,
    LABELS,
    LEGAL_BASES,
    READING_VERSIONS,
    READINGS,
    METER_POINTS,
    METER_PROFILES,
    BASELINE_PREDICTIONS,
)
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
    run_jobs(store, write_files(folder, CAR_COMES), SETTINGS)
    return store


@pytest.fixture(scope="module")
def own_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that is made of the same files without Spark."""
    folder = tmp_path_factory.mktemp("own")
    files = write_files(folder, CAR_COMES)
    fill_own_lake(folder / "lake", OwnFiles(**files), SETTINGS)
    return folder / "lake"


def read_by_series(store: TableStore, contract: TableContract) -> pd.DataFrame:
    series = store.read(SERIES).select("series_id", "mpan_id")
    return sort_rows(store.read(contract).join(series, "mpan_id").drop("mpan_id").toArrow(), contract)


def sort_rows(rows: pa.Table, contract: TableContract) -> pd.DataFrame:
    columns = ["series_id", *(name for name in contract.names if name not in {"mpan_id", "run_id"})]
    key = ["series_id", *(name for name in contract.key if name != "mpan_id")]
    frame: pd.DataFrame = rows.select(columns).sort_by([(name, "ascending") for name in key]).to_pandas()
    return frame


def test_frames_hold_what_the_jobs_write(jobs: TableStore) -> None:
    readings, weather = (pa.Table.from_pandas(frame) for frame in (build_rows(car_comes=CAR_COMES), build_weather()))
    found = fmar.characterise(readings, weather)
    for name, contract in TABLES.items():
        pd.testing.assert_frame_equal(sort_rows(getattr(found, name), contract), read_by_series(jobs, contract), check_exact=True)


def test_predictions_are_those_of_the_job(jobs: TableStore) -> None:
    readings, weather = (pa.Table.from_pandas(frame) for frame in (build_rows(car_comes=CAR_COMES), build_weather()))
    found = fmar.predict_baseline(readings, [LAST_DAY + timedelta(days=day) for day in range(-6, 2)], weather)
    wanted = read_by_series(jobs, BASELINE_PREDICTIONS)
    pd.testing.assert_frame_equal(sort_rows(found, BASELINE_PREDICTIONS), wanted, check_exact=True)


def read_rows(rows: pa.Table, contract: TableContract) -> list[dict[str, Any]]:
    """Rows in the order of the key, without what belongs to the run."""
    key = [(name, "ascending") for name in contract.key if name not in OF_THE_RUN]
    return rows.sort_by(key).drop_columns([name for name in OF_THE_RUN if name in rows.column_names]).to_pylist()


@pytest.mark.parametrize("contract", [*LAKE_TABLES, *TABLES.values()], ids=lambda contract: contract.full_name)
def test_a_lake_made_without_spark_holds_the_rows_of_the_jobs(jobs: TableStore, own_lake: Path, contract: TableContract) -> None:
    ours, theirs = LakeWriter(own_lake).read(contract), jobs.read(contract).toArrow()
    assert ours.num_rows > 0
    assert read_rows(ours, contract) == read_rows(theirs.select(contract.names), contract)


def test_spark_reads_the_lake_and_finds_the_tables_as_it_would_make_them(jobs: TableStore, own_lake: Path) -> None:
    own = TableStore(jobs.spark, str(own_lake))
    for contract in (*LAKE_TABLES, *TABLES.values()):
        assert own.read(contract).schema == jobs.read(contract).schema
        ours, theirs = (DeltaTable(f"{store.root}/{contract.layer}/{contract.name}") for store in (own, jobs))
        assert ours.protocol().min_reader_version == theirs.protocol().min_reader_version == 1
        assert ours.metadata().description == theirs.metadata().description
        stored = [table.metadata().configuration for table in (ours, theirs)]
        assert set(stored[0]) == set(stored[1])
        plain = [{name: rule for name, rule in one.items() if "constraints" not in name} for one in stored]
        assert plain[0] == plain[1]


def test_the_journal_says_what_was_done_as_the_jobs_do(own_lake: Path) -> None:
    rows = LakeWriter(own_lake).read(RUN_JOURNAL).sort_by("started_at").to_pylist()
    steps = ["load_weather", "import_intervals", "record_legal_basis", "load_labels", "build_readings", "characterise", "predict_baseline"]
    assert [(row["step"], row["status"]) for row in rows] == [(step, "done") for step in steps]
    assert dict(rows[1]["counts"])["rule_kwh_negative"] == 1
    assert (rows[1]["rows_kept"], rows[1]["rows_quarantined"]) == (3 * DAYS * 48, 2)
    assert set(dict(rows[5]["tables_written"])) >= {"silver.meter_profiles", "gold.capability"}


def test_spark_goes_on_where_the_lake_was_made_without_it(jobs: TableStore, own_lake: Path, tmp_path: Path) -> None:
    shutil.copytree(own_lake, tmp_path / "lake")
    store = TableStore(jobs.spark, str(tmp_path / "lake"))
    before = read_rows(store.read(READINGS).toArrow(), READINGS)
    build_readings.run(store, start_run("build_readings", None, ""))
    assert store.read(READING_VERSIONS).count() == len(before)
    assert read_rows(store.read(READINGS).toArrow(), READINGS) == before
