from typing import Any

import duckdb
from report_world import BOTH, CAR

from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.report.fleet import ANSWERS, CLASS_NAMES, REASON, SIZE_EDGES_KW, describe_fleet, describe_intake
from fmar_spark.report.provenance import Kind


def by_kind(lake: LakeRows) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in describe_fleet(lake)}


def test_kinds_are_never_counted_together(lake: LakeRows) -> None:
    found = by_kind(lake)
    assert {kind: one["meters"] for kind, one in found.items()} == {
        Kind.REAL: 1,
        Kind.SEMI_SYNTHETIC: 1,
        Kind.SIMULATED: 3,
        Kind.UNLABELLED: 1,
    }
    for one in found.values():
        assert [sum(row) for row in one["answers"]] == [one["meters"]] * len(CLASS_NAMES)


def test_answers_sizes_areas_and_months_are_those_of_the_tables(lake: LakeRows) -> None:
    simulated, real = by_kind(lake)[Kind.SIMULATED], by_kind(lake)[Kind.REAL]
    assert dict(zip(ANSWERS, simulated["answers"][0], strict=True)) == {
        "present_high": 1,
        "present_medium": 0,
        "present_low": 1,
        "absent": 1,
        "in_progress": 0,
        "not_observable": 0,
    }
    sizes = {SIZE_EDGES_KW[place]: count for place, count in enumerate(simulated["sizes"]["counts"][0]) if count}
    assert sizes == {6: 2}
    assert simulated["sizes"]["totals"][0] == [2, 13.0, 6.5, "import"]
    assert real["sizes"]["totals"][3] == [1, 1.5, 1.5, "export"]
    assert real["areas"] == [["_A", "Eastern", 1, 0, 0, 0, 1, 0]]
    assert real["months"] == [["2024-04", 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]]
    assert [row[0] for row in simulated["months"]] == ["2024-03", "2024-04"]
    assert simulated["since_start"] == [2, 0, 0, 0, 0]


def test_an_answer_in_progress_says_why(lake: LakeRows) -> None:
    found = by_kind(lake)[Kind.SEMI_SYNTHETIC]["unanswered"]
    assert [(status, reason, meters) for status, reason, _, meters in found] == [("in_progress", "too_few_days", 1)] * len(CLASS_NAMES)


def test_one_reason_is_one_row_whatever_the_number_of_days() -> None:
    said = (
        "not shown by 235 days read; it takes more",
        "not shown by 91 days read; it takes more",
        "no temperatures and only 3 mild days in these 40 days",
    )
    reasons = duckdb.sql(f"SELECT DISTINCT {REASON} AS reason FROM (SELECT unnest({list(said)}) AS status_reason) ORDER BY 1").fetchall()
    assert reasons == [("no temperatures and too few mild days in the days read",), ("not shown by the days read; it takes more",)]


def test_connections_that_were_not_examined_are_counted_and_not_their_meter_points(lake: LakeRows) -> None:
    found = describe_intake(lake, examples=1)["connections"]
    assert sum(meters for _, meters in found["rejected"]) == found["known"] - found["examined"] - found["withheld"]


def test_what_was_rejected_is_counted_by_rule_without_the_rejected_text(lake: LakeRows) -> None:
    found = describe_intake(lake, examples=1)
    assert [(rule["rule"], rule["rows_rejected"], rule["sources"], len(rule["examples"])) for rule in found["rejected"]] == [
        ("kwh_negative", 2, 1, 1),
        ("not_json", 1, 1, 1),
    ]
    assert "SECRET" not in str(found)
    assert found["connections"] == {"known": 7, "examined": 6, "withheld": 0, "rejected": [["no legal basis on record for that day", 1]]}
    assert [(run[0], run[3]) for run in found["runs"]] == [("ingest_dip", 12.5), ("characterise", 31.0)]


def test_a_name_of_a_meter_stands_for_it(lake: LakeRows) -> None:
    assert {row["mpan_id"] for row in lake.rows("SELECT mpan_id FROM meters WHERE name = mpan_id")} >= {CAR, BOTH}
