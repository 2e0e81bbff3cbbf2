from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem
from pyspark.sql import SparkSession

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.readings import LEGAL_BASES, READINGS
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.lake_files import LakeFiles, find_newest, find_range, open_rows
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.schema import struct_type
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.table_properties import LOG
from fmar_spark.errors import ConfigError, ContractError


def record_basis(store: TableStore, mpan: str) -> None:
    """One row of a table."""
    row = dict.fromkeys(LEGAL_BASES.names) | {"mpan_id": mpan, "purpose": "any", "basis": "own data", "source": "test"}
    row["recorded_at"] = datetime(2026, 1, 1, tzinfo=UTC)
    store.append(store.spark.createDataFrame([row], struct_type(LEGAL_BASES)), LEGAL_BASES)


def test_what_spark_wrote_is_counted_and_read_without_it(store: TableStore) -> None:
    for mpan in ("1200000000011", "1200000000020"):
        record_basis(store, mpan)
    lake = LakeFiles(Path(store.root))
    assert lake.has(LEGAL_BASES)
    assert lake.count(LEGAL_BASES) == 2
    assert sorted(lake.read(LEGAL_BASES, ["mpan_id"])["mpan_id"]) == ["1200000000011", "1200000000020"]
    assert len(lake.read(LEGAL_BASES, ["basis"], [("mpan_id", "=", "1200000000011")])) == 1


def test_a_table_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    lake = LakeFiles(tmp_path)
    assert not lake.has(READINGS)
    assert list(lake.read(READINGS, ["mpan_id", "kwh"]).columns) == ["mpan_id", "kwh"]


def test_no_lake_is_one_line_that_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no lake there; run scripts/demo"):
        LakeFiles(tmp_path / "absent")


def test_rows_on_this_disk_are_read_without_calling_back_into_python(tmp_path: Path) -> None:
    folder = tmp_path / "a lake, 100 % full" / "table"
    write_deltalake(folder, pa.table({"mpan_id": ["1200000000011"], "kw": [7.2]}))
    rows = open_rows(DeltaTable(folder))
    assert isinstance(rows.filesystem, SubTreeFileSystem)
    assert isinstance(rows.filesystem.base_fs, LocalFileSystem)
    assert rows.to_table(columns=["kw"]).to_pylist() == [{"kw": 7.2}]


@pytest.mark.parametrize("name", ["table", "a table, 100 % full"])
def test_the_newest_version_is_the_one_that_delta_finds(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    assert find_newest(path) is None
    (tmp_path / name / LOG).mkdir(parents=True)
    assert find_newest(path) is None
    for version in range(12):
        write_deltalake(path, pa.table({"kw": [7.2]}), mode="append")
        assert find_newest(path) == DeltaTable(path).version() == version
    table = DeltaTable(path)
    table.create_checkpoint()
    for path_of_commit in (tmp_path / name / LOG).glob("*.json"):
        if path_of_commit.name.startswith("0000000000000000000"):
            path_of_commit.unlink()
    assert find_newest(path) == DeltaTable(path).version() == 11
    assert find_newest(f"file://{tmp_path}/nowhere") is None


def test_the_first_and_the_last_date_are_read_from_the_log_where_it_says_them(tmp_path: Path) -> None:
    def add(*days: date | None) -> tuple[date, date] | None:
        write_deltalake(
            tmp_path, pa.table({"utc_date": pa.array(days, pa.date32()), "kwh": pa.array([0.5] * len(days), pa.float64())}), mode="append"
        )
        return find_range(DeltaTable(tmp_path), "utc_date")

    assert add() is None
    assert add(date(2023, 5, 1), date(1970, 1, 1), None) == (date(1970, 1, 1), date(2023, 5, 1))
    assert add(date(2022, 5, 1), date(2999, 1, 1)) == (date(1970, 1, 1), date(2999, 1, 1))
    assert find_range(DeltaTable(tmp_path), "nowhere") is None
    DeltaTable(tmp_path).delete("utc_date >= '2023-06-01'")
    assert find_range(DeltaTable(tmp_path), "utc_date") == (date(1970, 1, 1), date(2023, 5, 1))
    assert add(None) is None


def test_dates_of_deleted_rows_do_not_count_where_files_keep_such_rows(tmp_path: Path) -> None:
    write_deltalake(
        tmp_path, pa.table({"utc_date": [date(2023, 5, 1), date(2023, 5, 2)]}), configuration={"delta.enableDeletionVectors": "true"}
    )
    assert find_range(DeltaTable(tmp_path), "utc_date") is None


@pytest.mark.parametrize("lost", [2, 4], ids=["in the middle", "the newest, whose checksum is there"])
def test_a_commit_that_has_gone_is_one_line(spark: SparkSession, tmp_path: Path, lost: int) -> None:
    writer, store = LakeWriter(tmp_path), TableStore(spark, str(tmp_path))
    for _ in range(4):
        writer.append(arrow_schema(RUN_JOURNAL).empty_table(), RUN_JOURNAL)
    (tmp_path / "ops" / "run_journal" / LOG / f"{lost:020d}.json").unlink()
    said = rf"ops/run_journal: version {lost} is missing from its log; docs/operations.md says how to rebuild a table"
    for read in (writer.read, LakeFiles(tmp_path).count, store.version, store.read):
        with pytest.raises(ContractError, match=said):
            read(RUN_JOURNAL)
    with pytest.raises(ContractError, match=said):
        writer.append(arrow_schema(RUN_JOURNAL).empty_table(), RUN_JOURNAL)
    with pytest.raises(ContractError, match=said):
        LakeRows(tmp_path)
