"""Reads a lake on this machine's disk without Spark, for summaries that should take no time."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from deltalake import DeltaTable

from fmar_spark.contracts.table import TableContract
from fmar_spark.errors import ConfigError


class LakeFiles:
    """The newest rows of the tables below one folder."""

    def __init__(self, root: Path) -> None:
        """Nothing is opened before the first read.

        Raises:
            ConfigError: there is no such folder.
        """
        if not root.is_dir():
            raise ConfigError(f"{root}: no lake there; run scripts/demo or a job of jobs/ first")
        self.root = root

    def has(self, contract: TableContract) -> bool:
        """Whether the table exists."""
        return DeltaTable.is_deltatable(self._path(contract))

    def count(self, contract: TableContract) -> int:
        """Rows of an existing table, from Delta's own statistics."""
        return int(DeltaTable(self._path(contract)).count())

    def read(self, contract: TableContract, columns: Sequence[str], where: Sequence[tuple[str, str, object]] = ()) -> pd.DataFrame:
        """Some columns of the rows for which all of ``where`` hold; none where the table does not exist."""
        if not self.has(contract):
            return pd.DataFrame({name: [] for name in columns})
        table = DeltaTable(self._path(contract)).to_pyarrow_table(columns=list(columns), filters=list(where) or None)
        found: pd.DataFrame = table.to_pandas()
        return found

    def _path(self, contract: TableContract) -> str:
        return str(self.root / contract.layer / contract.name)
