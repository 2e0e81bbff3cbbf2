from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from shutil import copytree, rmtree

import pytest
from lake_rows import add_rows, read_rows
from pyspark.sql import SparkSession

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.readings import DIP_MESSAGES, INTERVAL_IMPORTS, METER_POINTS, READING_VERSIONS, READINGS
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.errors import ConfigError
from fmar_spark.steps import build_readings

AT = datetime(2026, 3, 2, 6, tzinfo=UTC)
HOME, PARTNER, SILENT = "2000056535971", "1900012374324", "1200023305967"
BLANK = dict.fromkeys(
    ("event_code", "sender_dip_id", "sender_unique_reference", "publication_id", "distributor_dip_id", "gsp_group_id", "quantity", "days")
)
NOTHING_SAID = dict.fromkeys(
    (
        "connection_type",
        "energy_direction",
        "is_energised",
        "market_segment",
        "annual_kwh",
        "is_domestic",
        "linked_mpan_id",
        "consent_granularity",
        "effective_from_date",
    )
)


def message(name: str, mpan: str, hour: float, **said: object) -> dict[str, object]:
    return BLANK | {
        "transaction_id": name,
        "transaction_at": AT + timedelta(hours=hour),
        "content_hash": name,
        "interface_id": "PUB-021",
        "is_replay": False,
        "mpan_id": mpan,
        "standing": None,
        "warnings": [],
        "source": "a test",
        "ingested_at": AT,
        **said,
    }


def readings_of(
    name: str, mpan: str, hour: float, kwh: float, slots: range = range(48), day: int = 1, quantity: str = "AI"
) -> dict[str, object]:
    given = {
        "utc_date": date(2026, 3, day),
        "kwh": [kwh if slot in slots else None for slot in range(48)],
        "quality": ["A" if slot in slots else None for slot in range(48)],
        "reason": None,
    }
    return message(name, mpan, hour, quantity=quantity, days=[given])


def standing(name: str, mpan: str, hour: float, **said: object) -> dict[str, object]:
    return message(name, mpan, hour, interface_id="IF-036", standing=NOTHING_SAID | said, gsp_group_id=said.pop("group", None))


MESSAGES = [
    readings_of("r1", HOME, 0, 0.25),
    readings_of("r2", HOME, 9, 0.5, range(10, 20)),
    readings_of("r3", HOME, 30, 0.75, range(15, 48)),
    readings_of("r4", HOME, 30, 1.0, day=2),
    readings_of("r5", PARTNER, 0, 0.125, quantity="AE"),
    readings_of("r6", SILENT, 1, 0.5),
    standing("s1", HOME, 0, energy_direction="I", is_domestic=True, consent_granularity="H", linked_mpan_id=PARTNER, is_energised=True),
    standing("s2", HOME, 5, consent_granularity="N"),
    standing("s3", PARTNER, 0, energy_direction="E", is_domestic=True, is_energised=True),
]


def deliver(store: TableStore, messages: list[dict[str, object]]) -> Written:
    if messages:
        add_rows(store, DIP_MESSAGES, messages)
    return build_readings.run(store, start_run("build_readings", None, ""))


def contents(store: TableStore, table: TableContract) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name != "reported_at"} for row in read_rows(store, table)]


