"""The landing folder: files of messages, and the truth beside them."""

import gzip
import hashlib
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from fmar_spark.errors import ConfigError
from fmar_spark.simulate.fleet import simulate_fleet
from fmar_spark.simulate.landing import DELIVERIES_FOLDER, TRUTH_FOLDER, LandingSummary, write_deliveries, write_landing
from fmar_spark.simulate.plan import BLOCK_METERS, FleetPlan

PLAN = FleetPlan(BLOCK_METERS + 4, date(2023, 3, 1), date(2023, 3, 8), seed=5)
QUIET_FAULTS = ["duplicates", "replays", "late", "out_of_order", "estimated", "missing", "corrections"]
TRUTHS = {"assets", "events", "changes", "confusers", "labels", "meters", "legal_bases", "weather"}


def digests(folder: Path) -> dict[str, str]:
    """Name and content of every file of messages, and of every truth table."""
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    truths = {path.relative_to(folder).as_posix(): str(pq.read_table(path).to_pylist()).encode() for path in folder.rglob("*.parquet")}
    return {name: hashlib.sha256(content).hexdigest() for name, content in (files | truths).items()}


def read_messages(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.json*")):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found += [message["payload"]["CommonBlock"] for message in json.loads(content)]
    return found


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LandingSummary]:
    folder = tmp_path_factory.mktemp("landing")
    return folder, write_landing(PLAN, folder, QUIET_FAULTS)


def test_the_same_plan_writes_the_same_bytes_whatever_the_number_of_processes(landing: tuple[Path, LandingSummary], tmp_path: Path) -> None:
    folder, summary = landing
    again = write_landing(PLAN, tmp_path, QUIET_FAULTS, workers=2)
    assert digests(tmp_path) == digests(folder)
    assert again == summary


def test_the_same_plan_again_in_the_same_folder_changes_nothing(landing: tuple[Path, LandingSummary]) -> None:
    folder, summary = landing
    before = digests(folder)
    assert write_landing(PLAN, folder, QUIET_FAULTS) == summary
    assert digests(folder) == before


def test_compressed_files_hold_the_same_messages_in_the_same_bytes_each_time(tmp_path: Path) -> None:
    plan = PLAN._replace(meters=5)
    for name, is_compressed in (("plain", False), ("packed", True), ("again", True)):
        write_landing(plan, tmp_path / name, is_compressed=is_compressed)
    assert read_messages(tmp_path / "plain") == read_messages(tmp_path / "packed")
    assert digests(tmp_path / "packed") == digests(tmp_path / "again")
    assert {path.suffix for path in (tmp_path / "packed").iterdir() if path.is_file()} == {".gz"}


def test_the_summary_counts_the_files_and_messages_that_are_there(landing: tuple[Path, LandingSummary]) -> None:
    folder, summary = landing
    assert summary.meters == PLAN.meters
    assert summary.files == len([path for path in folder.iterdir() if path.is_file()])
    assert summary.messages == len(read_messages(folder))
    assert set(summary.injected) == set(QUIET_FAULTS)


def test_without_faults_no_transaction_comes_twice_and_each_file_is_named_after_its_block_and_days(tmp_path: Path) -> None:
    summary = write_landing(PLAN._replace(meters=6), tmp_path)
    counted = Counter(message["D0"]["transactionID"] for message in read_messages(tmp_path))
    assert set(counted.values()) == {1}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "standing-b00000.json",
        "consumption-b00000-d0000.json",
        "consumption-b00000-d0006.json",
    }
    assert summary.injected == {}
    assert not (tmp_path / TRUTH_FOLDER / "faults").exists()


def test_the_ledger_names_every_fault_by_message(landing: tuple[Path, LandingSummary]) -> None:
    folder, summary = landing
    ledger = pq.read_table(folder / TRUTH_FOLDER / "faults").to_pylist()
    assert Counter(entry["fault"] for entry in ledger) == summary.injected
    messages = read_messages(folder)
    seen = Counter(message["D0"]["transactionID"] for message in messages)
    for entry in ledger:
        if entry["fault"] == "duplicates":
            assert seen[entry["transaction_id"]] >= 2
        if entry["fault"] == "missing" and entry["detail"] == "whole day":
            assert seen[entry["transaction_id"]] == 0


