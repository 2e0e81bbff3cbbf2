import dataclasses

import pytest
from delta.tables import DeltaTable

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine.migrations import COPY_FROM, migrate_tables
from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.errors import ConfigError

OLD = TableContract(
    "meters",
    Layer.SILVER,
    "Meters.",
    ("mpan_id",),
    (
        Column("mpan_id", "string", "Meter.", nullable=False),
        Column("former_kw", "double", "Size.", unit="kW", check="former_kw >= 0", nullable=False),
        Column("note", "string", "Note."),
    ),
    "fill_meters",
)
NEW = dataclasses.replace(
    OLD,
    columns=(
        OLD.columns[0],
        Column("declared_kw", "double", "Size.", unit="kW", check="declared_kw >= 0", nullable=False, formerly="former_kw"),
        OLD.columns[2],
    ),
)
ROWS = [("1", 1.0, "a"), ("2", 2.0, None)]
FIRST = Transaction("fill", 1)


class KilledError(Exception):
    """Stands for a process that is gone."""


@pytest.fixture
def old_lake(store: TableStore) -> TableStore:
    """A lake whose table has the old column."""
    fill(store, OLD)
    return store


def fill(store: TableStore, contract: TableContract) -> None:
    names = ", ".join(f"{column.name} {column.type}" for column in contract.columns)
    store.append(store.spark.createDataFrame(ROWS, names), contract, FIRST)


def contents(store: TableStore) -> list[tuple[object, ...]]:
    return sorted(tuple(row) for row in store.read(NEW).collect())


def test_a_table_of_an_older_version_has_todays_columns_and_its_rows_and_the_journal_says_so(old_lake: TableStore) -> None:
    before = old_lake.identity(OLD), old_lake.log_identity(OLD)
    migrate_tables(old_lake, [NEW, RUN_JOURNAL])
    assert contents(old_lake) == ROWS
    fields = old_lake.read(NEW).schema.fields
    assert [(field.name, field.nullable, field.metadata["comment"]) for field in fields] == [
        (column.name, column.nullable, column.doc) for column in NEW.columns
    ]
    with pytest.raises(Exception, match="declared_kw_rule"):
        old_lake.append(old_lake.spark.createDataFrame([("3", -1.0, None)], "mpan_id string, declared_kw double, note string"), NEW)
    assert [(row["step"], row["counts"]) for row in old_lake.read(RUN_JOURNAL).collect()] == [("migrate_tables", {"silver.meters": 2})]
    assert old_lake.identity(NEW) == before[0]
    assert old_lake.log_identity(NEW) != before[1]
    fill(old_lake, NEW)
    assert contents(old_lake) == ROWS, "an append that the old table had taken is not repeated"


def test_a_table_is_rewritten_once(old_lake: TableStore) -> None:
    for _ in range(2):
        migrate_tables(old_lake, [NEW])
        version = old_lake.version(NEW)
    migrate_tables(old_lake, [NEW])
    assert old_lake.version(NEW) == version
    assert old_lake.read(RUN_JOURNAL).count() == 1


def test_a_new_or_missing_table_is_left_alone(store: TableStore) -> None:
    migrate_tables(store, [NEW])
    assert not store.has(NEW)
    fill(store, NEW)
    filled = store.version(NEW)
    migrate_tables(store, [NEW])
    assert store.version(NEW) == filled
    assert not store.has(RUN_JOURNAL)


@pytest.mark.parametrize("lost", ["append", "commit"])
def test_a_rewrite_that_was_cut_off_is_completed_by_the_next_run(old_lake: TableStore, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(old_lake, lost, die)
        with pytest.raises(KilledError):
            migrate_tables(old_lake, [NEW])
    assert COPY_FROM in old_lake.properties(NEW)
    migrate_tables(old_lake, [NEW])
    assert contents(old_lake) == ROWS
    assert COPY_FROM not in old_lake.properties(NEW)
    operations = [row["operation"] for row in DeltaTable.forPath(old_lake.spark, old_lake.path(NEW)).history().collect()]
    assert operations.count("WRITE") == 2


def test_a_new_column_is_added_and_may_come_with_a_renamed_one(old_lake: TableStore) -> None:
    more = dataclasses.replace(NEW, columns=(*NEW.columns, Column("floors", "int", "The house's floors.")))
    before = old_lake.identity(OLD)
    migrate_tables(old_lake, [more])
    most = dataclasses.replace(more, columns=(*more.columns, Column("ages", "array<int>", "Ages of those who live there.")))
    for _ in range(2):
        migrate_tables(old_lake, [most])
        assert sorted(tuple(row) for row in old_lake.read(most).collect()) == [(*row, None, None) for row in ROWS]
    assert old_lake.read(most).schema["floors"].metadata["comment"] == "The house's floors."
    assert old_lake.identity(most) == before
    old_lake.merge(old_lake.read(most).selectExpr("mpan_id", "declared_kw", "note", "2 AS floors", "array(1) AS ages"), most)
    assert {tuple(row["ages"]) for row in old_lake.read(most).collect()} == {(1,)}
    assert old_lake.read(RUN_JOURNAL).count() == 2


def test_a_derived_table_with_other_types_is_emptied_and_any_other_is_named(old_lake: TableStore) -> None:
    changed = dataclasses.replace(OLD, columns=(*OLD.columns[:2], Column("note", "array<string>", "Notes.")))
    with pytest.raises(ConfigError, match=r"silver.meters: another version of the program wrote it with another note"):
        migrate_tables(old_lake, [changed])
    assert old_lake.read(OLD).count() == 2
    derived = dataclasses.replace(changed, job="characterise")
    migrate_tables(old_lake, [derived])
    assert old_lake.read(derived).count() == 0
    assert old_lake.read(derived).schema["note"].dataType.simpleString() == "array<string>"
    required = dataclasses.replace(derived, columns=(*derived.columns, Column("age", "int", "Age.", nullable=False)))
    migrate_tables(old_lake, [required])
    assert old_lake.read(required).columns == list(required.names)
