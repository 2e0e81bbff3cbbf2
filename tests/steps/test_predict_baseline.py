"""Wanted days through the lake: run twice the same table, and every error in one line."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lake_rows import add_rows, read_rows, read_table
from pyspark.sql import SparkSession

from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, SERIES, WEATHER
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.settings.overlays import load_settings
from fmar_spark.steps import predict_baseline, record_legal_basis
from fmar_spark.steps.predict_baseline import Request

NOW = datetime(2025, 7, 1, tzinfo=UTC)
FIRST = date(2025, 4, 1)
DAYS = 70
WEEK = Request(date(2025, 6, 4), date(2025, 6, 12), None)
SHOP, HOME, UNASKED = "1900012374324", "2000056535971", "1200023305967"


def meter(mpan: str, **other: Any) -> dict[str, Any]:
    attributes = {
        "source": "import",
        "gsp_group_id": "_C",
        "is_domestic": False,
        "interval_minutes": 30,
        "time_zone": "Europe/London",
        "latitude": 51.5,
        "longitude": -0.1,
        "weather_area": "here",
        "reported_at": NOW,
    }
    unsaid = ("connection_type", "energy_direction", "is_energised", "market_segment", "annual_kwh", "consent_granularity")
    return dict.fromkeys(unsaid) | attributes | {"mpan_id": mpan, "boundary_mpan_id": mpan} | other


def reading(mpan: str, day: int, kwh: list[float | None]) -> dict[str, Any]:
    other = {"quantity": "AI", "quality": ["A"] * 48, "opted_out": None, "reported_at": NOW}
    return {"mpan_id": mpan, "utc_date": FIRST + timedelta(days=day), "kwh": kwh, **other}


def series(name: str, mpan: str) -> dict[str, Any]:
    return {column.name: None for column in SERIES.columns} | {
        "series_id": name,
        "mpan_id": mpan,
        "interval_minutes": 30,
        "imported_at": NOW,
    }


def fill(store: TableStore) -> None:
    """Two meters that may be looked at, one with a gap, and a home that may not."""
    rng = np.random.default_rng(1)
    loads = np.round(2 + rng.random((3, DAYS, 48)), 3)
    temp = np.round(rng.normal(12, 3, (DAYS, 48)), 1)
    readings = [reading(SHOP, day, loads[0, day].tolist()) for day in range(DAYS)]
    readings += [reading(HOME, day, loads[1, day].tolist()) for day in range(DAYS) if day % 9 < 7]
    readings += [reading(UNASKED, day, loads[2, day].tolist()) for day in range(3)]
    weather = [
        {
            "weather_area": "here",
            "utc_date": FIRST + timedelta(days=day),
            "temp_c": temp[day].tolist(),
            "ghi_w_m2": [None] * 48,
            "source": "a test",
        }
        for day in range(DAYS)
    ]
    basis = dict.fromkeys(LEGAL_BASES.names) | {
        "mpan_id": HOME,
        "purpose": "any",
        "basis": "own data",
        "source": "a test",
        "recorded_at": NOW,
    }
    tables: list[tuple[TableContract, list[dict[str, Any]]]] = [
        (READINGS, readings),
        (METER_POINTS, [meter(SHOP), meter(HOME, is_domestic=True), meter(UNASKED, is_domestic=True)]),
        (LEGAL_BASES, [basis]),
        (WEATHER, weather),
        (SERIES, [series("the shop", SHOP), series("the home", HOME)]),
    ]
    for contract, rows in tables:
        add_rows(store, contract, rows)


@pytest.fixture(scope="module")
def filled_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with readings and no predictions, not to be written to."""
    path = tmp_path_factory.mktemp("filled") / "lake"
    fill(TableStore(spark, str(path)))
    return path


@pytest.fixture
def lake(spark: SparkSession, filled_lake: Path, tmp_path: Path) -> Iterator[TableStore]:
    """A copy of it for one test."""
    yield from copy_lake(spark, filled_lake, tmp_path / "lake")


