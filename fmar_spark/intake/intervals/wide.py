"""Files with one row a day: a column for each time or settlement period, turned into one row an interval."""

import re
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.intake.intervals.rows import RawBlock

DAY_MINUTES: Final = 24 * 60
INTERVALS: Final = (24, 48, 96)
MOST_EXTRA: Final = 4
"""A day on which the clock goes back has up to an hour of columns more."""
_CLOCK: Final = re.compile(r"^[a-z_ ]*?([0-2]?[0-9])[:.h_]?([0-5][0-9])(?::00)?(?:\s*(?:-|to)\s*[0-9:]+)?$")
_PERIOD: Final = re.compile(r"^(?:hh|h|p|sp|period|slot|interval|q|v|kwh|t)?[ _]?([0-9]{1,3})$")


class WideColumns(NamedTuple):
    """The columns of a day, in their order."""

    columns: tuple[str, ...]
    minute: tuple[int, ...]
    """Of the day, that each is stamped with."""
    is_at_end: bool
    """The stamps are the ends of the intervals."""
    is_numbered: bool
    """Periods are counted from midnight, whatever the clock does; else the columns are what the clock shows."""


def find_wide_columns(names: list[str]) -> WideColumns | None:
    """The columns that together are a day: times such as 00:30, or periods numbered from 1; None where there are none."""
    clock = [(name, _read_clock(name)) for name in names]
    timed = [(name, minute) for name, minute in clock if minute is not None]
    if len(timed) in INTERVALS:
        step = DAY_MINUTES // len(timed)
        minutes = [minute for _, minute in timed]
        if minutes == list(range(0, DAY_MINUTES, step)):
            return WideColumns(tuple(name for name, _ in timed), tuple(minutes), False, False)
        ends = [minute or DAY_MINUTES for minute in minutes]
        if ends == list(range(step, DAY_MINUTES + 1, step)):
            return WideColumns(tuple(name for name, _ in timed), tuple(ends), True, False)
    numbered = [(name, int(match[1])) for name in names if (match := _PERIOD.match(name))]
    numbers = [number for _, number in numbered]
    for intervals in INTERVALS:
        if numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))) and 0 <= len(numbers) - intervals <= MOST_EXTRA:
            step = DAY_MINUTES // intervals
            minute = tuple(place * step for place in range(len(numbers)))
            return WideColumns(tuple(name for name, _ in numbered), minute, False, True) if numbers[0] <= 1 else None
    return None


def _read_clock(name: str) -> int | None:
    match = _CLOCK.match(name)
    if match is None:
        return None
    minute = int(match[1]) * 60 + int(match[2])
    return minute if minute <= DAY_MINUTES else None


def lengthen(block: RawBlock, wide: WideColumns, midnight: NDArray[np.int64], is_utc: bool) -> RawBlock:
    """One row for each row and column of the day; empty fields beyond the 24th hour are left out.

    Args:
        block: columns series_id where there is one, and those of the day by their own names.
        wide: the columns of the day.
        midnight: at which each row's day begins, seconds since 1970; the least integer where unreadable.
        is_utc: midnights are UTC; else they are what the clock shows.
    """
    count, width = block.columns.num_rows, len(wide.columns)
    unreadable = midnight == np.iinfo(np.int64).min
    second = np.where(unreadable, 0, midnight)[:, None] + 60 * np.asarray(wide.minute, dtype=np.int64)[None, :]
    stamps = pa.array(second.ravel() * 1_000_000, mask=np.repeat(unreadable, width)).cast(pa.timestamp("us", "UTC" if is_utc else None))
    flat = pa.concat_arrays([block.columns[name].combine_chunks().cast(pa.string()) for name in wide.columns])
    energies = flat.take(pa.array((np.arange(width)[None, :] * count + np.arange(count)[:, None]).ravel()))
    columns = {"timestamp_utc": stamps, "kwh_import": energies}
    if "series_id" in block.columns.column_names:
        columns["series_id"] = block.columns["series_id"].combine_chunks().take(pa.array(np.repeat(np.arange(count), width)))
    is_beyond = np.tile(np.asarray(wide.minute) >= DAY_MINUTES, count) & (not wide.is_at_end)
    is_empty = np.asarray(pc.equal(pc.utf8_trim_whitespace(energies), "").fill_null(True))
    kept = ~(is_beyond & is_empty)
    return RawBlock(pa.table(columns).filter(pa.array(kept)), np.repeat(block.line, width)[kept], block.broken)
