"""How far the evidence of a lake's measured meters lies from that of simulated ones."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark.domain.figures import write_count
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.errors import InputError
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.kernels.sufficiency import SUFFICIENT, VERDICTS
from fmar_spark.kernels.window import Floats
from fmar_spark.learning.classifier import StoredScorer
from fmar_spark.learning.feature_reference import LEAST_REAL, FeatureReference, compare_features, summarise_features
from fmar_spark.learning.labelled import Labels
from fmar_spark.report.meters import define_meters
from fmar_spark.report.provenance import KINDS, Kind

DIGITS: Final = 4


def compare_transfer(lake: LakeRows, labels: Labels, reference: FeatureReference) -> dict[str, Any]:
    """By kind of measured meters, every feature by distance times what rests on it; kinds of too few meters are left out.

    Unlabelled meters count as well, by what the lake knows of their origin.
    """
    _define_kinds(lake, labels)
    kinds = {}
    for kind in KINDS:
        features = _read_features(lake, kind) if kind is not Kind.SIMULATED else np.zeros((0, len(FEATURES)))
        if len(features) >= LEAST_REAL:
            found = compare_features(features, reference)
            kinds[kind.value] = {
                "meters": len(features),
                "features": [_round({**distance._asdict(), "rank": distance.rank}) for distance in found],
            }
    return {"reference": reference.source, "reference_meters": reference.meters, "kinds": kinds}


def summarise_lake(root: Path, scorer: StoredScorer) -> FeatureReference:
    """The evidence of the simulated meters of another lake.

    Raises:
        InputError: it has too few.
    """
    lake = LakeRows(root)
    _define_kinds(lake, None)
    features = _read_features(lake, Kind.SIMULATED)
    if len(features) < LEAST_REAL:
        raise InputError(
            f"--against: {root}: {write_count(len(features), 'simulated meter')} characterised there, {LEAST_REAL} or more wanted"
        )
    return summarise_features(features, scorer.opened(), f"simulated meters of {root.name}")


def has_measured_meters(lake: LakeRows, labels: Labels) -> bool:
    """Whether some meters of the lake are not simulated."""
    _define_kinds(lake, labels)
    return bool(lake.rows("SELECT 1 FROM kinds_of_meters WHERE kind <> $kind LIMIT 1", kind=Kind.SIMULATED.value))


def _define_kinds(lake: LakeRows, labels: Labels | None) -> None:
    """``kinds_of_meters`` is then a table of the lake: the kind that a meter's label says, else the lake."""
    define_meters(lake)
    by_label = {"mpan_id": labels.mpan_id if labels else [], "label_kind": labels.kind if labels else []}
    lake.add("label_kinds", pa.table({name: pa.array(values, pa.string()) for name, values in by_label.items()}))
    chosen = "SELECT mpan_id, coalesce(t.label_kind, m.kind) AS kind FROM meters m LEFT JOIN label_kinds t USING (mpan_id)"
    lake.define("kinds_of_meters", chosen)


def _read_features(lake: LakeRows, kind: Kind) -> Floats:
    """Of the meters with enough history, shape (meters, features), NaN where they do not show it."""
    found = lake.read(
        """SELECT p.features FROM silver.meter_profiles p JOIN kinds_of_meters m USING (mpan_id)
        WHERE m.kind = $kind AND p.verdict = $verdict ORDER BY p.mpan_id""",
        kind=kind.value,
        verdict=VERDICTS[SUFFICIENT],
    )
    flat = pc.list_flatten(found["features"]).to_numpy(zero_copy_only=False).astype(np.float64)
    if flat.size != found.num_rows * len(FEATURES):
        raise InputError(f"{lake.root}: its evidence is of other features than this package's; run jobs/characterise.py again")
    return np.asarray(flat.reshape(found.num_rows, len(FEATURES)))


def _round(values: dict[str, Any]) -> dict[str, Any]:
    rounded = {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in values.items()}
    for name in ("values", "simulated_range"):
        rounded[name] = [round(value, DIGITS) for value in values[name]]
    return rounded
