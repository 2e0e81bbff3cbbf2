"""The one registry of asset classes: complete, without contradiction, and in the names that others use."""

import re
from collections import Counter
from pathlib import Path

import pytest

from fmar_spark.contracts.capability import CAPABILITY
from fmar_spark.contracts.readings import LABELS
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, LABEL_OF_CLASS, SIZE_LABELS, SIZE_NAMES, AssetClass, SizeName, TrueSize
from fmar_spark.domain.words import Direction
from fmar_spark.kernels.window import Sizes
from fmar_spark.simulate.truth import TrueAssets

PACKAGE = Path(__file__).resolve().parents[2] / "fmar_spark"
LISTS_OF_CLASSES = {
    "domain/assets.py",
    "kernels/examination.py",
    "simulate/behaviours/catalogue.py",
    "simulate/fleet.py",
    "simulate/population.py",
}
"""The registry, the detectors and the simulator; facts of classes stand nowhere else."""


def test_every_class_has_one_entry_in_the_order_of_the_classes() -> None:
    assert tuple(ASSET_FACTS) == ASSET_CLASSES


@pytest.mark.parametrize("asset", ASSET_CLASSES)
def test_the_facts_of_a_class_agree_with_each_other(asset: AssetClass) -> None:
    facts = ASSET_FACTS[asset]
    assert facts.label.startswith("has_")
    assert facts.sizes
    assert facts.directions
    rated = {name.direction for size in facts.sizes for name in size.names} - {None}
    assert rated == set(facts.directions)
    assert {direction for _, direction in facts.submeters} == set(facts.directions)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in facts.colours)
    assert all(size.label.endswith(f"_{size.unit.lower()}") for size in facts.sizes)
    assert facts.fmar.category


def test_no_two_classes_share_a_column_or_a_colour() -> None:
    names = [*LABEL_OF_CLASS.values(), *(size.label for _, size in SIZE_LABELS)]
    names += [column for facts in ASSET_FACTS.values() for column, _ in facts.submeters]
    names += [f"{place}{colour}" for facts in ASSET_FACTS.values() for place, colour in enumerate(facts.colours)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_a_size_has_one_name_from_the_detectors_to_gold() -> None:
    assert (*SIZE_NAMES, "spread") == (*Sizes._fields[:2], "storage_kwh", "peak_kwp", "spread")
    assert set(Sizes._fields) == {*SIZE_NAMES, "spread", "is_least"}
    for name in SIZE_NAMES:
        assert name.column in CAPABILITY.names
        assert {name.column, f"{name.column}_lower", f"{name.column}_upper"} <= set(CAPABILITY.names)
    assert (SizeName.RATED_IMPORT_KW.direction, SizeName.RATED_EXPORT_KW.direction) == (Direction.IMPORT, Direction.EXPORT)


def test_every_size_that_is_simulated_can_be_labelled() -> None:
    assert set(TrueSize) <= set(TrueAssets._fields)
    assert set(TrueSize) == {size.truth for _, size in SIZE_LABELS}
    assert {size.label for _, size in SIZE_LABELS} == {"ev_kw", "heat_pump_kw", "battery_kw", "battery_kwh", "pv_kwp", "pv_ac_kw", "dr_kw"}
    assert {*LABEL_OF_CLASS.values(), *(size.label for _, size in SIZE_LABELS)} < set(LABELS.names)


def test_labels_of_users_files_keep_their_names() -> None:
    assert [ASSET_FACTS[asset].label for asset in ASSET_CLASSES] == ["has_ev", "has_heat_pump", "has_battery", "has_pv", "has_dr"]
    assert [ASSET_FACTS[asset].stem for asset in ASSET_CLASSES] == ["ev", "heat_pump", "battery", "pv", "dr"]


def test_no_other_file_lists_the_classes() -> None:
    names = "|".join(asset.value for asset in ASSET_CLASSES)
    members = "|".join(asset.name for asset in ASSET_CLASSES)
    lists = []
    for path in PACKAGE.rglob("*"):
        if path.suffix in {".py", ".js", ".css"} and path.relative_to(PACKAGE).as_posix() not in LISTS_OF_CLASSES:
            text = path.read_text(encoding="utf-8")
            found = {
                name.lower() for pair in re.findall(rf"AssetClass\.({members})\b|[\"']({names})[\"']\s*:", text) for name in pair if name
            }
            found |= set(re.findall(rf"--({names})\s*:", text))
            lists += [path.relative_to(PACKAGE).as_posix()] if len(found) > 2 else []
    assert lists == []
