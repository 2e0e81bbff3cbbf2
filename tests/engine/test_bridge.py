import sys
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine.arrow_columns import number_keys
from fmar_spark.engine.bridge import map_whole_keys

cloudpickle.register_pickle_by_value(sys.modules[__name__])
"""Workers cannot import a test: its kernel travels whole."""
TOTALS = TableContract(
    "totals", Layer.SILVER, "Sums.", ("key",), (Column("key", "string", "Key.", nullable=False), Column("total", "double", "Sum.")), "none"
)


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
