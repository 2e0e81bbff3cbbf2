"""A user's own files to a lake without Spark."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from readings_world import CAR, LAST_DAY, build_readings, fill_own_lake, write_files

from fmar_spark.contracts.capability import ASSET_DETECTIONS, BASELINE_PREDICTIONS
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.readings import INTERVAL_IMPORTS, READING_VERSIONS, READINGS, SERIES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.own_files import OwnFiles, understand_files
from fmar_spark.local import own_lake
from fmar_spark.local.own_lake import OwnLake
from fmar_spark.settings.sections import Settings

SETTINGS = Settings.model_validate({"learning": {"source": "bundled"}})


def run(lake: Path, own: OwnFiles) -> tuple[str, ...]:
    return fill_own_lake(lake, own, SETTINGS)


def read_all(lake: Path) -> dict[str, list[dict[str, Any]]]:
    writer = LakeWriter(lake)
    found = {}
    for contract in ALL_TABLES:
        rows = writer.read(contract).sort_by([(name, "ascending") for name in contract.key])
        found[contract.full_name] = rows.drop_columns([name for name in ("run_id",) if name in rows.column_names]).to_pylist()
    del found[RUN_JOURNAL.full_name]
    return found


def read_without_moments(lake: Path) -> dict[str, list[str]]:
    moments = {"imported_at", "reported_at", "recorded_at", "quarantined_at", "version_id"}
    return {
        name: sorted(repr({column: value for column, value in row.items() if column not in moments}) for row in rows)
        for name, rows in read_all(lake).items()
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> OwnFiles:
    return OwnFiles(**write_files(tmp_path_factory.mktemp("files")))


class Filled(NamedTuple):
    lake: Path
    lines: tuple[str, ...]

    def copy(self, path: Path) -> Path:
        """A lake of one's own."""
        return Path(shutil.copytree(self.lake, path))


@pytest.fixture(scope="module")
def filled(files: OwnFiles, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """The files as a lake, which tests copy, and what was said of them."""
    lake = tmp_path_factory.mktemp("filled") / "lake"
    return Filled(lake, run(lake, files))


def test_run_again_with_the_same_files_the_tables_are_the_same(files: OwnFiles, filled: Filled, tmp_path: Path) -> None:
    filled.copy(tmp_path / "lake")
    assert any(line.startswith("series     3:") for line in filled.lines)
    once = read_all(tmp_path / "lake")
    assert {name for name, rows in once.items() if rows} >= {"gold.capability", "gold.availability", "silver.labels", "bronze.quarantine"}
    run(tmp_path / "lake", files)
    assert read_all(tmp_path / "lake") == once
    predicted = {row["slot_start_at"].date() for row in once[BASELINE_PREDICTIONS.full_name]}
    assert (max(predicted) - LAST_DAY).days == 1
    assert len(predicted) == 8


def test_a_corrected_file_is_a_newer_version_and_a_further_series_joins(filled: Filled, tmp_path: Path) -> None:
    filled.copy(tmp_path / "lake")
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


def test_an_import_that_is_cut_off_before_any_of_its_writes_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed process leaves is what lies there before the write that it did not come to."""
    files = OwnFiles(**write_files(tmp_path, days=10))
    write, found = LakeWriter._write, understand_files(files, tmp_path, SETTINGS)
    left: list[Path] = []

    def copy_and_write(writer: LakeWriter, rows: pa.Table, contract: TableContract, mode: str, seen: DeltaTable | None = None) -> None:
        left.append(tmp_path / f"cut-{len(left)}")
        shutil.copytree(tmp_path / "undisturbed", left[-1])
        write(writer, rows, contract, mode, seen)

    def complete(lake: Path) -> dict[str, list[str]]:
        OwnLake(lake, SETTINGS).import_files(files, found)
        return read_without_moments(lake)

    with monkeypatch.context() as copying:
        copying.setattr(LakeWriter, "_write", copy_and_write)
        wanted = complete(tmp_path / "undisturbed")
    assert len(left) > 10
    for number, lake in enumerate(left):
        assert complete(lake) == wanted, number


def test_a_step_that_fails_says_so_in_the_journal(files: OwnFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> None:
        raise InputError("labels: a test")

    monkeypatch.setattr(own_lake.lake_steps, "load_labels", fail)
    with pytest.raises(InputError):
        run(tmp_path / "lake", files)
    last = LakeWriter(tmp_path / "lake").read(RUN_JOURNAL).sort_by("started_at").to_pylist()[-1]
    assert (last["step"], last["status"], last["error"]) == ("load_labels", "failed", "InputError: labels: a test")


def test_rows_that_break_a_rule_of_their_table_are_one_line(tmp_path: Path) -> None:
    row = {"series_id": "a", "mpan_id": "1", "interval_minutes": 45, "imported_at": pd.Timestamp("2024-01-01", tz="UTC")}
    with pytest.raises(Exception, match=r"^silver\.series: [^\n]*$"):
        LakeWriter(tmp_path).append(pa.Table.from_pylist([row], schema=arrow_schema(SERIES)), SERIES)
