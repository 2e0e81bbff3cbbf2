"""The newest commit as Delta's log has it is the one that its history names."""

from collections.abc import Callable

import pytest
from delta.tables import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine import newest_commit
from fmar_spark.engine.newest_commit import Commit, find_commit, find_version
from fmar_spark.engine.session import DATABRICKS
from fmar_spark.engine.store import TableStore

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
    return Commit(newest["version"], newest["operation"], newest["operationMetrics"])


def test_the_log_says_what_the_history_says(store: TableStore, monkeypatch: pytest.MonkeyPatch) -> None:
    spark, path = store.spark, store.path(SIZES)
    rows = spark.createDataFrame([("1", 1.0), ("2", 2.0)], "mpan_id string, size_kw double")
    writes: list[tuple[str, Callable[[], object]]] = [
        ("CREATE TABLE", lambda: store.create(SIZES)),
        ("WRITE", lambda: store.append(rows, SIZES)),
        ("MERGE", lambda: store.merge(rows, SIZES)),
    ]
    for version, (operation, write) in enumerate(writes):
        write()
        found = find_commit(spark, path)
        assert (found.version, found.operation, find_version(spark, path)) == (version, operation, version)
    assert found == ask_history(spark, path)
    with monkeypatch.context() as there:
        there.setenv(DATABRICKS, "17.3")
        there.setattr(newest_commit, "_find_class", None)
        assert (find_commit(spark, path), find_version(spark, path)) == (found, found.version)


def test_a_table_that_is_not_there_has_no_version(store: TableStore) -> None:
    for ask in (find_version, find_commit):
        with pytest.raises(AnalysisException, match="DELTA_MISSING_DELTA_TABLE"):
            ask(store.spark, store.path(SIZES))
