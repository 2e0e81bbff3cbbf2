"""Classes of Spark's JVM in a file of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fmar_spark.engine.class_archive import FOLDER, NO_CLASSES, find_archive, keep_archive, list_options, make_empty_folder

USE_IT = """
import sys
from pathlib import Path
from fmar_spark.engine import session
from fmar_spark.settings.sections import SparkSettings
session.find_memory = lambda: Path(sys.argv[1])
spark = session.build_session("test", SparkSettings())
java = spark._jvm.java.lang
classes = java.System.getProperty("java.class.path").split(":")
print(classes[0], [one for one in java.management.ManagementFactory.getRuntimeMXBean().getInputArguments() if "Archive" in one])
spark.stop()
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = make_empty_folder(tmp_path).with_name("recorded")
    path.write_bytes(b"classes")
    return path


def test_a_recorded_file_takes_the_place_of_the_one_before(made: Path, tmp_path: Path) -> None:
    assert find_archive(tmp_path) is None
    first = keep_archive(made, tmp_path)
    assert find_archive(tmp_path) == first
    made.write_bytes(b"more classes")
    second = keep_archive(made, tmp_path)
    assert find_archive(tmp_path) == second
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["12.jsa", "none"]


def test_a_file_that_is_not_whole_is_left_alone(made: Path, tmp_path: Path) -> None:
    kept = keep_archive(made, tmp_path)
    kept.write_bytes(b"class")
    assert find_archive(tmp_path) is None


def test_a_file_that_does_not_fit_this_java_is_passed_over_in_silence(made: Path) -> None:
    java = str(Path(os.environ["JAVA_HOME"]) / "bin" / "java") if "JAVA_HOME" in os.environ else "java"
    made.write_bytes(b"x" * 100_000)
    ran = subprocess.run([java, *list_options(made), "-version"], capture_output=True, text=True, check=True)
    assert "version" in ran.stderr
    assert "archive" not in ran.stderr + ran.stdout


@pytest.mark.spark
def test_a_session_maps_the_file_and_has_no_folder_of_settings_among_its_jars(made: Path, tmp_path: Path) -> None:
    kept = keep_archive(made, tmp_path)
    known = {name: value for name, value in os.environ.items() if name not in ("SPARK_CONF_DIR", NO_CLASSES)}
    jars = Path("var/jars.json")
    (tmp_path / "jars.json").write_text(jars.read_text(encoding="utf-8") if jars.exists() else "{}", encoding="utf-8")
    ran = subprocess.run([sys.executable, "-c", USE_IT, str(tmp_path)], capture_output=True, text=True, check=True, env=known)
    folder, options = ran.stdout.strip().splitlines()[-1].split(" ", 1)
    assert Path(folder) == tmp_path / FOLDER / "none"
    assert options == str([f"-XX:SharedArchiveFile={kept}"])
    assert ran.stderr.strip() == ""
