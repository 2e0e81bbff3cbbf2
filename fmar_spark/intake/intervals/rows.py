"""Checks single rows of a user's intervals: what can be read is brought to one format, the rest is named by rule and line."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.clock import LONDON
from fmar_spark.intake.intervals.files import Origin, RawBlock

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

GRID_SECONDS: Final = 60
"""Finer stamps start no interval; whether a minute starts one, only the rest of the series shows."""
EARLIEST_SECOND: Final = int(np.datetime64("1990-01-01", "s").astype(np.int64))
LATEST_SECOND: Final = int(np.datetime64("2100-01-01", "s").astype(np.int64))
NO_SECOND: Final = np.iinfo(np.int64).min
RAW_CHARS: Final = 200

RULES: Final = {
    "row_fields": "as many fields as the header has",
    "series_missing": "a name in series_id",
    "timestamp_unreadable": "ISO 8601 in timestamp_utc, such as 2024-03-31T00:30:00Z",
    "timestamp_out_of_range": "a time from 1990 to 2099",
    "timestamp_off_grid": "the start of a 15, 30 or 60 minute interval",
    "kwh_not_a_number": "a number of kWh",
    "kwh_not_finite": "a finite number of kWh; leave the field empty where nothing was read",
    "kwh_negative": "0 or more; export belongs in kwh_export",
    "kwh_above_maximum": "no more than imports.max_kwh_per_slot for a half-hour",
    "kwh_error_code": "an energy; this is the full scale of a counter, which a meter writes where it measured nothing",
    "kwh_spike": "an energy that the rest of the series makes plausible",
    "kwh_lump": "the energy of one interval; this is what was counted up while nothing was read",
    "duplicate_conflicts": "one value for one series and time; the first is kept",
    "interval_unsupported": "a step of 15, 30 or 60 minutes",
    "interval_overlap": "an interval that is over when the next one starts",
    "half_hour_incomplete": "both quarters of a half-hour",
    "file_unreadable": "a whole CSV or Parquet file",
    "file_columns": "columns series_id, timestamp_utc, kwh_import[, kwh_export]",
}
"""Every rule by name, with what is wanted."""

ROW_SCHEMA: Final = pa.schema(
    [("series_id", pa.string()), ("second", pa.int64()), ("kwh_import", pa.float32()), ("kwh_export", pa.float32()), ("line", pa.int64())]
)
FAULT_SCHEMA: Final = pa.schema(
    [("source", pa.string()), ("rule", pa.string()), ("reason", pa.string()), ("raw", pa.string()), ("series_id", pa.string())]
)


class ReadingRules(NamedTuple):
    """What is assumed of readings that do not say it, and the most that is believed."""

    zones: Mapping[str, str] = MappingProxyType({})
    """IANA name of the local clock, by series."""
    default_zone: str = LONDON
    """Of series that are not in ``zones``."""
    max_kwh_per_slot: float = 50_000.0
    """A larger half-hour is rejected."""


class CheckedRows(NamedTuple):
    """A block after its check; kept + faults + unread = rows of the block."""

    kept: pa.Table
    """Format of ``ROW_SCHEMA``; second = seconds of the interval start since 1970 in UTC."""
    faults: pa.Table
    """Format of ``FAULT_SCHEMA``."""
    rows: int
    unread: int
    """Rows whose energies are both empty: nothing was read then, which is no fault."""
    naive: int
    """Rows whose time names no zone and is taken as UTC."""
    kwh_read: float
    """Import and export together, of all rows whose energies break no rule."""
    kwh_rejected: float
    """Of it, that of rows that break another rule."""


class Energies(NamedTuple):
    """One energy column as numbers, with what is wrong with it."""

    kwh: Floats
    is_empty: Bools
    is_text: Bools
    is_infinite: Bools


def check_rows(block: RawBlock, origin: Origin, rules: ReadingRules) -> CheckedRows:
    """Split a block into rows that can be used and rows that break a rule; a row is named by the first rule that it breaks."""
    columns = block.columns
    series = pc.cast(columns["series_id"], pa.string()).combine_chunks()
    series = pc.utf8_trim_whitespace(series)
    second, is_naive = read_seconds(columns["timestamp_utc"])
    taken = read_energies(columns["kwh_import"])
    has_export = "kwh_export" in columns.column_names
    given = read_energies(columns["kwh_export"]) if has_export else _no_energies(len(second))
    is_nameless = np.asarray(pc.or_kleene(pc.is_null(series), pc.equal(pc.fill_null(series, ""), "")))
    is_stamped = np.asarray(pc.is_valid(columns["timestamp_utc"]).combine_chunks())
    is_unread = taken.is_empty & given.is_empty
    is_blank = is_nameless & ~is_stamped & is_unread
    most = 2 * rules.max_kwh_per_slot
    broken = {
        "series_missing": is_nameless,
        "timestamp_unreadable": second == NO_SECOND,
        "timestamp_out_of_range": (second < EARLIEST_SECOND) | (second >= LATEST_SECOND),
        "timestamp_off_grid": second % GRID_SECONDS != 0,
        "kwh_not_a_number": taken.is_text | given.is_text,
        "kwh_not_finite": taken.is_infinite | given.is_infinite,
        "kwh_negative": (taken.kwh < 0) | (given.kwh < 0),
        "kwh_above_maximum": (taken.kwh > most) | (given.kwh > most),
    }
    names = np.asarray(["", *broken])
    first = np.select(list(broken.values()), np.arange(1, len(names)), 0)
    first = np.where(is_blank, 0, first)
    is_kept = (first == 0) & ~is_unread
    kept = pa.table([series, second, taken.kwh.astype(np.float32), given.kwh.astype(np.float32), block.line], schema=ROW_SCHEMA).filter(
        pa.array(is_kept)
    )
    at = np.flatnonzero(first)
    faults = _build_faults(columns.take(at), origin, block.line[at], names[first[at]], series.take(pa.array(at)))
    faults = pa.concat_tables([faults, _build_broken(block, origin)])
    rows = len(second) - int(is_blank.sum()) + len(block.broken)
    unread = int((is_unread & (first == 0) & ~is_blank).sum())
    energy = np.nan_to_num(taken.kwh) + np.nan_to_num(given.kwh)
    energy[at[np.char.startswith(names[first[at]], "kwh_")]] = 0.0
    return CheckedRows(kept, faults, rows, unread, int((is_naive & is_kept).sum()), float(energy.sum()), float(energy[~is_kept].sum()))


def read_seconds(stamps: pa.ChunkedArray) -> tuple[NDArray[np.int64], Bools]:
    """Seconds since 1970 in UTC, ``NO_SECOND`` where unreadable; and which stamps name no zone (they are taken as UTC)."""
    if pa.types.is_timestamp(stamps.type) or pa.types.is_date(stamps.type):
        is_naive = getattr(stamps.type, "tz", None) is None
        micros = pc.cast(pc.cast(stamps, pa.timestamp("us"), safe=False), pa.int64())
        return _seconds_of_micros(micros), np.full(len(stamps), is_naive)
    if not (pa.types.is_string(stamps.type) or pa.types.is_large_string(stamps.type)):
        return np.full(len(stamps), NO_SECOND, dtype=np.int64), np.zeros(len(stamps), dtype=bool)
    text = pc.utf8_trim_whitespace(pc.cast(stamps, pa.string()))
    for zone in ("UTC", None):
        try:
            micros = pc.cast(pc.cast(text, pa.timestamp("us", zone)), pa.int64())
        except pa.ArrowInvalid:
            continue
        return _seconds_of_micros(micros), np.full(len(stamps), zone is None)
    return _read_mixed_seconds(text)


def read_energies(column: pa.ChunkedArray) -> Energies:
    """Numbers of an energy column; text that is no number and infinities are marked, null is empty."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    is_empty = np.asarray(pc.is_null(column).combine_chunks())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        try:
            numbers = np.asarray(pc.cast(pc.cast(column, pa.string()), pa.float64()).combine_chunks(), dtype=np.float64)
            is_text = np.zeros(len(numbers), dtype=bool)
        except pa.ArrowInvalid:
            words = column.to_pandas()
            numbers = pd.to_numeric(words, errors="coerce").to_numpy(dtype=np.float64)
            is_text = np.isnan(numbers) & ~is_empty & (words.str.strip().str.lower() != "nan").to_numpy(dtype=bool)
    else:
        numbers = np.asarray(pc.cast(column, pa.float64(), safe=False).combine_chunks(), dtype=np.float64)
        is_text = np.zeros(len(numbers), dtype=bool)
    is_infinite = ~np.isfinite(numbers) & ~is_empty & ~is_text
    return Energies(np.where(is_empty | is_text | is_infinite, np.nan, numbers), is_empty, is_text, is_infinite)


