import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.engine.stream import FilePace, checkpoint_path, drain, folder_rows, locate_folder
from fmar_spark.errors import ConfigError

PACE = FilePace(max_bytes=1000, files_per_trigger=100, max_age_days=10)


def test_a_folder_has_one_name_wherever_a_job_is_started_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate_folder("landing/") == str(tmp_path / "landing")
    for address in ("abfss://lake@store.dfs.core.windows.net/landing", "dbfs:/landing"):
        assert locate_folder(address) == address


class Collector:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.transactions: list[Transaction] = []
        self.found: list[tuple[str, int, bytes | None]] = []

    def __call__(self, store: TableStore, rows: DataFrame, transaction: Transaction) -> None:
        self.transactions.append(transaction)
        self.found += [(row["source"], row["length"], row["content"] and bytes(row["content"])) for row in rows.collect()]


def test_a_folder_gives_its_files_by_their_path_inside_it(store: TableStore, tmp_path: Path) -> None:
    for name in ("a.json", "deep/er/b c#%20\u00e9.json", "_no/c.json", "deep/_no.json", "deep/.no/d.json", ".no.json", "_a=1/no.json"):
        path = tmp_path / "_landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "_landing" / "large.json").write_bytes(b"x" * 1001)
    collect = Collector()
    store.spark.conf.set("spark.sql.sources.binaryFile.maxLength", 1000)
    try:
        assert drain(store, folder_rows(store.spark, str(tmp_path / "_landing"), PACE), "files", collect) == 1
    finally:
        store.spark.conf.unset("spark.sql.sources.binaryFile.maxLength")
    assert sorted(collect.found) == [("a.json", 1, b"x"), ("deep/er/b c#%20\u00e9.json", 1, b"x"), ("large.json", 1001, None)]
    assert drain(store, folder_rows(store.spark, str(tmp_path / "_landing"), PACE), "files", collect) == 0
    with pytest.raises(ConfigError, match="nowhere: no such folder"):
        folder_rows(store.spark, str(tmp_path / "nowhere"), PACE)


def test_a_batch_that_failed_comes_again_as_the_same_transaction_and_a_lost_checkpoint_makes_new_ones(
    store: TableStore, tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_bytes(b"x")
    collect = Collector()
    rows = folder_rows(store.spark, str(tmp_path), PACE)

    def refuse(own: TableStore, batch: DataFrame, transaction: Transaction) -> None:
        collect(own, batch, transaction)
        raise ConfigError("batch: refused on purpose")

    with pytest.raises(ConfigError, match="refused on purpose"):
        drain(store, rows, "failing", refuse)
    assert drain(store, rows, "failing", collect) == 1
    shutil.rmtree(checkpoint_path(store, "failing"))
    assert drain(store, rows, "failing", collect) == 1
    first, again, anew = collect.transactions
    assert first == again
    assert anew.version == again.version
    assert anew.application != again.application
    assert len(collect.found) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_endless_stream_ends_on_request_after_the_batch_at_hand(store: TableStore, tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "a.json").write_bytes(b"x")
    is_done = threading.Event()

    def work(own: TableStore, batch: DataFrame, transaction: Transaction) -> None:
        os.kill(os.getpid(), number)
        assert batch.count() == 1
        is_done.set()

    before = signal.getsignal(number)
    assert drain(store, folder_rows(store.spark, str(tmp_path), PACE), "endless", work, pause_seconds=1) == 1
    assert is_done.is_set()
    assert signal.getsignal(number) == before


def test_to_interrupt_a_stream_that_ends_by_itself_is_an_error(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"x")
    with pytest.raises(KeyboardInterrupt):
        drain(store, folder_rows(store.spark, str(tmp_path), PACE), "ending", lambda *_: os.kill(os.getpid(), signal.SIGINT))
