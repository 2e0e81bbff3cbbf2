"""What is old goes, what is asked for goes, and nothing else does."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lake_rows import add_rows, read_rows
from pyspark.sql import SparkSession
from readings_world import CAR, fill_own_lake, write_files

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.operations import MEASURES, QUARANTINE
from fmar_spark.contracts.readings import METER_POINTS, READINGS, SERIES
from fmar_spark.contracts.register import CONFIRMATIONS
from fmar_spark.domain.measures import Measured
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_files import LakeFiles
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.intake.intervals.own_files import OwnFiles
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import MonitoringSettings, RetentionSettings
from fmar_spark.steps import answer_subject, maintain_tables, measure_operation

NOW = datetime(2026, 4, 1, tzinfo=UTC)
HOME, SHOP, OWN, EXPORT = "2000056535971", "1900012374324", "1200023305967", "1000000000018"
OLD, YOUNG = date(2025, 2, 27), date(2025, 2, 28)
KEEP = RetentionSettings(raw_months=13, compact_from_files=2)


def meter(mpan: str, *, is_domestic: bool | None, source: str = "dip", boundary: str = "") -> dict[str, Any]:
    named = {column.name: None for column in METER_POINTS.columns}
    required = {"interval_minutes": 30, "time_zone": "Europe/London", "latitude": 51.5, "longitude": -0.1, "reported_at": NOW}
    return named | required | {"mpan_id": mpan, "boundary_mpan_id": boundary or mpan, "is_domestic": is_domestic, "source": source}


def reading(mpan: str, day: date) -> dict[str, Any]:
    return {
        "mpan_id": mpan,
        "utc_date": day,
        "quantity": "AI",
        "kwh": [1.0] * 48,
        "quality": ["A"] * 48,
        "opted_out": None,
        "reported_at": NOW,
    }


def rejected(name: str, raw: str, at: datetime) -> dict[str, Any]:
    empty = {column.name: None for column in QUARANTINE.columns}
    return empty | {"quarantine_id": name, "source": "a", "rule": "b", "reason": "c", "raw": raw, "run_id": "d", "quarantined_at": at}


def count_by_meter(store: TableStore) -> dict[str, int]:
    return dict(Counter(row["mpan_id"] for row in read_rows(store, READINGS)))


def test_old_readings_of_households_go_and_small_files_are_joined(store: TableStore) -> None:
    points = [meter(HOME, is_domestic=True), meter(SHOP, is_domestic=False), meter(OWN, is_domestic=None, source="import")]
    add_rows(store, METER_POINTS, [*points, meter(EXPORT, is_domestic=None, boundary=HOME)])
    for day in (OLD, YOUNG, date(2026, 3, 28)):
        add_rows(store, READINGS, [reading(mpan, day) for mpan in (HOME, SHOP, OWN, EXPORT)])
    add_rows(store, QUARANTINE, [rejected("old", "x", datetime(2025, 1, 1, tzinfo=UTC)), rejected("new", "x", NOW)])
    forecast = maintain_tables.run(store, start_run("maintain_tables", None, ""), KEEP, is_dry=True)
    assert count_by_meter(store) == dict.fromkeys((HOME, SHOP, OWN, EXPORT), 3)
    done = maintain_tables.run(store, start_run("maintain_tables", None, ""), KEEP)
    assert count_by_meter(store) == {HOME: 2, EXPORT: 2, SHOP: 3, OWN: 3}
    assert (forecast.counts["rows_deleted_readings"], done.counts["rows_deleted_readings"]) == (2, 2)
    assert [row["quarantine_id"] for row in read_rows(store, QUARANTINE)] == ["new"]
    assert done.counts["files_after"] < done.counts["files_before"]
    again = maintain_tables.run(store, start_run("maintain_tables", None, ""), KEEP)
    assert (again.counts["rows_deleted_readings"], again.counts["files_before"]) == (0, done.counts["files_after"])
    assert done.counts["bytes_after"] < done.counts["bytes_before"]


def test_two_hundred_small_ingests_end_in_few_files(store: TableStore) -> None:
    add_rows(store, METER_POINTS, [meter(SHOP, is_domestic=False)])
    writer = LakeWriter(Path(store.root))
    for place in range(200):
        writer.append(pa.Table.from_pylist([reading(SHOP, YOUNG + timedelta(days=place))], schema=arrow_schema(READINGS)), READINGS)
    done = maintain_tables.run(store, start_run("maintain_tables", None, ""), KEEP.model_copy(update={"vacuum_hours": 0}))
    assert (done.counts["files_before"], done.counts["files_after"]) == (201, 2)
    assert len(list((Path(store.root) / "silver" / "readings").glob("*.parquet"))) == 1
    assert count_by_meter(store) == {SHOP: 200}


def test_a_month_is_the_same_day_or_the_last_there_is() -> None:
    assert maintain_tables.first_kept_day(date(2026, 3, 28), 13) == date(2025, 2, 28)
    assert maintain_tables.first_kept_day(date(2026, 3, 31), 13) == date(2025, 2, 28)
    assert maintain_tables.first_kept_day(date(2026, 3, 31), 12) == date(2025, 3, 31)


def test_an_empty_lake_is_no_lake(store: TableStore) -> None:
    with pytest.raises(ConfigError, match="no table found"):
        maintain_tables.run(store, start_run("maintain_tables", None, ""), KEEP)


@pytest.fixture(scope="module")
def filled(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TableStore:
    """The lake of a user's own files: every table that the engine fills."""
    tmp_path = tmp_path_factory.mktemp("filled")
    store = TableStore(spark, str(tmp_path / "lake"))
    files = write_files(tmp_path)
    own = OwnFiles(files["input"])._replace(weather=files["weather"], labels=files["labels"])
    fill_own_lake(Path(store.root), own, load_settings("test", []))
    add_rows(store, QUARANTINE, [rejected("mine", f"{CAR},2023-10-02,no number", NOW), rejected("other", "another,row", NOW)])
    return store


