import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.engine.stream import checkpoint_path, drain, repeat, table_rows
from fmar_spark.errors import ConfigError

NOTES = TableContract("notes", Layer.BRONZE, "Notes.", ("note",), (Column("note", "string", "Note.", nullable=False),), "write_notes")


class Collector:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.transactions: list[Transaction] = []
        self.found: list[str] = []

    def __call__(self, store: TableStore, rows: DataFrame, transaction: Transaction) -> None:
        self.transactions.append(transaction)
        self.found += [row["note"] for row in rows.collect()]


@pytest.fixture
def notes(store: TableStore) -> DataFrame:
    """A table with one row, as a stream."""
    store.append(store.spark.createDataFrame([("a",)], "note string"), NOTES)
    return table_rows(store, NOTES)


def test_a_batch_that_failed_comes_again_as_the_same_transaction_and_a_lost_checkpoint_makes_new_ones(
    store: TableStore, notes: DataFrame
) -> None:
    collect = Collector()

    def fail(own: TableStore, batch: DataFrame, transaction: Transaction) -> None:
        collect(own, batch, transaction)
        raise ConfigError("batch: failed on purpose")

    with pytest.raises(ConfigError, match="failed on purpose"):
        drain(store, notes, "failing", fail)
    assert drain(store, notes, "failing", collect) == 1
    shutil.rmtree(checkpoint_path(store, "failing"))
    assert drain(store, notes, "failing", collect) == 1
    first, again, anew = collect.transactions
    assert first == again
    assert anew.version == again.version
    assert anew.application != again.application
    assert collect.found == ["a"] * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_endless_stream_ends_on_request_after_the_batch_at_hand(store: TableStore, notes: DataFrame, number: signal.Signals) -> None:
    is_done = threading.Event()

    def work(own: TableStore, batch: DataFrame, transaction: Transaction) -> None:
        os.kill(os.getpid(), number)
        assert batch.count() == 1
        is_done.set()

    before = signal.getsignal(number)
    assert drain(store, notes, "endless", work, pause_seconds=1) == 1
    assert is_done.is_set()
    assert signal.getsignal(number) == before


def test_to_interrupt_a_stream_that_ends_by_itself_is_an_error(store: TableStore, notes: DataFrame) -> None:
    with pytest.raises(KeyboardInterrupt):
        drain(store, notes, "ending", lambda *_: os.kill(os.getpid(), signal.SIGINT))


@pytest.mark.parametrize("is_first", [True, False])
def test_a_note_that_was_not_finished_stops_nothing(store: TableStore, notes: DataFrame, is_first: bool) -> None:
    checkpoint = Path(checkpoint_path(store, "killed"))
    collect = Collector()
    if not is_first:
        assert drain(store, notes, "killed", collect) == 1
        store.append(store.spark.createDataFrame([("b",)], "note string"), NOTES)
    batch = 0 if is_first else 1
    for part in ("offsets", "commits"):
        (checkpoint / part).mkdir(parents=True, exist_ok=True)
        (checkpoint / part / f".{batch}.7f1e-90ab.tmp").write_text("v1")
        (checkpoint / part / f"..{batch}.7f1e-90ab.tmp.crc").write_bytes(b"crc")
        (checkpoint / part / str(batch)).touch()
    (checkpoint / ".metadata.7f1e.tmp").touch()
    assert drain(store, notes, "killed", collect) == 1
    assert collect.found == (["a"] if is_first else ["a", "b"])
    assert not list(checkpoint.rglob("*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_repeated_ends_on_request_after_the_call_at_hand(number: signal.Signals) -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(len(calls))
        if len(calls) == 3:
            os.kill(os.getpid(), number)
            calls.append(99)

    before = signal.getsignal(number)
    repeat(work, 0.01)
    assert calls == [0, 1, 2, 99]
    assert signal.getsignal(number) == before


def test_an_interrupt_within_a_call_ends_what_is_repeated() -> None:
    def work() -> None:
        raise KeyboardInterrupt

    repeat(work, 0.01)
