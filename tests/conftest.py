"""What Spark tests share: one session, started only when a test asks for it, and a lake of their own."""

import gc
import os
from collections.abc import Generator, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pytest
from pyspark.sql import SparkSession
from scheduling import GroupScheduling, group_of, rank_group
from spark_world import start_session

from fmar_spark.engine.store import TableStore

hypothesis.settings.register_profile("fmar", deadline=None)
hypothesis.settings.load_profile("fmar")
"""How long an example takes says more of the machine than of the code."""
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m")
"""A test run's JVM lives for minutes: what its second compiler costs, half of all processor time, is never earned back.
With one compiler Java keeps 48 MB for its code; Spark and Delta need more, and to sweep them took a quarter of all time."""
os.environ.setdefault("OMP_NUM_THREADS", "1")
"""Trees and matrices of tests are small: several threads only wait for each other, ten times as long where workers share two cores."""
_connect = duckdb.connect


def _connect_with_one_thread(*given: Any, **options: Any) -> duckdb.DuckDBPyConnection:
    """For the same reason: a query over a few rows in memory costs a sixth less. Connections to one file must be set alike."""
    connection = _connect(*given, **options)
    if not given and not options:
        connection.execute("SET threads = 1")
    return connection


duckdb.connect = _connect_with_one_thread
GARBAGE_THRESHOLDS = (50_000, 20, 10)
"""New objects before Python looks for garbage among them, and how often it then looks among older ones."""
FIXTURES_OF_MARK = {
    "spark": {"spark", "store", "broker"},
    "browser": {"page", "browser"},
    "database": {"postgres", "postgres_register"},
}
"""Lanes by what a test asks for."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling | None:
    """With ``--dist loadgroup`` the groups are ours; see ``scheduling``."""
    config.option.loadscopereorder = False
    return GroupScheduling(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """Mark every test by what it needs, so that ``-m 'not spark'`` is the quick lane; of what is left the longest comes first."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        for mark, fixtures in FIXTURES_OF_MARK.items():
            if fixtures & names or (mark == "database" and "postgresql" in item.nodeid.partition("[")[2]):
                item.add_marker(mark)
    yield
    groups = {item: group_of(item.nodeid) for item in items}
    on_spark = {groups[item] for item in items if item.get_closest_marker("spark")}
    items.sort(key=lambda item: (groups[item] not in on_spark, rank_group(groups[item])))


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """What is imported stays: to look through it for garbage while more is imported takes a third of that time.

    skops looks through every module that is there for each of 800 types when it is imported, so it comes before the others; the
    process that only hands tests out needs none of them.
    """
    gc.disable()
    if hasattr(session.config, "workerinput") or not session.config.getoption("numprocesses", None):
        import_module("skops.io")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported by now is never looked through again, which took a fifth of all processor time; the rest more seldom, a tenth."""
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    gc.enable()


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
