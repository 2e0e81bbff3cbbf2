"""Turns checked rows of whole series into half-hourly days: order, duplicates, steps, implausible energies, resampling."""

import hashlib
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.intake.intervals.double_hour import Stamps, resolve_double
from fmar_spark.intake.intervals.rows import DAILY, POWER, RUNNING_TOTAL, STAMPED_AT_END
from fmar_spark.intake.intervals.stretches import STEPS, find_steps, find_steps_of_ends
from fmar_spark.intake.intervals.values import DOUBLE
from fmar_spark.kernels.plausible import ERROR_CODE, LUMP, PLAUSIBLE, SPIKE, Energies, find_implausible
from fmar_spark.units import SLOT_MINUTES

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SLOT_SECONDS: Final = SLOT_MINUTES * 60
DAY_SECONDS: Final = SLOTS_PER_DAY * SLOT_SECONDS
NOTICEABLE_SHARE: Final = 0.05
TOTAL_ROUNDING: Final = 1e-6
NO_ENERGY: Final = np.uint8(RUNNING_TOTAL | DAILY | POWER)
"""Marks of numbers that are not yet energies."""

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
    minutes: Ints
    """Length of the interval; 0 while it is not known."""
    marks: NDArray[np.uint8]
    """What the stamp and the number mean, as in ``rows`` and ``values``."""
    names: tuple[str, ...]

    def where(self, kept: Bools | Ints) -> "Rows":
        """The rows that are marked, or named in their order."""
        if kept.dtype == np.bool_ and kept.all():
            return self
        return Rows(
            self.series[kept],
            self.second[kept],
            self.kwh_import[kept],
            self.kwh_export[kept],
            self.file[kept],
            self.line[kept],
            self.minutes[kept],
            self.marks[kept],
            self.names,
        )


class Rejected(NamedTuple):
    """Rows that only the rest of their series shows to be wrong."""

    rows: Rows
    rule: str

    @property
    def kwh(self) -> float:
        """Import and export together."""
        return sum_kwh(self.rows)


def sum_kwh(rows: Rows) -> float:
    """Import and export together, of the rows whose numbers are energies."""
    energies = rows.where((rows.marks & NO_ENERGY) == 0)
    return float(sum(np.nansum(kwh, dtype=np.float64) for kwh in (energies.kwh_import, energies.kwh_export)))


def sort_rows(table: pa.Table) -> Rows:
    """Rows of a table in the format of ``ROW_SCHEMA`` with a column ``file``, sorted.

    Of what the clock showed twice, the second is an hour later; the mark stays only where it is not sure which of the two a row was.
    """
    coded = pc.dictionary_encode(table["series_id"].combine_chunks())
    names = np.asarray(coded.dictionary.to_pylist(), dtype=object)
    rank = np.argsort(names)
    place = np.empty(len(names), dtype=np.int64)
    place[rank] = np.arange(len(names))
    series = place[np.asarray(coded.indices, dtype=np.int64)]
    second, taken, given, file, line, marks = (
        np.asarray(table[name].combine_chunks()) for name in ("second", "kwh_import", "kwh_export", "file", "line", "marks")
    )
    unknown = np.zeros(len(series), dtype=np.int64)
    rows = Rows(series, second, taken, given, file, line, unknown, marks, tuple(names[rank].tolist()))
    if (marks & DOUBLE).any():
        resolved = resolve_double(Stamps(series, file, line, second, (marks & DOUBLE) != 0))
        rows = rows._replace(second=resolved.second, marks=np.where(resolved.is_open, marks, marks & ~np.uint8(DOUBLE)))
    return rows.where(np.lexsort((rows.line, rows.file, rows.second, rows.series)))


