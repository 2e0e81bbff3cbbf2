"""What is known of the meters of a lake from elsewhere: labels of a file, of the lake itself, or of a simulated fleet."""

import ast
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as arrow_parquet

from fmar_spark.contracts.readings import LABELS
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, LABEL_OF_CLASS, AssetClass
from fmar_spark.domain.figures import write_count
from fmar_spark.engine.lake_sql import LakeRows, Row
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.companions import AssetDays, read_label_dates, read_labels
from fmar_spark.intake.intervals.files import find_files, list_columns
from fmar_spark.learning.labelled import LABEL_NAMES, SIZE_NAMES, Labels
from fmar_spark.report.frame import count_day
from fmar_spark.report.provenance import name_kind

TRUTH_FOLDER: Final = "_truth"
PLAN_FILE: Final = "plan.txt"
KEYS: Final = ("series_id", "mpan_id")


class KnownMeter(NamedTuple):
    """One labelled meter; what is None is unknown."""

    mpan_id: str
    name: str
    provenance: str | None
    has: dict[str, bool | None]
    """By name of the label."""
    sizes: dict[str, float | None]
    confusers: tuple[str, ...] | None
    days: Mapping[AssetClass, AssetDays] = MappingProxyType({})
    """Appeared and removed, of the assets that are there."""
    dated: frozenset[AssetClass] = frozenset()
    """Classes of which the days are known where there are any."""
    is_of_fleet: bool = False
    """Known from the truth of a simulated fleet."""


class Source(NamedTuple):
    """Where labels came from."""

    name: str
    meters: int
    """That the lake knows."""
    unknown: int
    """That it does not."""
    withheld: int
    """That it knows and that do not pass the consent check: they are not scored."""


class KnownMeters(NamedTuple):
    """The labelled meters of a lake."""

    labels: Labels
    sources: list[Source]
    truth_folders: list[Path]
    """Of simulated fleets, each with its episodes."""
    fleet_of: dict[str, Path]
    """Truth folder of a meter's fleet, by MPAN."""


def gather_labels(lake: LakeRows, paths: Sequence[Path]) -> KnownMeters:
    """Labels of the named files and folders; without any, those of silver.labels and of a landing folder beside the lake.

    Of a meter that is named twice the later source counts.

    Raises:
        ConfigError: a file cannot be understood.
        InputError: no labels, none that names a meter of the lake, or a truth that is another fleet's.
    """
    own = _read_own(lake)
    truths = [folder for path in paths if (folder := _find_truth(path))]
    sources: list[tuple[str, list[KnownMeter]]] = []
    if paths:
        sources = [(str(path), _read_truth(path) if _find_truth(path) else _read_file(path)) for path in paths]
    else:
        beside = _find_truth(lake.root.parent / "landing")
        sources = [(LABELS.full_name, own)] if own else []
        if beside and _agrees(own, simulated := _read_truth(beside)):
            sources.append((str(beside), simulated))
            truths = [beside]
    if not sources:
        raise InputError(f"{lake.root}: no labels in {LABELS.full_name}; name a file with --labels (series_id, has_ev, ...)")
    known = {row["series_id"]: row["mpan_id"] for row in lake.rows("SELECT series_id, mpan_id FROM silver.series")}
    may_be_scored = {row["mpan_id"]: row["rejection"] is None for row in lake.rows("SELECT mpan_id, rejection FROM consent_checks")}
    return _join_sources(lake, sources, (known, may_be_scored), truths)


def read_plan(folder: Path) -> dict[str, Any] | None:
    """Seed, dates and mix of the fleet whose truth the folder holds; none where it was written without."""
    note = folder / PLAN_FILE
    if not note.is_file():
        return None
    written = note.read_text(encoding="utf-8").rpartition(" faults=")[0]
    try:
        plan = _read_call(ast.parse(written, mode="eval").body)
    except (SyntaxError, ValueError, KeyError) as error:
        raise InputError(f"{note}: cannot be understood: {str(error) or type(error).__name__}") from error
    return {"seed": plan["seed"], "first_date": plan["first_date"], "last_date": plan["last_date"], "mix": plan["mix"]}


