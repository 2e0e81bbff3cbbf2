"""SQL over the newest version of a lake's tables, without Spark."""

from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.lake_files import open_rows
from fmar_spark.errors import ConfigError

_DUCKDB_TYPES: Final = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "map<string,bigint>": "MAP(VARCHAR, BIGINT)",
}
Row = dict[str, Any]


class LakeRows:
    """Every declared table as a view ``layer.name``; one that was not written yet has no rows."""

    def __init__(self, root: Path) -> None:
        """The versions are pinned here, so that everything read afterwards belongs together.

        Raises:
            ConfigError: no folder, or none of the tables in it.
        """
        self.root = root
        self.versions: dict[str, int] = {}
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'; SET arrow_large_buffer_size = false")
        if not root.is_dir():
            raise ConfigError(f"{root}: no lake there; run scripts/demo or a job of jobs/ first")
        for contract in ALL_TABLES:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {contract.layer}")
            self._declare(contract)
        if not self.versions:
            raise ConfigError(f"{root}: no table of a lake in that folder; run scripts/demo or a job of jobs/ first")

    def read(self, query: str, **named: object) -> pa.Table:
        """What a query finds; ``$name`` in it stands for the argument of that name."""
        return self._connection.execute(query, named or None).fetch_arrow_table()

    def rows(self, query: str, **named: object) -> list[Row]:
        """The same, a dictionary a row."""
        found: list[Row] = self.read(query, **named).to_pylist()
        return found

    def has(self, contract: TableContract) -> bool:
        """Whether the table was written."""
        return contract.full_name in self.versions

    def add(self, name: str, rows: pa.Table) -> None:
        """Make rows that are no table of the lake readable under a name."""
        self._connection.register(name, rows)

    def define(self, name: str, query: str) -> None:
        """Keep what a query finds, readable under a name."""
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def _declare(self, contract: TableContract) -> None:
        """A view of the table; columns that were declared since it was written are null."""
        plain = [column for column in contract.columns if "struct" not in column.type]
        path = self.root / contract.layer / contract.name
        if DeltaTable.is_deltatable(str(path)):
            table = DeltaTable(str(path))
            self.versions[contract.full_name] = table.version()
            stored = f"_{contract.layer}_{contract.name}"
            rows = open_rows(table)
            self._connection.register(stored, rows)
            since = (column for column in plain if column.name not in rows.schema.names)
            unknown = "".join(f", CAST(NULL AS {_name_type(column.type)}) AS {column.name}" for column in since)
            self._connection.execute(f"CREATE VIEW {contract.full_name} AS SELECT *{unknown} FROM {stored}")
            return
        declared = ", ".join(f"{column.name} {_name_type(column.type)}" for column in plain)
        self._connection.execute(f"CREATE TABLE {contract.full_name} ({declared})")


def _name_type(spark_type: str) -> str:
    """DuckDB's name of a type that holds no struct."""
    element = spark_type.removeprefix("array<").removesuffix(">")
    if spark_type.startswith("array<"):
        return f"{_name_type(element)}[]"
    return _DUCKDB_TYPES.get(spark_type, spark_type)
