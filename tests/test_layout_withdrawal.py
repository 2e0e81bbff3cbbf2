"""Every table and file with a meter in it: what becomes of the meter when its legal basis ends, and that it can be erased."""

from pathlib import Path

import pytest
from withdrawal_world import DECLARED, DERIVED, RAW

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.table import TableContract
from fmar_spark.steps import answer_subject

ROOT = Path(__file__).resolve().parents[1]
CHECKS = ("eligible_meters(", "read_eligible_days(", "eligible_meter_days(", "place_meters(", "consent_checks", "eligible_readings")
OF_CHECKED_TABLES = {"build_fleet"}
"""Steps that read no readings, only what the steps above left."""
FILES = {
    "the read model": "fmar_spark/steps/publish_read_model.py",
    "the report": "fmar_spark/report/meters.py",
    "its histories": "fmar_spark/report/histories.py",
    "the label set": "fmar_spark/steps/train_classifier.py",
    "an evaluation": "fmar_spark/evaluation/lake_answers.py",
    "a user's own lake": "fmar_spark/local/lake_steps.py",
}
NAMING = [table for table in ALL_TABLES if answer_subject.name_subject(table, ["1"], ["a"])]


def test_it_is_known_of_every_table_with_a_meter_what_becomes_of_it() -> None:
    assert {table.full_name for table in NAMING} == set(DERIVED) | RAW | DECLARED
    assert len(NAMING) == len(DERIVED) + len(RAW) + len(DECLARED)


@pytest.mark.parametrize("table", NAMING, ids=lambda table: str(table.full_name))
def test_every_column_that_names_a_meter_is_erased(table: TableContract) -> None:
    condition = answer_subject.name_subject(table, ["1000000000018"], ["a series"])
    named = [one.name for one in table.columns if one.type == "string" and ("mpan" in one.name or one.name == "series_id")]
    assert named
    assert [name for name in named if f"{name} IN (" not in condition] == []


@pytest.mark.parametrize("step", sorted(set(DERIVED.values()) - OF_CHECKED_TABLES))
def test_a_step_that_derives_from_readings_leaves_out_whoever_may_not_be_examined(step: str) -> None:
    text = (ROOT / "fmar_spark" / "steps" / f"{step}.py").read_text(encoding="utf-8")
    assert any(check in text for check in CHECKS)


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_a_file_is_made_of_meters_that_may_be_examined(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert any(check in text for check in CHECKS)
