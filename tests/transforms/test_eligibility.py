"""The consent check in Spark: every kind of meter, and what comes out."""

from datetime import date
from typing import Any

import pytest
from consent_world import EXPORT, FLEETS, HOME, NOW, UNTIL, basis, meter
from pyspark.sql import SparkSession

from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS
from fmar_spark.engine.schema import struct_type
from fmar_spark.transforms.eligibility import RunDays, check_meters, eligible_meter_days, eligible_meters

KWH = [0.5] * 48


def reading(mpan: str, day: date = UNTIL, quantity: str = "AI", opted_out: list[bool | None] | None = None) -> dict[str, Any]:
    return {
        "mpan_id": mpan,
        "utc_date": day,
        "quantity": quantity,
        "kwh": KWH,
        "quality": ["A"] * 48,
        "opted_out": opted_out,
        "reported_at": NOW,
    }


def checked(spark: SparkSession, meters: list[dict[str, Any]], bases: list[dict[str, Any]]) -> dict[str, str | None]:
    rows = check_meters(
        spark.createDataFrame(meters, struct_type(METER_POINTS)), spark.createDataFrame(bases, struct_type(LEGAL_BASES)), UNTIL
    )
    return {row["mpan_id"]: row["rejection"] for row in rows.collect()}


def let_through(
    spark: SparkSession,
    readings: list[dict[str, Any]],
    meters: list[dict[str, Any]],
    bases: list[dict[str, Any]],
    consent_date: date = UNTIL,
    **options: Any,
) -> list[Any]:
    return eligible_meter_days(
        spark.createDataFrame(readings, struct_type(READINGS)),
        spark.createDataFrame(meters, struct_type(METER_POINTS)),
        spark.createDataFrame(bases, struct_type(LEGAL_BASES)),
        RunDays(UNTIL, consent_date),
        **options,
    ).collect()


@pytest.mark.parametrize("name", FLEETS)
def test_every_meter_point_is_rejected_by_the_first_rule_that_it_breaks(spark: SparkSession, name: str) -> None:
    meters, bases, rejected = FLEETS[name]
    assert checked(spark, meters, bases) == rejected


@pytest.mark.parametrize("is_broadcast", [True, False])
def test_days_come_out_under_the_boundary_with_its_attributes(spark: SparkSession, is_broadcast: bool) -> None:
    readings = [
        reading("home"),
        reading("home_export", quantity="AE"),
        reading("home", quantity="RI"),
        reading("home", day=date(2026, 4, 1)),
        reading("home", day=date(1, 1, 1)),
        reading("stranger"),
        reading("no_basis"),
    ]
    meters = [meter("home", HOME), meter("home_export", EXPORT | {"weather_area": None}, "home"), meter("no_basis", HOME)]
    rows = let_through(spark, readings, meters, [basis("home")], is_broadcast=is_broadcast)
    assert sorted((row["mpan_id"], row["quantity"], row["utc_date"], row["weather_area"]) for row in rows) == [
        ("home", "AE", UNTIL, "_C"),
        ("home", "AI", UNTIL, "_C"),
    ]


def test_opted_out_slots_come_out_unread(spark: SparkSession) -> None:
    marks = [True, None] + [False] * 46
    rows = let_through(spark, [reading("home", opted_out=marks)], [meter("home", HOME)], [basis("home")])
    assert rows[0]["kwh"] == [None] + [0.5] * 47


def test_consent_is_checked_on_its_own_day_and_not_on_that_of_the_newest_reading(spark: SparkSession) -> None:
    homes = [meter("ended", HOME), meter("begun", HOME)]
    bases = [basis("ended", valid_to=date(2026, 4, 10)), basis("begun", valid_from=date(2026, 4, 10))]
    readings = [reading("ended"), reading("begun")]
    points = spark.createDataFrame(homes, struct_type(METER_POINTS))
    for day, expected in ((UNTIL, "ended"), (date(2026, 4, 9), "ended"), (date(2026, 4, 10), "begun")):
        assert [row["mpan_id"] for row in let_through(spark, readings, homes, bases, day)] == [expected]
        known = eligible_meters(points, spark.createDataFrame(bases, struct_type(LEGAL_BASES)), day)
        assert [row["mpan_id"] for row in known.collect()] == [expected]
