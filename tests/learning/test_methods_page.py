"""How each class is found, sized and dated, as a page: nothing that a detector goes by is left out."""

import ast
from pathlib import Path

import pytest

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.kernels.ev.search import EvSearch
from fmar_spark.kernels.examination import DETECTORS, FEATURES
from fmar_spark.learning.methods_page import BY_HAND, SHARED_MODULES, Threshold, class_modules, list_thresholds, render_methods

PAGE = render_methods()
KERNELS = Path(__file__).resolve().parents[2] / "fmar_spark" / "kernels"


@pytest.mark.parametrize("asset", ASSET_CLASSES)
def test_every_class_says_how_it_is_found_sized_and_dated(asset: AssetClass) -> None:
    part = PAGE.partition(f"## {ASSET_FACTS[asset].heading} (`{asset.value}`)\n")[2].partition("\n## ")[0]
    for text in DETECTORS[asset].method:
        assert len(text) > 40
        assert text in part
    for feature in DETECTORS[asset].features:
        assert f"| `{feature.name}` | {feature.unit} | {feature.meaning} |" in part
    for threshold in (found for module in class_modules(asset) for found in list_thresholds(module)):
        assert f"| `{threshold.name}` |" in part


def test_every_feature_stands_on_the_page_once() -> None:
    for name in FEATURES:
        assert PAGE.count(f"| `{name}`") == 1


def test_a_threshold_is_listed_with_its_value_its_meaning_and_where_it_comes_from() -> None:
    modules = [module for module in class_modules(AssetClass.EV) if module.__name__.endswith((".charging", ".search"))]
    found = {threshold.name: threshold for module in modules for threshold in list_thresholds(module)}
    assert found["search.EvSearch.lowest_kw"] == Threshold(
        "search.EvSearch.lowest_kw",
        str(EvSearch().lowest_kw),
        "Below the weakest lead in use (8 A, 1.8 kW).",
        "charging leads on sale",
    )
    assert found["charging.SHARP_SHARE"].source == BY_HAND
    assert {name.rpartition(".")[2] for name in found} >= set(EvSearch._fields)


def test_every_number_that_a_detector_declares_has_a_meaning() -> None:
    names = [name for asset in ASSET_CLASSES for module in class_modules(asset) if (name := module.__file__)]
    paths = [Path(name) for name in names] + [KERNELS / f"{name}.py" for name in SHARED_MODULES]
    silent = []
    for path in paths:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
            is_number = isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant) and not isinstance(node.value.value, str)
            if is_number and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
                silent.append(f"{path.name}: {ast.unparse(node)}")
    kinds_of_change = [f"changes.py: {name}: Final = {place}" for place, name in enumerate(("APPEARED", "UPGRADED", "REDUCED", "REMOVED"))]
    assert silent == kinds_of_change
