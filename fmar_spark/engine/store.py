"""The lake: Delta tables at ``root/layer/name``, read and written by contract only."""

import logging
from collections.abc import Callable, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from delta.tables import DeltaTable, DeltaTableBuilder
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.schema import conform, struct_type
from fmar_spark.engine.table_log import Metadata, asks_spark, find_commit, find_metadata, find_range, find_version, has_table
from fmar_spark.engine.table_properties import COMMIT, LOG, list_properties, list_rules
from fmar_spark.errors import ConfigError, ContractError
from fmar_spark.settings.run_options import is_address

CATALOG: Final = "fmar.lake.catalog"
"""Spark setting that names the catalog in which tables are registered; empty = in none."""
IDENTITY: Final = "fmar.identity"
"""Property of a table that was rewritten: the identity that it had before."""
ADDED: Final = ("numOutputRows", "num_added_rows")
"""What Spark and delta-rs, which writes where there is no Spark, call the rows of an append in Delta's metrics."""
COUNTED: Final = {"numOutputRows": 1, "numCopiedRows": -1}
"""Delta's metrics that come to the rows of a commit; rows that only moved to another file are among its output rows."""
COUNTED_OF: Final = {
    "MERGE": {"numTargetRowsInserted": 1, "numTargetRowsUpdated": 1, "numTargetRowsDeleted": 1},
    "DELETE": {"numDeletedRows": 1},
}
"""The same of operations that have others."""
APPENDS: Final = ("WRITE", "STREAMING UPDATE")
"""Operations of the log that add rows."""
T = TypeVar("T")
_log = logging.getLogger(__name__)


class Transaction(NamedTuple):
    """Makes an append happen once: Delta skips a version of an application that it has already seen."""

    application: str
    version: int


class StepTables(NamedTuple):
    """The tables that a step declares; it may write the second and read both."""

    step: str
    reads: tuple[TableContract, ...]
    writes: tuple[TableContract, ...]


