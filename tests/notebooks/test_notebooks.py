import ast
import html
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable
from notebooks_world import METERS, NOTEBOOKS, Ran
from pyspark.sql import SparkSession

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.NamedExpr)


def count_rows(lake: Path, table: str) -> int:
    return int(DeltaTable(str(lake / table)).count())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_is_databricks_source_and_defines_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    cells = text.split("\n# COMMAND ----------\n")
    assert text.startswith("# Databricks notebook source\n# MAGIC %md\n")
    assert len(cells) > 4
    tree = ast.parse(text)
    assert [node for node in ast.walk(tree) if isinstance(node, DEFINITIONS)] == []
    assert [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Lambda)] == []
    first_code = [cell for cell in cells if not re.fullmatch(r"\s*(# .*\n?)*\s*", cell)]
    assert "import" in first_code[0]
    assert "read_widgets(globals()" in first_code[1]


def test_there_are_four_in_order() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_the_page_of_a_notebook_shows_its_cells_as_they_are(path: Path) -> None:
    page = html.unescape((ROOT / "docs" / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8"))
    cells = path.read_text(encoding="utf-8").split("\n# COMMAND ----------\n")[1:]
    assert [cell for cell in cells if "# MAGIC %md" not in cell and cell.replace("# MAGIC ", "").strip() not in page] == []


def test_readings_and_quarantine_are_what_the_tables_hold(notebooks: dict[str, Ran], landing: Path) -> None:
    names, lake = notebooks["01"].names, landing.parent / "lake"
    assert sum(row["meter_days"] for row in names["by_quantity"].collect()) == count_rows(lake, "silver/readings")
    assert names["rejected"]["rejected"].sum() == count_rows(lake, "bronze/quarantine") > 0
    assert len(notebooks["01"].displayed) == 6


def test_the_fleet_is_characterised_and_reported(notebooks: dict[str, Ran], landing: Path) -> None:
    ran, lake = notebooks["02"], landing.parent / "lake"
    assert ran.names["written"].rows_kept * 5 == count_rows(lake, "gold/asset_detections") > 0
    assert ran.names["answers"]["count"].sum() == count_rows(lake, "gold/asset_detections")
    assert len(ran.names["verdicts"]) == 5
    assert ran.names["page"]["examined"] == ran.names["written"].rows_kept
    assert (landing.parent / "report.html").stat().st_size > 4_000_000


def test_a_version_is_trained_compared_and_registered(notebooks: dict[str, Ran]) -> None:
    names = notebooks["03"].names
    assert 0 < names["written"].counts["meters"] <= METERS
    assert names["versions_by_age"]["version"].tolist() == [1]
    assert names["versions_by_age"]["gates"].iloc[0]
    assert names["scorer"].version.startswith("bundled-")


def test_gold_is_read_without_spark(notebooks: dict[str, Ran], landing: Path, spark: SparkSession) -> None:
    names, lake = notebooks["04"].names, landing.parent / "lake"
    given = spark.read.format("delta").load(str(lake / "gold" / "asset_detections"))
    wanted = {row["asset_class"]: row["count"] for row in given.where("is_present").groupBy("asset_class").count().collect()}
    found = {name: present for name, present in zip(names["fleet"]["asset_class"], names["fleet"]["present"], strict=True) if present}
    assert found == wanted
    assert isinstance(names["connection"], duckdb.DuckDBPyConnection)


def test_the_last_notebook_runs_where_there_is_neither_spark_nor_databricks(notebooks: dict[str, Ran], landing: Path) -> None:
    code = "import runpy, sys; sys.modules['pyspark'] = None; runpy.run_path(sys.argv[1])"
    ran = subprocess.run(
        [sys.executable, "-c", code, str(NOTEBOOKS[3])],
        cwd=ROOT,
        env={"FMAR_LAKE": str(landing.parent / "lake"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "solar_pv" in ran.stdout
    assert "asset_detections, version" in ran.stdout