@pytest.fixture(scope="module")
def answered_lake(spark: SparkSession, filled_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Written]:
    """The same lake after ``WEEK`` was predicted, not to be written to, and what that run counted."""
    path = tmp_path_factory.mktemp("answered") / "lake"
    shutil.copytree(filled_lake, path)
    return path, predict(TableStore(spark, str(path)), WEEK)


@pytest.fixture
def answered(spark: SparkSession, answered_lake: tuple[Path, Written], tmp_path: Path) -> Iterator[TableStore]:
    """A copy of that for one test."""
    yield from copy_lake(spark, answered_lake[0], tmp_path / "answered")


def copy_lake(spark: SparkSession, source: Path, into: Path) -> Iterator[TableStore]:
    shutil.copytree(source, into)
    yield TableStore(spark, str(into))
    shutil.rmtree(into)


def predict(store: TableStore, request: Request, *overrides: str) -> Written:
    settings = load_settings("test", list(overrides))
    return predict_baseline.run(store, start_run("predict_baseline", None, ""), settings, request)


def rows_of(store: TableStore) -> list[dict[str, Any]]:
    rows = read_table(store, BASELINE_PREDICTIONS).drop_columns("run_id")
    return rows.sort_by([("mpan_id", "ascending"), ("slot_start_at", "ascending")]).to_pylist()


def days_file(path: Path, *lines: str) -> Request:
    path.write_text("\n".join(lines) + "\n")
    return Request(None, None, path)


def test_a_range_is_predicted_for_eligible_meters_and_again_the_same(answered_lake: tuple[Path, Written], answered: TableStore) -> None:
    rows = rows_of(answered)
    assert answered_lake[1].rows_kept == len(rows) == 2 * 9 * 48
    assert {row["mpan_id"] for row in rows} == {SHOP, HOME}
    assert min(row["slot_start_at"] for row in rows) == datetime(2025, 6, 3, 23, 0, tzinfo=UTC)
    assert all(row["trained_to_date"] < (row["slot_start_at"] + timedelta(hours=1)).date() for row in rows)
    assert all(2 < row["predicted_kwh"] < 3 and row["p10_kwh"] < row["p90_kwh"] for row in rows)

    assert predict(answered, WEEK, "characterise.meters_per_chunk=1").rows_kept == len(rows)
    assert rows_of(answered) == rows


def test_a_day_asked_for_alone_is_answered_as_in_a_range(lake: TableStore, answered: TableStore, tmp_path: Path) -> None:
    asked = days_file(
        tmp_path / "days.csv", "series_id,date", "the shop,2025-06-04", "the home,2025-06-09", "the shop,2025-06-04", "nobody,2025-06-09"
    )
    assert predict(lake, asked).rows_kept == 2 * 48
    few = rows_of(lake)
    every = {(row["mpan_id"], row["slot_start_at"]): row for row in rows_of(answered)}
    assert [every[row["mpan_id"], row["slot_start_at"]] for row in few] == few
    assert {row["mpan_id"] for row in few} == {SHOP, HOME}


def test_days_may_be_named_by_mpan_and_lie_before_and_after_all_readings(lake: TableStore, tmp_path: Path) -> None:
    assert predict(lake, days_file(tmp_path / "days.csv", "mpan_id,date", f"{SHOP},2025-03-01", f"{SHOP},2025-08-01")).rows_kept == 96
    rows = rows_of(lake)
    assert {(row["model"], row["trained_to_date"], row["predicted_kwh"]) for row in rows[:48]} == {("no_readings_before", None, None)}
    assert {row["trained_to_date"] for row in rows[48:]} == {date(2025, 6, 10)}


def test_a_run_that_writes_nothing_says_so_whatever_was_written_before(answered: TableStore, tmp_path: Path) -> None:
    unwritten = predict(answered, days_file(tmp_path / "days.csv", "mpan_id,date", f"{UNASKED},2025-06-04"))
    assert unwritten.counts == {"half_hours": 0, "half_hours_forgotten": 0}


