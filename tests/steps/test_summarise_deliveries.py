"""What is published of deliveries by area, without Spark."""

from datetime import date
from typing import Any

from fmar_spark.settings.sections import AreaSettings
from fmar_spark.steps.summarise_deliveries import list_area_rows

MONTH = date(2025, 9, 1)


def group(gsp_group_id: str, meters: int, largest_kwh: float = 10.0) -> dict[str, Any]:
    sums = {"assets": meters, "checks": meters * 10, "consistent": meters * 9, "implausible": meters, "not_assessable": 0}
    energy = {"declared_kwh": meters * 10.0, "observed_kwh": meters * 9.0, "largest_kwh": largest_kwh}
    return {"month_date": MONTH, "market": "dso_local", "gsp_group_id": gsp_group_id, "meters": meters, **sums, **energy}


def published(*groups: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["area_id"]: row for row in list_area_rows(list(groups), AreaSettings())}


def test_sums_are_given_rounded_where_enough_meters_stand_behind_them() -> None:
    rows = published(group("_C", 41), group("_H", 23))
    assert not any(row["is_suppressed"] for row in rows.values())
    whole = rows["GB"]
    assert (whole["assets"], whole["checks"], whole["declared_kwh"], whole["observed_kwh"]) == (65, 640, 640, 576)
    assert (whole["share_consistent"], whole["share_implausible"]) == (0.9, 0.1)


def test_few_meters_are_withheld_and_cannot_be_worked_out_from_the_whole() -> None:
    rows = published(group("_C", 41), group("_H", 23), group("_K", 4))
    assert rows["_K"]["suppression_reason"] == "few_meters"
    assert "assets" not in rows["_K"]
    shown = {area for area, row in rows.items() if not row["is_suppressed"]}
    assert shown in ({"GB", "_C"}, {"_C", "_H"})


def test_a_sum_that_one_meter_makes_up_is_withheld() -> None:
    assert published(group("_C", 20, largest_kwh=190.0))["_C"]["suppression_reason"] == "dominance"
