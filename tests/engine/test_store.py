import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine.step import limit_tables
from fmar_spark.engine.store import CATALOG, TableStore, Transaction
from fmar_spark.errors import ConfigError, ContractError

METERS = TableContract(
    "meters",
    Layer.SILVER,
    "Meters.",
    ("mpan_id",),
    (Column("mpan_id", "string", "Meter.", nullable=False), Column("size_kw", "double", "Size.", unit="kW", check="size_kw >= 0")),
    "fill_meters",
)


def rows(store: TableStore, *pairs: tuple[str, float]) -> DataFrame:
    return store.spark.createDataFrame(list(pairs), "mpan_id string, size_kw double")


def contents(store: TableStore) -> dict[str, float]:
    return {row["mpan_id"]: row["size_kw"] for row in store.read(METERS).collect()}


def test_a_table_that_is_not_there_names_the_job_that_fills_it(store: TableStore) -> None:
    with pytest.raises(ConfigError, match=r"silver.meters: no table at .* run jobs/fill_meters.py first"):
        store.read(METERS)
    assert store.read_or_empty(METERS).count() == 0


def test_rows_are_appended_once_merged_by_key_and_replaced_where_named(store: TableStore) -> None:
    once = Transaction("test", 1)
    assert store.append(rows(store, ("1", 1.0)), METERS, once) == 1
    assert store.append(rows(store, ("1", 1.0)), METERS, once) == 0
    assert contents(store) == {"1": 1.0}
    assert store.merge(rows(store, ("1", 2.0), ("2", 3.0)), METERS) == 2
    assert store.merge(rows(store, ("1", 2.0), ("2", 3.0)), METERS, "old.size_kw <> new.size_kw") == 0
    assert contents(store) == {"1": 2.0, "2": 3.0}
    assert store.merge(rows(store), METERS) == 0
    assert store.insert_new(rows(store, ("2", 9.0), ("3", 4.0)), METERS) == 1
    assert contents(store) == {"1": 2.0, "2": 3.0, "3": 4.0}
    assert store.overwrite(rows(store, ("2", 5.0)), METERS, "mpan_id IN ('2', '3')") == 1
    assert contents(store) == {"1": 2.0, "2": 5.0}
    assert store.keep_only(rows(store, ("2", 0.0), ("2", 0.0), ("9", 0.0)), METERS) == 1
    assert contents(store) == {"2": 5.0}
    assert store.keep_only(rows(store, ("2", 0.0)), METERS) == 0
    assert store.versions_written["silver.meters"] == store.version(METERS)
    with pytest.raises(Exception, match="size_kw_rule"):
        store.append(rows(store, ("4", -1.0)), METERS)


def test_an_empty_log_is_no_table(store: TableStore) -> None:
    """What a disk that was full leaves behind."""
    log = Path(store.path(METERS)) / "_delta_log"
    log.mkdir(parents=True)
    (log / ".00000000000000000000.json.7f1e.tmp").write_text("{")
    assert not store.has(METERS)
    assert store.read_or_empty(METERS).count() == 0
    assert store.keep_only(rows(store), METERS) == 0
    assert store.merge(rows(store, ("1", 1.0)), METERS) == 1
    assert contents(store) == {"1": 1.0}


def test_a_frame_that_breaks_its_contract_is_rejected(store: TableStore, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="size_kw is missing"):
        store.append(store.spark.createDataFrame([("1",)], "mpan_id string"), METERS)
    with pytest.raises(ContractError, match="size_kw is string, wants double"):
        store.append(store.spark.createDataFrame([("1", "x")], "mpan_id string, size_kw string"), METERS)


def test_delta_keeps_the_range_of_searched_columns_only(store: TableStore) -> None:
    store.append(rows(store, ("1", 1.0), ("2", 3.0)).coalesce(1), METERS)
    added = store.spark.read.json(f"{store.path(METERS)}/_delta_log/*.json").where("add is not null").select("add.stats").collect()
    (stats,) = [json.loads(row["stats"]) for row in added]
    assert stats["minValues"] == {"mpan_id": "1"}
    assert stats["maxValues"] == {"mpan_id": "2"}


def test_a_step_reads_and_writes_nothing_that_it_does_not_declare(store: TableStore) -> None:
    store.append(rows(store, ("1", 1.0)), METERS)
    other = dataclasses.replace(METERS, name="others")

    def run(store: TableStore, action: Callable[[TableStore], object]) -> object:
        return action(store.in_session(store.spark))

    assert limit_tables((METERS,), ())(run)(store, lambda own: own.read(METERS).count()) == 1
    limit_tables((), (METERS,))(run)(store, lambda own: own.append(rows(own, ("2", 2.0)), METERS))
    assert contents(store) == {"1": 1.0, "2": 2.0}
    undeclared = (lambda own: own.read(METERS), lambda own: own.has(METERS), lambda own: own.append(rows(own, ("3", 3.0)), METERS))
    for action in undeclared:
        with pytest.raises(ContractError, match=r"test_store: silver.meters is (not|neither) in its"):
            limit_tables((other,), (other,))(run)(store, action)
    writes = (
        lambda own: own.create(METERS),
        lambda own: own.append(rows(own, ("3", 3.0)), METERS),
        lambda own: own.overwrite(rows(own, ("3", 3.0)), METERS),
        lambda own: own.merge(rows(own, ("3", 3.0)), METERS),
        lambda own: own.insert_new(rows(own, ("3", 3.0)), METERS),
    )
    for action in writes:
        with pytest.raises(ContractError, match=r"test_store: silver.meters is not in its WRITES"):
            limit_tables((METERS,), (other,))(run)(store, action)
    assert contents(store) == {"1": 1.0, "2": 2.0}
    assert store.versions_written == {"silver.meters": store.version(METERS)}


def test_a_table_is_also_named_in_a_catalog(store: TableStore) -> None:
    store.spark.conf.set(CATALOG, "spark_catalog")
    try:
        store.append(rows(store, ("1", 1.0)), METERS)
        assert store.spark.table("spark_catalog.silver.meters").count() == 1
    finally:
        store.spark.conf.unset(CATALOG)
        store.spark.sql("DROP TABLE IF EXISTS spark_catalog.silver.meters")
    assert contents(store) == {"1": 1.0}