def test_predictions_of_a_meter_that_may_no_longer_be_examined_are_forgotten_by_the_next_run(answered: TableStore, tmp_path: Path) -> None:
    assert end_legal_basis(answered, HOME, date(2025, 6, 20)) == 1
    written = predict(answered, days_file(tmp_path / "days.csv", "series_id,date", "the shop,2025-06-13"))
    assert written.counts == {"half_hours": 48, "half_hours_forgotten": 9 * 48}
    assert {row["mpan_id"] for row in rows_of(answered)} == {SHOP}


def test_an_ended_legal_basis_stays_ended_when_its_series_are_imported_again(lake: TableStore) -> None:
    ended = date(2025, 6, 20)
    assert [end_legal_basis(lake, HOME, day) for day in (ended, ended, date(2025, 6, 25))] == [1, 0, 0]
    run = start_run("record_legal_basis", None, "")
    assert record_legal_basis.run_for_series(lake, run, ("the home",), "own data", "a test").counts == {"meters": 1}
    assert [row["valid_to_date"] for row in read_rows(lake, LEGAL_BASES)] == [ended]
    assert record_legal_basis.run_for_meters(lake, run, (HOME,), "explicit consent", date(2025, 6, 22)).counts == {"meters": 1}
    (row,) = [row for row in read_rows(lake, LEGAL_BASES) if row["mpan_id"] == HOME]
    assert (row["basis"], row["valid_from_date"], row["valid_to_date"]) == ("explicit consent", date(2025, 6, 22), None)
    with pytest.raises(InputError, match="1 meter named, none in"):
        end_legal_basis(lake, "2200041795404", ended)


def end_legal_basis(lake: TableStore, mpan: str, day: date) -> int:
    run = start_run("record_legal_basis", None, "")
    return record_legal_basis.run_for_ending(lake, run, (mpan,), day).counts["meters"]


def test_an_impossible_day_of_one_meter_changes_nothing(answered: TableStore) -> None:
    expected = rows_of(answered)
    impossible = [{**reading(SHOP, 0, [1.0] * 48), "utc_date": day} for day in (date(1, 1, 1), date(2099, 1, 1), date(9999, 12, 31))]
    add_rows(answered, READINGS, impossible)
    assert predict(answered, WEEK).rows_kept == len(expected)
    assert rows_of(answered) == expected


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["series_id,day", "the shop,2025-05-20"], "series_id or mpan_id, and date wanted"),
        (["series_id,date", "the shop,2025-05-20", "the shop,20/05/2025"], "line 3"),
        (["series_id,date", ",2025-05-20"], "line 2: no series_id"),
        (["series_id,date"], "no days listed"),
        (["series_id,date", '"the shop,2025-05-20', "the shop,2025-05-21", '"the shop,2025-05-22'], "line 2: .*every quote closed"),
        (["mpan_id,date", "1200000000001,2025-05-20", "1200000000002,2025-05-20"], "2 meters named, none in silver.meter_points"),
        (["series_id,date", "nobody,2025-05-20"], "1 meter named, none in silver.series"),
    ],
)
def test_a_file_of_days_that_cannot_be_used_is_reported_in_one_line(
    spark: SparkSession, filled_lake: Path, tmp_path: Path, lines: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=said) as raised:
        predict(TableStore(spark, str(filled_lake)), days_file(tmp_path / "days.csv", *lines))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request(None, date(2025, 6, 1), None), "--from and --to"),
        (Request(date(2025, 6, 2), date(2025, 6, 1), None), "2025-06-02 to 2025-06-01 found, the first day first"),
        (Request(date(2020, 1, 1), date(2025, 6, 1), None), "1,979 days"),
        (Request(date(2055, 6, 1), date(2055, 6, 2), None), "day 2055-06-01 requested"),
    ],
)
def test_a_range_that_cannot_be_meant_is_reported(spark: SparkSession, filled_lake: Path, request_: Request, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        predict(TableStore(spark, str(filled_lake)), request_)
