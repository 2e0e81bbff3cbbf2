"""Turns checked rows of whole series into half-hourly days: order, duplicates, step, resampling, spikes."""

import hashlib
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.units import SLOT_MINUTES

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SLOT_SECONDS: Final = SLOT_MINUTES * 60
STEPS: Final = (15, 30, 60)
SPIKE_MIN_KWH: Final = 100.0
"""A half-hour below this (200 kW) is never called a spike."""
SPIKE_RATIO: Final = 50.0
"""How far a spike stands above the series' own 99.5th percentile of positive energies."""

DAY_SCHEMA: Final = pa.schema(
    [
        ("series_id", pa.string()),
        ("utc_date", pa.date32()),
        ("quantity", pa.string()),
        ("kwh", pa.list_(pa.float32())),
        ("quality", pa.list_(pa.string())),
        ("content_hash", pa.string()),
    ]
)


class Rows(NamedTuple):
    """Checked rows of whole series, sorted by series, time, then place in the files."""

    series: Ints
    """Index into ``names``."""
    second: Ints
    kwh_import: NDArray[np.float32]
    kwh_export: NDArray[np.float32]
    file: Ints
    line: Ints
    names: tuple[str, ...]

    def where(self, kept: Bools) -> "Rows":
        """The rows that are marked."""
        return Rows(
            self.series[kept],
            self.second[kept],
            self.kwh_import[kept],
            self.kwh_export[kept],
            self.file[kept],
            self.line[kept],
            self.names,
        )


class Rejected(NamedTuple):
    """Rows that only the rest of their series shows to be wrong."""

    rows: Rows
    rule: str


class Steps(NamedTuple):
    """One entry a series."""

    minutes: Ints
    """15, 30 or 60; 0 where the commonest step is another one."""
    offset_seconds: Ints
    """Where in the hour an hourly series starts: 0 or 1,800."""


def sort_rows(table: pa.Table) -> Rows:
    """Rows of a table in the format of ``ROW_SCHEMA`` with a column ``file``, sorted."""
    coded = pc.dictionary_encode(table["series_id"].combine_chunks())
    names = np.asarray(coded.dictionary.to_pylist(), dtype=object)
    rank = np.argsort(names)
    place = np.empty(len(names), dtype=np.int64)
    place[rank] = np.arange(len(names))
    series = place[np.asarray(coded.indices, dtype=np.int64)]
    second, taken, given, file, line = (
        np.asarray(table[name].combine_chunks()) for name in ("second", "kwh_import", "kwh_export", "file", "line")
    )
    order = np.lexsort((line, file, second, series))
    return Rows(series[order], second[order], taken[order], given[order], file[order], line[order], tuple(names[rank].tolist()))


def drop_duplicates(rows: Rows) -> tuple[Rows, Rows, Rejected]:
    """Keep the first row of each series and time; the repeats with the same values, and those with others."""
    is_first = np.ones(len(rows.series), dtype=bool)
    is_first[1:] = (np.diff(rows.series) != 0) | (np.diff(rows.second) != 0)
    leader = np.maximum.accumulate(np.where(is_first, np.arange(len(is_first)), 0))
    is_same = _equal(rows.kwh_import, rows.kwh_import[leader]) & _equal(rows.kwh_export, rows.kwh_export[leader])
    return rows.where(is_first), rows.where(~is_first & is_same), Rejected(rows.where(~is_first & ~is_same), "duplicate_conflicts")


def infer_steps(rows: Rows) -> Steps:
    """The commonest distance of neighbouring rows in each series; a series of one row counts as half-hourly."""
    count = len(rows.names)
    is_same = np.diff(rows.series) == 0
    minutes = np.diff(rows.second)[is_same] // 60
    kind = np.select([minutes == step for step in STEPS], range(len(STEPS)), len(STEPS))
    votes = np.bincount(rows.series[1:][is_same] * 4 + kind, minlength=4 * count).reshape(count, 4)
    best = np.asarray([*STEPS, 0])[votes.argmax(axis=1)]
    best = np.where(votes.sum(axis=1) == 0, SLOT_MINUTES, best)
    on_half = np.bincount(rows.series, rows.second % 3600 == SLOT_SECONDS, minlength=count)
    size = np.maximum(np.bincount(rows.series, minlength=count), 1)
    offset = np.where((best == 60) & (on_half > size / 2), SLOT_SECONDS, 0)
    return Steps(best.astype(np.int64), offset.astype(np.int64))


def split_by_step(rows: Rows, steps: Steps) -> tuple[Rows, Rejected, Rejected]:
    """Rows on their series' grid; rows of series whose step cannot be used; rows beside the grid."""
    minutes = steps.minutes[rows.series]
    is_unsupported = minutes == 0
    grid = np.where(is_unsupported, 60, minutes) * 60
    is_beside = ~is_unsupported & ((rows.second - steps.offset_seconds[rows.series]) % grid != 0)
    kept = rows.where(~is_unsupported & ~is_beside)
    return kept, Rejected(rows.where(is_unsupported), "interval_unsupported"), Rejected(rows.where(is_beside), "timestamp_off_grid")