def drop_duplicates(rows: Rows) -> tuple[Rows, Rows, Rejected]:
    """Keep the first row of each series and time; the repeats that say nothing else, and those that do.

    What the first has no energy of it takes from the first that has: one row may say what was drawn, another what was given.
    """
    is_first = np.ones(len(rows.series), dtype=bool)
    is_first[1:] = (np.diff(rows.series) != 0) | (np.diff(rows.second) != 0)
    if is_first.all():
        nothing = rows.where(~is_first)
        return rows, nothing, Rejected(nothing, "duplicate_conflicts")
    leader = np.maximum.accumulate(np.where(is_first, np.arange(len(is_first)), 0))
    is_alike = (rows.marks & NO_ENERGY) == (rows.marks[leader] & NO_ENERGY)
    taken, given = (_join(kwh, leader, is_alike) for kwh in (rows.kwh_import, rows.kwh_export))
    first = rows._replace(kwh_import=taken.whole, kwh_export=given.whole).where(is_first)
    left = rows._replace(kwh_import=taken.left, kwh_export=given.left)
    is_same = taken.is_same & given.is_same
    return first, left.where(~is_first & is_same), Rejected(left.where(~is_first & ~is_same), "duplicate_conflicts")


class _Joined(NamedTuple):
    """Energies of one direction, an entry a row."""

    whole: NDArray[np.float32]
    """With what the first row of each time took from others."""
    left: NDArray[np.float32]
    """Without what others took."""
    is_same: Bools
    """Nothing else than the first row of the time says."""


def _join(kwh: NDArray[np.float32], leader: Ints, is_alike: Bools) -> _Joined:
    whole, left = kwh.copy(), kwh.copy()
    giving = np.flatnonzero(np.isnan(kwh[leader]) & ~np.isnan(kwh) & is_alike)
    taking, at = np.unique(leader[giving], return_index=True)
    whole[taking], left[giving[at]] = kwh[giving[at]], np.nan
    return _Joined(whole, left, np.isnan(left) | (left == whole[leader]))


def split_totals(rows: Rows) -> tuple[Rows, list[Rejected]]:
    """Rows whose running totals are turned into energies; and the totals that give none.

    The energy of a register's total lies between it and the next; a total that restarts each day counts its own interval.
    """
    is_register, is_daily = (rows.marks & RUNNING_TOTAL) != 0, (rows.marks & DAILY) != 0
    is_total = is_register | is_daily
    if not is_total.any():
        return rows, []
    steps = find_steps(rows.series, rows.second)
    is_next = np.zeros(len(rows.series), dtype=np.bool_)
    is_next[1:] = (np.diff(rows.series) == 0) & (np.diff(rows.second) == 60 * steps.minutes[:-1])
    is_followed = np.append(is_next[1:], False)
    is_usable = np.where(is_register, is_followed, is_next | (rows.second % DAY_SECONDS == 0))
    energies, fell = [], np.zeros(len(rows.series), dtype=np.bool_)
    for kwh in (rows.kwh_import, rows.kwh_export):
        change = np.diff(kwh.astype(np.float64), append=np.nan)
        since = np.diff(kwh.astype(np.float64), prepend=0.0)
        own = np.where(is_next & (since >= -TOTAL_ROUNDING), since, kwh)
        fell |= is_register & is_usable & (change < -TOTAL_ROUNDING)
        energies.append(np.where(is_total, np.where(is_register, change, own), kwh).astype(np.float32))
    energy = rows._replace(
        kwh_import=np.maximum(energies[0], 0),
        kwh_export=np.maximum(energies[1], 0),
        marks=np.where(is_total, rows.marks & ~np.uint8(RUNNING_TOTAL | DAILY | STAMPED_AT_END * is_register), rows.marks),
    )
    is_kept = ~is_total | (is_usable & ~fell)
    return energy.where(is_kept), [
        Rejected(rows.where(is_total & fell), "total_fell"),
        Rejected(rows.where(is_total & ~is_usable & ~fell), "total_unfollowed"),
    ]


