"""The Spark session of tests."""

from typing import Final

from pyspark.sql import SparkSession

from fmar_spark.engine.session import build_session
from fmar_spark.settings.overlays import load_settings

TINY_PLANS: Final = {
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
"""A test's query runs once, over a few rows: to compile it, and to plan it again stage by stage, takes longer than to interpret it."""


def start_session(name: str) -> SparkSession:
    """A session for queries of a few rows."""
    session = build_session(name, load_settings("test", []).spark)
    for key, value in TINY_PLANS.items():
        session.conf.set(key, value)
    return session