def split_spikes(rows: Rows, steps: Steps, max_kwh_per_slot: float) -> tuple[Rows, Rejected, Rejected]:
    """Rows that the rest of their series makes plausible; spikes; and energies above the permitted maximum of a half-hour."""
    slots = (steps.minutes / SLOT_MINUTES)[rows.series]
    highest = np.fmax(rows.kwh_import, rows.kwh_export) / slots
    is_above = highest > max_kwh_per_slot
    limit = np.full(len(rows.names), np.inf)
    suspects = np.unique(rows.series[highest > SPIKE_MIN_KWH])
    for series in suspects:
        own = highest[(rows.series == series) & (highest > 0)]
        limit[series] = max(SPIKE_MIN_KWH, SPIKE_RATIO * float(np.quantile(own, 0.995, method="lower")))
    is_spike = ~is_above & (highest > limit[rows.series])
    kept = rows.where(~is_above & ~is_spike)
    return kept, Rejected(rows.where(is_spike), "kwh_spike"), Rejected(rows.where(is_above), "kwh_above_maximum")


def build_days(rows: Rows, steps: Steps) -> pa.Table:
    """Day rows in the format of ``DAY_SCHEMA``: 48 energies by UTC slot start, null where nothing (or half a pair) was read.

    An hour becomes two equal halves; two quarters are summed, and a half-hour with one quarter missing is null. Export
    days are there only for series that ever exported anything.
    """
    minutes = steps.minutes[rows.series]
    taken = [_resample(rows, rows.kwh_import, minutes), _resample(rows, rows.kwh_export, minutes)]
    has_export = np.bincount(rows.series, rows.kwh_export > 0, minlength=len(rows.names)) > 0
    tables = []
    for quantity, (series, slot, kwh) in zip(("AI", "AE"), taken, strict=True):
        wanted = ~np.isnan(kwh) if quantity == "AI" else ~np.isnan(kwh) & has_export[series]
        tables.append(_build_grid_rows(series[wanted], slot[wanted], kwh[wanted], quantity, rows.names))
    return pa.concat_tables(tables)


def _resample(rows: Rows, kwh: NDArray[np.float32], minutes: Ints) -> tuple[Ints, Ints, NDArray[np.float32]]:
    half = rows.second // SLOT_SECONDS
    is_quarter, is_half, is_hour = minutes == 15, minutes == 30, minutes == 60
    series = np.concatenate([rows.series[is_half], np.repeat(rows.series[is_hour], 2)])
    slot = np.concatenate([half[is_half], np.repeat(half[is_hour], 2) + np.tile([0, 1], int(is_hour.sum()))])
    energy = np.concatenate([kwh[is_half], np.repeat(kwh[is_hour] / 2, 2)])
    first = is_quarter.copy()
    first[:-1] &= is_quarter[1:] & (rows.series[:-1] == rows.series[1:]) & (half[:-1] == half[1:])
    first[-1:] = False
    lead = np.flatnonzero(first)
    pairs = kwh[lead] + kwh[np.minimum(lead + 1, len(kwh) - 1)]
    return (
        np.concatenate([series, rows.series[lead]]),
        np.concatenate([slot, half[lead]]),
        np.concatenate([energy, pairs]).astype(np.float32),
    )


def _build_grid_rows(series: Ints, slot: Ints, kwh: NDArray[np.float32], quantity: str, names: tuple[str, ...]) -> pa.Table:
    day = slot // SLOTS_PER_DAY
    first_day = int(day.min()) if len(day) else 0
    span = int(day.max()) - first_day + 1 if len(day) else 1
    keys, row = np.unique(series * span + (day - first_day), return_inverse=True)
    grid = np.full((len(keys), SLOTS_PER_DAY), np.nan, dtype=np.float32)
    grid[row, slot % SLOTS_PER_DAY] = kwh
    owner = np.asarray(names, dtype=object)[keys // span] if len(keys) else np.zeros(0, dtype=object)
    dates = (keys % span + first_day).astype(np.int32)
    return pa.table(
        [
            pa.array(owner.tolist(), pa.string()),
            pa.array(dates, pa.int32()).cast(pa.date32()),
            pa.array([quantity] * len(keys), pa.string()),
            list_by_day(grid),
            _list_quality(grid),
            pa.array([hashlib.blake2b(values.tobytes(), digest_size=12).hexdigest() for values in grid], pa.string()),
        ],
        schema=DAY_SCHEMA,
    )


def list_by_day(grid: NDArray[np.float32]) -> Any:
    """Rows of a matrix as Arrow lists, null where NaN."""
    flat = grid.ravel()
    return pa.ListArray.from_arrays(_offsets(grid), pa.array(flat, pa.float32(), mask=np.isnan(flat)))


def _list_quality(grid: NDArray[np.float32]) -> Any:
    flat = pa.array(np.isnan(grid.ravel()))
    return pa.ListArray.from_arrays(_offsets(grid), pc.if_else(flat, pa.scalar(None, pa.string()), pa.scalar("A")))


def _offsets(grid: NDArray[np.float32]) -> Any:
    return pa.array(np.arange(len(grid) + 1, dtype=np.int32) * grid.shape[1])


def _equal(left: Floats, right: Floats) -> Bools:
    return np.asarray((left == right) | (np.isnan(left) & np.isnan(right)))
