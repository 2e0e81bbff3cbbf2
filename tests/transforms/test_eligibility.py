"""The gate, row by row and both ways."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS
from fmar_spark.engine.schema import struct_type
from fmar_spark.transforms.eligibility import eligible_meter_days, judge_meters

UNTIL = date(2026, 3, 31)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
KWH = [0.5] * 48

HOME = {
    "source": "dip",
    "gsp_group_id": "_C",
    "connection_type": "W",
    "energy_direction": "I",
    "is_energised": True,
    "market_segment": "S",
    "annual_kwh": 3000.0,
    "is_domestic": True,
    "consent_granularity": "H",
    "interval_minutes": 30,
    "time_zone": "Europe/London",
    "latitude": 51.5,
    "longitude": -0.1,
    "weather_area": "_C",
    "told_at": NOW,
}
SHOP = HOME | {"is_domestic": False, "consent_granularity": None}
EXPORT = HOME | {"energy_direction": "E"}

# name, meter, does it hold a basis, refusal
CASES = [
    ("a home with consent and basis", HOME, True, None),
    ("a home without a basis", HOME, False, "no_legal_basis"),
    ("a home with daily consent", HOME | {"consent_granularity": "D"}, True, "no_half_hourly_consent"),
    ("a home whose consent nobody told", HOME | {"consent_granularity": None}, True, "no_half_hourly_consent"),
    ("a de-energised home", HOME | {"is_energised": False}, True, "de_energised"),
    ("a home of unknown energisation", HOME | {"is_energised": None}, True, None),
    ("an unmetered supply", SHOP | {"market_segment": "U"}, False, "unmetered"),
    ("an unmetered connection", SHOP | {"connection_type": "U"}, False, "unmetered"),
    ("a shop that was never asked", SHOP, False, None),
    ("a shop that refused", SHOP | {"consent_granularity": "N"}, False, "no_half_hourly_consent"),
    ("a premise of unknown kind without a basis", HOME | {"is_domestic": None}, False, "no_legal_basis"),
    ("a premise of unknown kind with a basis", HOME | {"is_domestic": None}, True, None),
    (
        "an imported series with its owner's basis",
        HOME | {"source": "import", "consent_granularity": None, "is_domestic": None},
        True,
        None,
    ),
    ("an imported series without a basis", HOME | {"source": "import", "consent_granularity": None}, False, "no_legal_basis"),
]


def meter(mpan: str, attributes: dict[str, Any], boundary: str | None = None) -> dict[str, Any]:
    return {"mpan_id": mpan, "boundary_mpan_id": boundary or mpan, **attributes}


def basis(mpan: str, valid_from: date | None = None, valid_to: date | None = None) -> dict[str, Any]:
    return {
        "mpan_id": mpan,
        "basis": "simulated",
        "source": "a test",
        "valid_from_date": valid_from,
        "valid_to_date": valid_to,
        "recorded_at": NOW,
    }


def reading(mpan: str, day: date = UNTIL, quantity: str = "AI", opted_out: list[bool | None] | None = None) -> dict[str, Any]:
    return {
        "mpan_id": mpan,
        "utc_date": day,
        "quantity": quantity,
        "kwh": KWH,
        "quality": ["A"] * 48,
        "opted_out": opted_out,
        "told_at": NOW,
    }


def judged(spark: SparkSession, meters: list[dict[str, Any]], bases: list[dict[str, Any]]) -> dict[str, str | None]:
    rows = judge_meters(
        spark.createDataFrame(meters, struct_type(METER_POINTS)), spark.createDataFrame(bases, struct_type(LEGAL_BASES)), UNTIL
    )
    return {row["mpan_id"]: row["refusal"] for row in rows.collect()}


def let_through(
    spark: SparkSession, readings: list[dict[str, Any]], meters: list[dict[str, Any]], bases: list[dict[str, Any]], **options: Any
) -> list[Any]:
    return eligible_meter_days(
        spark.createDataFrame(readings, struct_type(READINGS)),
        spark.createDataFrame(meters, struct_type(METER_POINTS)),
        spark.createDataFrame(bases, struct_type(LEGAL_BASES)),
        UNTIL,
        **options,
    ).collect()


def test_every_kind_of_meter_is_judged_by_the_first_rule_that_it_breaks(spark: SparkSession) -> None:
    meters = [meter(f"{number:013d}", attributes) for number, (_, attributes, _, _) in enumerate(CASES)]
    bases = [basis(f"{number:013d}") for number, case in enumerate(CASES) if case[2]]
    found = judged(spark, meters, bases)
    assert {case[0]: found[f"{number:013d}"] for number, case in enumerate(CASES)} == {case[0]: case[3] for case in CASES}


def test_a_basis_counts_only_while_it_is_valid(spark: SparkSession) -> None:
    meters = [meter(name, HOME) for name in ("open", "ended", "to_come", "first_day", "last_day")]
    bases = [
        basis("open"),
        basis("ended", valid_to=UNTIL),
        basis("to_come", valid_from=date(2026, 4, 1)),
        basis("first_day", valid_from=UNTIL),
        basis("last_day", valid_to=date(2026, 4, 1)),
    ]
    found = judged(spark, meters, bases)
    assert {name for name, refusal in found.items() if refusal is None} == {"open", "first_day", "last_day"}


def test_an_export_meter_stands_and_falls_with_its_boundary(spark: SparkSession) -> None:
    meters = [
        meter("home", HOME),
        meter("home_export", EXPORT, "home"),
        meter("refused", HOME | {"consent_granularity": "N"}),
        meter("refused_export", EXPORT, "refused"),
        meter("lone_export", EXPORT, "never_told"),
        meter("shy_export", EXPORT | {"consent_granularity": "M"}, "home"),
    ]
    found = judged(spark, meters, [basis("home"), basis("refused"), basis("lone_export")])
    assert found == {
        "home": None,
        "home_export": None,
        "refused": "no_half_hourly_consent",
        "refused_export": "boundary_refused",
        "lone_export": "boundary_unknown",
        "shy_export": "no_half_hourly_consent",
    }


@pytest.mark.parametrize("is_broadcast", [True, False])
def test_days_come_out_under_the_boundary_with_its_attributes(spark: SparkSession, is_broadcast: bool) -> None:
    readings = [
        reading("home"),
        reading("home_export", quantity="AE"),
        reading("home", quantity="RI"),
        reading("home", day=date(2026, 4, 1)),
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