def read_truth(folder: Path, name: str) -> pa.Table:
    """A truth table of a simulated fleet.

    Raises:
        InputError: it is not there.
    """
    if not (folder / name).is_dir():
        raise InputError(f"{folder}: {name} is missing; run jobs/simulate_fleet.py again")
    return arrow_parquet.read_table(folder / name)


def _find_truth(path: Path) -> Path | None:
    """The folder of a simulated fleet's truth, where the path is one or holds one."""
    folders = (path, path / TRUTH_FOLDER)
    return next((folder for folder in folders if (folder / "labels").is_dir() and (folder / "assets").is_dir()), None)


def _read_file(path: Path) -> list[KnownMeter]:
    if not path.exists():
        raise InputError(f"--labels: {path}: no such file or folder")
    file = find_files(path)[0]
    found = list_columns(file)
    key = next((name for name in KEYS if name in found), None)
    if key is None:
        raise ConfigError(f"{file.name}: column {' or '.join(KEYS)} is missing; found {', '.join(found)}")
    if not set(LABEL_NAMES) & set(found):
        raise ConfigError(f"{file.name}: none of {', '.join(LABEL_NAMES)} found; found {', '.join(found)}")
    days = read_label_dates(path, key)
    meters = [_read_row(row["series_id"], row["series_id"], row) for row in read_labels(path, key).to_pylist()]
    return [meter._replace(days=days[meter.name], dated=frozenset(days[meter.name])) for meter in meters]


def _read_own(lake: LakeRows) -> list[KnownMeter]:
    if not lake.has(LABELS):
        return []
    return [_read_row(row["mpan_id"], row["series_id"], row) for row in lake.rows("SELECT * FROM silver.labels ORDER BY series_id")]


def _read_row(mpan_id: str, name: str, row: Row) -> KnownMeter:
    confusers = row.get("confusers")
    is_simulated = (row.get("provenance") or "").startswith("simulated")
    return KnownMeter(
        mpan_id=mpan_id,
        name=name,
        provenance=row.get("provenance"),
        has={name: row.get(name) for name in LABEL_NAMES},
        sizes={name: row.get(name) for name in SIZE_NAMES},
        confusers=tuple(filter(None, confusers.split(","))) if confusers else () if is_simulated else None,
    )


def _read_truth(path: Path) -> list[KnownMeter]:
    folder = _find_truth(path) or path
    assets: dict[str, dict[AssetClass, Row]] = {}
    for row in read_truth(folder, "assets").to_pylist():
        assets.setdefault(row["mpan_id"], {})[AssetClass(row["asset_class"])] = row
    meters = []
    for row in read_truth(folder, "labels").to_pylist():
        mine = assets.get(row["mpan_id"], {})
        sizes = {size.label: asset[size.truth] for name, asset in mine.items() for size in ASSET_FACTS[name].sizes}
        days = {name: (asset["appeared_date"], asset["removed_date"]) for name, asset in mine.items()}
        plain = _read_row(row["mpan_id"], row["mpan_id"], row)
        meters.append(plain._replace(sizes={**plain.sizes, **sizes}, days=days, dated=frozenset(ASSET_CLASSES), is_of_fleet=True))
    return meters


def _agrees(own: list[KnownMeter], truth: list[KnownMeter]) -> bool:
    """Whether a truth is that of the lake's fleet: every simulated fleet numbers its meters alike, so their labels decide."""
    known = {meter.mpan_id: meter.has for meter in truth}
    shared = [(meter.has, known[meter.mpan_id]) for meter in own if meter.mpan_id in known]
    return bool(shared) and all(mine == theirs for mine, theirs in shared)


