"""Labelled evidence: what one window of a meter shows, and what was true of it."""

from typing import NamedTuple

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, SIZE_NAMES
from fmar_spark.kernels.dating import date_asset, presence_evidence
from fmar_spark.kernels.examination import DETECTORS, FEATURES, SizingRules, examine_meters
from fmar_spark.kernels.sufficiency import SUFFICIENT, check_history
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow


class Examples(NamedTuple):
    """Parallel arrays, one entry a window of a meter."""

    meter_id: list[str]
    """Splits are by meter: all windows of a meter stay on one side."""
    features: Floats
    """Shape (examples, features)."""
    labels: Floats
    """1 there at some time, 0 not, NaN unknown; shape (examples, classes)."""
    present: Floats
    """1 there at the end, 0 gone, NaN unknown; shape (examples, classes)."""
    presence: Floats
    """Shape (examples, classes, evidence), in the order of ``PRESENCE_EVIDENCE``."""
    sizes: Floats
    """Estimates and their spread, shape (examples, classes, sizes + 1): ``SIZE_NAMES``, then spread."""
    true_sizes: Floats
    """Shape (examples, classes, sizes), NaN unknown."""
    confusers: list[str]
    """Comma-separated look-alikes that are there."""
    behaviours: list[str]
    """Comma-separated behaviours of the simulator's catalogue that are there; empty where nobody knows."""
    history_days: Ints
    """Days seen, shape (examples,)."""
    provenance: list[str]
    """real, semi-synthetic or simulated."""


class Description(NamedTuple):
    """Evidence of one window, without truth; rows of meters with too little history are left out by ``kept``."""

    kept: Bools
    features: Floats
    presence: Floats
    sizes: Floats
    history_days: Ints


def describe_window(window: MeterWindow, min_days: int, max_missing_share: float, sizing: SizingRules | None = None) -> Description:
    """Everything that training needs to know of a batch of meters."""
    sufficiency = check_history(window, min_days, max_missing_share)
    examination = examine_meters(window, sufficiency, sizing)
    everyone: Bools = np.ones(window.import_kw.shape[0], dtype=np.bool_)
    presence, sizes = [], []
    for asset in ASSET_CLASSES:
        findings = examination.findings[asset]
        presence.append(presence_evidence(date_asset(findings, asset, everyone)))
        sizes.append(np.stack([*(getattr(findings.sizes, name) for name in SIZE_NAMES), findings.sizes.spread], axis=1))
    return Description(
        kept=sufficiency.verdict == SUFFICIENT,
        features=examination.features,
        presence=np.stack(presence, axis=1),
        sizes=np.stack(sizes, axis=1),
        history_days=sufficiency.days_seen,
    )


def hide_unshown(labels: Floats, features: Floats) -> Floats:
    """The labels, unknown where no evidence of the class is shown: such an example is never answered and teaches nothing.

    Args:
        labels: shape (examples, classes).
        features: shape (examples, features), in the order of ``FEATURES``.
    """
    hidden = labels.copy()
    for position, asset in enumerate(ASSET_CLASSES):
        columns = [FEATURES.index(feature.name) for feature in DETECTORS[asset].features]
        hidden[np.isnan(features[:, columns]).all(axis=1), position] = np.nan
    return hidden


def join_examples(parts: list[Examples]) -> Examples:
    """One set of examples from several."""
    joined = []
    for field in Examples._fields:
        values = [getattr(part, field) for part in parts]
        joined.append([one for value in values for one in value] if isinstance(values[0], list) else np.concatenate(values))
    return Examples._make(joined)


def take_examples(examples: Examples, wanted: Bools) -> Examples:
    """The examples that ``wanted`` marks."""
    rows = np.flatnonzero(wanted)
    return Examples._make([value[row] for row in rows] if isinstance(value, list) else value[rows] for value in examples)
