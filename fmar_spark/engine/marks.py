"""Notes beside a stream's commits what its run has done so far, so that a run that was cut off is still accounted for."""

import json
from typing import Final, NamedTuple

from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.store import TableStore, Transaction

USER_METADATA: Final = "spark.databricks.delta.commitInfo.userMetadata"
MAX_COMMITS: Final = 1000
"""How far back a stream's newest mark is looked for among the commits of others."""


class Mark(NamedTuple):
    """What stands in the commit of a batch, the last that the batch makes."""

    stream: str
    """Name of the stream; it outlives a checkpoint."""
    application: str
    batch: int
    """With the application, the transaction of the batch."""
    run_id: str
    counts: dict[str, int]
    """Of the whole run up to and with this batch, and of the runs before it that were cut off."""

    def stands_for(self, transaction: Transaction) -> bool:
        """Whether the batch of the transaction has been committed."""
        return (self.application, self.batch) == (transaction.application, transaction.version)


def append_marked(store: TableStore, rows: DataFrame, contract: TableContract, mark: Mark) -> None:
    """Rows and mark stand in one commit, once; without rows the mark alone."""
    store.spark.conf.set(USER_METADATA, json.dumps(mark._asdict()))
    try:
        store.append(rows, contract, Transaction(mark.application, mark.batch))
    finally:
        store.spark.conf.unset(USER_METADATA)


def read_newest_mark(store: TableStore, contract: TableContract, stream: str) -> Mark | None:
    """The mark that the stream left last in an existing table, None where there is none among the newest commits."""
    history = DeltaTable.forPath(store.spark, store.path(contract)).history(MAX_COMMITS)
    noted = history.where(F.get_json_object("userMetadata", "$.stream") == stream)
    newest = noted.orderBy(F.desc("version")).select("userMetadata").first()
    return Mark(**json.loads(newest["userMetadata"])) if newest else None


def is_journalled(store: TableStore, run_id: str) -> bool:
    """Whether the run ended well, so that its counts stand in the journal."""
    if not store.has(RUN_JOURNAL):
        return False
    done = store.read(RUN_JOURNAL).where((F.col("run_id") == run_id) & (F.col("status") == "done"))
    return not done.isEmpty()
