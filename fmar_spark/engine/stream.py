"""Takes what is new in a folder or a table, batch by batch, each exactly once whatever stops the run."""

from collections.abc import Callable
from typing import Final

from pyspark.sql import DataFrame

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.store import TableStore, Transaction
from fmar_spark.errors import FmarError

CHECKPOINTS: Final = "_checkpoints"
BatchBody = Callable[[TableStore, DataFrame, Transaction], None]
"""Handles one batch: the store of the batch's own session, its rows, and the mark that makes its appends happen once."""


def checkpoint_path(store: TableStore, name: str) -> str:
    """Where a stream of that name remembers what it has taken."""
    return f"{store.root}/{CHECKPOINTS}/{name}"


def table_rows(store: TableStore, contract: TableContract) -> DataFrame:
    """The table as a stream of appended rows."""
    store.versions_read[contract.full_name] = store.version(contract)
    return store.spark.readStream.format("delta").load(store.path(contract))


def drain(store: TableStore, rows: DataFrame, name: str, body: BatchBody, pause_seconds: int = 0) -> int:
    """Hand everything that is new to ``body`` and return, or go on for ever where there is a pause between looks.

    A batch that was cut off is handed over again with the same transaction, so its appends are not repeated; any other
    write of ``body`` must bear repetition. A name stands for one pair of source and target: after either was made anew,
    use another, or what the old one had taken is missing from the new one.

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

    def handle(batch: DataFrame, number: int) -> None:
        nonlocal handed
        try:
            body(store.in_session(batch.sparkSession), batch, Transaction(name, number))
        except BaseException as error:
            raised.append(error)
            raise
        handed += 1

    writer = rows.writeStream.option("checkpointLocation", checkpoint_path(store, name)).foreachBatch(handle)
    writer = writer.trigger(processingTime=f"{pause_seconds} seconds") if pause_seconds else writer.trigger(availableNow=True)
    query = writer.start()
    try:
        query.awaitTermination()
    except Exception as error:
        own = next((one for one in raised if isinstance(one, FmarError)), None)
        raise (own or error) from error
    finally:
        query.stop()
    return handed
