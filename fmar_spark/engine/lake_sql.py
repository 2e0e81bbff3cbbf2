"""SQL over the newest version of a lake's tables, without Spark; readings only of meters that pass the consent check."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.readings import DIP_MESSAGES, INTERVAL_IMPORTS, LEGAL_BASES, METER_POINTS, READING_VERSIONS, READINGS
from fmar_spark.contracts.table import TableContract
from fmar_spark.domain.consent import METER_ATTRIBUTES, render_consent_check
from fmar_spark.domain.words import Quantity
from fmar_spark.engine.lake_files import find_newest, open_rows, open_table
from fmar_spark.errors import ConfigError

_DUCKDB_TYPES: Final = {
    "string": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "map<string,bigint>": "MAP(VARCHAR, BIGINT)",
}
_ROWS_OF_GROUP: Final = 10_240
"""Of a file: a multiple of the 2,048 rows that DuckDB works on at once."""
_WITHHELD: Final = {
    READINGS.full_name: "kwh",
    READING_VERSIONS.full_name: "kwh",
    INTERVAL_IMPORTS.full_name: "kwh",
    DIP_MESSAGES.full_name: "days",
}
"""Columns that hold readings, left out of the views: there is no way to them but ``eligible_readings``."""
_ELIGIBLE: Final = f"""
    SELECT c.boundary_mpan_id AS mpan_id, r.utc_date, r.quantity,
        CASE WHEN r.opted_out IS NULL THEN r.kwh
            ELSE list_transform(list_zip(r.kwh, r.opted_out), x -> CASE WHEN NOT coalesce(x[2], FALSE) THEN x[1] END) END AS kwh,
        {", ".join(f"c.{name}" for name in METER_ATTRIBUTES)}
    FROM {{readings}} r JOIN consent_checks c USING (mpan_id)
    WHERE c.rejection IS NULL AND r.quantity IN ('{Quantity.AI}', '{Quantity.AE}')
