"""Builds the Spark session of a job: a cluster's own where there is one, else one on this machine."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

from py4j.protocol import Py4JError  # type: ignore[import-untyped]  # it has no types
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from fmar_spark.engine.class_archive import NO_CLASSES, find_archive, list_options, list_recording_options, make_empty_folder
from fmar_spark.engine.jars import PACKAGES, choose_jars, remember_jars
from fmar_spark.errors import ConfigError
from fmar_spark.settings.overlays import find_conf_dir
from fmar_spark.settings.sections import SparkSettings

_SMALL_MACHINE = {
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
}
"""For a local master, whoever starts it: Delta's defaults are for a cluster."""
_LOCAL_ONLY = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.warehouse.dir": "var/warehouse",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.adaptive.enabled": "true",
}
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_COLLECTOR = "-XX:+UseParallelGC"
"""Takes a seventh less of the JVM's seconds than G1 on two cores."""
_CLASSES = "-XX:MetaspaceSize=256m"
"""Spark and Delta have 150 MB of classes: at each of five lower bounds Java would look through its whole heap before it went on."""
SPARK_ERRORS = (PySparkException, Py4JError)
"""Whatever Spark raises."""
END_SECONDS = 1.5
"""How long the process has to remove its temporary files."""
JARS_FILE = "jars.json"
DATABRICKS = "DATABRICKS_RUNTIME_VERSION"
"""Set where Databricks runs the job."""
_log = logging.getLogger(__name__)


def build_session(job: str, settings: SparkSettings, extra_packages: tuple[str, ...] = (), recording: Path | None = None) -> SparkSession:
    """Start or join the session of a job, named after it, with the defaults of ``conf/spark-defaults.conf``.

    Under spark-submit or on Databricks the running session and its master are used as they are; the SQL settings that
    the tables rely on are applied on top.

    Args:
        job: name of the application.
        settings: master, memory and log level.
        extra_packages: Maven coordinates beside those of the defaults.
        recording: file in which a session on this machine leaves its classes; see ``class_archive``.

    Raises:
        ConfigError: no Java 17, or the jars cannot be had.
    """
    active = SparkSession.getActiveSession()
    defaults = read_spark_defaults(find_conf_dir() / "spark-defaults.conf")
    if active is not None:
        _apply_sql_settings(active, defaults)
        return active
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(job)
    packages = ""
    if not _is_submitted():
        _require_java()
        builder = builder.master(settings.master).config("spark.driver.memory", settings.driver_memory)
        for name, value in _LOCAL_ONLY.items():
            builder = builder.config(name, value)
        packages = ",".join(package for package in (defaults.pop(PACKAGES, ""), *extra_packages) if package)
        for name, value in choose_jars(packages, find_memory() / JARS_FILE).items():
            builder = builder.config(name, value)
        builder = builder.config(_JAVA_OPTIONS, " ".join(f'"{option}"' for option in _list_java_options(recording)))
    for name, value in defaults.items():
        builder = builder.config(name, value)
    builder = builder.config("spark.sql.shuffle.partitions", str(settings.shuffle_partitions))
    try:
        spark = builder.getOrCreate()
    except (PySparkException, RuntimeError) as error:
        raise ConfigError(
            "spark: could not start; the jars in conf/spark-defaults.conf come from Maven Central the first time: "
            f"check the network, then run again ({str(error).splitlines()[0]})"
        ) from error
    if (spark.sparkContext.master or "").startswith("local"):
        for name, value in _SMALL_MACHINE.items():
            spark.conf.set(name, value)
    remember_jars(spark, packages, find_memory() / JARS_FILE)
    spark.sparkContext.setLogLevel(settings.log_level)
    return spark


def stop_session(spark: SparkSession) -> None:
    """Stop the session, unless it is Databricks' own, which outlives a job, or its JVM has gone."""
    if DATABRICKS not in os.environ and is_running(spark):
        spark.stop()


def end_session(spark: SparkSession) -> None:
    """End a session of this machine with its process, whatever its tasks do; any other is stopped as usual."""
    process = getattr(spark.sparkContext._gateway, "proc", None)
    if process is None:
        stop_session(spark)
        return
    server = getattr(spark.sparkContext, "_accumulatorServer", None)
    if server is not None:
        server.handle_error = lambda *_: None  # its connection ends with the process, which it would print as a traceback
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def is_running(spark: SparkSession) -> bool:
    """Whether the JVM still answers: whoever ends a job may end it first, and so does a machine without memory."""
    try:
        return not spark.sparkContext._jsc.sc().isStopped()
    except (Py4JError, OSError):
        return False


def read_spark_defaults(path: Path) -> dict[str, str]:
    """Names and values of a spark-defaults file; an absent file has none."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.split(None, 1) for line in lines if line and not line.startswith("#"))
    return {name: value.strip() for name, value in pairs}


def _is_submitted() -> bool:
    return "PYSPARK_GATEWAY_PORT" in os.environ or DATABRICKS in os.environ


def _apply_sql_settings(spark: SparkSession, defaults: dict[str, str]) -> None:
    for name, value in defaults.items():
        if name.startswith("spark.sql.") and spark.conf.isModifiable(name):
            spark.conf.set(name, value)


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not java or not Path(java).exists():
        raise ConfigError("java: not found; install Java 17 (Debian: apt-get install openjdk-17-jre-headless) or set JAVA_HOME")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    major = said.partition('"')[2].split(".")[0]
    if not major.isdigit() or int(major) < 17:
        raise ConfigError(f"java: version {major or 'unknown'} found at {java}, 17 wanted")


def find_memory() -> Path:
    """Where a checkout remembers what it found out about this machine."""
    return find_conf_dir().resolve().parent / "var"


def _list_java_options(recording: Path | None) -> list[str]:
    """Options of the JVM of a session on this machine, whose settings keep Spark's start-up lines off the terminal."""
    quiet = find_conf_dir().absolute() / "spark"
    os.environ.setdefault("SPARK_CONF_DIR", str(quiet))
    archive = find_archive(find_memory())
    options = [_COLLECTOR, _CLASSES]
    if recording is None and archive is None:
        os.environ.pop(NO_CLASSES, None)
        return options
    os.environ[NO_CLASSES] = str(make_empty_folder(find_memory()))
    options.append(f"-Dlog4j2.configurationFile={(quiet / 'log4j2.properties').as_uri()}")
    return options + (list_recording_options(recording) if recording else list_options(archive) if archive else [])
