from pathlib import Path
from unittest.mock import create_autospec

import pytest
from pyspark.sql import SparkSession

from fmar_spark.engine import session
from fmar_spark.engine.session import build_session, read_spark_defaults, stop_session
from fmar_spark.errors import ConfigError
from fmar_spark.settings.sections import SparkSettings


@pytest.fixture
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no session ran yet."""
    monkeypatch.setattr(session.SparkSession, "getActiveSession", classmethod(lambda cls: None))


@pytest.mark.usefixtures("no_session")
def test_without_java_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"^java: not found; install Java 17 .*apt-get install openjdk-17-jre-headless"):
        build_session("tests", SparkSettings())


@pytest.mark.usefixtures("no_session")
def test_a_java_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"^java: version 11 found at .*/bin/java, 17 wanted$"):
        build_session("tests", SparkSettings())


def test_databricks_keeps_its_session_and_others_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    running = create_autospec(SparkSession, instance=True)
    running.sparkContext._jsc.sc.return_value.isStopped.return_value = False
    monkeypatch.setenv(session.DATABRICKS, "18.0")
    stop_session(running)
    running.stop.assert_not_called()
    monkeypatch.delenv(session.DATABRICKS)
    stop_session(running)
    running.stop.assert_called_once_with()


def test_a_session_whose_jvm_has_gone_is_not_stopped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(session.DATABRICKS, raising=False)
    gone = create_autospec(SparkSession, instance=True)
    gone.sparkContext._jsc.sc.side_effect = ConnectionRefusedError
    assert not session.is_running(gone)
    stop_session(gone)
    gone.stop.assert_not_called()


def test_defaults_are_names_and_values_without_remarks(tmp_path: Path) -> None:
    path = tmp_path / "spark-defaults.conf"
    path.write_text("# why\n\nspark.a   b c \nspark.sql.ansi.enabled true\n", encoding="utf-8")
    assert read_spark_defaults(path) == {"spark.a": "b c", "spark.sql.ansi.enabled": "true"}
    assert read_spark_defaults(tmp_path / "absent.conf") == {}


def test_the_session_runs_on_the_clock_and_rules_that_tables_rely_on(spark: SparkSession) -> None:
    wanted = read_spark_defaults(Path("conf/spark-defaults.conf"))
    for name in ("spark.sql.session.timeZone", "spark.sql.ansi.enabled", "spark.sql.parquet.outputTimestampType", "spark.sql.extensions"):
        assert spark.conf.get(name) == wanted[name]