def build_file_fault(name: str, rule: str, found: str) -> pa.Table:
    """One fault for a file as a whole."""
    return pa.table([[name], [rule], [f"{found}; {RULES[rule]} wanted"], [None], [None]], schema=FAULT_SCHEMA)


def _seconds_of_micros(micros: Any) -> NDArray[np.int64]:
    """Whole seconds; a stamp with a fraction of a second becomes an odd second, which lies on no grid."""
    values = np.asarray(pc.fill_null(micros, NO_SECOND).combine_chunks(), dtype=np.int64)
    whole = values // 1_000_000
    return np.where(values == NO_SECOND, NO_SECOND, np.where(values % 1_000_000 == 0, whole, whole | 1))


def _read_mixed_seconds(text: pa.ChunkedArray) -> tuple[NDArray[np.int64], Bools]:
    words = text.to_pandas()
    times = pd.to_datetime(words, format="ISO8601", utc=True, errors="coerce")
    seconds = times.dt.tz_localize(None).to_numpy(dtype="datetime64[s]").astype(np.int64)
    seconds = np.where(times.isna().to_numpy(), NO_SECOND, seconds)
    has_zone = words.str.contains(r"(?:[zZ]|[+-]\d{2}:?\d{2})$", regex=True).fillna(False).to_numpy(dtype=bool)
    return seconds, ~has_zone & (seconds != NO_SECOND)


def _no_energies(rows: int) -> Energies:
    nothing = np.zeros(rows, dtype=bool)
    return Energies(np.full(rows, np.nan), np.ones(rows, dtype=bool), nothing, nothing)


def _build_faults(rows: pa.Table, origin: Origin, line: NDArray[np.int64], rule: NDArray[np.str_], series: pa.Array) -> pa.Table:
    texts = [[str(value) if value is not None else "" for value in rows[name].to_pylist()] for name in rows.column_names]
    raw = [",".join(parts)[:RAW_CHARS] for parts in zip(*texts, strict=True)]
    places = [origin.place(int(number)) for number in line]
    rules = rule.tolist()
    reasons = [f"{text} found; {RULES[name]} wanted" for text, name in zip(raw, rules, strict=True)]
    return pa.table([places, rules, reasons, raw, series], schema=FAULT_SCHEMA)


def _build_broken(block: RawBlock, origin: Origin) -> pa.Table:
    count = len(block.broken)
    raw = [text[:RAW_CHARS] for _, text in block.broken]
    places = [origin.place(line) for line, _ in block.broken]
    reasons = [f"{text} found; {RULES['row_fields']} wanted" for text in raw]
    return pa.table([places, ["row_fields"] * count, reasons, raw, [None] * count], schema=FAULT_SCHEMA)
