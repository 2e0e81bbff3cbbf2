import gzip
import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as arrow_parquet
import pytest

from fmar_spark.contracts.operations import LANDING_FILES, QUARANTINE
from fmar_spark.contracts.readings import DIP_MESSAGES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.journal import record_run
from fmar_spark.engine.landing import Folder
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError, RejectedError
from fmar_spark.intake.dip.files import read_units
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.settings.sections import IngestSettings
from fmar_spark.simulate.faults import FAULTS, FILE_FAULTS
from fmar_spark.simulate.landing import TRUTH_FOLDER, write_landing
from fmar_spark.simulate.messages import DayMessage, write_message
from fmar_spark.simulate.plan import FleetPlan
from fmar_spark.steps import ingest_dip
from fmar_spark.steps.ingest_dip import check_rejected, find_landing

BASE = DayMessage("2000056535971", "_H", "AI", "2023-01-10", (250,) * 48, "W", "2020-01-01", "2023-01-11T06:00:00+00:00")
EVER_NEW = {"run_id", "quarantined_at", "ingested_at"}


def say(version: int, watt_hours: int = 250, *, is_replay: bool = False) -> str:
    return write_message(BASE._replace(version=version, watt_hours=(watt_hours,) * 48, is_replay=is_replay))


def land(folder: Path, name: str, *texts: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = f"[{','.join(texts)}]".encode()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)


def ingest(store: TableStore, landing: Path, **settings: Any) -> dict[str, int]:
    """Run the step and journal it; its counts."""
    run = start_run("ingest_dip", None, "")
    written = ingest_dip.run(store, run, IngestSettings(**settings), Folder(str(landing)))
    record_run(store, run, written, None)
    assert (written.rows_kept, written.rows_quarantined) == (written.counts["accepted"], written.counts["quarantined"])
    return check_sum(written)


def check_sum(written: Written) -> dict[str, int]:
    counts = written.counts
    assert counts["messages_in"] == counts["accepted"] + counts["quarantined"] + counts["duplicates"]
    assert counts["quarantined"] == sum(count for name, count in counts.items() if name.startswith("rule_"))
    return counts


def rows_of(store: TableStore, contract: TableContract) -> list[dict[str, Any]]:
    rows = store.read(contract).orderBy(*contract.key).collect()
    return [{name: value for name, value in row.asDict(recursive=True).items() if name not in EVER_NEW} for row in rows]


