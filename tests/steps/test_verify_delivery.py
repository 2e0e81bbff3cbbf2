"""Declared deliveries from files to verdicts, through the lake."""

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.csv as arrow_csv
import pytest
from deliveries_world import FIRST, LAST, make_fleet
from lake_rows import add_rows, read_rows
from pyspark.sql import SparkSession

from fmar_spark.contracts.deliveries import AREA_DELIVERIES, ASSET_VOLUMES, DELIVERY_CHECKS, DELIVERY_EVIDENCE, DISPATCH_EVENTS
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.readings import LEGAL_BASES, METER_POINTS, READINGS, WEATHER
from fmar_spark.domain.deliveries import NO_EVENT
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.intake.deliveries.rows import DeclarationRules
from fmar_spark.intake.deliveries.staging import Sources, stage_declarations
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import AreaSettings
from fmar_spark.simulate.deliveries import DeliveryFleet
from fmar_spark.simulate.truth_tables import tabulate_weather
from fmar_spark.steps import load_deliveries, summarise_deliveries, verify_delivery

UNKNOWN, REJECTED = "2000056535971", "1900012374324"
ODD_DAY = date(2025, 10, 20)


class World(NamedTuple):
    store: TableStore
    made: DeliveryFleet
    folder: Path
    checks: dict[str, dict[str, Any]]
    """By event_id."""
    evidence: list[dict[str, Any]]
    written: Written


def load(store: TableStore, folder: Path) -> Written:
    staging = folder / "staging"
    staging.mkdir(exist_ok=True)
    staged = stage_declarations(Sources(folder / "events", folder / "volumes"), staging, DeclarationRules())
    return load_deliveries.run(store, start_run("load_deliveries", None, ""), staged)


def verify(store: TableStore, first: date | None = None, last: date | None = None) -> Written:
    settings = load_settings("test", ["characterise.partitions=1"])
    return verify_delivery.run(store, start_run("verify_delivery", LAST, ""), settings, verify_delivery.Span(first, last))


def fill_lake(store: TableStore, made: DeliveryFleet) -> None:
    now = datetime(2025, 12, 1, tzinfo=UTC)
    days = made.plan.days
    kwh = made.fleet.import_kwh.reshape(-1, days, 48)
    readings: list[dict[str, Any]] = []
    for meter, mpan in enumerate(made.fleet.mpan_id):
        for day in range(days):
            values = [None if np.isnan(value) else float(value) for value in kwh[meter, day]]
            marks = {"quality": ["A"] * 48, "opted_out": None}
            if FIRST + timedelta(days=day) == ODD_DAY and meter < 2:
                marks = {"quality": ["E"] * 48, "opted_out": None} if meter == 0 else {"quality": ["A"] * 48, "opted_out": [True] * 48}
            readings.append(
                {"mpan_id": mpan, "utc_date": FIRST + timedelta(days=day), "quantity": "AI", "kwh": values, "reported_at": now} | marks
            )
    groups = dict(zip(made.fleet.mpan_id, made.fleet.gsp_group, strict=True)) | {REJECTED: "_C"}
    place = {
        "interval_minutes": 30,
        "time_zone": "Europe/London",
        "latitude": 51.5,
        "longitude": -0.1,
        "reported_at": now,
        "source": "import",
    }
    points = [
        place | {"mpan_id": mpan, "boundary_mpan_id": mpan, "is_domestic": mpan == REJECTED, "weather_area": group, "gsp_group_id": group}
        for mpan, group in groups.items()
    ]
    add_rows(store, READINGS, readings)
    add_rows(store, METER_POINTS, points)
    store.create(LEGAL_BASES)
    add_rows(store, WEATHER, tabulate_weather(made.plan, made.fleet).to_pylist())


