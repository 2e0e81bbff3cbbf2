import pyarrow as pa
import pytest
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.engine.schema import parse_type, struct_type
from fmar_spark.errors import ContractError


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.full_name)
def test_every_contract_has_a_spark_and_an_arrow_schema(table: TableContract) -> None:
    assert tuple(struct_type(table).names) == table.names
    assert arrow_schema(table).equals(to_arrow_schema(struct_type(table)))


def test_nested_types_are_read_from_the_inside() -> None:
    found = parse_type("array<struct<utc_date:date,kwh:array<float>,by:map<string,bigint>>>")
    assert isinstance(found, T.ArrayType)
    assert found.simpleString() == "array<struct<utc_date:date,kwh:array<float>,by:map<string,bigint>>>"


def test_a_word_that_is_no_type_is_rejected() -> None:
    with pytest.raises(ContractError, match="varchar"):
        parse_type("array<varchar>")


def test_timestamps_are_utc_microseconds() -> None:
    journal = next(table for table in ALL_TABLES if table.full_name == "ops.run_journal")
    assert arrow_schema(journal).field("started_at").type == pa.timestamp("us", tz="UTC")
