"""Gold tables as projections of meter profiles: literal rows in, rows out."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, BASELINES, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS, METER_PROFILES
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.schema import struct_type
from fmar_spark.profiling.projections import PROJECTIONS
from fmar_spark.steps import characterise
from fmar_spark.transforms import gold

AS_OF = date(2024, 3, 31)
Row = dict[str, Any]


def blank(contract: TableContract, column: str) -> Row:
    """A struct of the column's array with every field null."""
    kind = struct_type(contract)[column].dataType
    return dict.fromkeys(getattr(kind, "elementType", kind).names)


def detection(asset: str, *, is_present: bool | None) -> Row:
    known = is_present is not None
    said = {"asset_class": asset, "is_present": is_present, "status": "characterised" if known else "in_progress"}
    return blank(METER_PROFILES, "detections") | said | {"probability": 0.97 if is_present else 0.1 if known else None}


def capability(asset: str, direction: str, rated_kw: float) -> Row:
    said = {"asset_class": asset, "direction": direction, "rated_kw": rated_kw, "events_seen": 12}
    return blank(METER_PROFILES, "capabilities") | said


def change(asset: str, day: date, kind: str) -> Row:
    return blank(METER_PROFILES, "changes") | {"asset_class": asset, "changed_date": day, "kind": kind}


def profile(mpan: str, **columns: Any) -> Row:
    row: Row = {column.name: None for column in METER_PROFILES.columns}
    row |= {"verdict": "sufficient", "days_seen": 365, "has_export": False, "has_weather": True, "interval_minutes": 30}
    row |= {"detections": [], "changes": [], "capabilities": [], "availabilities": [], "events": []}
    return row | {"mpan_id": mpan, "model_version": "test/1", "run_id": "r1", "as_of_date": AS_OF} | columns


@pytest.fixture
def profiles(spark: SparkSession) -> DataFrame:
    """A home with a car that is there and a battery that is gone, and a meter of which nothing is known yet."""
    answers = {"ev": True, "battery": False}
    home = profile(
        "1",
        detections=[detection(asset, is_present=answers.get(asset, False)) for asset in ASSET_CLASSES],
        changes=[
            change("ev", date(2023, 5, 1), "appeared"),
            change("battery", date(2023, 9, 9), "upgraded"),
            change("battery", date(2023, 9, 9), "removed"),
        ],
        capabilities=[
            capability("ev", "import", 7.2),
            capability("battery", "import", 5.0),
            capability("battery", "export", 5.0),
        ],
        availabilities=[
            {
                "asset_class": "ev",
                "direction": "import",
                "season": "winter",
                "weeks_observed": [10, 11, 12, 13, 9, 8, 7],
                "probability": [cell / 1000 for cell in range(336)],
                "kw_p50": [None if cell % 2 else float(cell) for cell in range(336)],
            }
        ],
        events=[
            blank(METER_PROFILES, "events")
            | {"asset_class": "ev", "started_at": datetime(2023, 6, 1, 0, 30, tzinfo=UTC), "energy_kwh": 14.0, "is_import": True}
        ],
        baseline=blank(METER_PROFILES, "baseline") | {"model": "recent days", "cv_rmse": 0.31, "days_used": 90},
    )
    new = profile("2", verdict="too_few_days", detections=[detection(asset, is_present=None) for asset in ASSET_CLASSES])
    return spark.createDataFrame([home, new], struct_type(METER_PROFILES))


def rows_of(frame: DataFrame) -> list[Row]:
    return [row.asDict(recursive=True) for row in frame.collect()]


@pytest.mark.parametrize(
    ("project", "contract"),
    [
        (gold.list_detections, ASSET_DETECTIONS),
        (gold.list_changes, ASSET_CHANGES),
        (gold.list_capabilities, CAPABILITY),
        (gold.list_availabilities, AVAILABILITY),
        (gold.list_events, ASSET_EVENTS),
        (gold.list_baselines, BASELINES),
    ],
)
def test_every_projection_has_its_contracts_form_and_one_row_a_key(profiles: DataFrame, project: Any, contract: TableContract) -> None:
    found = project(profiles)
    assert found.columns == [column.name for column in contract.columns]
    assert found.count() == found.select(*contract.key).distinct().count() > 0


