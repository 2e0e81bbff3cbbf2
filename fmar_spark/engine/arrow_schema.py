"""Arrow schemas of contracts, without Spark."""

import re
from typing import Final

import pyarrow as pa

from fmar_spark.contracts.table import TableContract
from fmar_spark.errors import ContractError

_PRIMITIVES: Final[dict[str, pa.DataType]] = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "binary": pa.binary(),
}


def arrow_schema(contract: TableContract) -> pa.Schema:
    """The Arrow schema of a contract, timestamps in UTC."""
    return pa.schema([pa.field(column.name, arrow_type(column.type), column.nullable) for column in contract.columns])


def arrow_type(text: str) -> pa.DataType:
    """The Arrow type that a contract spells; the items of a list are called ``element``, as Spark calls them.

    Raises:
        ContractError: a word that is no type.
    """
    if text in _PRIMITIVES:
        return _PRIMITIVES[text]
    kind, parts = split_nested(text)
    if kind == "array":
        return pa.list_(pa.field("element", arrow_type(parts[0])))
    if kind == "map":
        return pa.map_(arrow_type(parts[0]), arrow_type(parts[1]))
    fields = (part.partition(":") for part in parts)
    return pa.struct([pa.field(name, arrow_type(of)) for name, _, of in fields])


def split_nested(text: str) -> tuple[str, list[str]]:
    """Kind (array, map or struct) and parts of a nested type: the parts of a struct are written ``name:type``.

    Raises:
        ContractError: a word that is no type.
    """
    nested = re.fullmatch(r"(array|map|struct)<(.*)>", text, re.DOTALL)
    if nested is None:
        raise ContractError(f"type: {text!r} is not one that a contract may use")
    kind, inner = nested.groups()
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(inner):
        depth += (letter == "<") - (letter == ">")
        if letter == "," and depth == 0:
            parts.append(inner[start:position].strip())
            start = position + 1
    return kind, [*parts, inner[start:].strip()]
