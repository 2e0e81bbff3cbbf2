"""Closed lists of stored words."""

import inspect
import re
from enum import StrEnum

import pytest

from fmar_spark.domain import words
from fmar_spark.domain.words import ASSET_CLASSES, SEASONS, AssetClass, Direction, Quantity, Status, Tier

ENUMS = [member for _, member in inspect.getmembers(words, inspect.isclass) if issubclass(member, StrEnum) and member is not StrEnum]


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


def test_the_words_that_people_outside_rely_on_are_these() -> None:
    assert set(AssetClass) == {"ev", "heat_pump", "battery", "solar_pv", "demand_response"}
    assert set(Direction) == {"import", "export"}
    assert set(Quantity) == {"AI", "AE", "RI", "RE"}
    assert set(Tier) == {"high", "medium", "low"}
    assert set(Status) == {"characterised", "in_progress", "not_observable"}


def test_positions_of_classes_and_seasons_are_those_that_arrays_use() -> None:
    assert list(ASSET_CLASSES) == ["ev", "heat_pump", "battery", "solar_pv", "demand_response"]
    assert list(SEASONS) == ["winter", "spring", "summer", "autumn"]