def split_by_step(rows: Rows) -> tuple[Rows, list[Rejected]]:
    """Rows with the length of their interval and its start; and the rows whose length cannot be used or found."""
    is_at_end = (rows.marks & STAMPED_AT_END) != 0
    if is_at_end.any():
        steps = find_steps_of_ends(rows.series, rows.second)
        rows = rows._replace(second=rows.second - 60 * steps.minutes * is_at_end)
    else:
        steps = find_steps(rows.series, rows.second)
    rows = rows._replace(minutes=steps.minutes)
    is_power = (rows.marks & POWER) != 0
    if is_power.any():
        hours = np.where(is_power, steps.minutes / 60, 1.0)
        kwh_import, kwh_export = ((kwh * hours).astype(np.float32) for kwh in (rows.kwh_import, rows.kwh_export))
        rows = rows._replace(kwh_import=kwh_import, kwh_export=kwh_export, marks=rows.marks & ~np.uint8(POWER))
    is_supported = rows.minutes > 0
    ends = rows.second + rows.minutes * 60
    reaches_over = np.zeros(len(ends), dtype=np.bool_)
    usable = np.flatnonzero(is_supported & steps.is_on_grid)
    reaches_over[usable[:-1]] = (np.diff(rows.series[usable]) == 0) & (ends[usable[:-1]] > rows.second[usable[1:]])
    kept = is_supported & steps.is_on_grid & ~reaches_over
    return rows.where(kept), [
        Rejected(rows.where(~is_supported), "interval_unsupported"),
        Rejected(rows.where(is_supported & ~steps.is_on_grid), "timestamp_off_grid"),
        Rejected(rows.where(reaches_over), "interval_overlap"),
    ]


