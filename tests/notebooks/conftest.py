"""A tiny simulated landing, and the four notebooks run on it in their order, as Databricks runs them."""

import runpy
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from notebooks_world import LEAST_OF_AN_ANSWER, METERS, NOTEBOOKS, RICH, Ran, Tools
from pyspark.sql import SparkSession

from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.learning import training
from fmar_spark.simulate.plan import FleetPlan, Mix
from fmar_spark.steps import load_labels, load_weather, record_legal_basis, simulate_fleet
from fmar_spark.intake.intervals.companions import LABEL_SCHEMA
from fmar_spark.intake.intervals.weather import WEATHER_SCHEMA

@pytest.fixture(scope="session")
def landing(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Messages of a tiny fleet with faults; its weather, labels and legal bases stand in the lake beside them."""
    folder = tmp_path_factory.mktemp("notebooks")
    mix = Mix(plain=0.0, confuser_scale=0.0, no_half_hourly_consent=0.0, no_legal_basis=0.0, opted_out=0.0, **RICH)
    plan = FleetPlan(METERS, date(2024, 1, 1), date(2024, 3, 9), 3, mix)
    simulate_fleet.run(simulate_fleet.Order(plan, folder / "landing", ("malformed", "hostile"), 2))
    store, run = TableStore(spark, str(folder / "lake")), start_run("simulate_fleet", None, "")
    load_weather.run(store, run, simulate_fleet.read_truth(folder / "landing", "weather", WEATHER_SCHEMA))
    load_labels.run(store, run, simulate_fleet.read_truth(folder / "landing", "labels", LABEL_SCHEMA))
    record_legal_basis.run(store, run, simulate_fleet.read_truth(folder / "landing", "legal_bases", record_legal_basis.GRANT_SCHEMA))
    return folder / "landing"


@pytest.fixture(scope="session")
def notebooks(landing: Path) -> dict[str, Ran]:
    """Each notebook by its number, run from top to bottom, in a folder that is not the repository's."""
    folder = landing.parent
    given = {
        "environment": "test",
        "lake": str(folder / "lake"),
        "landing": str(landing),
        "report": str(folder / "report.html"),
        "season": "winter",
        "settings": f"learning.tracking_uri=sqlite:///{folder}/mlflow.db learning.source=bundled characterise.partitions=1",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "MIN_OF_EACH_ANSWER", LEAST_OF_AN_ANSWER)
        patch.chdir(folder)
        return {path.stem[:2]: run_notebook(path, given) for path in NOTEBOOKS}


def run_notebook(path: Path, given: dict[str, str]) -> Ran:
    """Run it with the fields filled in; what it shows is kept."""
    displayed: list[Any] = []
    names = runpy.run_path(str(path), init_globals={"dbutils": Tools(given), "display": displayed.append})
    return Ran(names, displayed)