def test_a_lake_is_measured(filled: TableStore) -> None:
    at = datetime(2024, 2, 11, tzinfo=UTC)
    answers = {"version": 1, "asset_class": "ev", "detected_probability": 0.9, "is_present": False}
    blank = {column.name: {"string": "", "bigint": 0}.get(column.type) for column in CONFIRMATIONS.columns}
    times = {column.name: at for column in CONFIRMATIONS.columns if column.type == "timestamp"}
    rows = [blank | times | answers | {"confirmation_id": str(place), "is_detected": True, "as_of_date": OLD} for place in range(20)]
    add_rows(filled, CONFIRMATIONS, rows)
    found: list[Measured] = []
    run = start_run("measure_operation", None, "")._replace(started_at=at)
    measure_operation.run(filled, run, MonitoringSettings(), found)
    value = {(one.name, *one.labels): one.value for one in found}
    assert value["newest_reading_age_days",] == value["gold_age_days",] == 3
    assert value["meters_admitted",] == 3
    assert value["answered_share", "ev"] == 1
    assert sum(value["tier_share", "ev", tier] for tier in ("high", "medium", "low")) == pytest.approx(1)
    assert sum(number for (name, *_), number in value.items() if name == "messages_rejected") > 0
    assert value["confirmations", "ev"] == 20
    assert value["calibration_gap", "ev"] == pytest.approx(0.9 - 2 * (0.09 / 20) ** 0.5)
    assert value["table_files", READINGS.full_name] >= 1
    assert 0 < value["disk_free_share",] < 1
    assert ("feature_drift", "log_mean_kw") not in value  # three meters show no distribution
    assert len(read_rows(filled, MEASURES)) == len(found)


def test_what_is_erased_is_in_no_file_of_any_table(filled: TableStore, tmp_path: Path) -> None:
    mpan_of = {row["series_id"]: row["mpan_id"] for row in read_rows(filled, SERIES)}
    mpan = mpan_of.pop(CAR)
    stored = LakeFiles(Path(filled.root))
    before = {table: stored.count(table) for table in ALL_TABLES if stored.has(table)}
    exported = answer_subject.run_export(filled, start_run("answer_subject", None, ""), CAR, tmp_path / "out")
    assert {path.name.removesuffix(".parquet") for path in (tmp_path / "out").iterdir()} == set(exported.counts)
    assert {READINGS.full_name, ASSET_DETECTIONS.full_name, QUARANTINE.full_name, "silver.labels"} <= set(exported.counts)
    assert list_mentions(Path(filled.root), (mpan, CAR))
    arriving = Path(filled.path(READINGS)) / "not_committed_yet.parquet"
    pq.write_table(pa.Table.from_pylist([reading(SHOP, YOUNG)], schema=arrow_schema(READINGS)), arriving)
    done = answer_subject.run_erase(filled, start_run("answer_subject", None, ""), mpan)
    assert arriving.exists()
    assert exported.counts == done.counts
    assert list_mentions(Path(filled.root), (mpan, CAR)) == []
    left = {table: LakeFiles(Path(filled.root)).count(table) for table in before}
    assert {table: before[table] - left[table] for table in before if before[table] != left[table]} == {
        table: done.counts[table.full_name] for table in before if table.full_name in done.counts
    }
    assert {row["mpan_id"] for row in read_rows(filled, ASSET_DETECTIONS)} == set(mpan_of.values())
    with pytest.raises(ConfigError, match="no table has a row"):
        answer_subject.run_erase(filled, start_run("answer_subject", None, ""), mpan, is_dry=True)


def list_mentions(lake: Path, names: tuple[str, ...]) -> list[str]:
    """Data files, of any version, that have one of the names in a column of text."""
    found = []
    for path in lake.rglob("*.parquet"):
        table = pq.read_table(path)
        texts = [table[name].to_pylist() for name in table.column_names if str(table.schema.field(name).type) in {"string", "large_string"}]
        if any(name in text for values in texts for text in values if text for name in names):
            found.append(str(path))
    return found


def test_every_column_that_names_a_meter_is_searched() -> None:
    for table in ALL_TABLES:
        condition = answer_subject.name_subject(table, [HOME], ["a"])
        for column in table.columns:
            if column.type == "string" and ("mpan" in column.name or column.name == "series_id"):
                assert column.name in condition


def test_a_name_with_a_quote_is_a_name(store: TableStore) -> None:
    with pytest.raises(ConfigError, match="no table has a row"):
        answer_subject.run_erase(store, start_run("answer_subject", None, ""), "x' OR 'a' = 'a")
