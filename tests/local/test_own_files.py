"""A user's own files to a lake without Spark."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from readings_world import CAR, LAST_DAY, build_readings, write_files

from fmar_spark.contracts.capability import ASSET_DETECTIONS, BASELINE_PREDICTIONS
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.readings import DIP_MESSAGES, INTERVAL_IMPORTS, READING_VERSIONS, READINGS, SERIES
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.local import own_files
from fmar_spark.local.own_files import OwnFiles, characterise_files, find_obstacle
from fmar_spark.settings.sections import Settings

SETTINGS = Settings.model_validate({"learning": {"source": "bundled"}})


def run(lake: Path, own: OwnFiles) -> list[str]:
    lines: list[str] = []
    characterise_files(lake, own, SETTINGS, lines.append)
    return lines


def read_all(lake: Path) -> dict[str, list[dict[str, Any]]]:
    writer = LakeWriter(lake)
    found = {}
    for contract in ALL_TABLES:
        rows = writer.read(contract).sort_by([(name, "ascending") for name in contract.key])
        found[contract.full_name] = rows.drop_columns([name for name in ("run_id",) if name in rows.column_names]).to_pylist()
    del found[RUN_JOURNAL.full_name]
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> OwnFiles:
    return OwnFiles(**write_files(tmp_path_factory.mktemp("files")))


def test_run_again_with_the_same_files_the_tables_are_the_same(files: OwnFiles, tmp_path: Path) -> None:
    lines = run(tmp_path / "lake", files)
    assert any(line.startswith("series     3:") for line in lines)
    once = read_all(tmp_path / "lake")
    assert {name for name, rows in once.items() if rows} >= {"gold.capability", "gold.availability", "silver.labels", "bronze.quarantine"}
    run(tmp_path / "lake", files)
    assert read_all(tmp_path / "lake") == once
    predicted = {row["slot_start_at"].date() for row in once[BASELINE_PREDICTIONS.full_name]}
    assert (max(predicted) - LAST_DAY).days == 1
    assert len(predicted) == 8


def test_a_corrected_file_is_a_newer_version_and_a_further_series_joins(files: OwnFiles, tmp_path: Path) -> None:
    run(tmp_path / "lake", files)
    rows = build_readings()
    rows = pd.concat([rows[rows["series_id"] == CAR].head(96 * 48).assign(kwh_import=0.5), rows.head(70 * 48).assign(series_id="new")])
    rows.to_csv(tmp_path / "more.csv", index=False)
    run(tmp_path / "lake", OwnFiles(tmp_path / "more.csv"))
    writer = LakeWriter(tmp_path / "lake")
    mpan_of = {row["series_id"]: row["mpan_id"] for row in writer.read(SERIES).to_pylist()}
    assert len(mpan_of) == 4
    own = {row["utc_date"]: row["kwh"] for row in writer.read(READINGS).to_pylist() if row["mpan_id"] == mpan_of[CAR]}
    assert set(own[min(own)]) == {0.5}
    assert set(own[max(own)]) != {0.5}
    for contract in (INTERVAL_IMPORTS, READING_VERSIONS, READINGS):
        table = writer.read(contract).select(contract.key)
        assert table.group_by(list(contract.key)).aggregate([]).num_rows == table.num_rows
    assert {row["mpan_id"] for row in writer.read(ASSET_DETECTIONS).to_pylist()} == set(mpan_of.values())


def test_a_heading_that_is_not_understood_is_rejected_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("meter,when,kwh\n1,2024-01-01T00:00:00Z,0.5\n")
    with pytest.raises(ConfigError, match=r"a\.csv"):
        run(tmp_path / "lake", OwnFiles(tmp_path / "a.csv"))
    assert not (tmp_path / "lake").exists()


def test_a_step_that_fails_says_so_in_the_journal(files: OwnFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise InputError("labels: a test")

    monkeypatch.setattr(own_files.lake_steps, "load_labels", fail)
    with pytest.raises(InputError):
        run(tmp_path / "lake", files)
    last = LakeWriter(tmp_path / "lake").read(RUN_JOURNAL).sort_by("started_at").to_pylist()[-1]
    assert (last["step"], last["status"], last["error"]) == ("load_labels", "failed", "InputError: labels: a test")


def test_what_is_large_or_holds_more_than_imports_needs_spark(files: OwnFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_obstacle(tmp_path / "lake", files) == ""
    LakeWriter(tmp_path / "lake").append(arrow_schema(DIP_MESSAGES).empty_table(), DIP_MESSAGES)
    assert "DIP messages" in find_obstacle(tmp_path / "lake", files)
    monkeypatch.setattr(own_files, "MAX_ROWS", 1000)
    assert "rows are more than 1,000" in find_obstacle(tmp_path / "other", files)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file found"):
        find_obstacle(tmp_path / "lake", OwnFiles(tmp_path / "empty"))


def test_a_table_with_a_rule_that_only_spark_knows_needs_spark(files: OwnFiles, tmp_path: Path) -> None:
    writer = LakeWriter(tmp_path / "lake")
    writer.append(arrow_schema(READINGS).empty_table(), READINGS)
    assert find_obstacle(tmp_path / "lake", files) == ""
    log = tmp_path / "lake" / "silver" / "readings" / "_delta_log"
    for entry in log.glob("*.json"):
        entry.write_text(entry.read_text(encoding="utf-8").replace("cardinality(kwh)", "size(kwh)"), encoding="utf-8")
    assert find_obstacle(tmp_path / "lake", files) == "silver.readings was made by an older version"


def test_rows_that_break_a_rule_of_their_table_are_one_line(tmp_path: Path) -> None:
    row = {"series_id": "a", "mpan_id": "1", "interval_minutes": 45, "imported_at": pd.Timestamp("2024-01-01", tz="UTC")}
    with pytest.raises(Exception, match=r"^silver\.series: [^\n]*$"):
        LakeWriter(tmp_path).append(pa.Table.from_pylist([row], schema=arrow_schema(SERIES)), SERIES)


def test_neither_spark_nor_mlflow_is_imported() -> None:
    code = """
import sys
import fmar_spark.local.own_files
heavy = {"pyspark", "delta", "mlflow", "plotly", "fastapi"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
