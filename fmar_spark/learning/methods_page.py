"""How every class is found, sized and dated, as a document rendered from the registry of classes and the detectors' declarations."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from fmar_spark import kernels
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass, AssetFacts
from fmar_spark.domain.fmar import FmarCodes
from fmar_spark.kernels.dating import PRESENCE_EVIDENCE
from fmar_spark.kernels.examination import CONTEXT_FEATURES, DETECTORS, FEATURES
from fmar_spark.kernels.window import Feature
from fmar_spark.learning.classifier import columns_of

SOURCE_MARK: Final = "Source: "
BY_HAND: Final = "chosen by hand"
SHARED_MODULES: Final = ("sufficiency", "episodes", "usage_patterns", "exchange", "extension", "breaks", "changes", "dating", "parameters")
_SAYS: Final = f"""# Methods

Rendered by `scripts/render_docs.py` from `fmar_spark/domain/assets.py` and the declarations beside the detectors in
`fmar_spark/kernels/`; a test fails where the two differ.

A batch of meters is examined as a matrix of days and clock slots. Windows begin on one grid of 28 days, so that no answer depends on
which meters are examined together. Solar PV comes first, and the generation of meters that are sure
enough to have it is added back; the other classes are sought in what is left. Each detector describes every meter by features, as if
the asset were there: {len(FEATURES)} in all, missing where the meter cannot show them. A classifier for each class (gradient boosted
trees, calibrated on meters kept apart) turns that class's features and the meter's circumstances into a probability. Features of other
classes are withheld from it: which assets come together differs from fleet to fleet. Episodes, sizes and dates are reported of classes
that are likely enough (`characterise.report_probability`).

All classes of a meter are calibrated together once: what share of a class's energy lies on the episodes of a rival class, times how
likely the rival is, speaks against it, so that one block of energy is not a car and a battery at once. Where more than half of a class's
evidence is missing no answer is of the high tier; where nearly all is, or what is left decides nothing (an answer of the low tier), the
class is not observable, and the reason names what is wanted. Where steps of 6 kW or more recur on a tenth of the days, whatever made
them, or do not stand out of the load's usual changes, a car is found or not observable, never denied. Neither a battery nor a car is
denied in the high tier where there may be an array.
Of classes with ways of use that show little the high tier begins further out (denied: cars and batteries up to 5 %, heat pumps 3 %,
demand response 7 %; found: heat pumps from 95 %), so that it holds among them too (`scripts/tiers_by_behaviour.py`).
The sentence of an answer names the evidence that moved it most its own way: the parts that each piece adds to the log odds along the
paths of the trees (Saabas, 2014), which add up to them exactly. It is added to what the episodes have in common. Silence at the end of a
history is a removal only after four weeks in which the class would have shown itself, by the season or by what the meter showed before.

Units: a share lies between 0 and 1, a ratio is of like to like, a log ratio is natural. Of a threshold, "{BY_HAND}" means: between 23
and 26 November 2026, and no script derives it. Other sources are named. What users may set is in [settings.md](settings.md).
"""
_CIRCUMSTANCES: Final = """## Circumstances of the meter

Beside the features of its own class a classifier is given those marked with a star.
"""
_DATES: Final = """## Dates, for all classes

The daily mark of a class is cut into runs of one level (KernelCPD of ruptures, on means of three days). Runs are on or off by their
level; short spells are dropped; what is left is dated to a day by how common each day's mark is before and after the change, with the
80 % interval that this leaves. A class whose asset has a size of its own is also cut where the size of its episodes changes for good.
Whether it is still there on the last day is a logistic regression on: {evidence}.
"""


class Threshold(NamedTuple):
    """A number that a detector goes by, with what its source says of it."""

    name: str
    value: str
    meaning: str
    source: str


def render_methods() -> str:
    """Markdown of the methods page."""
    lines = [
        _SAYS,
        "## Circumstances of the meter",
        "",
        "Beside its own evidence every class's classifier is given those marked with a star.",
        "",
    ]
    shared = {FEATURES[place] for place in columns_of(ASSET_CLASSES[0])}
    lines += _tabulate_features(CONTEXT_FEATURES, starred=shared)
    for asset in ASSET_CLASSES:
        lines += _describe_class(asset, ASSET_FACTS[asset])
    lines += ["", _DATES.format(evidence=", ".join(name.replace("_", " ") for name in PRESENCE_EVIDENCE))]
    lines += ["## Thresholds that classes share", ""]
    lines += _tabulate_thresholds(found for name in SHARED_MODULES for found in list_thresholds(_import_kernel(name)))
    return "\n".join(lines) + "\n"


def list_thresholds(module: ModuleType) -> list[Threshold]:
    """The documented numbers of a module: its constants, and the defaults of its records of rules.

    The value and the meaning are read from the source itself, so that nothing is stated twice.
    """
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    stem = module.__name__.rpartition(".")[2]
    found = list(_read_numbers(tree.body, f"{stem}."))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found += _read_numbers(node.body, f"{stem}.{node.name}.")
    return found


def class_modules(asset: AssetClass) -> list[ModuleType]:
    """All modules of the package in which a class's detector stands."""
    package = importlib.import_module(str(DETECTORS[asset].module.__package__))
    return [importlib.import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__)]


