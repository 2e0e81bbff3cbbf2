"""All tables of the lake."""

from typing import Final

from fmar_spark.contracts import audiences, capability, deliveries, network, operations, profiles, readings, register
from fmar_spark.contracts.table import TableContract


def _declared_in(module: object) -> tuple[TableContract, ...]:
    return tuple(value for value in vars(module).values() if isinstance(value, TableContract))


ALL_TABLES: Final = tuple(
    table
    for module in (readings, network, profiles, capability, register, audiences, deliveries, operations)
    for table in _declared_in(module)
)


def filled_by(job: str) -> tuple[TableContract, ...]:
    """Tables that one job alone fills."""
    return tuple(table for table in ALL_TABLES if table.job == job)
