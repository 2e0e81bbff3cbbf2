"""What tests share: one Spark session, started only when a test asks for it, a lake of their own, and a browser."""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pytest
from pyspark.sql import SparkSession
from spark_world import start_session

from fmar_spark.engine.store import TableStore

hypothesis.settings.register_profile("fmar", deadline=None)
hypothesis.settings.load_profile("fmar")
"""How long an example takes says more of the machine than of the code."""
os.environ.setdefault(
    "SPARK_SUBMIT_OPTS",
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote",
)
"""A test run's JVM lives for minutes: what its second compiler costs, half of all processor time, is never earned back.
With one compiler Java keeps 48 MB for its code; Spark and Delta need more, and to sweep them took a quarter of all time.
Their classes, which every JVM of a test loads anew, are not verified: a tenth of its start."""
_connect = duckdb.connect


def _connect_with_one_thread(*given: Any, **options: Any) -> duckdb.DuckDBPyConnection:
    """One thread, as for matrices: a query over a few rows in memory costs a sixth less. Connections to one file must be set alike."""
    connection = _connect(*given, **options)
    if not given and not options:
        connection.execute("SET threads = 1")
    return connection


duckdb.connect = _connect_with_one_thread


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The one session of a test run."""
    session = start_session("tests")
    yield session
    session.stop()


@pytest.fixture
def store(spark: SparkSession, tmp_path: Path) -> TableStore:
    """An empty lake."""
    return TableStore(spark, str(tmp_path / "lake"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium for the tests of a file; what drives it is imported where it is wanted alone."""
    with import_module("chromium_world").launch_chromium() as running:
        yield running
