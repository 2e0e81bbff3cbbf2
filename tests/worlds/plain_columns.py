"""The columns of a table that a world writes without Spark."""

import pyarrow as pa

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import arrow_schema


def plain_schema(contract: TableContract) -> pa.Schema:
    """The contract's columns without those that hold structs; nothing is required of any of them."""
    stored = arrow_schema(contract)
    plain = (column.name for column in contract.columns if "struct" not in column.type)
    return pa.schema([(name, stored.field(name).type) for name in plain])