def _join_sources(
    lake: LakeRows, sources: list[tuple[str, list[KnownMeter]]], names: tuple[dict[str, str], dict[str, bool]], truths: list[Path]
) -> KnownMeters:
    series, points = names
    series_of = {mpan: name for name, mpan in series.items()}
    joined: dict[str, KnownMeter] = {}
    counted = []
    for name, meters in sources:
        numbered = [meter._replace(mpan_id=series.get(meter.name, meter.mpan_id)) for meter in meters]
        known = [meter._replace(name=series_of.get(meter.mpan_id, meter.name)) for meter in numbered if meter.mpan_id in points]
        mine = [meter for meter in known if points[meter.mpan_id]]
        counted.append(Source(name, len(known), len(meters) - len(known), len(known) - len(mine)))
        joined |= {meter.mpan_id: meter for meter in mine}
    if not joined:
        labelled, withheld = sum(len(meters) for _, meters in sources), sum(source.withheld for source in counted)
        withheld_words = f" and may be scored: {withheld} do not pass the consent check" if withheld else ""
        found = f"{write_count(labelled, 'labelled meter')}, none that is in the lake{withheld_words}"
        raise InputError(f"{lake.root}: {found}; series ids or MPANs of its meters wanted")
    fleet_of: dict[str, Path] = {}
    for folder in truths:
        of_fleet = _read_truth(folder)
        _require_own_fleet(lake, folder, of_fleet)
        fleet_of |= {meter.mpan_id: folder for meter in of_fleet if meter.mpan_id in joined and joined[meter.mpan_id].is_of_fleet}
    return KnownMeters(_stack(lake, list(joined.values())), counted, truths, fleet_of)


def _require_own_fleet(lake: LakeRows, folder: Path, truth: list[KnownMeter]) -> None:
    simulated = [meter for meter in _read_own(lake) if (meter.provenance or "").startswith("simulated")]
    if {meter.mpan_id for meter in simulated} & {meter.mpan_id for meter in truth} and not _agrees(simulated, truth):
        raise InputError(f"{folder}: the truth of another fleet than the one in {lake.root}; name the landing folder that it was read from")


def _stack(lake: LakeRows, meters: list[KnownMeter]) -> Labels:
    shape = (len(meters), len(ASSET_CLASSES))
    days = np.full((2, *shape), np.nan)
    for row, meter in enumerate(meters):
        for asset, dates in meter.days.items():
            days[:, row, ASSET_CLASSES.index(asset)] = [_to_number(count_day(day)) for day in dates]
    sources = {row["mpan_id"]: row["source"] for row in lake.rows("SELECT mpan_id, source FROM silver.meter_points")}
    return Labels(
        mpan_id=[meter.mpan_id for meter in meters],
        name=[meter.name for meter in meters],
        kind=[name_kind(meter.provenance, sources.get(meter.mpan_id)).value for meter in meters],
        has=np.array([[_to_number(meter.has[LABEL_OF_CLASS[asset]]) for asset in ASSET_CLASSES] for meter in meters]).reshape(shape),
        sizes={name: np.array([_to_number(meter.sizes.get(name)) for meter in meters]) for name in SIZE_NAMES},
        appeared_day=days[0],
        removed_day=days[1],
        is_dated=np.array([[asset in meter.dated for asset in ASSET_CLASSES] for meter in meters], dtype=np.bool_).reshape(shape),
        confusers=[meter.confusers for meter in meters],
    )


def _to_number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _read_call(node: ast.expr) -> Any:
    """The value of a written plan: calls with named arguments become dictionaries, dates their text; nothing is run."""
    if isinstance(node, ast.Call):
        if not node.keywords:
            year, month, day = (int(ast.literal_eval(argument)) for argument in node.args)
            return str(date(year, month, day))
        return {word.arg: _read_call(word.value) for word in node.keywords}
    return ast.literal_eval(node)