def split_implausible(rows: Rows, max_kwh_per_slot: float) -> tuple[Rows, list[Rejected]]:
    """Rows that the rest of their series makes plausible; the others by rule."""
    verdict = np.zeros(len(rows.series), dtype=np.int8)
    above = np.zeros(len(rows.series), dtype=np.bool_)
    for kwh in (rows.kwh_import, rows.kwh_export):
        read = np.flatnonzero(~np.isnan(kwh))
        energies = kwh[read].astype(np.float64)
        own = find_implausible(Energies(rows.series[read], rows.second[read] // 60, rows.minutes[read], energies))
        verdict[read] = np.where(own != PLAUSIBLE, own, verdict[read])
        above[read] |= energies * SLOT_MINUTES > max_kwh_per_slot * rows.minutes[read]
    above &= verdict != ERROR_CODE
    broken = {"kwh_error_code": verdict == ERROR_CODE, "kwh_above_maximum": above}
    broken |= {"kwh_spike": (verdict == SPIKE) & ~above, "kwh_lump": (verdict == LUMP) & ~above}
    return rows.where((verdict == PLAUSIBLE) & ~above), [Rejected(rows.where(bad), rule) for rule, bad in broken.items()]


class Halves(NamedTuple):
    """Rows whose every energy makes a whole half-hour."""

    kept: Rows
    without_rest: Rejected
    """Rows of which nothing is left."""
    in_part: Rejected
    """Energies without the other quarter of their half-hour, of rows of which something is kept."""


def complete_halves(rows: Rows) -> Halves:
    """Leave out the energies of quarters of an hour whose other quarter was not read: they make no half-hour."""
    is_quarter = rows.minutes == 15
    if not is_quarter.any():
        nothing = Rejected(rows.where(is_quarter), "half_hour_incomplete")
        return Halves(rows, nothing, nothing)
    half = rows.second // SLOT_SECONDS
    is_first = np.zeros(len(half), dtype=np.bool_)
    is_first[:-1] = is_quarter[:-1] & is_quarter[1:] & (np.diff(rows.series) == 0) & (np.diff(half) == 0)
    is_second = np.concatenate([[False], is_first[:-1]])
    partner = np.arange(len(half)) + is_first - is_second
    has_partner = is_first | is_second
    kept, lost = [], []
    for kwh in (rows.kwh_import, rows.kwh_export):
        is_lost = is_quarter & ~np.isnan(kwh) & (~has_partner | np.isnan(kwh[partner]))
        kept.append(np.where(is_lost, np.float32(np.nan), kwh))
        lost.append(np.where(is_lost, kwh, np.float32(np.nan)))
    has_lost, has_kept = (~np.isnan(pair[0]) | ~np.isnan(pair[1]) for pair in (lost, kept))
    left_out = rows._replace(kwh_import=lost[0], kwh_export=lost[1])
    return Halves(
        rows._replace(kwh_import=kept[0], kwh_export=kept[1]).where(has_kept),
        Rejected(left_out.where(has_lost & ~has_kept), "half_hour_incomplete"),
        Rejected(left_out.where(has_lost & has_kept), "half_hour_incomplete"),
    )


def build_days(rows: Rows) -> pa.Table:
    """Day rows in the format of ``DAY_SCHEMA``: 48 energies by UTC slot start, null where nothing was read.

    An hour becomes two equal halves, two quarters are summed. Export days are there only for series that ever exported anything.
    """
    has_export = np.bincount(rows.series, rows.kwh_export > 0, minlength=len(rows.names)) > 0
    tables = []
    for quantity, kwh in (("AI", rows.kwh_import), ("AE", rows.kwh_export)):
        series, slot, energy = _resample(rows, kwh)
        wanted = ~np.isnan(energy) if quantity == "AI" else ~np.isnan(energy) & has_export[series]
        tables.append(_build_grid_rows(series[wanted], slot[wanted], energy[wanted], quantity, rows.names))
    return pa.concat_tables(tables)


def _resample(rows: Rows, kwh: NDArray[np.float32]) -> tuple[Ints, Ints, NDArray[np.float32]]:
    half = rows.second // SLOT_SECONDS
    is_half, is_hour, is_quarter = rows.minutes == 30, rows.minutes == 60, rows.minutes == 15
    lead = np.flatnonzero(is_quarter & (rows.second % SLOT_SECONDS == 0))
    pairs = kwh[lead] + kwh[np.minimum(lead + 1, len(kwh) - 1)]
    return (
        np.concatenate([rows.series[is_half], np.repeat(rows.series[is_hour], 2), rows.series[lead]]),
        np.concatenate([half[is_half], np.repeat(half[is_hour], 2) + np.tile([0, 1], int(is_hour.sum())), half[lead]]),
        np.concatenate([kwh[is_half], np.repeat(kwh[is_hour] / 2, 2), pairs]).astype(np.float32),
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


def sum_days(days: pa.Table) -> float:
    """Energy of all day rows."""
    return float(np.sum(np.asarray(pc.list_flatten(days["kwh"]).drop_null(), dtype=np.float32), dtype=np.float64))


def find_coarsest(rows: Rows) -> Ints:
    """The longest interval that makes up a noticeable share of each series, minutes: nothing finer may be claimed of it."""
    count = len(rows.names)
    total = np.bincount(rows.series, rows.minutes, minlength=count)
    coarsest = np.zeros(count, dtype=np.int64)
    for step in STEPS:
        own = np.bincount(rows.series, np.where(rows.minutes == step, step, 0), minlength=count)
        coarsest = np.where((own > 0) & (own >= NOTICEABLE_SHARE * total), step, coarsest)
    return coarsest


def list_by_day(grid: NDArray[np.float32]) -> Any:
    """Rows of a matrix as Arrow lists, null where NaN."""
    flat = grid.ravel()
    return pa.ListArray.from_arrays(_offsets(grid), pa.array(flat, pa.float32(), mask=np.isnan(flat)))


def _list_quality(grid: NDArray[np.float32]) -> Any:
    flat = pa.array(np.isnan(grid.ravel()))
    return pa.ListArray.from_arrays(_offsets(grid), pc.if_else(flat, pa.scalar(None, pa.string()), pa.scalar("A")))


def _offsets(grid: NDArray[np.float32]) -> Any:
    return pa.array(np.arange(len(grid) + 1, dtype=np.int32) * grid.shape[1])
