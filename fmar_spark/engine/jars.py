"""Remembers where Spark's package manager put the jars, so that the next session need not ask it again."""

import json
from pathlib import Path
from typing import Final

from pyspark.sql import SparkSession

PACKAGES: Final = "spark.jars.packages"
JARS: Final = "spark.jars"


def choose_jars(packages: str, memory: Path) -> dict[str, str]:
    """The setting that brings the packages: the remembered files if all are still there, else the packages by name.

    Args:
        packages: comma-separated Maven coordinates; '' needs none.
        memory: file of ``remember_jars``; it need not exist.
    """
    if not packages:
        return {}
    files = _recall(memory).get(packages, [])
    if files and all(Path(file).is_file() for file in files):
        return {JARS: ",".join(files)}
    return {PACKAGES: packages}


def remember_jars(spark: SparkSession, packages: str, memory: Path) -> None:
    """The files that the session resolved the packages to stand in ``memory``; nothing is said where it cannot be written."""
    files = [jar.removeprefix("file://") for jar in (spark.conf.get(JARS, "") or "").split(",") if jar]
    if not packages or not files:
        return
    known = _recall(memory)
    if known.get(packages) == files:
        return
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps(known | {packages: files}, indent=1), encoding="utf-8")
    except OSError:
        return


def _recall(memory: Path) -> dict[str, list[str]]:
    try:
        remembered = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return remembered if isinstance(remembered, dict) else {}
