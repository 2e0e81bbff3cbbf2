"""Rows of a world as tables that Spark writes, with the columns, requirements and rules of their contracts."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from report_world import Writer

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.store import TableStore


def write_with(spark: SparkSession) -> Writer:
    """A world's rows are written as a step writes them; what they leave out is null."""

    def write(root: Path, contract: TableContract, rows: Iterable[dict[str, Any]]) -> None:
        table = pa.Table.from_pylist(list(rows), arrow_schema(contract))
        TableStore(spark, str(root)).overwrite(spark.createDataFrame(table), contract)

    return write
