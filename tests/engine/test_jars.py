from pathlib import Path

from pyspark.sql import SparkSession

from fmar_spark.engine.jars import JARS, PACKAGES, choose_jars, remember_jars

COORDINATES = "io.delta:delta-spark_4.1_2.13:4.3.1"


def test_packages_are_asked_for_by_name_until_they_are_known(tmp_path: Path) -> None:
    assert choose_jars(COORDINATES, tmp_path / "jars.json") == {PACKAGES: COORDINATES}


def test_no_packages_need_no_setting(tmp_path: Path) -> None:
    assert choose_jars("", tmp_path / "jars.json") == {}


def test_a_session_remembers_where_its_jars_lie(spark: SparkSession, tmp_path: Path) -> None:
    memory = tmp_path / "new" / "jars.json"
    remember_jars(spark, COORDINATES, memory)
    files = choose_jars(COORDINATES, memory)[JARS].split(",")
    assert any(Path(file).name.startswith("io.delta_delta-spark") for file in files)
    assert choose_jars("other:package:1", memory) == {PACKAGES: "other:package:1"}


def test_a_jar_that_is_gone_makes_the_packages_be_asked_for_again(tmp_path: Path) -> None:
    jar = tmp_path / "delta.jar"
    jar.touch()
    memory = tmp_path / "jars.json"
    memory.write_text(f'{{"{COORDINATES}": ["{jar}"]}}', encoding="utf-8")
    assert choose_jars(COORDINATES, memory) == {JARS: str(jar)}
    jar.unlink()
    assert choose_jars(COORDINATES, memory) == {PACKAGES: COORDINATES}


def test_a_memory_that_is_not_json_is_none(tmp_path: Path) -> None:
    memory = tmp_path / "jars.json"
    memory.write_text("{", encoding="utf-8")
    assert choose_jars(COORDINATES, memory) == {PACKAGES: COORDINATES}
