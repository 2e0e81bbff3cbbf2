"""Turns contracts into Spark schemas, and brings frames into the format of their contract."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import split_nested
from fmar_spark.errors import ContractError

_PRIMITIVES: Final[dict[str, T.DataType]] = {
    "string": T.StringType(),
    "boolean": T.BooleanType(),
    "tinyint": T.ByteType(),
    "smallint": T.ShortType(),
    "int": T.IntegerType(),
    "bigint": T.LongType(),
    "float": T.FloatType(),
    "double": T.DoubleType(),
    "date": T.DateType(),
    "timestamp": T.TimestampType(),
    "binary": T.BinaryType(),
}


def parse_type(text: str) -> T.DataType:
    """The Spark type that a contract spells.

    Raises:
        ContractError: a word that is no type.
    """
    if text in _PRIMITIVES:
        return _PRIMITIVES[text]
    kind, parts = split_nested(text)
    if kind == "array":
        return T.ArrayType(parse_type(parts[0]))
    if kind == "map":
        return T.MapType(parse_type(parts[0]), parse_type(parts[1]))
    fields = (part.partition(":") for part in parts)
    return T.StructType([T.StructField(name, parse_type(of)) for name, _, of in fields])


def struct_type(contract: TableContract) -> T.StructType:
    """The Spark schema of a contract."""
    return T.StructType(
        [T.StructField(column.name, parse_type(column.type), column.nullable, {"comment": column.doc}) for column in contract.columns]
    )


def conform(rows: DataFrame, contract: TableContract) -> DataFrame:
    """Select the contract's columns in order.

    Raises:
        ContractError: a column is missing or has another type.
    """
    found = {field.name: field.dataType for field in rows.schema.fields}
    for column in contract.columns:
        wanted = parse_type(column.type)
        if column.name not in found:
            raise ContractError(f"{contract.full_name}: column {column.name} is missing")
        if found[column.name].simpleString() != wanted.simpleString():
            raise ContractError(
                f"{contract.full_name}: {column.name} is {found[column.name].simpleString()}, wants {wanted.simpleString()}"
            )
    return rows.select(*(F.col(name) for name in contract.names))
