"""One household leaves: after the next run of every step, after retention and after erasure it is looked for in every file of the lake."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from withdrawal_world import DECLARED, KEPT, LAST_DAY, LEFT, NAMES_OF_LEFT, NOT_EXAMINED, RAW, fill_lake, names_a_meter

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.deliveries import DELIVERY_CHECKS
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import LEGAL_BASES
from fmar_spark.engine.runs import Run, Written, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.consent.decisions import BASIS_SCHEMA
from fmar_spark.report.page import Order, write_report
from fmar_spark.settings.overlays import load_settings
from fmar_spark.steps import (
    answer_subject,
    build_fleet,
    build_records,
    characterise,
    flag_discrepancies,
    maintain_tables,
    predict_baseline,
    publish_read_model,
    record_legal_basis,
    verify_delivery,
)
from fmar_spark.steps.lake_inputs import choose_days, read_eligible_days
from scripts.trace_withdrawal import list_mentions

SETTINGS = load_settings(
    "test", ["learning.source=bundled", "characterise.partitions=1", "retention.vacuum_hours=0", "retention.compact_from_files=100"]
)
LOG = " log"
"""Delta's logs keep the smallest and largest values of files until they are 30 days old."""


class Leaving:
    """The lake, and what names the household after each stage."""

    def __init__(self, store: TableStore) -> None:
        self.store, self.root = store, Path(store.root)

    def run(self, body: Callable[[TableStore, Run], Written], run_date: date | None = LAST_DAY) -> Written:
        return body(self.store, start_run("test", run_date, ""))

    def mentions(self) -> set[str]:
        return {place for place in list_mentions(self.root, NAMES_OF_LEFT) if not place.endswith(LOG)}

    def publish(self) -> None:
        """Today's files, and those of the next day: the read model of the day before lies beside its successor until then."""
        for _ in range(2):
            publish_read_model.publish(str(self.root), self.root / "_model", LAST_DAY)
        write_report(self.root, self.root / "report.html", Order(), lambda stage: None)

    def forget_versions(self) -> None:
        """Time travel ends now, for every table that is found."""
        for log in self.root.rglob("_delta_log"):
            deltalake.DeltaTable(log.parent).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)


@pytest.fixture(scope="module")
def stages(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """What names the household: before, after the next runs, after retention, after erasure; and what its export held."""
    lake = Leaving(TableStore(spark, str(tmp_path_factory.mktemp("leaving") / "lake")))
    fill_lake(lake.root)
    lake.publish()
    found = {"before": lake.mentions()}
    opted_out = dict.fromkeys(BASIS_SCHEMA.names) | {"mpan_id": LEFT, "purpose": "any", "basis": "public task", "state": "opted_out"}
    rows = pa.Table.from_pylist([opted_out | {"source": "operator"}], schema=BASIS_SCHEMA)
    lake.run(lambda store, run: record_legal_basis.run_for_rows(store, run, rows))
    lake.run(lambda store, run: characterise.run(store, run, SETTINGS, ()))
    week = predict_baseline.Request(LAST_DAY - timedelta(days=2), LAST_DAY, None)
    lake.run(lambda store, run: predict_baseline.run(store, run, SETTINGS, week))
    lake.run(build_fleet.run)
    lake.run(build_records.run)
    lake.run(lambda store, run: verify_delivery.run(store, run, SETTINGS, verify_delivery.Span()))
    lake.run(lambda store, run: flag_discrepancies.run(store, run, SETTINGS.deliveries))
    lake.publish()
    lake.forget_versions()
    found["next runs"] = lake.mentions()
    measured = [name for name in DELIVERY_CHECKS.names if name.endswith("_kwh") and name != "declared_kwh"]
    checks = lake.store.read(DELIVERY_CHECKS).where(f"mpan_id = '{LEFT}'").select(*measured).collect()
    found["measured"] = {name for row in checks for name in measured if row[name] is not None}
    days = choose_days(lake.store, start_run("test", LAST_DAY, ""))
    found["labelled"] = {row["mpan_id"] for row in read_eligible_days(lake.store, days).select("mpan_id").distinct().collect()}
    found["kept"] = {row["mpan_id"] for row in lake.store.read(METER_PROFILES).collect()}
    lake.run(lambda store, run: maintain_tables.run(store, run, SETTINGS.retention), LAST_DAY + timedelta(days=500))
    found["retention"] = lake.mentions()
    exported = lake.run(lambda store, run: answer_subject.run_export(store, run, LEFT, lake.root.parent / "export"))
    found["exported"] = set(exported.counts)
    lake.run(lambda store, run: answer_subject.run_erase(store, run, LEFT))
    lake.publish()
    found["erased"] = lake.mentions()
    deltalake.write_deltalake(str(lake.root / "silver" / "undeclared"), pa.table({"who": [{"mpan": LEFT}]}))
    found["undeclared"] = lake.mentions()
    found["objection"] = {row["state"] for row in lake.store.read(LEGAL_BASES).where(f"mpan_id = '{LEFT}'").collect()}
    return found


def test_the_household_was_in_every_table_that_can_name_one(stages: dict[str, set[str]]) -> None:
    tables = {table.full_name for table in ALL_TABLES if names_a_meter(table)}
    assert tables <= stages["before"]
    assert {place for place in stages["before"] - tables if "/" in place or place.endswith(".html")}


def test_after_the_next_runs_nothing_that_is_derived_names_it(stages: dict[str, set[str]]) -> None:
    assert stages["next runs"] <= RAW | DECLARED | NOT_EXAMINED
    assert stages["measured"] == set()
    assert stages["labelled"] == stages["kept"] == {KEPT}


def test_what_is_old_is_gone_and_the_export_says_what_is_left(stages: dict[str, set[str]]) -> None:
    old = {table.full_name for table in maintain_tables.DATE_OF_RAW}
    assert stages["retention"] == stages["next runs"] - old
    assert stages["exported"] == stages["retention"]


def test_after_erasure_only_its_objection_names_it_and_no_version_can_be_read(stages: dict[str, set[str]]) -> None:
    assert stages["erased"] == {LEGAL_BASES.full_name}
    assert stages["objection"] == {"opted_out"}


def test_a_table_that_nobody_declared_is_found(stages: dict[str, set[str]]) -> None:
    assert stages["undeclared"] == stages["erased"] | {"silver.undeclared"}
