import sys
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine.bridge import cut_whole_keys, day_arrays, map_whole_keys, number_keys

cloudpickle.register_pickle_by_value(sys.modules[__name__])
"""Workers cannot import a test: its kernel travels whole."""
TOTALS = TableContract(
    "totals", Layer.SILVER, "Sums.", ("key",), (Column("key", "string", "Key.", nullable=False), Column("total", "double", "Sum.")), "none"
)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=12), st.lists(st.integers(0, 60), max_size=6), st.integers(1, 5))
def test_keys_stay_whole_wherever_batches_are_cut(lengths: list[int], cuts: list[int], keys_per_chunk: int) -> None:
    keys = [f"{key:03d}" for key, length in enumerate(lengths) for _ in range(length)]
    table = pa.table({"key": keys, "row": range(len(keys))})
    bounds = sorted({0, len(keys), *(cut for cut in cuts if cut < len(keys))})
    batches = [batch for low, high in pairwise(bounds) for batch in table.slice(low, high - low).to_batches()]
    chunks = list(cut_whole_keys(batches, "key", keys_per_chunk))
    assert [row for chunk in chunks for row in chunk["row"].to_pylist()] == list(range(len(keys)))
    found = [sorted(set(chunk["key"].to_pylist())) for chunk in chunks]
    assert sorted(key for chunk in found for key in chunk) == sorted(set(keys))
    assert all(len(chunk) == keys_per_chunk for chunk in found[:-1])


def test_nothing_in_gives_nothing_out() -> None:
    assert list(cut_whole_keys(iter([]), "key", 3)) == []


def test_null_slots_become_nan_and_short_days_are_refused() -> None:
    column = pa.chunked_array([pa.array([[1.0, None], [3.0, 4.0]], pa.list_(pa.float32()))])
    np.testing.assert_array_equal(day_arrays(column, 2), np.array([[1, np.nan], [3, 4]], dtype=np.float32))
    with pytest.raises(ValueError, match="3 a row wanted"):
        day_arrays(column, 3)


def test_keys_are_numbered_in_order_of_appearance() -> None:
    names, place = number_keys(pa.chunked_array([["b", "b"], ["a"]]))
    assert names == ["b", "a"]
    assert place.tolist() == [0, 0, 1]


def sum_keys(chunk: pa.Table) -> Iterator[pa.RecordBatch]:
    names, place = number_keys(chunk["key"])
    totals = np.bincount(place, chunk["value"].to_numpy())
    yield pa.RecordBatch.from_pydict({"key": names, "total": totals})


def test_spark_gives_what_numpy_gives(spark: SparkSession) -> None:
    rng = np.random.default_rng(1)
    keys, values = rng.integers(0, 40, 500).astype(str).tolist(), rng.random(500).tolist()
    rows = spark.createDataFrame(list(zip(keys, values, strict=True)), "key string, value double")
    found = {row["key"]: row["total"] for row in map_whole_keys(rows, "key", sum_keys, TOTALS, 3, 4).collect()}
    expected = {key: sum(value for one, value in zip(keys, values, strict=True) if one == key) for key in set(keys)}
    assert found.keys() == expected.keys()
    assert all(found[key] == pytest.approx(expected[key]) for key in expected)