def test_every_message_is_accepted_once_rejected_by_rule_or_a_duplicate(store: TableStore, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    land(landing, "a.json", say(0), say(1), say(1), say(2, 99_999_999))
    land(landing / "deeper", "b.json.gz", say(0, is_replay=True), say(3), say(3, 300), "12")
    land(landing / "_truth", "c.json", say(8))
    land(landing, ".unfinished.json", say(9))
    (landing / "huge.json").write_bytes(b" " * 30_000)
    (landing / "text.json").write_bytes(b"settlement,period")
    counts = ingest(store, landing, max_file_bytes=20_000, files_per_trigger=2)
    assert counts["batches"] > 1
    expected = {"messages_in": 10, "accepted": 3, "quarantined": 5, "duplicates": 2}
    assert {name: counts[name] for name in expected} == expected
    rules = {"ecs_1012_above_maximum", "transaction_id_reused", "message_malformed", "file_too_large", "file_not_json"}
    assert {name.removeprefix("rule_") for name in counts if name.startswith("rule_")} == rules
    accepted = rows_of(store, DIP_MESSAGES)
    assert [row["transaction_id"][-1] for row in accepted] == ["0", "1", "3"]
    assert accepted[0]["days"][0]["quality"] == ["A"] * 48
    rejected = rows_of(store, QUARANTINE)
    assert {row["rule"] for row in rejected} == rules
    assert {row["source"] for row in rejected} >= {"deeper/b.json.gz#3", "text.json", "huge.json", "a.json#3"}

    again = ingest(store, landing, max_file_bytes=20_000)
    assert again == {"messages_in": 0, "accepted": 0, "quarantined": 0, "duplicates": 0, "batches": 0}
    land(landing, "late.json", say(0), say(3, 299), say(4))
    later = ingest(store, landing, reuse_days=1)
    assert {name: count for name, count in later.items() if count and name != "batches"} == {
        "messages_in": 3,
        "accepted": 1,
        "duplicates": 1,
        "quarantined": 1,
        "rule_transaction_id_reused": 1,
    }
    assert rows_of(store, DIP_MESSAGES)[:3] == accepted
    assert len(rows_of(store, QUARANTINE)) == 6


def test_an_empty_landing_folder_is_no_error_and_a_missing_one_is(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    assert ingest(store, tmp_path / "landing")["messages_in"] == 0
    with pytest.raises(ConfigError, match="nowhere: no such folder"):
        ingest(store, tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"--landing: .*nowhere: no such folder"):
        find_landing(str(tmp_path / "nowhere"))
    assert find_landing(str(tmp_path / "landing")) == Folder(str(tmp_path / "landing"))


def test_what_was_taken_from_elsewhere_or_before_the_list_of_files_was_lost_is_a_duplicate(store: TableStore, tmp_path: Path) -> None:
    land(tmp_path / "one", "a.json", say(0), say(1), say(2, 99_999_999))
    assert ingest(store, tmp_path / "one")["accepted"] == 2
    tables = rows_of(store, DIP_MESSAGES), rows_of(store, QUARANTINE)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    shutil.rmtree(store.path(LANDING_FILES))
    for landing in ("one", "two"):
        counts = ingest(store, tmp_path / landing)
        assert (counts["messages_in"], counts["accepted"], counts["duplicates"], counts["quarantined"]) == (3, 0, 2, 1)
        assert (rows_of(store, DIP_MESSAGES), rows_of(store, QUARANTINE)) == tables


class KilledError(Exception):
    """Stands for a process that is gone."""


@pytest.mark.parametrize(
    ("batch", "is_written"), [(1, True), (2, False)], ids=["after the last commit of a batch", "between two commits of a batch"]
)
def test_a_run_that_was_cut_off_is_gone_on_with_and_counted(
    store: TableStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, is_written: bool
) -> None:
    landing = tmp_path / "landing"
    land(landing, "a.json", say(0), say(1), say(2, 99_999_999), say(0))
    land(landing, "b.json", say(0, 300), say(3), "12")
    for second, name in enumerate(("a.json", "b.json")):
        os.utime(landing / name, (1_700_000_000 + second, 1_700_000_000 + second))
    append = ingest_dip.append_marked

    def die(*arguments: Any) -> None:
        is_last = arguments[-1].batch == batch
        if is_written or not is_last:
            append(*arguments)
        if is_last:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(ingest_dip, "append_marked", die)
        with pytest.raises(KilledError):
            ingest(store, landing, files_per_trigger=1)
    counts = ingest(store, landing, files_per_trigger=1)
    assert counts == {
        "messages_in": 7,
        "accepted": 3,
        "duplicates": 1,
        "quarantined": 3,
        "batches": 2,
        "rule_ecs_1012_above_maximum": 1,
        "rule_transaction_id_reused": 1,
        "rule_message_malformed": 1,
    }
    assert [row["source"] for row in rows_of(store, DIP_MESSAGES)] == ["a.json#0", "a.json#1", "b.json#1"]
    assert sorted(row["source"] for row in rows_of(store, QUARANTINE)) == ["a.json#2", "b.json#0", "b.json#2"]
    assert ingest(store, landing)["messages_in"] == 0


def test_what_was_done_to_a_simulated_fleet_is_what_is_found(store: TableStore, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    write_landing(FleetPlan(12, date(2023, 1, 1), date(2023, 1, 20), 3), landing, list(FAULTS))
    counts = ingest(store, landing)
    contents = {path.name: path.read_bytes() for path in landing.glob("*.json*")}
    units = [unit for name, content in contents.items() for unit in read_units(name, content, DecodeRules())]
    assert counts["messages_in"] == len(units)
    accepted = {row["transaction_id"] for row in store.read(DIP_MESSAGES).select("transaction_id").collect()}
    assert len(accepted) == store.read(DIP_MESSAGES).count() == counts["accepted"]
    given = {unit.message.payload.common.delivery.transaction_id for unit in units if unit.message is not None}
    rejected = {row["transaction_id"]: row["rule"] for row in rows_of(store, QUARANTINE)}
    assert given - accepted == {name for name in rejected if name in given and rejected[name] != "transaction_id_reused"}
    ledger = arrow_parquet.read_table(landing / TRUTH_FOLDER / "faults").to_pylist()
    harmless = {"masked sender", "one id, two contents", "code in a text field"}
    for entry in ledger:
        is_lost = (entry["fault"] == "missing" and entry["detail"] == "whole day") or (
            entry["fault"] in FILE_FAULTS and entry["detail"] not in harmless
        )
        if entry["transaction_id"]:
            assert (entry["transaction_id"] in accepted) is not is_lost, entry
    assert {entry["fault"] for entry in ledger} == set(FAULTS)
    repeated = sum(entry["fault"] in ("duplicates", "replays") for entry in ledger)
    assert 0 < counts["duplicates"] <= repeated
    assert counts["rule_transaction_id_reused"] == 1


def test_a_run_that_rejects_too_much_fails_and_says_why() -> None:
    rules = {"rule_message_malformed": 1, "rule_ecs_1012_above_maximum": 1}
    written = Written({"messages_in": 3, "accepted": 1, "quarantined": 2, "duplicates": 0} | rules)
    check_rejected(written, 1.0)
    with pytest.raises(
        RejectedError, match=r"2 of 3 messages rejected: message_malformed 1, ecs_1012_above_maximum 1; .*max_rejected_share=0.5"
    ):
        check_rejected(written, 0.5)
    check_rejected(Written({"messages_in": 0, "quarantined": 0}), 0.5)


def test_odd_names_links_and_pipes_are_rejected_by_name_and_stop_nothing_else(store: TableStore, tmp_path: Path) -> None:
    landing, other = tmp_path / "d[12]", tmp_path / "d1"
    land(landing, "a*.json", say(0))
    land(landing, "12:30.json", say(1))
    land(landing / "de{e}p", "b?.json", say(2))
    land(other, "neighbour.json", say(3))
    (landing / b"caf\xe9.json".decode("utf-8", "surrogateescape")).write_text(f"[{say(4)}]")
    (landing / "passwd.json").symlink_to("/etc/passwd")
    (landing / "linked").symlink_to(other)
    os.mkfifo(landing / "pipe.json")
    (landing / "nothing.json").touch()
    counts = ingest(store, landing)
    assert (counts["messages_in"], counts["accepted"], counts["quarantined"]) == (8, 2, 6)
    assert sorted(row["source"] for row in rows_of(store, DIP_MESSAGES)) == ["a*.json#0", "de{e}p/b?.json#0"]
    assert {(row["source"], row["rule"], row["raw"]) for row in rows_of(store, QUARANTINE)} == {
        ("12:30.json", "file_name_unusable", ""),
        ("caf\\xe9.json", "file_name_unusable", ""),
        ("passwd.json", "file_is_link", ""),
        ("linked", "file_is_link", ""),
        ("pipe.json", "file_not_regular", ""),
        ("nothing.json", "file_empty", ""),
    }
    assert ingest(store, landing)["messages_in"] == 0


def test_what_an_earlier_version_took_by_its_checkpoint_is_not_taken_again(store: TableStore, tmp_path: Path) -> None:
    landing = tmp_path / "landing folder"
    land(landing, "a.json", say(0))
    land(landing, "b c.json", say(1))
    ingest(store, landing)
    (stream,) = {row["stream"] for row in rows_of(store, LANDING_FILES)}
    shutil.rmtree(store.path(LANDING_FILES))
    checkpoint = Path(store.root) / "_checkpoints" / stream
    (checkpoint / "sources" / "0").mkdir(parents=True)
    (checkpoint / "commits").mkdir()
    (checkpoint / "commits" / "0").write_text('v1\n{"nextBatchWatermarkMs":0}')
    for batch, names in enumerate((["a.json", "b%20c.json"], ["late.json"])):
        entries = [
            json.dumps(
                {"path": f"file://{landing.as_posix().replace(' ', '%20')}/{name}", "timestamp": 1_700_000_000_000, "batchId": batch}
            )
            for name in names
        ]
        (checkpoint / "sources" / "0" / str(batch)).write_text("\n".join(["v1", *entries]))
    land(landing, "late.json", say(2))
    counts = ingest(store, landing)
    assert (counts["messages_in"], counts["accepted"]) == (1, 1)
    assert ingest(store, landing)["messages_in"] == 0