def write_declarations(made: DeliveryFleet, folder: Path) -> None:
    for name, table in (("events", made.events), ("volumes", made.volumes)):
        (folder / name).mkdir()
        arrow_csv.write_csv(table, folder / name / "simulated.csv")
    base = made.events.to_pylist()[0] | {"amsid": "other", "fsp_id": "odd"}
    stamp = f"{ODD_DAY}T%s:00Z"
    mpans = made.fleet.mpan_id
    odd = [
        base | {"event_id": "estimated", "start_utc": stamp % "12:00", "end_utc": stamp % "13:00"},
        base | {"event_id": "opted-out", "mpan_id": mpans[1], "start_utc": stamp % "12:00", "end_utc": stamp % "13:00"},
        base | {"event_id": "partial", "mpan_id": mpans[2], "start_utc": stamp % "12:10", "end_utc": stamp % "13:00"},
        base | {"event_id": "silent", "mpan_id": mpans[2], "start_utc": stamp % "15:00", "end_utc": stamp % "16:00"},
        base | {"event_id": "overlap-1", "mpan_id": mpans[3], "start_utc": stamp % "12:00", "end_utc": stamp % "13:00"},
        base | {"event_id": "overlap-2", "mpan_id": mpans[3], "start_utc": stamp % "12:30", "end_utc": stamp % "13:30"},
        base | {"event_id": "unknown", "mpan_id": UNKNOWN},
        base | {"event_id": "rejected", "mpan_id": REJECTED},
        base | {"event_id": "turned", "mpan_id": mpans[4], "start_utc": stamp % "12:00", "end_utc": stamp % "13:00"},
        base | {"event_id": "huge", "mpan_id": mpans[5], "start_utc": stamp % "12:00", "end_utc": stamp % "13:00"},
    ]
    for row in odd:
        row["notice_utc"] = None
    said = {0: "0.5", 1: "0.5", 2: "0.5", 3: "0.5", 4: "-0.5", 5: "900"}
    volumes = [
        {"mpan_id": mpans[meter], "amsid": "other", "fsp_id": "odd", "period_start_utc": stamp % time, "delivered_kwh": kwh}
        for meter, kwh in said.items()
        for time in ("12:00", "12:30")
    ]
    volumes.append({"mpan_id": mpans[6], "amsid": "other", "fsp_id": "odd", "period_start_utc": stamp % "12:00", "delivered_kwh": "1"})
    for name, rows in (("events", odd), ("volumes", volumes)):
        with (folder / name / "odd.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("deliveries")
    store = TableStore(spark, str(folder / "lake"))
    made = make_fleet(7, seed=3)
    fill_lake(store, made)
    write_declarations(made, folder)
    load(store, folder)
    written = verify(store)
    checks = {row["event_id"]: row for row in read_rows(store, DELIVERY_CHECKS)}
    return World(store, made, folder, checks, read_rows(store, DELIVERY_EVIDENCE), written)


def test_loading_the_same_files_again_adds_nothing(world: World) -> None:
    before = [len(read_rows(world.store, table)) for table in (DISPATCH_EVENTS, ASSET_VOLUMES)]
    again = load(world.store, world.folder)
    assert (again.counts["events_written"], again.counts["volumes_written"]) == (0, 0)
    assert [len(read_rows(world.store, table)) for table in (DISPATCH_EVENTS, ASSET_VOLUMES)] == before
    assert world.store.read_or_empty(QUARANTINE).count() == 0


def test_dishonest_fsps_are_suspect_and_honest_ones_are_not(world: World) -> None:
    honest = {(row["mpan_id"], row["amsid"]): row["is_honest"] for row in world.made.truth.to_pylist()}
    found = {(row["mpan_id"], row["amsid"]): row for row in world.evidence if row["fsp_id"] != "odd"}
    assert found.keys() == honest.keys()
    assert {key for key, row in found.items() if honest[key] and row["verdict"] == "suspect"} == set()
    seen = [row["verdict"] for key, row in found.items() if not honest[key] and row["size_spreads"] > 1.5]
    assert seen
    assert set(seen) == {"suspect"}
    assert all(row["suspect_since_date"] for row in found.values() if row["verdict"] == "suspect")


@pytest.mark.parametrize(
    ("event_id", "rule"),
    [
        ("estimated", "half_hours_estimated"),
        ("opted-out", "half_hours_opted_out"),
        ("partial", "partial_half_hour"),
        ("silent", "missing_declaration"),
        ("overlap-2", "overlapping_events"),
        ("unknown", "meter_unknown"),
        ("rejected", "not_examined"),
        ("turned", "sign_suspected"),
        (f"{NO_EVENT}-{ODD_DAY}", "volumes_without_event"),
    ],
)
def test_what_cannot_be_assessed_is_named_and_never_suspect(world: World, event_id: str, rule: str) -> None:
    check = world.checks[event_id]
    assert (check["verdict"], check["rule"], check["is_assessable"]) == ("not_assessable", rule, False)
    assert check["reason"]


def test_more_than_the_meter_ever_ranged_over_is_implausible(world: World) -> None:
    check = world.checks["huge"]
    assert (check["verdict"], check["rule"], check["declared_kwh"]) == ("implausible", "above_observed_maximum", 1800.0)


def test_checking_a_day_again_gives_the_same_rows(world: World) -> None:
    def plain(rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
        return {
            row[key] + row["amsid"]: {name: value for name, value in row.items() if name not in {"run_id", "checked_at"}} for row in rows
        }

    written = verify(world.store, ODD_DAY, ODD_DAY)
    assert written.counts["days"] == 1
    again = {row["event_id"]: row for row in read_rows(world.store, DELIVERY_CHECKS)}
    before, after = plain(list(world.checks.values()), "event_id"), plain(list(again.values()), "event_id")
    assert after.keys() == before.keys()
    for key, row in after.items():
        signs = {name: value for name, value in row.items() if name.endswith("_z") and value is not None}
        assert {name: before[key][name] for name in signs} == pytest.approx(signs, abs=0.2)
        energies = {name: value for name, value in row.items() if isinstance(value, float) and name not in signs}
        assert {name: before[key][name] for name in energies} == pytest.approx(energies, abs=2e-3)
        assert row["verdict"] == before[key]["verdict"]
        assert row["rule"] == before[key]["rule"]
    verdicts = [
        {key: row["verdict"] for key, row in plain(rows, "mpan_id").items()}
        for rows in (read_rows(world.store, DELIVERY_EVIDENCE), world.evidence)
    ]
    assert verdicts[0] == verdicts[1]


def test_days_the_wrong_way_round_are_rejected(world: World) -> None:
    with pytest.raises(ConfigError, match="the first day first wanted"):
        verify(world.store, LAST, FIRST)


def test_settled_months_are_summed_up_once(world: World) -> None:
    def sum_up() -> int:
        run = start_run("verify_delivery", LAST, "")
        return summarise_deliveries.run(world.store, run, AreaSettings(min_meters=2, max_meter_share=1, count_step=1)).rows_kept

    assert sum_up() > 0
    rows = read_rows(world.store, AREA_DELIVERIES)
    assert max(row["month_date"] for row in rows) == date(2025, 9, 1)
    shown = [row for row in rows if row["area_id"] == "GB" and row["market"] == "dso_local" and not row["is_suppressed"]]
    for row in shown:
        of_month = [
            check
            for check in world.checks.values()
            if check["event_date"].replace(day=1) == row["month_date"] and check["mpan_id"] in world.made.fleet.mpan_id
        ]
        assert row["checks"] == len(of_month)
        assert row["declared_kwh"] == round(sum(check["declared_kwh"] or 0 for check in of_month if check["is_assessable"]))
    assert shown
    assert sum_up() == 0