"""
_CONSENT: Final = "consent_checks"
_READABLE: Final = "eligible_readings"
_WORDS: Final = re.compile(r"\w+")
Row = dict[str, Any]


class LakeRows:
    """Every declared table as a view ``layer.name``; one that was not written yet has no rows.

    Two more: ``consent_checks``, one row a meter point (mpan_id, boundary_mpan_id, rejection, the boundary's attributes), and
    ``eligible_readings``, the active energy of those that pass (mpan_id of the boundary, utc_date, quantity, kwh with null where the
    customer opted out, and the boundary's attributes). Energies cannot be read in any other way.
    """

    def __init__(self, root: Path, checked_on: date | None = None, address: str = "") -> None:
        """The versions are pinned here, so that everything read afterwards belongs together; a view is made when it is first asked for.

        Args:
            root: the lake.
            checked_on: day on which consent and legal basis must hold; default today, or the day that the lake's answers stand for
                where that is later.
            address: where the tables lie, if not in that folder: ``abfss://...`` as delta-rs knows it.

        Raises:
            ConfigError: no folder, or none of the tables in it.
        """
        self.root = root
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'; SET arrow_large_buffer_size = false")
        if not address and not root.is_dir():
            raise ConfigError(f"{root}: no lake there; run scripts/demo or a job of jobs/ first")
        for layer in sorted({contract.layer for contract in ALL_TABLES}):
            self._connection.execute(f"CREATE SCHEMA {layer}")
        self._address = address.rstrip("/") or str(root)
        self.versions = {
            contract.full_name: version for contract in ALL_TABLES if (version := find_newest(self._path(contract))) is not None
        }
        if not self.versions:
            raise ConfigError(f"{root}: no table of a lake in that folder; run scripts/demo or a job of jobs/ first")
        self._undeclared = {contract.full_name: contract for contract in ALL_TABLES}
        self._unmade = {_CONSENT, _READABLE}
        self.checked_on = checked_on or self._find_day()

    def read(self, query: str, **named: object) -> pa.Table:
        """What a query finds; ``$name`` in it stands for the argument of that name."""
        self._make_what_is_named(query)
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
        self._make_what_is_named(query)
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")

    def write_file(self, path: Path, tables: Mapping[str, str], indexed: Mapping[str, str]) -> dict[str, int]:
        """Write what each query finds as a table of a new DuckDB file, in the query's order; rows by table.

        Small row groups: a look-up of one key in sorted rows then reads few of them.

        Args:
            path: of the new file.
            tables: queries by the tables' names.
            indexed: a column by table, where many rows are looked up at once that lie far apart.
        """
        quoted = str(path).replace("'", "''")
        self._connection.execute(f"ATTACH '{quoted}' AS made (ROW_GROUP_SIZE {_ROWS_OF_GROUP})")
        rows = {}
        try:
            for name, query in tables.items():
                self._make_what_is_named(query)
                self._connection.execute(f"CREATE TABLE made.{name} AS {query}")
                if name in indexed:
                    self._connection.execute(f"CREATE INDEX {name}_by_{indexed[name]} ON made.{name} ({indexed[name]})")
                rows[name] = int(self.rows(f"SELECT count(*) AS rows FROM made.{name}")[0]["rows"])
        finally:
            self._connection.execute("DETACH made")
        return rows

    def _make_what_is_named(self, query: str) -> None:
        """Every view that a query may name, with all the capitals, quotes and blanks that SQL allows; one too many does no harm.

        One that could not be made is made at the next query, which then fails for the same reason and not for a view that is not there.
        """
        words = set(_WORDS.findall(query.lower()))
        for contract in list(self._undeclared.values()):
            if {contract.layer, contract.name} <= words:
                self._declare(contract)
                del self._undeclared[contract.full_name]
        for name in sorted(self._unmade & words):
            self._make(name)
            self._unmade.discard(name)

    def _make(self, name: str) -> None:
        """One of the two that are made of several tables."""
        if name == _CONSENT:
            self.define(name, render_consent_check(METER_POINTS.full_name, LEGAL_BASES.full_name, self.checked_on))
            return
        self._make_what_is_named(f"{_CONSENT} {READINGS.full_name}")
        self._connection.execute(f"CREATE VIEW {name} AS {_ELIGIBLE.format(readings=_name_stored(READINGS))}")

    def _declare(self, contract: TableContract) -> None:
        """A view of the table; columns that were declared since it was written are null."""
        plain = [column for column in contract.columns if "struct" not in column.type]
        stored = _name_stored(contract)
        if self.has(contract):
            rows = open_rows(open_table(self._path(contract), self.versions[contract.full_name]))
            known = rows.schema.names
            self._connection.register(stored, rows)
        else:
            known = [column.name for column in plain]
            declared = ", ".join(f"{column.name} {_name_type(column.type)}" for column in plain)
            self._connection.execute(f"CREATE TABLE {stored} ({declared})")
        withheld = _WITHHELD.get(contract.full_name)
        shown = f"* EXCLUDE ({withheld})" if withheld in known else "*"
        unknown = "".join(f", CAST(NULL AS {_name_type(column.type)}) AS {column.name}" for column in plain if column.name not in known)
        self._connection.execute(f"CREATE VIEW {contract.full_name} AS SELECT {shown}{unknown} FROM {stored}")

    def _path(self, contract: TableContract) -> str:
        return f"{self._address}/{contract.layer}/{contract.name}"

    def _find_day(self) -> date:
        newest = self.rows(f"SELECT max(as_of_date) AS day FROM {ASSET_DETECTIONS.full_name}")[0]["day"]
        today = datetime.now(UTC).date()
        return max(newest, today) if newest else today


def _name_stored(contract: TableContract) -> str:
    """Under which name the rows of a table are kept, readings included."""
    return f"_{contract.layer}_{contract.name}"


def _name_type(spark_type: str) -> str:
    """DuckDB's name of a type that holds no struct."""
    element = spark_type.removeprefix("array<").removesuffix(">")
    if spark_type.startswith("array<"):
        return f"{_name_type(element)}[]"
    return _DUCKDB_TYPES.get(spark_type, spark_type)
