"""Closed lists of stored words."""

import inspect
import re
from enum import StrEnum
from types import ModuleType

import pytest

from fmar_spark.domain import assets, fmar, words
from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import SEASONS, Direction, Quantity, Status, Tier


def list_enums(module: ModuleType) -> list[type[StrEnum]]:
    found = [member for _, member in inspect.getmembers(module, inspect.isclass) if issubclass(member, StrEnum)]
    return [member for member in found if member.__module__ == module.__name__]


ENUMS = [*list_enums(words), *list_enums(assets), fmar.Provenance]


@pytest.mark.parametrize("enum", ENUMS)
def test_every_list_says_what_it_is_and_stores_plain_words(enum: type[StrEnum]) -> None:
    assert inspect.getdoc(enum)
    for member in enum:
        assert str(member) == member.value
        assert re.fullmatch(r"[a-z][a-z_]*|[A-Z]{2}", member.value)
        assert member.name == member.value.upper()


@pytest.mark.parametrize("enum", ENUMS)
def test_every_member_has_a_meaning_beside_it(enum: type[StrEnum]) -> None:
    source = inspect.getsource(enum)
    for member in enum:
        assert re.search(rf'    {member.name} = "{member.value}"\n    """[^"]+\."""', source)


@pytest.mark.parametrize("enum", [enum for enum in list_enums(fmar) if enum is not fmar.Provenance])
def test_the_code_lists_of_fmar_are_spelt_as_elexon_spells_them(enum: type[StrEnum]) -> None:
    assert inspect.getdoc(enum)
    assert all(re.fullmatch(r"[A-Z][A-Z_]*", member.value) and member.name == member.value for member in enum)


def test_the_words_that_people_outside_rely_on_are_these() -> None:
    assert set(AssetClass) == {"ev", "heat_pump", "battery", "solar_pv", "demand_response"}
    assert set(Direction) == {"import", "export"}
    assert set(Quantity) == {"AI", "AE", "RI", "RE"}
    assert set(Tier) == {"high", "medium", "low"}
    assert set(Status) == {"characterised", "in_progress", "not_observable"}


def test_positions_of_classes_and_seasons_are_those_that_arrays_use() -> None:
    assert list(ASSET_CLASSES) == ["ev", "heat_pump", "battery", "solar_pv", "demand_response"]
    assert list(SEASONS) == ["winter", "spring", "summer", "autumn"]