def test_the_truth_lies_where_no_reader_of_messages_looks(landing: tuple[Path, LandingSummary]) -> None:
    folder, _ = landing
    assert TRUTH_FOLDER.startswith("_")
    assert {path.name for path in (folder / TRUTH_FOLDER).iterdir()} == TRUTHS | {"faults"}
    meters = pq.read_table(folder / TRUTH_FOLDER / "meters")["mpan_id"].to_pylist()
    assert meters == simulate_fleet(PLAN).mpan_id


def test_broken_files_are_added_once_and_leave_the_good_ones_alone(tmp_path: Path) -> None:
    plan = PLAN._replace(meters=6)
    write_landing(plan, tmp_path / "good")
    summary = write_landing(plan, tmp_path / "bad", ["malformed"])
    good, bad = digests(tmp_path / "good"), digests(tmp_path / "bad")
    assert good.items() <= bad.items()
    added = {name for name in bad.keys() - good.keys() if not name.startswith(TRUTH_FOLDER)}
    assert len(added) == 8
    assert all(name.startswith("malformed-") for name in added)
    assert summary.files == len(good) - len([name for name in good if name.startswith(TRUTH_FOLDER)]) + 8


def test_a_run_that_was_killed_leaves_nothing_that_a_reader_sees_and_its_repetition_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = PLAN._replace(meters=5)
    write_landing(plan, tmp_path / "whole")
    kill_after = iter([False, True])

    def write_half(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            half = next(kill_after)
            file.write(content[: len(content) // 2] if half else content)
        if half:
            raise KeyboardInterrupt
        return len(content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        with pytest.raises(KeyboardInterrupt):
            write_landing(plan, tmp_path / "killed")
    seen = [path for path in (tmp_path / "killed").iterdir() if path.is_file() and not path.name.startswith((".", "_"))]
    assert [path.name for path in seen] == ["standing-b00000.json"]
    write_landing(plan, tmp_path / "killed")
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")


def test_what_cannot_be_simulated_is_rejected_before_anything_is_written(tmp_path: Path) -> None:
    for plan, faults in ((PLAN._replace(meters=0), []), (PLAN, ["gremlins"])):
        with pytest.raises(ConfigError):
            write_landing(plan, tmp_path / "out", faults)
    assert not (tmp_path / "out").exists()


def test_days_of_the_weather_table_are_those_of_the_plan(landing: tuple[Path, LandingSummary]) -> None:
    weather = pq.read_table(landing[0] / TRUTH_FOLDER / "weather")
    days = np.unique(weather["utc_date"].to_numpy())
    assert days.tolist() == [np.datetime64(PLAN.first_date) + day for day in range(PLAN.days)]
    assert set(map(len, weather["temp_c"].to_pylist())) == {48}


def test_meters_with_deliveries_stand_beside_a_fleet_that_stays_as_it_is(tmp_path: Path) -> None:
    plan = PLAN._replace(meters=3, last_date=date(2023, 3, 30))
    write_landing(plan, tmp_path)
    before = digests(tmp_path)
    summary = write_deliveries(plan, tmp_path, 7)
    after = digests(tmp_path)
    assert {name: after[name] for name in before} == before
    assert (summary.meters, summary.files) == (7, 2)
    assert {path.name for path in (tmp_path / DELIVERIES_FOLDER).iterdir()} == {"events.csv", "volumes.csv"}
    labels = pq.read_table(tmp_path / TRUTH_FOLDER / "labels").to_pandas().set_index("mpan_id")
    truth = pq.read_table(tmp_path / TRUTH_FOLDER / "deliveries").to_pandas()
    assert set(labels.loc[truth["mpan_id"].unique(), "provenance"]) == {"simulated"}
    assert labels.loc[truth["mpan_id"].unique(), "has_ev"].isna().all()
    assert set(truth["is_honest"]) == {True, False}
