"""What is read of Delta's log is what its public ways answer."""

import sys
from collections.abc import Callable

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine.housekeeping import delete_rows
from fmar_spark.engine.session import DATABRICKS
from fmar_spark.engine.store import TableStore
from fmar_spark.engine.table_log import Commit, Extent, Metadata, find_commit, find_extent, find_metadata, find_schema, find_version
from fmar_spark.errors import ConfigError

SIZES = TableContract(
    "sizes",
    Layer.SILVER,
    "Sizes.",
    ("mpan_id",),
    (Column("mpan_id", "string", "Meter.", nullable=False), Column("size_kw", "double", "Size.", unit="kW")),
    "fill_sizes",
)


def ask_history(spark: SparkSession, path: str) -> Commit:
    newest = DeltaTable.forPath(spark, path).history(1).first()
    assert newest is not None
    return Commit(newest["version"], newest["operation"], newest["operationMetrics"] or {})


def ask_metadata(spark: SparkSession, path: str) -> Metadata:
    detail = DeltaTable.forPath(spark, path).detail().first()
    assert detail is not None
    return Metadata(detail["id"], detail["properties"])


def ask_extent(spark: SparkSession, path: str) -> Extent:
    detail = DeltaTable.forPath(spark, path).detail().first()
    assert detail is not None
    return Extent(detail["numFiles"], detail["sizeInBytes"])


def test_the_log_says_what_the_history_says(store: TableStore, monkeypatch: pytest.MonkeyPatch) -> None:
    spark, path = store.spark, store.path(SIZES)
    rows = spark.createDataFrame([("1", 1.0), ("2", 2.0)], "mpan_id string, size_kw double")
    writes: list[tuple[str, Callable[[], object]]] = [
        ("CREATE TABLE", lambda: store.create(SIZES)),
        ("WRITE", lambda: store.append(rows, SIZES)),
        ("WRITE", lambda: store.overwrite(rows.limit(1), SIZES, "mpan_id = '1'")),
        ("MERGE", lambda: store.merge(rows, SIZES)),
        ("DELETE", lambda: delete_rows(store, SIZES, "mpan_id = '2'")),
        ("RESTORE", lambda: store.restore(SIZES, 1)),
    ]
    for version, (operation, write) in enumerate(writes):
        write()
        found = find_commit(spark, path)
        assert found == ask_history(spark, path)
        assert (found.version, found.operation, find_version(spark, path)) == (version, operation, version)
    answers = found, find_version(spark, path), find_schema(spark, path), find_metadata(spark, path), find_extent(spark, path)
    schema = spark.read.format("delta").load(path).schema
    assert answers == (found, version, schema, ask_metadata(spark, path), ask_extent(spark, path))
    monkeypatch.setitem(sys.modules, "deltalake", None)
    at = f"file:{path}"
    assert answers == (
        find_commit(spark, at),
        find_version(spark, at),
        find_schema(spark, at),
        find_metadata(spark, at),
        find_extent(spark, at),
    )
    monkeypatch.setenv(DATABRICKS, "17.3")
    assert answers[:2] == (find_commit(spark, path), find_version(spark, path))


def test_a_table_that_is_not_there_has_no_version(store: TableStore) -> None:
    for path in (store.path(SIZES), f"file:{store.path(SIZES)}"):
        assert (find_version(store.spark, path), find_schema(store.spark, path), find_metadata(store.spark, path)) == (None, None, None)
    for ask in (store.read, store.version, store.properties):
        with pytest.raises(ConfigError, match=r"silver\.sizes: no table at .*; run jobs/fill_sizes\.py first"):
            ask(SIZES)
