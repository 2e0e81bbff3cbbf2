"""The Spark session of tests."""

from typing import Final

from pyspark.sql import SparkSession

from fmar_spark.engine.session import build_session
from fmar_spark.settings.overlays import load_settings

TINY_PLANS: Final = {
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.databricks.delta.delta.log.cacheSize": "24",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.leafNodeDefaultParallelism": "1",
    "spark.sql.files.minPartitionNum": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""A test's query runs once, over a few rows: to compile it, and to plan it again stage by stage, takes longer than to interpret it.
Delta keeps the log of each table it has seen for an hour, 8 MB each with the plans that read it, and every test has tables of its own:
after four minutes a JVM held 1.2 GB that nothing asked for again, and looked through it for garbage."""


def start_session(name: str) -> SparkSession:
    """A session for queries of a few rows."""
    session = build_session(name, load_settings("test", []).spark)
    for key, value in TINY_PLANS.items():
        session.conf.set(key, value)
    return session