@pytest.fixture(scope="module")
def whole(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[TableStore, Written]:
    """A lake that was handed all messages at once, not to be written to, and what its run counted."""
    store = TableStore(spark, str(tmp_path_factory.mktemp("whole") / "lake"))
    return store, deliver(store, MESSAGES)


def copy_lake(store: TableStore, into: TableStore) -> TableStore:
    copytree(store.root, into.root)
    return into


def test_without_messages_or_imports_it_says_what_to_run_first(store: TableStore) -> None:
    with pytest.raises(ConfigError, match=r"jobs/ingest_dip.py or jobs/import_intervals.py first"):
        build_readings.run(store, start_run("build_readings", None, ""))


def test_a_continuous_run_folds_what_comes_and_leaves_sources_alone_that_have_not_changed(
    store: TableStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds: list[dict[str, int]] = []
    fold = build_readings._fold

    def append(messages: list[dict[str, object]]) -> None:
        add_rows(store, DIP_MESSAGES, messages)

    def look_four_times(body: Callable[[], None], pause_seconds: float) -> None:
        assert pause_seconds == 30
        body()
        body()
        append(MESSAGES[1:2])
        body()
        body()

    monkeypatch.setattr(build_readings, "_fold", lambda own, counts: (folds.append(counts), fold(own, counts)))
    monkeypatch.setattr(build_readings, "repeat", look_four_times)
    append(MESSAGES[:1])
    written = build_readings.run(store, start_run("build_readings", None, ""), 30)
    assert (len(folds), written.counts) == (2, {"meter_days_reported": 2, "meter_days_changed": 2})
    assert contents(store, READINGS)[0]["kwh"] == [0.25] * 10 + [0.5] * 10 + [0.25] * 28


def test_any_order_and_split_of_messages_gives_the_same_readings_and_meter_points(
    whole: tuple[TableStore, Written], store: TableStore
) -> None:
    """What a fold makes of any order is checked without Spark in ``test_readings_fold``; here, that batches come to the same."""
    expected = contents(whole[0], READINGS), contents(whole[0], METER_POINTS)
    first = next(row for row in expected[0] if row["mpan_id"] == HOME)
    assert (first["mpan_id"], first["kwh"]) == (HOME, [0.25] * 10 + [0.5] * 5 + [0.75] * 33)
    newest_first = sorted(MESSAGES, key=lambda one: str(one["transaction_id"]), reverse=True)
    for third in range(3):
        deliver(store, newest_first[third::3])
    assert (contents(store, READINGS), contents(store, METER_POINTS)) == expected


def test_standing_data_are_folded_field_by_field_and_an_export_meter_joins_its_boundary(whole: tuple[TableStore, Written]) -> None:
    points = {row["mpan_id"]: row for row in contents(whole[0], METER_POINTS)}
    assert (points[HOME]["consent_granularity"], points[HOME]["is_domestic"], points[HOME]["gsp_group_id"]) == ("N", True, "_H")
    assert points[PARTNER]["boundary_mpan_id"] == HOME
    assert (points[SILENT]["is_domestic"], points[SILENT]["boundary_mpan_id"], points[SILENT]["weather_area"]) == (None, SILENT, "_C")


def test_a_run_with_nothing_new_changes_nothing_and_lost_tables_are_built_anew(
    whole: tuple[TableStore, Written], store: TableStore
) -> None:
    assert whole[1].counts == {"meter_days_reported": 6, "meter_days_changed": 4}
    before = {table: contents(whole[0], table) for table in build_readings.WRITES}
    copy_lake(whole[0], store)
    assert deliver(store, []).counts == {"meter_days_reported": 0, "meter_days_changed": 0}
    assert {table: contents(store, table) for table in build_readings.WRITES} == before
    for lost in (READINGS, METER_POINTS):
        rmtree(store.path(lost))
    assert deliver(store, []).counts["meter_days_reported"] == 0
    assert {table: contents(store, table) for table in build_readings.WRITES} == before


def test_a_batch_that_was_cut_off_after_its_first_write_is_finished_by_the_next_run(
    store: TableStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise ConfigError("cut off")

    monkeypatch.setattr(build_readings, "fold_readings", stop)
    with pytest.raises(ConfigError, match="cut off"):
        deliver(store, MESSAGES)
    assert contents(store, READINGS) == []
    monkeypatch.undo()
    deliver(store, [])
    assert len(contents(store, READING_VERSIONS)) == 6
    assert len(contents(store, READINGS)) == 4


def age(store: TableStore, table: TableContract) -> None:
    """The table as the first release wrote it."""
    old = store.spark.read.format("delta").load(store.path(table)).withColumnRenamed("reported_at", "told_at")
    old.write.format("delta").mode("overwrite").option("overwriteSchema", True).save(store.path(table))


def test_a_lake_of_the_first_release_goes_on_with_the_columns_of_today(whole: tuple[TableStore, Written], store: TableStore) -> None:
    copy_lake(whole[0], store)
    for table in build_readings.WRITES:
        age(store, table)
    fresh = copy_lake(whole[0], TableStore(store.spark, f"{store.root}_fresh"))
    rest = [readings_of("r7", HOME, 40, 2.0, range(3)), standing("s4", HOME, 40, consent_granularity="H")]
    for own in (store, fresh):
        assert deliver(own, rest).counts["meter_days_reported"] == 1
    assert deliver(store, []).counts == {"meter_days_reported": 0, "meter_days_changed": 0}
    for table in build_readings.WRITES:
        assert read_rows(store, table) == read_rows(fresh, table)
    journal = [row for row in read_rows(store, RUN_JOURNAL) if row["step"] == "migrate_tables"]
    assert [set(dict(row["counts"])) for row in journal] == [{"silver.reading_versions", "silver.readings", "silver.meter_points"}]


def test_imported_days_fold_newest_import_first(store: TableStore) -> None:
    def imported(kwh: float, hours: int) -> dict[str, object]:
        at = AT + timedelta(hours=hours)
        values = (HOME, date(2026, 3, 1), "AI", [kwh] * 48, ["A"] * 48, "home", str(kwh), at)
        return dict(zip(INTERVAL_IMPORTS.names, values, strict=True))

    add_rows(store, INTERVAL_IMPORTS, [imported(0.5, 1), imported(0.25, 0)])
    build_readings.run(store, start_run("build_readings", None, ""))
    assert [row["kwh"] for row in contents(store, READINGS)] == [[0.5] * 48]
