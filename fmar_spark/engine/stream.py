"""Takes what is new in a table or a topic, batch by batch, each exactly once whatever stops the run."""

import logging
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Final, NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.interrupts import ENDING_SIGNALS, settle
from fmar_spark.engine.session import SPARK_ERRORS
from fmar_spark.engine.store import TableStore, Transaction

CHECKPOINTS: Final = "_checkpoints"
LOOK_SECONDS: Final = 1
"""How long a signal may wait for its answer."""
STOP_SECONDS: Final = 1.0
"""How long an interrupted run waits for its stream to stop; one that was asked to end after its batch waits as long as that takes."""
BatchBody = Callable[[TableStore, DataFrame, Transaction], None]
"""Handles one batch: the store of the batch's own session, its rows, and the mark that makes its appends happen once."""


class Topic(NamedTuple):
    """A Kafka topic."""

    servers: str
    name: str
    client: Mapping[str, str] = MappingProxyType({})
    """Properties of Kafka's consumer; they may hold secrets, so nothing of them is written anywhere."""

    @property
    def identity(self) -> str:
        """Servers and topic."""
        return f"kafka://{self.servers}/{self.name}"

    def rows(self, spark: SparkSession, records_per_trigger: int) -> DataFrame:
        """Its records as a stream of ``source`` (topic, partition and offset), ``length``, ``problem`` (null), ``content``."""
        reader = spark.readStream.format("kafka").option("kafka.bootstrap.servers", self.servers).option("subscribe", self.name)
        reader = reader.option("startingOffsets", "earliest").option("maxOffsetsPerTrigger", records_per_trigger)
        reader = reader.options(**{f"kafka.{name}": value for name, value in self.client.items()})
        source = F.concat_ws(":", "topic", F.col("partition").cast("string"), F.col("offset").cast("string"))
        content = F.coalesce("value", F.lit(b""))
        length = F.octet_length(content).cast("bigint")
        unproblematic = F.lit(None).cast("string")
        return reader.load().select(
            source.alias("source"), length.alias("length"), unproblematic.alias("problem"), content.alias("content")
        )


def checkpoint_path(store: TableStore, name: str) -> str:
    """Where a stream of that name remembers what it has taken."""
    return f"{store.root}/{CHECKPOINTS}/{name}"


def table_rows(store: TableStore, contract: TableContract) -> DataFrame:
    """The table as a stream of appended rows; a commit that deletes or rearranges rows adds none."""
    store.versions_read[contract.full_name] = store.version(contract)
    return store.spark.readStream.format("delta").option("skipChangeCommits", True).load(store.path(contract))


def drain(store: TableStore, rows: DataFrame, name: str, body: BatchBody, pause_seconds: int = 0) -> int:
    """Hand everything that is new to ``body`` and return, or go on for ever where there is a pause between looks.

    A batch that was cut off is handed over again with the same transaction, so its appends are not repeated; any other
    write of ``body`` must bear repetition. A name stands for one pair of source and target: after either was made anew,
    use another, or what the old one had taken is missing from the new one. A checkpoint that was deleted makes new
    transactions: everything is handed over again. Ctrl-C or SIGTERM ends an endless stream, and is an
    error to any other.

    Args:
        store: the lake that the rows go to.
        rows: a stream.
        name: of the checkpoint.
        body: called for every batch that has files.
        pause_seconds: 0 = take what is there, then return.

    Returns:
        How many batches were handed over.
    """
    handed = 0
    raised: list[BaseException] = []
    is_started, is_idle = threading.Event(), threading.Event()
    is_idle.set()

    def handle(batch: DataFrame, number: int) -> None:
        nonlocal handed
        is_started.wait()
        is_idle.clear()
        try:
            body(store.in_session(batch.sparkSession), batch, Transaction(f"{name}/{query.id}", number))
        except BaseException as error:
            raised.append(error)
            raise
        finally:
            is_idle.set()
        handed += 1

    _clear_unfinished(store, checkpoint_path(store, name))
    writer = rows.writeStream.option("checkpointLocation", checkpoint_path(store, name)).foreachBatch(handle)
    writer = writer.trigger(processingTime=f"{pause_seconds} seconds") if pause_seconds else writer.trigger(availableNow=True)
    query = writer.start()
    is_started.set()
    try:
        is_interrupted = _await(query, is_idle if pause_seconds else None)
    except Exception as error:
        # What the body raised says more than that a stream has failed.
        raise (raised[0] if raised else error) from None
    finally:
        _stop(query, None if pause_seconds else STOP_SECONDS)
    if is_interrupted and not pause_seconds:
        raise KeyboardInterrupt
    return handed


def repeat(body: Callable[[], None], pause_seconds: float) -> None:
    """Call ``body`` again and again, with a pause between, until Ctrl-C or SIGTERM: then the call at hand ends as ``drain`` ends it."""
    asked = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, lambda *_: asked.set()) for number in ENDING_SIGNALS} if is_main else {}
    try:
        while not asked.is_set():
            body()
            asked.wait(pause_seconds)
    except KeyboardInterrupt:
        settle()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(query: StreamingQuery, patience: float | None) -> None:
    """The query stops, or goes on to do so behind the caller's back after so many seconds."""

    def stop() -> None:
        with suppress(*SPARK_ERRORS):
            query.stop()

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(patience)


def _clear_unfinished(store: TableStore, checkpoint: str) -> None:
    """Remove what a process that was killed in the middle of a write has left in a checkpoint.

    A batch is noted before it begins and once more after its end, each time in a file that is written under another name
    and then renamed: one that is not finished, or empty, says nothing that was done.
    """
    machine = store.spark._jvm
    if machine is None:
        return
    folder = machine.org.apache.hadoop.fs.Path(checkpoint)
    files = folder.getFileSystem(store.spark.sparkContext._jsc.hadoopConfiguration())
    if not files.exists(folder):
        return
    left = files.listFiles(folder, True)
    while left.hasNext():
        file = left.next()
        if file.getLen() == 0 or file.getPath().getName().endswith((".tmp", ".tmp.crc")):
            files.delete(file.getPath(), False)


def _await(query: StreamingQuery, is_idle: threading.Event | None) -> bool:
    """Wait until the stream ends by itself, or a user or the system asks for its end; whether that was so.

    Where ``is_idle`` is given, the batch at hand is finished first, unless its end is asked for again. While it waits,
    signals only leave word: Spark's own answer to Ctrl-C talks to the JVM in the middle of another call.
    """
    asked: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, lambda caught, _: asked.append(caught)) for number in ENDING_SIGNALS} if is_main else {}
    try:
        while not query.awaitTermination(LOOK_SECONDS):
            if len(asked) > 1 or (asked and (is_idle is None or is_idle.is_set())):
                logging.getLogger("py4j").setLevel(logging.CRITICAL)
                break
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return bool(asked)