@pytest.mark.parametrize("contract", [contract for contract, _ in PROJECTIONS], ids=lambda contract: contract.name)
def test_without_spark_the_rows_are_the_same(profiles: DataFrame, contract: TableContract) -> None:
    in_arrow, in_spark = dict(PROJECTIONS)[contract](profiles.toArrow()), dict(characterise.PROJECTIONS)[contract](profiles).toArrow()
    order = [(name, "ascending") for name in contract.key]
    assert in_arrow.schema.equals(arrow_schema(contract))
    assert in_arrow.sort_by(order).to_pylist() == in_spark.sort_by(order).to_pylist()


def test_every_meter_has_five_answers_whatever_they_are(profiles: DataFrame) -> None:
    found = rows_of(gold.list_detections(profiles))
    assert sorted((row["mpan_id"], row["asset_class"]) for row in found) == sorted(
        (mpan, asset) for mpan in "12" for asset in ASSET_CLASSES
    )
    by_key = {(row["mpan_id"], row["asset_class"]): row for row in found}
    assert by_key["1", "ev"]["is_present"] is True
    assert by_key["1", "battery"]["is_present"] is False
    assert by_key["2", "ev"]["is_present"] is None
    assert by_key["2", "ev"]["status"] == "in_progress"
    assert {(row["model_version"], row["days_seen"], row["as_of_date"]) for row in found} == {("test/1", 365, AS_OF)}


def test_capabilities_are_those_of_assets_that_are_there_on_the_last_day(profiles: DataFrame) -> None:
    (row,) = rows_of(gold.list_capabilities(profiles))
    assert (row["mpan_id"], row["asset_class"], row["direction"], row["rated_kw"], row["events_seen"]) == ("1", "ev", "import", 7.2, 12)


def test_changes_are_listed_of_assets_that_are_gone_too(profiles: DataFrame) -> None:
    found = {(row["asset_class"], row["kind"]): row["changed_date"] for row in rows_of(gold.list_changes(profiles))}
    assert found == {("ev", "appeared"): date(2023, 5, 1), ("battery", "removed"): date(2023, 9, 9)}


def test_a_matrix_becomes_a_row_for_each_weekday_from_monday_and_each_slot(profiles: DataFrame) -> None:
    found = {(row["weekday"], row["slot"]): row for row in rows_of(gold.list_availabilities(profiles))}
    assert set(found) == {(weekday, slot) for weekday in range(1, 8) for slot in range(48)}
    for (weekday, slot), row in found.items():
        cell = (weekday - 1) * 48 + slot
        assert row["probability"] == pytest.approx(cell / 1000)
        assert row["weeks_observed"] == [10, 11, 12, 13, 9, 8, 7][weekday - 1]
        assert row["kw_p50"] == (None if cell % 2 else cell)
        assert (row["asset_class"], row["direction"], row["season"]) == ("ev", "import", "winter")


def test_an_event_that_is_still_going_on_has_no_end(profiles: DataFrame) -> None:
    (row,) = rows_of(gold.list_events(profiles))
    assert (row["mpan_id"], row["energy_kwh"], row["ended_at"]) == ("1", 14.0, None)


def test_a_meter_without_a_baseline_has_no_row(profiles: DataFrame) -> None:
    (row,) = rows_of(gold.list_baselines(profiles))
    assert (row["mpan_id"], row["model"], row["cv_rmse"], row["days_used"]) == ("1", "recent days", 0.31, 90)


def test_of_two_changes_on_one_day_the_later_state_is_kept(spark: SparkSession) -> None:
    days = [(date(2023, 5, 1), "removed"), (date(2023, 5, 1), "appeared"), (date(2023, 8, 1), "upgraded")]
    changes = [change(asset, day, kind) for asset in ("ev", "battery") for day, kind in days]
    profiles = spark.createDataFrame([profile("1", changes=changes)], struct_type(METER_PROFILES))
    found = {(row["asset_class"], row["changed_date"]): row["kind"] for row in rows_of(gold.list_changes(profiles))}
    assert found == {(asset, day): kind for asset in ("ev", "battery") for day, kind in days[1:]}


def test_no_profiles_give_empty_tables(profiles: DataFrame) -> None:
    for project in (gold.list_detections, gold.list_capabilities, gold.list_availabilities, gold.list_events):
        assert project(profiles.where("false")).count() == 0
