import re

import pytest

from fmar_spark.contracts.capability import AVAILABILITY
from fmar_spark.contracts.catalogue import ALL_TABLES
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import DIP_MESSAGES, READINGS
from fmar_spark.contracts.table import Column, Layer, TableContract
from fmar_spark.errors import ContractError

UNIT_OF_SUFFIX = {"_kwh": "kWh", "_kw": "kW", "_minutes": "minutes", "_kw_per_min": "kW/min", "_celsius": "degree Celsius"}


def test_a_column_declared_twice_is_rejected() -> None:
    column = Column("mpan_id", "string", "Meter.", nullable=False)
    with pytest.raises(ContractError, match="declared twice: mpan_id"):
        TableContract("twice", Layer.SILVER, "Twice.", ("mpan_id",), (column, column), "none")


def test_a_nullable_or_undeclared_key_is_rejected() -> None:
    with pytest.raises(ContractError, match="nullable"):
        TableContract("loose", Layer.SILVER, "Loose.", ("a",), (Column("a", "string", "A."),), "none")
    with pytest.raises(ContractError, match="not declared"):
        TableContract("loose", Layer.SILVER, "Loose.", ("b",), (Column("a", "string", "A."),), "none")


def test_table_names_are_declared_once() -> None:
    names = [table.full_name for table in ALL_TABLES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.full_name)
def test_every_column_is_documented_and_named_as_the_house_does(table: TableContract) -> None:
    assert table.doc.endswith(".")
    for column in table.columns:
        assert column.doc, column.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        for suffix, unit in UNIT_OF_SUFFIX.items():
            if column.name.endswith(suffix) and not (suffix == "_kw" and column.name.endswith("_kw_per_min")):
                assert column.unit == unit, column.name
        if column.type == "timestamp":
            assert column.name.endswith("_at"), column.name
        if column.type == "date":
            assert re.search("_date(_lower|_upper)?$", column.name), column.name
        if column.type == "boolean":
            assert column.name.startswith(("is_", "has_")), column.name


def test_files_are_skipped_by_meter_point_and_day_and_not_by_every_column_of_a_key() -> None:
    assert READINGS.searched == ("mpan_id", "utc_date")
    assert AVAILABILITY.searched == ("mpan_id",)
    assert DIP_MESSAGES.searched[0] == "transaction_id"


def test_what_a_profile_holds_of_a_table_is_what_the_table_says() -> None:
    nested = {column.name: column.type for column in METER_PROFILES.columns}
    assert nested["changes"] == (
        "array<struct<asset_class:string,changed_date:date,kind:string,changed_p10_date:date,changed_p90_date:date,"
        "kw_before:double,kw_after:double>>"
    )
    assert nested["availabilities"] == (
        "array<struct<asset_class:string,direction:string,season:string,weeks_observed:array<int>,probability:array<float>,"
        "kw_p50:array<float>>>"
    )
