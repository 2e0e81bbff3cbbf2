"""What Delta's log says of a table: its newest commit, its columns and properties, how large it is.

A step asks it of every table that it declares before it begins, at every read and after every write. Spark starts a job or plans a query
for each answer, so the log of a table on this machine's disk is read by delta-rs, in a twentieth of the time.
"""

import json
from typing import Any, Final, NamedTuple

import deltalake
from delta.tables import DeltaTable
from pyspark.sql import Row, SparkSession
from pyspark.sql.types import StructType

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
    schema: StructType
    properties: dict[str, str]


class Extent(NamedTuple):
    """How large the newest version of a table is."""

    files: int
    bytes: int


def has_table(spark: SparkSession, path: str) -> bool:
    """Whether there is a table."""
    return DeltaTable.isDeltaTable(spark, path) if is_address(path) else deltalake.DeltaTable.is_deltatable(path)


def find_version(spark: SparkSession, path: str) -> int | None:
    """Newest version of a table; None where there is no table."""
    if not has_table(spark, path):
        return None
    return find_commit(spark, path).version if is_address(path) else deltalake.DeltaTable(path).version()


def find_commit(spark: SparkSession, path: str) -> Commit:
    """Newest commit of an existing table."""
    if is_address(path):
        newest = _ask(DeltaTable.forPath(spark, path).history(1).select(*_NEWEST).first())
    else:
        newest = deltalake.DeltaTable(path).history(1)[0]
    return Commit(int(newest["version"]), newest.get("operation") or "", dict(newest.get("operationMetrics") or {}))


def find_metadata(spark: SparkSession, path: str) -> Metadata | None:
    """Id, columns and properties of a table; None where there is no table."""
    if not has_table(spark, path):
        return None
    if is_address(path):
        table = DeltaTable.forPath(spark, path)
        detail = _ask(table.detail().select("id", "properties").first())
        return Metadata(detail["id"], table.toDF().schema, dict(detail["properties"]))
    log = deltalake.DeltaTable(path)
    found = log.metadata()
    return Metadata(str(found.id), StructType.fromJson(json.loads(log.schema().to_json())), dict(found.configuration))


def find_extent(spark: SparkSession, path: str) -> Extent:
    """Files and bytes of an existing table."""
    if is_address(path):
        detail = _ask(DeltaTable.forPath(spark, path).detail().select("numFiles", "sizeInBytes").first())
        return Extent(int(detail["numFiles"]), int(detail["sizeInBytes"]))
    sizes = deltalake.DeltaTable(path).get_add_actions(flatten=True)["size_bytes"].to_pylist()
    return Extent(len(sizes), sum(sizes))


def _ask(row: Row | None) -> dict[str, Any]:
    return row.asDict() if row else {}
