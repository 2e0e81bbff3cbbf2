"""The step characterise through a lake: run twice the same tables, for all meters or for some."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from lake_rows import read_rows, read_table
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from readings_world import CAR, LAST_DAY, PLAIN, ROOF, build_readings

from fmar_spark.contracts.capability import ASSET_DETECTIONS, CAPABILITY
from fmar_spark.contracts.operations import QUARANTINE
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import DIP_MESSAGES, LEGAL_BASES, METER_POINTS, READINGS, SERIES
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.listed_events import ListedEvent
from fmar_spark.domain.mpan import assign_mpans
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.journal import record_run
from fmar_spark.engine.lake_writer import LakeWriter
from fmar_spark.engine.runs import start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ReplacementError
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.tables import import_table
from fmar_spark.settings.overlays import load_settings
from fmar_spark.steps import characterise

NOW = datetime(2024, 3, 1, tzinfo=UTC)
MPANS = assign_mpans((CAR, ROOF, PLAIN), {})


def fill_columns(contract: TableContract, rows: int, **columns: Any) -> pa.Table:
    """A table of the contract; a column that is not given is null, one that is given once holds for every row."""
    schema = arrow_schema(contract)
    given = [columns.get(name) for name in schema.names]
    arrays = [
        values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values if isinstance(values, list) else [values] * rows)
        for values in given
    ]
    return pa.table([values.cast(field.type) for values, field in zip(arrays, schema, strict=True)], schema=schema)


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TableStore:
    """Readings of three series with a legal basis, characterised once."""
    store = TableStore(spark, str(tmp_path_factory.mktemp("lake")))
    days = import_table(pa.Table.from_pandas(build_readings(), preserve_index=False), ReadingRules()).days
    mpan_ids = pa.array([MPANS[name] for name in days["series_id"].to_pylist()])
    moment = dict.fromkeys(("told_at", "reported_at"), NOW)
    read = {"utc_date": days["utc_date"], "quantity": days["quantity"], "kwh": days["kwh"], "quality": days["quality"]}
    own, site = list(MPANS.values()), {"interval_minutes": 30, "time_zone": "Europe/London", "latitude": 51.5, "longitude": -0.1}
    for contract, rows in (
        (READINGS, fill_columns(READINGS, len(days), mpan_id=mpan_ids, **read, **moment)),
        (METER_POINTS, fill_columns(METER_POINTS, 3, mpan_id=own, boundary_mpan_id=own, source="import", **site, **moment)),
        (LEGAL_BASES, fill_columns(LEGAL_BASES, 3, mpan_id=own, purpose="any", basis="own data", source="a test", recorded_at=NOW)),
        (SERIES, fill_columns(SERIES, 3, series_id=list(MPANS), mpan_id=own, interval_minutes=30, imported_at=NOW)),
    ):
        LakeWriter(Path(store.root)).overwrite(rows, contract)
    run_step(store, ())
    return store


def run_step(
    store: TableStore, meters: tuple[str, ...], listed: characterise.ListedEvents | None = None, *, accepts_drop: bool = False
) -> str:
    run = start_run("characterise", None, "")
    settings = load_settings("test", ["learning.source=bundled", "characterise.meters_per_chunk=2", "monitoring.least_meters=2"])
    written = characterise.run(store, run, settings, meters, listed, accepts_drop=accepts_drop)
    record_run(store, run, written, None)
    return run.run_id


def read_tables(store: TableStore) -> dict[str, list[dict[str, Any]]]:
    tables = {}
    for contract in characterise.WRITES:
        rows = read_table(store, contract)
        tables[contract.full_name] = rows.drop_columns([name for name in ("run_id",) if name in rows.column_names]).to_pylist()
    return tables


def test_run_twice_the_tables_are_the_same(lake: TableStore) -> None:
    once = read_tables(lake)
    run_step(lake, ())
    assert read_tables(lake) == once
    assert {row["mpan_id"] for row in once[METER_PROFILES.full_name]} == set(MPANS.values())
    assert {row["as_of_date"] for row in once[METER_PROFILES.full_name]} == {LAST_DAY}
    there = {(row["mpan_id"], row["asset_class"]) for row in once[ASSET_DETECTIONS.full_name] if row["is_present"]}
    assert {(MPANS[CAR], "ev"), (MPANS[ROOF], "solar_pv")} <= there


def test_of_meters_named_by_series_or_mpan_only_their_rows_are_replaced(lake: TableStore) -> None:
    before = read_tables(lake)
    run_id = run_step(lake, (CAR, MPANS[PLAIN]))
    assert read_tables(lake) == before
    for contract in (METER_PROFILES, ASSET_DETECTIONS):
        assert {row["mpan_id"] for row in read_rows(lake, contract) if row["run_id"] == run_id} == {MPANS[CAR], MPANS[PLAIN]}


@pytest.fixture
def own_lake(lake: TableStore, tmp_path: Path) -> TableStore:
    """A copy of the lake that a test may change."""
    shutil.copytree(lake.root, tmp_path / "lake")
    return TableStore(lake.spark, str(tmp_path / "lake"))


def keep_basis_of_car(store: TableStore) -> None:
    bases = read_table(store, LEGAL_BASES)
    LakeWriter(Path(store.root)).overwrite(bases.filter(pc.equal(bases["mpan_id"], MPANS[CAR])), LEGAL_BASES)


def profiles_of_car_cut_off(store: TableStore) -> DataFrame:
    return store.read(METER_PROFILES).where(f"mpan_id = '{MPANS[CAR]}'").withColumn("run_id", F.lit("cut off"))


def test_a_run_that_halves_the_answered_meters_stops_before_gold_unless_it_is_accepted(own_lake: TableStore) -> None:
    before = read_tables(own_lake)
    keep_basis_of_car(own_lake)
    for _ in range(2):
        with pytest.raises(ReplacementError, match="answered meters: 1, 3 before, 2 of which the consent check no longer admits; 67% lost"):
            run_step(own_lake, ())
    assert read_tables(own_lake) == before
    run_step(own_lake, (), accepts_drop=True)
    for name, rows in read_tables(own_lake).items():
        assert {row["mpan_id"] for row in rows} == {row["mpan_id"] for row in before[name]} & {MPANS[CAR]}
    run_step(own_lake, ())


def test_profiles_of_a_run_that_was_cut_off_are_not_what_the_next_is_compared_with(own_lake: TableStore) -> None:
    before = read_tables(own_lake)
    own_lake.overwrite(profiles_of_car_cut_off(own_lake), METER_PROFILES)
    keep_basis_of_car(own_lake)
    with pytest.raises(ReplacementError, match="answered meters: 1, 3 before"):
        run_step(own_lake, ())
    assert read_tables(own_lake) == before


def test_after_a_run_that_was_cut_off_gold_is_of_one_run_whichever_meters_are_named(own_lake: TableStore) -> None:
    before = read_tables(own_lake)
    of_car = f"mpan_id = '{MPANS[CAR]}'"
    own_lake.overwrite(profiles_of_car_cut_off(own_lake), METER_PROFILES, of_car)
    own_lake.overwrite(own_lake.read(CAPABILITY).limit(0), CAPABILITY, of_car)
    run_step(own_lake, (PLAIN,))
    assert read_tables(own_lake) == before


def test_a_run_behind_a_doubled_quarantine_stops_before_gold(own_lake: TableStore) -> None:
    def arrive(name: str, accepted: int, rejected: int) -> None:
        at, ids = datetime.now(UTC), [f"{name}-{place}" for place in range(max(accepted, rejected))]
        required = {"content_hash": "", "interface_id": "", "source": "", "transaction_at": at, "ingested_at": at}
        messages = fill_columns(DIP_MESSAGES, accepted, transaction_id=ids[:accepted], mpan_id="", **required)
        LakeWriter(Path(own_lake.root)).append(messages, DIP_MESSAGES)
        required = {"source": "", "rule": "mpan_check_digit", "reason": "", "run_id": "", "quarantined_at": at}
        faults = fill_columns(QUARANTINE, rejected, quarantine_id=ids[:rejected], **required)
        LakeWriter(Path(own_lake.root)).append(faults, QUARANTINE)

    arrive("a", 95, 5)
    run_step(own_lake, ())
    arrive("b", 91, 9)
    run_step(own_lake, (CAR,))
    arrive("c", 80, 20)
    with pytest.raises(
        ReplacementError, match=r"quarantine: 14\.5% .* rejected since gold was made, 5\.0% before, less than 10\.0% wanted"
    ):
        run_step(own_lake, ())


def test_listed_events_concern_the_members_of_their_portfolio_named_by_series_or_mpan(own_lake: TableStore) -> None:
    starts = [datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, 17, tzinfo=UTC) - timedelta(days=5 * number) for number in range(1, 25)]
    events = [ListedEvent(start, start + timedelta(hours=2), None, "evening") for start in starts]
    before = {(row["mpan_id"], row["asset_class"]): row for row in read_tables(own_lake)[ASSET_DETECTIONS.full_name]}
    run_step(own_lake, (), characterise.ListedEvents(events, {CAR: "evening", MPANS[ROOF]: "evening"}))
    after = {(row["mpan_id"], row["asset_class"]): row for row in read_tables(own_lake)[ASSET_DETECTIONS.full_name]}
    changed = {key for key, row in after.items() if row != before[key]}
    assert changed == {(MPANS[name], "demand_response") for name in (CAR, ROOF)}
