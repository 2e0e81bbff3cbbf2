"""What is known of meters from elsewhere, and what of it held in the window that was examined."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, LABEL_OF_CLASS, SIZE_LABELS, AssetClass, AssetSize
from fmar_spark.domain.words import Direction
from fmar_spark.kernels.window import Bools, Floats

LEAST_STAY_DAYS: Final = 14
"""An asset that was seen for fewer days is neither a yes nor a no."""
LABEL_NAMES: Final = tuple(LABEL_OF_CLASS[asset] for asset in ASSET_CLASSES)
"""In the order of the classes."""


class Size(NamedTuple):
    """One size that is estimated: what it is called, of which class, and which columns of gold.capability hold it."""

    name: str
    asset: AssetClass
    direction: Direction
    estimate: str
    lower: str
    upper: str


def _find_size(asset: AssetClass, size: AssetSize) -> Size:
    """Where gold.capability holds the estimate that a label is held against."""
    name = size.names[0]
    lower, upper = (f"{name.column}_{end}" for end in ("lower", "upper"))
    return Size(size.label, asset, name.direction or ASSET_FACTS[asset].main_direction, name.column, lower, upper)


SIZES: Final = tuple(_find_size(asset, size) for asset, size in SIZE_LABELS)
SIZE_NAMES: Final = tuple(size.name for size in SIZES)


class Labels(NamedTuple):
    """Parallel arrays, one entry a labelled meter; days count from 1970."""

    mpan_id: list[str]
    name: list[str]
    """As people call it: the series id, else the MPAN."""
    kind: list[str]
    """Real, semi-synthetic, simulated or not stated: never counted together."""
    has: Floats
    """1 at some time, 0 never, NaN unknown; shape (meters, classes)."""
    sizes: dict[str, Floats]
    """By name of ``SIZES``, NaN unknown, shape (meters,) each."""
    appeared_day: Floats
    """NaN where it was there from the start or nobody knows; shape (meters, classes)."""
    removed_day: Floats
    """First day without it; NaN where it stayed or nobody knows."""
    is_dated: Bools
    """Whether the days are known where there are any, shape (meters, classes)."""
    confusers: list[tuple[str, ...] | None]
    """Look-alikes that are there; None where nobody knows."""


class Truth(NamedTuple):
    """What held in the window of each meter, shape (meters, classes) each; NaN unknown."""

    ever: Floats
    """1 there at some time in the window, 0 not."""
    present: Floats
    """1 there on its last day, 0 not; unknown where a label without days says yes."""
    appeared_day: Floats
    """Inside the window; NaN where it did not appear in it."""
    removed_day: Floats


def derive_truth(labels: Labels, first_day: Floats, last_day: Floats) -> Truth:
    """What of the labels held between the first and the last day with readings, shape (meters,) each, NaN unknown.

    Labels without days hold in any window, but say nothing of its last day unless they say no. A stay of under
    ``LEAST_STAY_DAYS`` is unknown, not a no.
    """
    first = np.where(np.isnan(first_day), -np.inf, first_day)[:, None]
    after = np.where(np.isnan(last_day), np.inf, last_day + 1)[:, None]
    appeared = np.where(np.isnan(labels.appeared_day), -np.inf, labels.appeared_day)
    removed = np.where(np.isnan(labels.removed_day), np.inf, labels.removed_day)
    stay = np.minimum(removed, after) - np.maximum(appeared, first)
    seen = np.where(stay >= LEAST_STAY_DAYS, 1.0, np.where(stay <= 0, 0.0, np.nan))
    is_decided = labels.is_dated & (labels.has == 1)
    ever = np.where(is_decided, seen, labels.has)
    ends_there = np.where(removed >= after, 1.0, 0.0)
    present = np.where(is_decided, np.where(seen == 1, ends_there, seen), np.where(labels.has == 0, 0.0, np.nan))
    came = is_decided & (seen == 1) & (appeared > first) & (appeared < after)
    went = is_decided & (seen == 1) & (removed < after)
    return Truth(ever, present, np.where(came, appeared, np.nan), np.where(went, removed, np.nan))
