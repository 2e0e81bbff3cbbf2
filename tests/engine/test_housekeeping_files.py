"""Which files of a table go when, beside runs that write."""

import os
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from pyspark.sql import SparkSession
from withdrawal_world import build_row

from fmar_spark.contracts.readings import LEGAL_BASES
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.housekeeping import LEAST_HOURS, compact, delete_rows, vacuum
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.session import DATABRICKS
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.table_properties import LOG

ROWS = pa.Table.from_pylist([build_row(LEGAL_BASES, place) for place in range(5)], schema=arrow_schema(LEGAL_BASES))
ERASED, *KEPT, ARRIVING = ROWS["mpan_id"].to_pylist()


def list_meters(path: Path) -> dict[str, set[str]]:
    """Meters by data file, of every version."""
    return {file.name: set(pq.ParquetFile(file).read(["mpan_id"])["mpan_id"].to_pylist()) for file in path.glob("*.parquet")}


def make_old(path: Path) -> None:
    at = time.time() - (LEAST_HOURS + 1) * 3600
    os.utime(path, (at, at))


@pytest.mark.parametrize("scheme", ["", "file://"], ids=["delta-rs", "spark"])
def test_removed_files_go_at_once_and_one_that_is_not_committed_yet_stays(spark: SparkSession, tmp_path: Path, scheme: str) -> None:
    """A customer's request for erasure while messages are taken in: its log does not reach back to the first version any more."""
    store, writer, path = TableStore(spark, f"{scheme}{tmp_path}"), LakeWriter(tmp_path), tmp_path / "silver" / "legal_bases"
    for place in range(4):
        writer.append(ROWS.slice(place, 1), LEGAL_BASES)
    DeltaTable(path).create_checkpoint()
    for commit in (path / LOG).glob("*.json"):
        make_old(commit)
    (path / LOG / f"{0:020d}.json").unlink()
    compact(store, LEGAL_BASES)
    pq.write_table(ROWS.slice(4), path / "arriving.parquet")
    pq.write_table(ROWS.slice(0, 1), path / "killed.parquet")
    make_old(path / "killed.parquet")
    assert delete_rows(store, LEGAL_BASES, f"mpan_id = '{ERASED}'") == 1
    assert sum(ERASED in meters for meters in list_meters(path).values()) == 3
    vacuum(store, LEGAL_BASES, 0)
    left = list_meters(path)
    assert left.pop("arriving.parquet") == {ARRIVING}
    assert list(left.values()) == [set(KEPT)]
    size = (path / "arriving.parquet").stat().st_size
    table = DeltaTable(path)
    table.create_write_transaction([AddAction("arriving.parquet", size, {}, 0, True, "{}")], "append", table.schema())
    assert set(writer.read(LEGAL_BASES)["mpan_id"].to_pylist()) == {*KEPT, ARRIVING}


def test_databricks_cleans_by_spark_wherever_the_lake_lies(store: TableStore, monkeypatch: pytest.MonkeyPatch) -> None:
    LakeWriter(Path(store.root)).append(ROWS, LEGAL_BASES)
    left = Path(store.path(LEGAL_BASES)) / "killed.parquet"
    pq.write_table(ROWS, left)
    make_old(left)
    monkeypatch.setenv(DATABRICKS, "17.3")
    monkeypatch.setitem(sys.modules, "deltalake", None)
    vacuum(store, LEGAL_BASES, LEAST_HOURS)
    assert not left.exists()