def _import_kernel(name: str) -> ModuleType:
    return importlib.import_module(f"{kernels.__name__}.{name}")


def _read_numbers(body: list[ast.stmt], prefix: str) -> Iterator[Threshold]:
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            continue
        name = node.target.id
        is_stated = name.strip("_").isupper() or prefix.count(".") > 1
        if is_stated and _is_number(node.value) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            meaning, _, source = " ".join(str(after.value.value).split()).partition(SOURCE_MARK)
            yield Threshold(f"{prefix}{name}", ast.unparse(node.value), meaning.strip(), source.strip().rstrip(".") or BY_HAND)


def _is_number(node: ast.expr) -> bool:
    """Whether the expression is a number, a tuple of numbers, or rules and slots made of such."""
    if isinstance(node, ast.Subscript | ast.Call):
        return ast.unparse(node).startswith(("np.r_", "EvSearch(lowest"))
    try:
        value: Any = ast.literal_eval(node)
    except ValueError:
        return False
    parts = value if isinstance(value, tuple) else (value,)
    return all(isinstance(part, int | float | tuple) and not isinstance(part, bool) for part in parts)


def _describe_class(asset: AssetClass, facts: AssetFacts) -> list[str]:
    detector = DETECTORS[asset]
    thresholds = (found for module in class_modules(asset) for found in list_thresholds(module))
    return [
        "",
        f"## {facts.heading} (`{asset.value}`)",
        "",
        f"{facts.singular[0].upper()}{facts.singular[1:]}. {_list_sizes(facts)} {_write_codes(facts.fmar)}",
        "",
        f"**Found.** {detector.method.found}",
        "",
        f"**Sized.** {detector.method.sized}",
        "",
        f"**Dated.** {detector.method.dated} {_write_season(facts)}",
        "",
        f"### Features of {facts.words}",
        "",
        *_tabulate_features(detector.features),
        "",
        f"### Thresholds of {facts.words}",
        "",
        *_tabulate_thresholds(thresholds),
    ]


def _list_sizes(facts: AssetFacts) -> str:
    sizes = [f"`{size.label}` ({size.doc.rstrip('.').lower()}, {size.unit})" for size in facts.sizes]
    return f"Labels: `{facts.label}`, {', '.join(sizes)}; sized while it {' and '.join(facts.directions)}s."


def _write_codes(codes: FmarCodes) -> str:
    stated = [("AssetCategory", codes.category), ("EnergyConversionType", codes.energy_conversion_type)]
    stated += [("FuelType_EnergySource", codes.energy_source), ("FuelType_DemandTechType", codes.demand_tech_type)]
    return f"FMAR: {', '.join(f'{name} {value}' for name, value in stated if value)}."


def _write_season(facts: AssetFacts) -> str:
    season = "The mark follows the season" if facts.is_seasonal else "The mark follows no season"
    size = "its episodes show a size of their own" if facts.has_own_size else "its episodes show no size of their own"
    return f"{season}; {size}."


def _tabulate_features(features: tuple[Feature, ...], starred: frozenset[str] | set[str] = frozenset()) -> list[str]:
    lines = ["| feature | unit | meaning |", "|---|---|---|"]
    return lines + [f"| `{one.name}`{' *' if one.name in starred else ''} | {one.unit} | {one.meaning} |" for one in features]


def _tabulate_thresholds(thresholds: Iterator[Threshold]) -> list[str]:
    lines = ["| threshold | value | meaning | source |", "|---|---|---|---|"]
    return lines + [f"| `{one.name}` | {one.value.replace('|', chr(92) + '|')} | {one.meaning} | {one.source} |" for one in thresholds]
