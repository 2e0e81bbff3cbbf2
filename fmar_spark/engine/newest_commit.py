"""The newest commit of a Delta table, read from its log on the driver.

``DeltaTable.history`` starts a Spark job for it, which takes ten times as long and a third of reading a small table; a step asks at
every read and after every write. Delta's own classes know without a job. They are not part of its public interface, so a platform
that has others (Databricks) is asked by ``history``.
"""

import json
import os
from typing import Any, Final, NamedTuple

from delta.tables import DeltaTable
from py4j.java_gateway import JavaClass  # type: ignore[import-untyped]  # it has no types
from pyspark.sql import SparkSession

from fmar_spark.engine.session import DATABRICKS

_LOG: Final = "org.apache.spark.sql.delta.DeltaLog"
_HISTORY: Final = "org.apache.spark.sql.delta.DeltaHistoryManager"
_FILES: Final = "org.apache.spark.sql.delta.util.FileNames"


class Commit(NamedTuple):
    """A version of a table."""

    version: int
    operation: str
    metrics: dict[str, str]
    """Delta's counts of the operation by name."""


def find_version(spark: SparkSession, path: str) -> int:
    """Newest version of an existing table."""
    opened = _open_log(spark, path)
    return opened[1] if opened else _ask_history(spark, path).version


def find_commit(spark: SparkSession, path: str) -> Commit:
    """Newest commit of an existing table."""
    opened = _open_log(spark, path)
    if opened is None:
        return _ask_history(spark, path)
    log, version = opened
    file = _find_class(spark, _FILES).unsafeDeltaFile(log.logPath(), version)
    found = _find_class(spark, _HISTORY).getCommitInfoOpt(log.store(), file, log.newDeltaHadoopConf())
    info = json.loads(found.get().json())["commitInfo"] if found.isDefined() else {}
    return Commit(version, info.get("operation", ""), info.get("operationMetrics") or {})


def _open_log(spark: SparkSession, path: str) -> tuple[Any, int] | None:
    """Delta's log of the table, brought up to date, and its newest version; None where its history must be asked or there is no table."""
    if DATABRICKS in os.environ:
        return None
    both = _find_class(spark, _LOG).forTableWithSnapshot(spark._jsparkSession, path)
    version = int(both._2().version())
    return (both._1(), version) if version >= 0 else None


def _find_class(spark: SparkSession, name: str) -> Any:
    """A class of the JVM, without asking for each part of its name whether it is one."""
    gateway: Any = spark.sparkContext._gateway
    return JavaClass(name, gateway._gateway_client)


def _ask_history(spark: SparkSession, path: str) -> Commit:
    newest = DeltaTable.forPath(spark, path).history(1).select("version", "operation", "operationMetrics").first()
    return Commit(int(newest["version"]), newest["operation"], dict(newest["operationMetrics"] or {})) if newest else Commit(-1, "", {})
