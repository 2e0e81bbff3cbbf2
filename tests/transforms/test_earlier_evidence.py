"""What earlier readings showed stays known after they were deleted."""

from datetime import date
from typing import Any

import pytest
from pyspark.sql import SparkSession
from test_gold import change, detection, profile

from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.engine.schema import struct_type
from fmar_spark.transforms.earlier_evidence import keep_earlier_evidence

FIRST, CUT, OLD_DAY, NEW_DAY = date(2023, 1, 1), date(2024, 3, 1), date(2025, 3, 1), date(2025, 4, 1)
APPEARED = {"appeared_date": date(2023, 6, 1), "appeared_p10_date": date(2023, 5, 20), "appeared_p90_date": date(2023, 6, 9)}


def merge(spark: SparkSession, new: list[dict[str, Any]], old: list[dict[str, Any]], eligible: str = "abc") -> dict[str, dict[str, Any]]:
    tables = (spark.createDataFrame(rows, struct_type(METER_PROFILES)) for rows in (new, old))
    admitted = spark.createDataFrame([(mpan,) for mpan in eligible], "mpan_id string")
    return {row["mpan_id"]: row.asDict(recursive=True) for row in keep_earlier_evidence(*tables, admitted).collect()}


def old(mpan: str, *detections: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return profile(mpan, first_date=FIRST, as_of_date=OLD_DAY, run_id="old", detections=list(detections), **columns)


def new(mpan: str, *detections: dict[str, Any], first: date = CUT) -> dict[str, Any]:
    return profile(mpan, first_date=first, as_of_date=NEW_DAY, run_id="new", detections=list(detections))


def test_an_asset_that_stays_keeps_its_date_and_says_from_when_its_evidence_is(spark: SparkSession) -> None:
    before = old("a", detection("ev", is_present=True) | APPEARED, changes=[change("ev", date(2023, 6, 1), "appeared")])
    row = merge(spark, [new("a", detection("ev", is_present=True))], [before])["a"]
    assert row["first_date"] == FIRST
    assert {name: row["detections"][0][name] for name in APPEARED} == APPEARED
    assert [one["changed_date"] for one in row["changes"]] == [date(2023, 6, 1)]
    assert (row["run_id"], row["as_of_date"]) == ("new", NEW_DAY)


@pytest.mark.parametrize(
    ("found", "known"),
    [
        (detection("ev", is_present=False), detection("ev", is_present=True) | APPEARED),
        (detection("ev", is_present=True), detection("battery", is_present=True) | APPEARED),
        (detection("ev", is_present=True), detection("ev", is_present=True) | APPEARED | {"appeared_date": date(2024, 9, 1)}),
        (detection("ev", is_present=True) | {"appeared_date": CUT}, detection("ev", is_present=True) | APPEARED),
    ],
    ids=["gone", "another class", "inside of the new window", "dated anew"],
)
def test_nothing_else_is_dated_by_what_was(spark: SparkSession, found: dict[str, Any], known: dict[str, Any]) -> None:
    assert merge(spark, [new("a", found)], [old("a", known)])["a"]["detections"] == [found]


def test_an_answer_is_not_lost_because_readings_were_deleted_unless_the_meter_may_not_be_examined(spark: SparkSession) -> None:
    answered = [old(mpan, detection("ev", is_present=True)) for mpan in "abc"]
    unanswered = old("d", detection("ev", is_present=None))
    rows = merge(
        spark, [new("a", detection("ev", is_present=None)), new("e", detection("ev", is_present=None))], [*answered, unanswered], "abde"
    )
    assert {mpan: row["run_id"] for mpan, row in rows.items()} == {"a": "old", "b": "old", "e": "new"}
    assert rows["b"]["as_of_date"] == OLD_DAY


def test_of_the_same_window_nothing_is_kept(spark: SparkSession) -> None:
    found = new("a", detection("ev", is_present=None), first=FIRST)
    row = merge(spark, [found], [old("a", detection("ev", is_present=True) | APPEARED)])["a"]
    assert (row["run_id"], row["detections"][0]["status"]) == ("new", "in_progress")
