"""What Delta's log says of a table: its newest commit, its columns and properties, how large it is.

A step asks it of every table that it declares before it begins, at every read and after every write. Spark starts a job or plans a query
for each answer, so the log of a table on this machine's disk is read by delta-rs, in a twentieth of the time.
"""

import json
import os
from datetime import date
from importlib import import_module
from typing import Any, Final, NamedTuple

from delta.tables import DeltaTable
from pyspark.sql import Row, SparkSession
from pyspark.sql.types import StructType

from fmar_spark.engine.session import DATABRICKS
from fmar_spark.settings.run_options import is_address

_NEWEST: Final = ("version", "operation", "operationMetrics")


class Commit(NamedTuple):
    """A version of a table."""

    version: int
    operation: str
    metrics: dict[str, str]
    """Delta's counts of the operation by name."""


class Metadata(NamedTuple):
    """What the newest version of a table says of itself."""

    table_id: str
    properties: dict[str, str]


class Extent(NamedTuple):
    """How large the newest version of a table is."""

    files: int
    bytes: int


def has_table(spark: SparkSession, path: str) -> bool:
    """Whether there is a table."""
    found: bool = DeltaTable.isDeltaTable(spark, path) if asks_spark(path) else import_module("deltalake").DeltaTable.is_deltatable(path)
    return found


def find_version(spark: SparkSession, path: str) -> int | None:
    """Newest version of a table; None where there is no table."""
    if asks_spark(path):
        return find_commit(spark, path).version if has_table(spark, path) else None
    found: int | None = import_module("fmar_spark.engine.lake_files").find_newest(path)
    return found


def find_commit(spark: SparkSession, path: str) -> Commit:
    """Newest commit of an existing table."""
    if asks_spark(path):
        newest = _ask(DeltaTable.forPath(spark, path).history(1).select(*_NEWEST).first())
    else:
        newest = _open_here(path).history(1)[0]
    metrics = {name: str(count) for name, count in (newest.get("operationMetrics") or {}).items()}
    return Commit(int(newest["version"]), newest.get("operation") or "", metrics)


def find_schema(spark: SparkSession, path: str) -> StructType | None:
    """Columns of a table; None where there is no table."""
    if not has_table(spark, path):
        return None
    if asks_spark(path):
        return spark.read.format("delta").load(path).schema
    return StructType.fromJson(json.loads(_open_here(path).schema().to_json()))


def find_metadata(spark: SparkSession, path: str) -> Metadata | None:
    """Id and properties of a table; None where there is no table."""
    if not has_table(spark, path):
        return None
    if asks_spark(path):
        detail = _ask(DeltaTable.forPath(spark, path).detail().select("id", "properties").first())
        return Metadata(detail["id"], dict(detail["properties"]))
    found = _open_here(path).metadata()
    return Metadata(str(found.id), dict(found.configuration))


def find_extent(spark: SparkSession, path: str) -> Extent:
    """Files and bytes of an existing table."""
    if asks_spark(path):
        detail = _ask(DeltaTable.forPath(spark, path).detail().select("numFiles", "sizeInBytes").first())
        return Extent(int(detail["numFiles"]), int(detail["sizeInBytes"]))
    return Extent(*import_module("fmar_spark.engine.lake_files").measure_files(_open_here(path)))


def find_range(path: str, column: str, version: int) -> tuple[date, date] | None:
    """Smallest and largest date of a column of a version of a table; None where only a query of its rows can say."""
    if asks_spark(path):
        return None
    found: tuple[date, date] | None = import_module("fmar_spark.engine.lake_files").find_range(_open_here(path, version), column)
    return found


def asks_spark(path: str) -> bool:
    """Whether delta-rs cannot open the table, or is not there: on a cluster the lake has an address, and Databricks has its own paths."""
    return is_address(path) or DATABRICKS in os.environ


def _open_here(path: str, version: int | None = None) -> Any:
    """The table as delta-rs opens it, which is imported where it is there."""
    return import_module("fmar_spark.engine.lake_files").open_table(path, version)


def _ask(row: Row | None) -> dict[str, Any]:
    return row.asDict() if row else {}
