"""A user's own files from the command line to a lake, a summary and a page."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from readings_world import LAST_DAY, write_files

from fmar_spark.cli import main
from fmar_spark.commands import own_readings
from fmar_spark.commands.own_readings import find_obstacle
from fmar_spark.contracts.capability import BASELINE_PREDICTIONS
from fmar_spark.contracts.readings import DIP_MESSAGES, READINGS
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.own_files import OwnFiles


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> OwnFiles:
    return OwnFiles(**write_files(tmp_path_factory.mktemp("files")))


def test_what_is_large_or_holds_more_than_imports_needs_spark(files: OwnFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_obstacle(str(tmp_path / "lake"), files) == ""
    LakeWriter(tmp_path / "lake").append(arrow_schema(DIP_MESSAGES).empty_table(), DIP_MESSAGES)
    assert "DIP messages" in find_obstacle(str(tmp_path / "lake"), files)
    monkeypatch.setattr(own_readings, "MAX_ROWS", 1000)
    assert "rows are more than 1,000" in find_obstacle(str(tmp_path / "other"), files)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file found"):
        find_obstacle(str(tmp_path / "lake"), OwnFiles(tmp_path / "empty"))


def test_a_table_with_a_rule_that_only_spark_knows_needs_spark(files: OwnFiles, tmp_path: Path) -> None:
    writer = LakeWriter(tmp_path / "lake")
    writer.append(arrow_schema(READINGS).empty_table(), READINGS)
    assert find_obstacle(str(tmp_path / "lake"), files) == ""
    log = tmp_path / "lake" / "silver" / "readings" / "_delta_log"
    for entry in log.iterdir():
        entry.write_text(entry.read_text(encoding="utf-8").replace("cardinality(kwh)", "size(kwh)"), encoding="utf-8")
    assert find_obstacle(str(tmp_path / "lake"), files) == "silver.readings was made by an older version"


def test_a_lake_at_an_address_needs_spark(files: OwnFiles) -> None:
    assert (
        find_obstacle("abfss://lake@store.dfs.core.windows.net", files)
        == "abfss://lake@store.dfs.core.windows.net is not on this machine's disk"
    )


def test_own_readings_become_tables_with_tomorrow_and_a_page_without_spark(
    files: OwnFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert main(["demo", "--input", str(files.input), "--lake", str(tmp_path / "lake"), "--set", "learning.source=bundled"]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[0] == f"your readings: {files.input}"
    assert "rows       18,722 read = 18,720 kept + 2 rejected" in printed.out
    assert printed.out.splitlines()[-1] == str(tmp_path / "lake" / "report.html")
    assert (tmp_path / "lake" / "report.html").exists()
    predicted = LakeWriter(tmp_path / "lake").read(BASELINE_PREDICTIONS)["slot_start_at"].to_pylist()
    assert max(predicted).date() == LAST_DAY + timedelta(days=1)


def test_a_heading_that_is_not_understood_is_rejected_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("meter,when,kwh\n1,2024-01-01T00:00:00Z,0.5\n")
    program = """
import sys
from fmar_spark.cli import main
status = main(["demo", "--input", sys.argv[1], "--lake", sys.argv[2]])
print(sorted({"pyspark", "sklearn", "scipy"} & set(sys.modules)))
sys.exit(status)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "a.csv"), str(tmp_path / "lake")]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 2
    assert found.stderr.splitlines()[1].startswith("demo: a.csv: columns series_id, timestamp_utc, kwh_import are missing")
    assert len(found.stderr.splitlines()) == 2
    assert found.stdout == "[]\n"
    assert not (tmp_path / "lake").exists()
