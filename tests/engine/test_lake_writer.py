"""Tables that are made without Spark are those that Spark makes."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from deltalake import DeltaTable as Opened
from withdrawal_world import build_row

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine import lake_writer
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.housekeeping import LEAST_HOURS, vacuum
from fmar_spark.engine.lake_writer import LakeWriter, create_table, restore_table
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.table_properties import LOG
from fmar_spark.errors import ContractError


def read_log(path: str) -> dict[str, Any]:
    """The newest protocol and metadata of a table."""
    found: dict[str, Any] = {}
    for commit in sorted((Path(path) / LOG).glob("*.json")):
        for line in commit.read_text(encoding="utf-8").splitlines():
            found |= json.loads(line)
    return found


@pytest.mark.parametrize("contract", [RUN_JOURNAL, METER_POINTS, READINGS, METER_PROFILES], ids=lambda one: one.full_name)
def test_a_table_is_the_one_that_spark_makes(store: TableStore, tmp_path: Path, contract: TableContract) -> None:
    here, there = str(tmp_path / "here"), TableStore(store.spark, str(tmp_path / "there"))
    create_table(here, contract)
    there.describe(DeltaTable.createIfNotExists(store.spark), contract).execute()
    mine, theirs = read_log(here), read_log(there.path(contract))
    assert mine["protocol"] == theirs["protocol"]
    for name in ("configuration", "description", "partitionColumns", "format"):
        assert mine["metaData"].get(name) == theirs["metaData"].get(name), name
    assert json.loads(mine["metaData"]["schemaString"]) == json.loads(theirs["metaData"]["schemaString"])


def test_a_table_is_there_with_its_rules_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "readings"
    with monkeypatch.context() as patch:
        patch.setattr(lake_writer, "_put_in_place", fail)
        with pytest.raises(KeyboardInterrupt):
            create_table(str(path), READINGS)
    assert list(tmp_path.iterdir()) == []
    create_table(str(path), READINGS)
    assert [one.name for one in tmp_path.iterdir()] == ["readings"]
    created = Opened(str(path)).version()
    create_table(str(path), READINGS)
    assert Opened(str(path)).version() == created


def test_what_a_killed_creation_left_goes_a_day_later(store: TableStore) -> None:
    lake = Path(store.root)
    long_ago = time.time() - 2 * lake_writer.GIVEN_UP_SECONDS

    def leave(name: str, at: float = long_ago) -> Path:
        folder = lake / "ops" / name
        (folder / LOG).mkdir(parents=True)
        os.utime(folder, (at, at))
        return folder

    left, others, fresh = leave(f"_run_journal.{'0' * 32}"), leave(f"_readings.{'0' * 32}"), leave(f"_run_journal.{'1' * 32}", time.time())
    store.create(RUN_JOURNAL)
    assert [folder.exists() for folder in (left, others, fresh)] == [False, True, True]
    os.utime(fresh, (long_ago, long_ago))
    vacuum(store, RUN_JOURNAL, LEAST_HOURS)
    assert [folder.exists() for folder in (others, fresh)] == [True, False]


def test_a_log_without_a_commit_is_filled_and_a_table_made_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty" / LOG).mkdir(parents=True)
    (tmp_path / "empty" / LOG / ".00000000000000000000.json.7f1e.tmp").write_text("{", encoding="utf-8")
    create_table(str(tmp_path / "empty"), RUN_JOURNAL)
    assert Opened(str(tmp_path / "empty")).version() == 0
    path = str(tmp_path / "raced")
    put_in_place = lake_writer._put_in_place

    def lose(made: Path, wanted: Path) -> None:
        monkeypatch.setattr(lake_writer, "_put_in_place", put_in_place)
        create_table(path, RUN_JOURNAL)
        put_in_place(made, wanted)

    monkeypatch.setattr(lake_writer, "_put_in_place", lose)
    create_table(path, RUN_JOURNAL)
    assert Opened(path).version() == 0


def test_an_earlier_version_is_restored_or_the_reason_is_one_line(tmp_path: Path) -> None:
    writer = lake_writer.LakeWriter(tmp_path)
    rows = arrow_schema(RUN_JOURNAL).empty_table()
    for _ in range(2):
        writer.append(rows, RUN_JOURNAL)
    path = str(tmp_path / "ops" / "run_journal")
    restore_table(path, 1)
    assert Opened(path).version() == 3
    with pytest.raises(ContractError, match=r"run_journal: version 9 cannot be restored: "):
        restore_table(path, 9)


@pytest.mark.parametrize("writes", ["merge", "keep_only"])
def test_rows_that_were_deleted_meanwhile_are_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: str) -> None:
    """A customer's request for erasure that runs while readings are merged: the merge fails, and what was erased stays away."""
    rows = pa.Table.from_pylist([build_row(LEGAL_BASES, place) for place in range(3)], schema=arrow_schema(LEGAL_BASES))
    writer, table = LakeWriter(tmp_path), str(tmp_path / "silver" / "legal_bases")
    writer.append(rows, LEGAL_BASES)
    erased = rows["mpan_id"][0].as_py()
    read_rows = lake_writer._read_rows

    def read_and_erase(opened: Opened, contract: TableContract) -> pa.Table:
        found = read_rows(opened, contract)
        Opened(table).delete(f"mpan_id = '{erased}'")
        return found

    monkeypatch.setattr(lake_writer, "_read_rows", read_and_erase)
    write = {
        "merge": lambda: writer.merge(rows.slice(2), LEGAL_BASES),
        "keep_only": lambda: writer.keep_only(rows["mpan_id"].slice(0, 0), LEGAL_BASES),
    }
    with pytest.raises(ContractError, match=r"silver\.legal_bases: another run has changed it meanwhile; run again"):
        write[writes]()
    assert erased not in Opened(table).to_pyarrow_table()["mpan_id"].to_pylist()


@pytest.mark.parametrize("has_table", [True, False])
@pytest.mark.parametrize("writes", ["merge", "insert_new"])
def test_two_runs_at_once_do_not_both_add_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: str, has_table: bool) -> None:
    row = pa.Table.from_pylist([build_row(LEGAL_BASES, 0)], schema=arrow_schema(LEGAL_BASES))
    mine, theirs, read_rows = LakeWriter(tmp_path), LakeWriter(tmp_path), lake_writer._read_rows
    if has_table:
        mine.append(row.slice(0, 0), LEGAL_BASES)

    def read_before_theirs(opened: Opened, contract: TableContract) -> pa.Table:
        found = read_rows(opened, contract)
        monkeypatch.setattr(lake_writer, "_read_rows", read_rows)
        theirs.insert_new(row, LEGAL_BASES)
        return found

    monkeypatch.setattr(lake_writer, "_read_rows", read_before_theirs)
    with pytest.raises(ContractError, match=r"silver\.legal_bases: another run has changed it meanwhile; run again"):
        getattr(mine, writes)(row, LEGAL_BASES)
    assert mine.read(LEGAL_BASES).num_rows == 1
