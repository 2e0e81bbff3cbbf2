"""A checksum says of a version what its log comes to, and Spark goes on from it."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from withdrawal_world import build_row

from fmar_spark.contracts.readings import LEGAL_BASES, READINGS
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_writer import LakeWriter, create_table
from fmar_spark.engine.log_checksum import MOST_FILES, add_commit, note_checksum
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.table_properties import LOG

EMPTY: dict[str, Any] = {"setTransactions": [], "domainMetadata": [], "allFiles": []}
ROWS = pa.Table.from_pylist([build_row(LEGAL_BASES, place) for place in range(2)], schema=arrow_schema(LEGAL_BASES))


def read_checksum(table: Path, version: int) -> dict[str, Any]:
    """What stands beside the commit."""
    found: dict[str, Any] = json.loads((table / LOG / f"{version:020d}.crc").read_text(encoding="utf-8"))
    return found


def require_true(table: Path, version: int) -> None:
    """The checksum of a version lists its files, with their bytes and columns, as delta-rs adds up its log."""
    noted, opened = read_checksum(table, version), DeltaTable(table, version=version)
    files = pa.table(opened.get_add_actions(flatten=True)).to_pylist()
    assert {file["path"]: file["size"] for file in noted["allFiles"]} == {file["path"]: file["size_bytes"] for file in files}
    assert (noted["numFiles"], noted["tableSizeBytes"]) == (len(files), sum(file["size_bytes"] for file in files))
    assert (noted["numMetadata"], noted["numProtocol"]) == (1, 1)
    assert noted["metadata"]["id"] == str(opened.metadata().id)
    assert noted["metadata"]["configuration"] == opened.metadata().configuration
    assert json.loads(noted["metadata"]["schemaString"]) == json.loads(opened.schema().to_json())
    assert noted["protocol"]["minWriterVersion"] == opened.protocol().min_writer_version


@pytest.mark.parametrize("contract", [LEGAL_BASES, READINGS], ids=lambda one: one.full_name)
def test_every_version_of_a_new_table_has_one(tmp_path: Path, contract: TableContract) -> None:
    create_table(str(tmp_path / "table"), contract)
    for version in range(DeltaTable(tmp_path / "table").version() + 1):
        require_true(tmp_path / "table", version)


def test_whatever_is_written_without_spark_is_added_up(tmp_path: Path) -> None:
    writer, table = LakeWriter(tmp_path), tmp_path / "silver" / "legal_bases"
    for write in (writer.append, writer.append, writer.merge, writer.overwrite, writer.append):
        write(ROWS, LEGAL_BASES)
        require_true(table, DeltaTable(table).version())


def test_spark_goes_on_from_it_and_it_from_spark(store: TableStore) -> None:
    writer, table = LakeWriter(Path(store.root)), Path(store.path(LEGAL_BASES))
    writer.append(ROWS, LEGAL_BASES)
    rows = store.spark.createDataFrame(ROWS)
    store.append(rows, LEGAL_BASES)
    writer.append(ROWS, LEGAL_BASES)
    store.merge(rows.where("source = 'nobody'"), LEGAL_BASES)
    store.overwrite(rows, LEGAL_BASES, "mpan_id = '2000056535971' OR mpan_id <> '2000056535971'")
    for version in range(DeltaTable(table).version() + 1):
        require_true(table, version)
    assert store.read(LEGAL_BASES).count() == 2


def test_without_the_one_before_or_over_too_many_files_there_is_none(tmp_path: Path) -> None:
    writer, log = LakeWriter(tmp_path), tmp_path / "silver" / "legal_bases" / LOG
    writer.append(ROWS, LEGAL_BASES)
    (log / f"{1:020d}.crc").unlink()
    writer.append(ROWS, LEGAL_BASES)
    assert not (log / f"{2:020d}.crc").exists()
    (log / f"{1:020d}.crc").write_text("{", encoding="utf-8")
    note_checksum(log, 2)
    note_checksum(log, 9)
    assert sorted(path.name for path in log.glob("*.crc")) == [f"{0:020d}.crc", f"{1:020d}.crc"]
    files = [{"add": {"path": str(number), "size": 3, "dataChange": True}} for number in range(MOST_FILES + 1)]
    listed = add_commit(EMPTY, files[:-1])
    assert listed is not None
    assert (listed["numFiles"], listed["tableSizeBytes"]) == (MOST_FILES, 3 * MOST_FILES)
    assert add_commit(EMPTY, files) is None


@pytest.mark.parametrize(
    "action",
    [
        {"txn": {"appId": "stream", "version": 3}},
        {"domainMetadata": {"domain": "d", "configuration": "", "removed": False}},
        {"add": {"path": "a", "size": 3, "deletionVector": {"storageType": "u"}}},
    ],
    ids=["transaction", "domain", "deletion vector"],
)
def test_a_commit_with_more_than_files_and_columns_is_left_to_spark(action: dict[str, Any]) -> None:
    assert add_commit(EMPTY, [action]) is None


@pytest.mark.parametrize("noted", ["5", "[]", '{"allFiles": null}', "{}"])
def test_a_checksum_that_is_none_is_passed_over(tmp_path: Path, noted: str) -> None:
    writer, log = LakeWriter(tmp_path), tmp_path / "silver" / "legal_bases" / LOG
    writer.append(ROWS, LEGAL_BASES)
    newest = DeltaTable(log.parent).version()
    (log / f"{newest:020d}.crc").write_text(noted, encoding="utf-8")
    note_checksum(log, newest + 1)
    (log / f"{newest + 1:020d}.json").write_text("{}", encoding="utf-8")
    note_checksum(log, newest + 1)
    assert not (log / f"{newest + 1:020d}.crc").exists()


def test_one_that_cannot_be_written_fails_no_write(tmp_path: Path) -> None:
    writer, log = LakeWriter(tmp_path), tmp_path / "silver" / "legal_bases" / LOG
    writer.append(ROWS, LEGAL_BASES)
    newest = DeltaTable(log.parent).version()
    (log / f".{newest + 1:020d}.crc.{os.getpid()}.tmp").mkdir()
    writer.append(ROWS, LEGAL_BASES)
    assert DeltaTable(log.parent).to_pyarrow_table().num_rows == 4
    assert not (log / f"{newest + 1:020d}.crc").exists()


def test_with_an_expired_commit_its_checksum_goes(tmp_path: Path) -> None:
    writer, log = LakeWriter(tmp_path), tmp_path / "silver" / "legal_bases" / LOG
    writer.append(ROWS, LEGAL_BASES)
    DeltaTable(log.parent).create_checkpoint()
    (log / f"{0:020d}.json").unlink()
    writer.append(ROWS, LEGAL_BASES)
    assert {one.stem for one in log.glob("*.crc")} == {one.stem for one in log.glob("*.json")}
