"""What Delta keeps and checks of a declared table, whoever creates it."""

import re
from typing import Final

from fmar_spark.contracts.table import TableContract

LOG: Final = "_delta_log"
"""Folder of a table that holds its commits."""
COMMIT: Final = re.compile(r"[0-9]{20}\.(json|checkpoint\..*)")
"""Names of the files that make a folder a Delta table."""


def list_properties(contract: TableContract) -> dict[str, str]:
    """Delta's properties of the table, without its rules.

    Delta keeps the smallest and largest value of searched columns only: counting all of them took a fifth of a write.
    """
    return {
        "delta.checkpointPolicy": "classic",
        "delta.enableDeletionVectors": "false",
        "delta.dataSkippingStatsColumns": ",".join(contract.searched),
    }


def list_rules(contract: TableContract) -> dict[str, str]:
    """Conditions that every row keeps, by the names of Delta's constraints."""
    return {f"{column.name}_rule": column.check for column in contract.columns if column.check}