class TableStore:
    """Reads and writes the lake's tables, and remembers which versions it touched for the journal."""

    def __init__(self, spark: SparkSession, root: str, tables: StepTables | None = None) -> None:
        """Nothing is touched before the first read or write; ``tables`` = None knows every table."""
        self.spark = spark
        self.tables = tables
        self.root = root.rstrip("/") if is_address(root) else str(Path(root).absolute())
        self.versions_read: dict[str, int] = {}
        self.versions_written: dict[str, int] = {}
        self._at_hand = [""]

    @property
    def at_hand(self) -> str:
        """What is being done to which table, or was last; '' before the first."""
        return self._at_hand[-1]

    def in_session(self, spark: SparkSession) -> "TableStore":
        """The same lake through another session of the same application; versions are remembered in one place."""
        return self._twin(spark, self.tables)

    def for_step(self, tables: StepTables) -> "TableStore":
        """The same lake, of which nothing but the step's tables is known; versions are remembered in one place."""
        return self._twin(self.spark, tables)

    def path(self, contract: TableContract) -> str:
        """Where the table lies.

        Raises:
            ContractError: the step that has this store does not declare the table.
        """
        if self.tables is not None and contract not in (*self.tables.reads, *self.tables.writes):
            raise ContractError(f"{self.tables.step}: {contract.full_name} is neither in its READS nor in its WRITES")
        return f"{self.root}/{contract.layer}/{contract.name}"

    def has(self, contract: TableContract) -> bool:
        """Whether the table exists."""
        return has_table(self.spark, self.path(contract))

    def read(self, contract: TableContract) -> DataFrame:
        """The table's rows, pinned to its newest version.

        Raises:
            ConfigError: the table does not exist yet; the message names the job that fills it.
        """
        return self._read_at(contract, self.version(contract))

    def read_or_empty(self, contract: TableContract) -> DataFrame:
        """The table's rows, or none in the contract's form where it does not exist yet."""
        version = find_version(self.spark, self.path(contract))
        if version is None:
            return self.spark.createDataFrame([], struct_type(contract))
        return self._read_at(contract, version)

    def version(self, contract: TableContract) -> int:
        """Newest Delta version of the table.

        Raises:
            ConfigError: the table does not exist yet; the message names the job that fills it.
        """
        return self._require_table(contract, find_version(self.spark, self.path(contract)))

    def find_range(self, contract: TableContract, column: str) -> tuple[date, date] | None:
        """Smallest and largest date of a column of its newest version; None where only a query of its rows can say.

        Raises:
            ConfigError: the table does not exist yet; the message names the job that fills it.
        """
        self.versions_read[contract.full_name] = version = self.version(contract)
        return find_range(self.path(contract), column, version)

    def identity(self, contract: TableContract) -> str:
        """Id of an existing table as one that is filled: another one after the table was deleted and made anew."""
        found = self.metadata(contract)
        return found.properties.get(IDENTITY) or found.table_id

    def log_identity(self, contract: TableContract) -> str:
        """Id of an existing table as one that is followed: another one also after it was rewritten under new columns."""
        return self.metadata(contract).table_id

    def properties(self, contract: TableContract) -> dict[str, str]:
        """Delta's properties of an existing table."""
        return self.metadata(contract).properties

    def metadata(self, contract: TableContract) -> Metadata:
        """Id and properties of an existing table.

        Raises:
            ConfigError: the table does not exist yet; the message names the job that fills it.
        """
        return self._require_table(contract, find_metadata(self.spark, self.path(contract)))

    def create(self, contract: TableContract) -> None:
        """Create the table with its columns' comments, nullability and rules, unless it exists."""
        self._require_writer(contract)
        if not self.has(contract):
            self._create_table(contract)
            if catalog := self.spark.conf.get(CATALOG, ""):
                self.register(contract, catalog)

    def register(self, contract: TableContract, catalog: str) -> None:
        """The table is also named ``catalog.layer.name``, as an external table at its path."""
        self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{catalog}`.`{contract.layer}`")
        name = f"`{catalog}`.`{contract.layer}`.`{contract.name}`"
        self.spark.sql(f"CREATE TABLE IF NOT EXISTS {name} USING DELTA LOCATION '{self.path(contract)}'")

    def describe(self, builder: DeltaTableBuilder, contract: TableContract) -> DeltaTableBuilder:
        """A table that is built as its contract says."""
        builder = builder.location(self.path(contract)).comment(contract.doc).addColumns(struct_type(contract))
        rules = {f"delta.constraints.{name}": rule for name, rule in list_rules(contract).items()}
        for name, value in {**list_properties(contract), **rules}.items():
            builder = builder.property(name, value)
        return builder

    def append(self, rows: DataFrame, contract: TableContract, transaction: Transaction | None = None) -> int:
        """Add rows; with a transaction a repeated append of the same version does nothing.

        Returns:
            How many rows were added.
        """
        self._start_writing(contract)
        self.create(contract)
        writer = conform(rows, contract).write.format("delta").mode("append")
        if transaction is not None:
            writer = writer.option("txnAppId", transaction.application).option("txnVersion", transaction.version)
        return self.commit(contract, lambda: writer.save(self.path(contract)), may_be_none=transaction is not None)

    def overwrite(self, rows: DataFrame, contract: TableContract, where: str = "") -> int:
        """Replace all rows, or those that ``where`` names, in one commit.

        Returns:
            How many rows were written.
        """
        self._start_writing(contract)
        self.create(contract)
        writer = conform(rows, contract).write.format("delta").mode("overwrite")
        if where:
            writer = writer.option("replaceWhere", where)
        return self.commit(contract, lambda: writer.save(self.path(contract)), may_be_none=False)

    def merge(self, rows: DataFrame, contract: TableContract, update_when: str = "", within: str = "") -> int:
        """Insert rows with new keys and update those that exist, optionally only where ``update_when`` holds.

        The conditions speak of ``old`` and ``new``. Rows must be unique on the contract's key. ``within`` must hold of
        every old row that any new one can match: files of which it does not hold are not read.

        Returns:
            How many rows were inserted or updated.
        """
        self._start_writing(contract)
        if not self.has(contract):
            return self.append(rows, contract)
        same_key = " AND ".join([*(f"old.{name} = new.{name}" for name in contract.key), *([within] if within else [])])
        target = DeltaTable.forPath(self.spark, self.path(contract)).alias("old")
        merging = target.merge(conform(rows, contract).alias("new"), same_key)
        merging = merging.whenMatchedUpdateAll(condition=update_when or None).whenNotMatchedInsertAll()
        return self.commit(contract, merging.execute)

    def insert_new(self, rows: DataFrame, contract: TableContract) -> int:
        """Insert the rows whose key the table does not have; those that it has stay as they are.

        Returns:
            How many rows were inserted.
        """
        self._start_writing(contract)
        distinct = rows.dropDuplicates(list(contract.key))
        if not self.has(contract):
            return self.append(distinct, contract)
        same_key = " AND ".join(f"old.{name} = new.{name}" for name in contract.key)
        target = DeltaTable.forPath(self.spark, self.path(contract)).alias("old")
        return self.commit(contract, target.merge(conform(distinct, contract).alias("new"), same_key).whenNotMatchedInsertAll().execute)

    def keep_only(self, kept: DataFrame, contract: TableContract, column: str = "mpan_id") -> int:
        """Delete the rows whose column has none of the values that the same column of ``kept`` has.

        Returns:
            How many rows were deleted; 0 where the table does not exist.
        """
        self._start_writing(contract)
        if not self.has(contract):
            return 0
        target = DeltaTable.forPath(self.spark, self.path(contract)).alias("old")
        merging = target.merge(kept.select(column).distinct().alias("new"), f"old.{column} = new.{column}")
        return self.commit(contract, merging.whenNotMatchedBySourceDelete().execute)

    def restore(self, contract: TableContract, version: int) -> None:
        """The table has the rows of an earlier version.

        Raises:
            ContractError: its files have gone; where Spark is asked one of ``SPARK_ERRORS``.
        """
        self._start_writing(contract)
        self.commit(contract, lambda: self._restore_table(self.path(contract), version))

    def read_version(self, contract: TableContract, version: int) -> DataFrame:
        """The rows of an earlier version, whose files may have gone by the time they are counted."""
        return self.spark.read.format("delta").option("versionAsOf", version).load(self.path(contract))

    def list_appends(self, contract: TableContract) -> DataFrame:
        """Appends of an existing table, as long as its log keeps them: ``at`` and ``rows``. No row of the table is read."""
        commits = DeltaTable.forPath(self.spark, self.path(contract)).history().where(F.col("operation").isin(*APPENDS))
        rows = [F.col("operationMetrics")[name].cast("bigint") for name in ADDED]
        return commits.select(F.col("timestamp").alias("at"), F.coalesce(*rows, F.lit(0)).alias("rows"))

    def rows_of(self, contract: TableContract, column: str, values: Sequence[str]) -> DataFrame:
        """The rows whose column has one of the values."""
        return self.read(contract).where(F.col(column).isin(list(values)))

    def _twin(self, spark: SparkSession, tables: StepTables | None) -> "TableStore":
        twin = TableStore(spark, self.root, tables)
        twin.versions_read, twin.versions_written, twin._at_hand = self.versions_read, self.versions_written, self._at_hand
        return twin

    def _read_at(self, contract: TableContract, version: int) -> DataFrame:
        self._at_hand[-1] = f"reading {contract.full_name}"
        self.versions_read[contract.full_name] = version
        return self.read_version(contract, version)

    def _require_table(self, contract: TableContract, found: T | None) -> T:
        if found is None:
            fillers = " or ".join(f"jobs/{job}.py" for job in contract.job.split(" or "))
            raise ConfigError(f"{contract.full_name}: no table at {self.path(contract)}; run {fillers} first")
        return found

    def _start_writing(self, contract: TableContract) -> None:
        self._require_writer(contract)
        self._at_hand[-1] = f"writing {contract.full_name}"

    def _require_writer(self, contract: TableContract) -> None:
        if self.tables is not None and contract not in self.tables.writes:
            raise ContractError(f"{self.tables.step}: {contract.full_name} is not in its WRITES")

    def commit(self, contract: TableContract, write: Callable[[], object], *, may_be_none: bool = True) -> int:
        """How many rows the commit of ``write`` inserts, updates and deletes by Delta's own count; 0 where it makes none.

        To ask for the version before it takes a tenth of a small write, so a write that always makes a commit is not compared with it.
        """
        before = self.version(contract) if may_be_none else -1
        write()
        newest = find_commit(self.spark, self.path(contract))
        self.versions_written[contract.full_name] = newest.version
        if newest.version == before:
            return 0
        counted = COUNTED_OF.get(newest.operation, COUNTED)
        return sum(sign * int(newest.metrics.get(name, 0)) for name, sign in counted.items())

    def _create_table(self, contract: TableContract) -> None:
        """The table has its first version, which Spark takes a job to write and delta-rs some milliseconds."""
        if asks_spark(self.path(contract)):
            self._clear_empty_log(contract)
            self.describe(DeltaTable.createIfNotExists(self.spark), contract).execute()
        else:
            import_module("fmar_spark.engine.lake_writer").create_table(self.path(contract), contract)

    def _restore_table(self, path: str, version: int) -> None:
        if asks_spark(path):
            DeltaTable.forPath(self.spark, path).restoreToVersion(version)
        else:
            import_module("fmar_spark.engine.lake_writer").restore_table(path, version)

    def _clear_empty_log(self, contract: TableContract) -> None:
        """Remove the log of a table whose very first commit failed: Delta takes an empty one for a table that was lost."""
        machine = self.spark._jvm
        if machine is None:
            return
        folder = machine.org.apache.hadoop.fs.Path(f"{self.path(contract)}/{LOG}")
        files = folder.getFileSystem(self.spark.sparkContext._jsc.hadoopConfiguration())
        if files.exists(folder) and not any(COMMIT.fullmatch(one.getPath().getName()) for one in files.listStatus(folder)):
            files.delete(folder, True)
