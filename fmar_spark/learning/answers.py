"""What a lake answers about labelled meters, beside their labels."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.domain.words import Status
from fmar_spark.kernels.window import Bools, Floats
from fmar_spark.learning.labelled import SIZES, Labels, Truth, derive_truth

NO_ROW: Final = "no_row"
STATUSES: Final = (*(status.value for status in Status), NO_ROW)
DAY_COLUMNS: Final = (
    "appeared_date",
    "appeared_p10_date",
    "appeared_p90_date",
    "removed_date",
    "removed_p10_date",
    "removed_p90_date",
)
_EPOCH: Final = np.datetime64("1970-01-01", "D")
Texts = np.ndarray[tuple[int, ...], np.dtype[np.object_]]


class Answers(NamedTuple):
    """One entry a labelled meter and class, shape (meters, classes) unless said otherwise."""

    status: Texts
    """Of ``STATUSES``."""
    probability: Floats
    """NaN unless characterised."""
    present_probability: Floats
    tier: Texts
    evidence: Texts
    days: dict[str, Floats]
    """By ``DAY_COLUMNS``: days from 1970, NaN none."""
    sizes: dict[str, Floats]
    """By name of ``SIZES``: estimate, lower and upper end, shape (meters, 3); NaN not stated."""


class Facts(NamedTuple):
    """Facts of each labelled meter's readings, shape (meters,) each; NaN where it was not examined."""

    days_seen: Floats
    missing_share: Floats
    has_export: Floats
    has_weather: Floats
    is_domestic: Floats
    first_day: Floats
    last_day: Floats


class Scored(NamedTuple):
    """Meters of one kind in one circumstance: everything that is scored."""

    labels: Labels
    truth: Truth
    answers: Answers
    facts: Facts


def build_answers(detections: pa.Table, capabilities: pa.Table, meters: int) -> Answers:
    """Answers from rows of gold tables.

    Args:
        detections: column place (of the meter), and those of gold.asset_detections.
        capabilities: column place, and those of gold.capability.
        meters: how many places there are.
    """
    shape = (meters, len(ASSET_CLASSES))
    names = [asset.value for asset in ASSET_CLASSES]
    row = detections["place"].to_numpy()
    column = np.array([names.index(name) for name in detections["asset_class"].to_pylist()], dtype=np.int64)

    def text(name: str, missing: str | None) -> Texts:
        texts: Texts = np.full(shape, missing, dtype=object)
        texts[row, column] = detections[name].to_pylist()
        return texts

    def number(name: str) -> Floats:
        numbers = np.full(shape, np.nan)
        numbers[row, column] = _to_numbers(detections[name])
        return numbers

    return Answers(
        status=text("status", NO_ROW),
        probability=number("probability"),
        present_probability=number("present_probability"),
        tier=text("tier", None),
        evidence=text("evidence", None),
        days={name: number(name) for name in DAY_COLUMNS},
        sizes={size.name: _read_size(capabilities, size, meters) for size in SIZES},
    )


def score_window(labels: Labels, answers: Answers, facts: Facts) -> Scored:
    """What held in the window that was examined, by the labels, beside the answers."""
    return Scored(labels, derive_truth(labels, facts.first_day, facts.last_day), answers, facts)


def take_meters(scored: Scored, wanted: Bools) -> Scored:
    """The meters that ``wanted`` marks."""
    rows = np.flatnonzero(wanted)
    return Scored(*(_take(part, rows) for part in scored))


def _take(part: Any, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Any:
    if isinstance(part, dict):
        return {name: values[rows] for name, values in part.items()}
    if isinstance(part, list):
        return [part[row] for row in rows]
    if isinstance(part, tuple):
        return type(part)(*(_take(field, rows) for field in part))
    return part[rows]


def _read_size(capabilities: pa.Table, size: Any, meters: int) -> Floats:
    figures = np.full((meters, 3), np.nan)
    is_class = np.array(capabilities["asset_class"].to_pylist(), dtype=object) == size.asset.value
    is_way = np.array(capabilities["direction"].to_pylist(), dtype=object) == size.direction
    mine = np.flatnonzero(is_class & is_way)
    row = capabilities["place"].to_numpy()[mine]
    for place, name in enumerate((size.estimate, size.lower, size.upper)):
        figures[row, place] = _to_numbers(capabilities[name])[mine]
    return figures


def _to_numbers(column: pa.ChunkedArray) -> Floats:
    """Numbers, days from 1970 or 0 and 1; NaN where null."""
    if pa.types.is_date(column.type):
        days = column.to_numpy(zero_copy_only=False).astype("datetime64[D]")
        return np.where(np.isnat(days), np.nan, (days - _EPOCH).astype(np.float64))
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def to_numbers(columns: pa.Table, names: Sequence[str]) -> dict[str, Floats]:
    """Columns of a table as numbers, days from 1970 or 0 and 1; NaN where null."""
    return {name: _to_numbers(columns[name]) for name in names}
