from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine.journal import record_run
from fmar_spark.engine.marks import Mark, append_marked, is_journalled, read_newest_mark
from fmar_spark.engine.runs import Written, start_run
from fmar_spark.engine.store import TableStore, Transaction

METERS = TableContract("meters", Layer.SILVER, "Meters.", ("mpan_id",), (Column("mpan_id", "string", "Meter.", nullable=False),), "none")


def test_the_newest_mark_of_a_stream_stands_with_its_rows(store: TableStore) -> None:
    store.create(METERS)
    assert read_newest_mark(store, METERS, "one") is None
    first = Mark("one", "one/checkpoint", 0, "run-1", {"accepted": 1})
    second = first._replace(batch=1, counts={"accepted": 1, "duplicates": 4})
    other = first._replace(stream="two", application="two/checkpoint")
    row, nothing = store.spark.createDataFrame([("1",)], "mpan_id string"), store.spark.createDataFrame([], "mpan_id string")
    for mark, rows in ((first, row), (second, nothing), (second, row), (other, row)):
        append_marked(store, rows, METERS, mark)
    store.append(row, METERS)
    assert store.read(METERS).count() == 3
    assert read_newest_mark(store, METERS, "one") == second
    assert read_newest_mark(store, METERS, "two") == other
    assert second.stands_for(Transaction("one/checkpoint", 1))
    assert not second.stands_for(Transaction("one/checkpoint", 0))
    assert not second.stands_for(Transaction("another", 1))


def test_only_a_run_that_ended_well_is_accounted_for(store: TableStore) -> None:
    done, failed = start_run("a", None, ""), start_run("a", None, "")
    assert not is_journalled(store, done.run_id)
    record_run(store, done, Written({}), None)
    record_run(store, failed, None, ValueError("no"))
    assert is_journalled(store, done.run_id)
    assert not is_journalled(store, failed.run_id)
