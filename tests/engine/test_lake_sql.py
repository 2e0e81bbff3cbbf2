"""SQL over a lake: what is not there has no rows, and readings come out only of meters that pass the consent check."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from consent_world import EXPORT, FLEETS, HOME, NOW, UNTIL, basis, meter
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError
from plain_columns import plain_schema

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, LEGAL_BASES, METER_POINTS, READING_VERSIONS, READINGS
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.engine.table_properties import LOG
from fmar_spark.errors import ConfigError

Row = dict[str, Any]


def write_rows(root: Path, contract: TableContract, rows: Iterable[Row]) -> None:
    write_deltalake(str(root / contract.layer / contract.name), pa.Table.from_pylist(list(rows), schema=plain_schema(contract)))


def reading(mpan_id: str, quantity: str = "AI", opted_out: list[bool | None] | None = None) -> Row:
    keys = {"mpan_id": mpan_id, "utc_date": UNTIL, "quantity": quantity, "reported_at": NOW}
    return {**keys, "kwh": [0.5] * 48, "quality": ["A"] * 48, "opted_out": opted_out}


@pytest.mark.parametrize("name", FLEETS)
def test_the_consent_check_without_spark_says_the_same(tmp_path: Path, name: str) -> None:
    meters, bases, rejected = FLEETS[name]
    write_rows(tmp_path, METER_POINTS, meters)
    write_rows(tmp_path, LEGAL_BASES, bases)
    found = LakeRows(tmp_path, UNTIL).rows("SELECT mpan_id, rejection FROM consent_checks")
    assert {row["mpan_id"]: row["rejection"] for row in found} == rejected


@pytest.fixture
def lake(tmp_path: Path) -> LakeRows:
    """A home with an export meter, the same whose export meter has no consent, and a home that withdrew."""
    meters = [
        meter("home", HOME),
        meter("home_export", EXPORT | {"weather_area": None}, "home"),
        meter("other", HOME),
        meter("shy_export", EXPORT | {"consent_granularity": "N"}, "other"),
        meter("withdrawn", HOME | {"consent_granularity": "N"}),
    ]
    write_rows(tmp_path, METER_POINTS, meters)
    write_rows(tmp_path, LEGAL_BASES, [basis(name) for name in ("home", "other", "withdrawn")])
    sold = [reading(name, "AE") for name in ("home_export", "shy_export")]
    opted_out = [True, None] + [False] * 46
    bought = [reading("home", opted_out=opted_out), reading("other"), reading("withdrawn"), reading("stranger"), reading("home", "RI")]
    write_rows(tmp_path, READINGS, [*bought, *sold])
    return LakeRows(tmp_path, UNTIL)


def test_readings_come_out_of_meters_that_pass_under_their_boundary(lake: LakeRows) -> None:
    found = lake.rows("SELECT mpan_id, quantity, weather_area, list_sum(kwh) AS kwh FROM eligible_readings ORDER BY ALL")
    assert [(row["mpan_id"], row["quantity"], row["weather_area"], row["kwh"]) for row in found] == [
        ("home", "AE", "_C", 24.0),
        ("home", "AI", "_C", 23.5),
        ("other", "AI", "_C", 24.0),
    ]


def test_an_opted_out_half_hour_comes_out_unread(lake: LakeRows) -> None:
    kwh = lake.rows("SELECT kwh FROM eligible_readings WHERE mpan_id = 'home' AND quantity = 'AI'")[0]["kwh"]
    assert kwh == [None] + [0.5] * 47


@pytest.mark.parametrize("contract", [READINGS, READING_VERSIONS, INTERVAL_IMPORTS], ids=lambda contract: contract.full_name)
def test_energies_have_no_other_way_out(lake: LakeRows, contract: TableContract) -> None:
    with pytest.raises(duckdb.BinderException, match="kwh"):
        lake.rows(f"SELECT kwh FROM {contract.full_name}")
    assert "kwh" not in lake.read(f"SELECT * FROM {contract.full_name}").column_names


def test_a_basis_must_hold_today_or_on_the_day_of_the_answers_where_that_is_later(tmp_path: Path) -> None:
    write_rows(tmp_path, METER_POINTS, [meter("home", HOME)])
    assert LakeRows(tmp_path).checked_on == datetime.now(UTC).date()
    answered = {"mpan_id": "home", "asset_class": "ev", "status": "characterised", "model_version": "0", "run_id": "r", "days_seen": 1}
    write_rows(tmp_path, ASSET_DETECTIONS, [answered | {"as_of_date": date(2999, 1, 1)}])
    assert LakeRows(tmp_path).checked_on == date(2999, 1, 1)


def test_a_table_that_was_not_written_has_no_rows(lake: LakeRows) -> None:
    assert lake.rows("SELECT * FROM gold.capability") == []
    assert not lake.has(ASSET_DETECTIONS)


@pytest.mark.parametrize(
    "name",
    [
        "silver.meter_points",
        "SILVER.Meter_Points",
        '"silver"."meter_points"',
        'silver."meter_points"',
        "silver .\n meter_points",
        "silver./* all */meter_points",
        "memory.silver.meter_points",
    ],
)
def test_a_table_is_found_however_sql_allows_its_name_to_be_written(lake: LakeRows, name: str) -> None:
    assert lake.rows(f"SELECT count(*) AS meters FROM {name}") == [{"meters": 5}]


def test_what_is_written_after_the_lake_was_opened_is_not_read(lake: LakeRows) -> None:
    write_deltalake(
        str(lake.root / "silver" / "meter_points"), pa.Table.from_pylist([], schema=plain_schema(METER_POINTS)), mode="overwrite"
    )
    write_rows(lake.root, ASSET_DETECTIONS, [])
    assert lake.rows("SELECT count(*) AS meters FROM silver.meter_points") == [{"meters": 5}]
    assert lake.rows("SELECT count(DISTINCT mpan_id) AS meters FROM eligible_readings") == [{"meters": 2}]
    assert not lake.has(ASSET_DETECTIONS)


@pytest.mark.parametrize("name", ["silver.meter_points", "eligible_readings", "consent_checks"])
def test_a_table_that_could_not_be_opened_is_opened_when_it_is_there_again(lake: LakeRows, name: str) -> None:
    query, log = f"SELECT mpan_id FROM {name}", lake.root / "silver" / "meter_points" / LOG
    kept = log.rename(lake.root / "kept")
    for _ in range(2):
        with pytest.raises(DeltaError):
            lake.rows(query)
    kept.rename(log)
    assert lake.rows(query)


def test_a_folder_without_a_lake_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no table of a lake"):
        LakeRows(tmp_path)
    with pytest.raises(ConfigError, match="no lake there"):
        LakeRows(tmp_path / "nowhere")
