"""Measures of health are those of published areas, and their changes are differences of what was published."""

from datetime import date
from typing import Any

import pytest

from fmar_spark.profiling.health_measures import OF_AREAS, Coverage, measure_areas, measure_change, measure_coverage

DAY = date(2026, 6, 30)
COLUMNS = ("meters", "kw_p50", "installed_kw_p50", "share_high_tier", "share_medium_tier", "share_appeared", "share_registered")


def area(gsp_group_id: str, meters: int | None, day: date = DAY) -> dict[str, Any]:
    figures = dict.fromkeys((*COLUMNS, "share_unanswered"), None if meters is None else 0.25)
    named = {"asset_class": "ev", "gsp_group_id": gsp_group_id, "as_of_date": day}
    withheld = {"is_suppressed": meters is None, "suppression_reason": "few_meters" if meters is None else None}
    return {**figures, **named, **withheld, **({} if meters is None else {"meters": meters})}


def by_metric(measures: Any, gsp_group_id: str = "") -> dict[str, Any]:
    return {row["metric"]: row for row in measures if row["gsp_group_id"] == gsp_group_id}


def test_every_measure_is_a_figure_of_the_area_or_what_it_leaves_of_the_whole() -> None:
    found = by_metric(measure_areas([area("", 120), area("_A", None)]))
    assert set(found) == {metric for metric, *_ in OF_AREAS}
    assert (found["connections_detected"]["value"], found["share_registered"]["value"]) == (120.0, 0.25)
    assert (found["share_invisible"]["value"], found["share_answered"]["value"]) == (0.75, 0.75)
    withheld = by_metric(measure_areas([area("_A", None)]), "_A").values()
    assert {(row["value"], row["is_suppressed"], row["suppression_reason"]) for row in withheld} == {(None, True, "few_meters")}


def test_a_change_is_against_the_newest_publication_that_is_old_enough() -> None:
    days = {date(2025, 5, 1): 40, date(2026, 3, 1): 90, date(2026, 3, 30): 100, date(2026, 6, 1): 115}
    published = [row for day, meters in days.items() for row in measure_areas([area("", meters, day)])]
    found = by_metric(measure_change(list(measure_areas([area("", 120)])), published))
    assert found["connections_detected_change_90_days"]["value"] == 20.0
    assert found["connections_detected_change_365_days"]["value"] == 80.0
    assert "30 March 2026: connections with the asset." in found["connections_detected_change_90_days"]["meaning"]
    assert found["kw_installed_change_90_days"]["value"] == 0.0
    assert not any("share" in metric for metric in found)


@pytest.mark.parametrize(("then", "now"), [(None, 120), (100, None)])
def test_a_change_from_or_to_a_withheld_figure_is_withheld(then: int | None, now: int | None) -> None:
    published = list(measure_areas([area("", then, date(2026, 3, 1))]))
    row = by_metric(measure_change(list(measure_areas([area("", now)])), published))["connections_detected_change_90_days"]
    assert (row["value"], row["is_suppressed"], row["suppression_reason"]) == (None, True, "few_meters")


def test_without_an_old_publication_nothing_is_said_of_change() -> None:
    published = list(measure_areas([area("", 100, date(2026, 6, 1))]))
    assert list(measure_change(list(measure_areas([area("", 120)])), published)) == []


def test_counts_of_the_whole_stand_until_ten_connections_have_come_or_gone() -> None:
    first = by_metric(measure_coverage(Coverage(104, 12, 3, 7), {}, DAY, 10))
    assert [first[name]["value"] for name in ("connections_known", "days_since_newest_reading", "messages_rejected")] == [100.0, 3.0, 7.0]
    assert (first["connections_examined"]["value"], first["connections_examined"]["suppression_reason"]) == (None, "few_meters")
    earlier = {metric: row["value"] for metric, row in first.items()}
    assert by_metric(measure_coverage(Coverage(114, 12, 3, 7), earlier, DAY, 10))["connections_known"]["value"] == 100.0
    assert by_metric(measure_coverage(Coverage(115, 12, 3, 7), earlier, DAY, 10))["connections_known"]["value"] == 120.0
