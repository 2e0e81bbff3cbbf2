"""Checks single rows of a user's intervals: what can be read is brought to one format, the rest is named by rule and line."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.clock import LONDON
from fmar_spark.errors import ConfigError
from fmar_spark.intake.intervals.absent import Absent
from fmar_spark.intake.intervals.options import MONTH_FIRST
from fmar_spark.intake.intervals.values import NO_SECOND, Energies, TimeReading, Times, flatten, read_energies, read_names, read_times

GRID_SECONDS: Final = 60
"""Finer stamps start no interval; whether a minute starts one, only the rest of the series shows."""
EARLIEST_SECOND: Final = int(np.datetime64("1990-01-01", "s").astype(np.int64))
LATEST_SECOND: Final = int(np.datetime64("2100-01-01", "s").astype(np.int64))
RAW_CHARS: Final = 200
AS_IT_STANDS: Final = TimeReading()
MOST_STORED: Final = float(np.finfo(np.float32).max)
STAMPED_AT_END, RUNNING_TOTAL, DAILY, POWER = 8, 16, 32, 64
"""Marks of a row beside those of its time: what its stamp and its number mean."""

RULES: Final = {
    "row_fields": "as many fields as the header has",
    "record_date": "a date as YYYYMMDD",
    "record_values": "a value for each interval of the day, then its quality; the register's day is left out",
    "record_step": "intervals that divide an hour; a value that was counted up over longer gives no half-hours",
    "record_event": "intervals of the values before it, first and last, and their quality; those that may be none (N) are left out",
    "record_kind": "records of NEM12 (100, 200, 300, 400, 500, 900)",
    "register_unreadable": "a register of energy (200) in Wh, kWh or MWh, by minutes that divide a day; days of its values are left out",
    "register_missing": "every register of a direction on a day; without it that direction is left out",
    "category_missing": "every category of the customer on a day; without it the day is left out",
    "customer_date": "a date such as 1/07/2012 or 1-Jul-12, {order}",
    "row_quote": "every quote closed, at the end of its field",
    "text_undecodable": "text in UTF-8; save the file in that encoding",
    "series_missing": "a name in series_id",
    "series_too_long": "a name of at most {max_series_chars} characters in series_id (imports.max_series_chars)",
    "series_shortened": "every digit of the name; a spreadsheet has shortened it: export the column as text",
    "timestamp_unreadable": "ISO 8601 in timestamp_utc, such as 2024-03-31T00:30:00Z{dates}",
    "timestamp_skipped": "a time that the clock of {time_zone} showed; it went forward over this one: is it the clock of these times?",
    "timestamp_out_of_range": "a time from 1990 to 2099",
    "timestamp_off_grid": "the start of a 15, 30 or 60 minute interval, as the other rows of the series start theirs",
    "kwh_decimal_comma": "a decimal point and no marks of thousands; --decimal-comma reads 0,25",
    "kwh_not_a_number": "a number of kWh; leave the field empty where nothing was read",
    "kwh_not_finite": "a finite number of kWh; leave the field empty where nothing was read",
    "kwh_negative": "0 or more; export belongs in kwh_export",
    "kwh_above_maximum": "no more than {max_kwh_per_slot} kWh in a half-hour (imports.max_kwh_per_slot)",
    "kwh_error_code": "a measured energy; this is the full scale of a counter, which stands for none",
    "kwh_spike": "an energy that the rest of the series makes plausible",
    "kwh_lump": "the energy of one interval; this was counted up while nothing was read",
    "total_fell": "a running total that does not fall",
    "total_unfollowed": "another running total one step later; the energy lies between the two",
    "duplicate_conflicts": "one value for one series and time; the first is kept",
    "interval_unsupported": "a step of 15, 30 or 60 minutes",
    "interval_overlap": "an interval that is over when the next one starts",
    "half_hour_incomplete": "both quarters of a half-hour",
    "file_unreadable": "a whole CSV or Parquet file",
    "file_columns": "columns series_id, timestamp_utc, kwh_import[, kwh_export]",
}
"""Every rule by name, with what is wanted, and what else to know or to do after a semicolon; ``describe_rule`` puts in the limits."""

ROW_SCHEMA: Final = pa.schema(
    [
        ("series_id", pa.string()),
        ("second", pa.int64()),
        ("kwh_import", pa.float32()),
        ("kwh_export", pa.float32()),
        ("line", pa.int64()),
        ("marks", pa.uint8()),
    ]
)
FAULT_SCHEMA: Final = pa.schema(
    [("source", pa.string()), ("rule", pa.string()), ("reason", pa.string()), ("raw", pa.string()), ("series_id", pa.string())]
)


class Origin(NamedTuple):
    """Where rows come from, as messages and the quarantine name it."""

    name: str
    unit: str
    """What its rows are counted in: nothing for the lines of a CSV (the header is line 1), "row " for the rows of a table."""

    def place(self, line: int) -> str:
        """Where a row stands."""
        return f"{self.name}:{self.unit}{line}"


class RawBlock(NamedTuple):
    """Some rows of a file as they stand there."""

    columns: pa.Table
    """The columns that were asked for."""
    line: NDArray[np.int64]
    """Line of each row, as ``Origin.place`` means it."""
    broken: list[tuple[int, str, str]]
    """Lines that make no row, with their text and the rule that they break."""
    absent: tuple[Absent, ...] = ()
    """Registers that the file as a whole leaves out."""


class ReadingRules(NamedTuple):
    """What is assumed of series that do not say it, and the most that is believed."""

    zones: Mapping[str, str] = MappingProxyType({})
    """IANA name of the local clock, by series."""
    default_zone: str = LONDON
    """Of series that are not in ``zones``."""
    max_kwh_per_slot: float = 50_000.0
    """A larger half-hour is rejected."""
    max_series_chars: int = 128
    """A series with a longer name is rejected."""


class Reading(NamedTuple):
    """What the times and numbers of one file mean."""

    times: TimeReading = TimeReading()
    decimal_comma: bool = False
    unread: frozenset[str] = frozenset()
    """Words, in lower case, that stand for a number that was not read."""
    kwh_per_unit: float = 1.0
    """Of power: kW for each unit."""
    marks: int = 0
    """Of ``STAMPED_AT_END``, ``RUNNING_TOTAL``, ``DAILY``, ``POWER``."""


def describe_rule(rule: str, rules: ReadingRules, times: TimeReading = AS_IT_STANDS) -> str:
    """What a rule wants, with its limits as numbers; an option that was stated is not advised.

    Args:
        rule: name of one of ``RULES``.
        rules: the limits.
        times: how times were read.
    """
    dates = "; --dates reads 31/03/2024 and its like" if times.dates is None else f", or a date as --dates {times.dates} says"
    limits = {"max_series_chars": f"{rules.max_series_chars:,}", "max_kwh_per_slot": f"{rules.max_kwh_per_slot:,.10g}"}
    order = "month first" if times.dates == MONTH_FIRST else "day first"
    return RULES[rule].format(**limits, time_zone=times.time_zone or "UTC", dates=dates, order=order)


class CheckedRows(NamedTuple):
    """A block after its check; kept + faults + unread = rows of the block."""

    kept: pa.Table
    """Format of ``ROW_SCHEMA``; second = seconds of the stamp since 1970 in UTC."""
    faults: pa.Table
    """Format of ``FAULT_SCHEMA``."""
    rows: int
    unread: int
    """Rows whose energies are both empty: nothing was read then, which is no fault."""
    kwh_read: float
    """Import and export together, of all rows whose numbers are energies and break no rule."""
    kwh_rejected: float
    """Of it, that of rows that break another rule."""


def write_fault(found: str, wanted: str) -> str:
    """What was found, what was wanted, and what the rule says after its first semicolon."""
    what, separator, advice = wanted.partition(";")
    return f"{found} found; {what} wanted{separator}{advice}"


def describe_columns(missing: Sequence[str], twice: Sequence[str] = ()) -> str:
    """``columns a, b are missing``, or, where none is, ``column a stands twice``."""
    names = missing or twice
    of_one, of_several = ("is missing", "are missing") if missing else ("stands twice", "stand twice")
    return f"column {names[0]} {of_one}" if len(names) == 1 else f"columns {', '.join(names)} {of_several}"


def check_columns(name: str, wanted: tuple[str, ...], found: list[str]) -> None:
    """Nothing happens where all wanted columns are there, each once.

    Raises:
        ConfigError: names what was found and what was wanted.
    """
    missing = [column for column in wanted if column not in found]
    twice = sorted({column for column in found if column in wanted and found.count(column) > 1})
    if missing or twice:
        raise ConfigError(f"{name}: {describe_columns(missing, twice)}; found {', '.join(found)}; wanted {', '.join(wanted)}")


def check_rows(block: RawBlock, origin: Origin, rules: ReadingRules, reading: Reading) -> CheckedRows:
    """Split a block into rows that can be used and rows that break a rule; a row is named by the first rule that it breaks.

    Raises:
        ConfigError: a column has a type that cannot be read; the message names it.
    """
    columns = pa.table({name: flatten(block.columns[name]) for name in block.columns.column_names})
    series, is_shortened = read_names(columns["series_id"], f"{origin.name}: column series_id")
    times = read_times(columns["timestamp_utc"], reading.times, f"{origin.name}: column timestamp_utc")
    taken, given = (_read_energies(columns, name, origin, reading) for name in ("kwh_import", "kwh_export"))
    length = np.asarray(pc.utf8_length(series).fill_null(0))
    is_named, is_long = length > 0, length > rules.max_series_chars
    broken = {"series_missing": ~is_named, "series_too_long": is_long, "series_shortened": is_shortened}
    broken |= _find_broken(times, (taken, given))
    if not reading.marks & (RUNNING_TOTAL | DAILY):
        most = 2 * rules.max_kwh_per_slot
        broken["kwh_above_maximum"] = (taken.kwh > most) | (given.kwh > most)
    is_unread = taken.is_empty & given.is_empty
    is_blank = ~is_named & np.asarray(columns["timestamp_utc"].combine_chunks().is_null()) & is_unread
    names = np.asarray(["", *broken])
    first = np.select(list(broken.values()), np.arange(1, len(names)), 0)
    first = np.where(is_blank, 0, first)
    is_kept = (first == 0) & ~is_unread
    marks = times.marks | np.uint8(reading.marks)
    energies = (np.clip(side.kwh, -MOST_STORED, MOST_STORED).astype(np.float32) for side in (taken, given))
    stored = [series, times.second, *energies, block.line, marks]
    kept = pa.table(stored, schema=ROW_SCHEMA)
    at = np.flatnonzero(first)
    known = pc.if_else(pa.array(is_long), None, series).take(pa.array(at))
    wanted = {rule: describe_rule(rule, rules, reading.times) for rule in broken}
    faults = _build_faults(columns.take(at), [origin.place(number) for number in block.line[at].tolist()], names[first[at]], known, wanted)
    energy = np.nan_to_num(taken.kwh) + np.nan_to_num(given.kwh) if _is_energy(reading) else np.zeros(len(first))
    energy[at[np.char.startswith(names[first[at]], "kwh_")]] = 0.0
    return CheckedRows(
        kept if is_kept.all() else kept.filter(pa.array(is_kept)),
        pa.concat_tables([faults, _build_broken(block, origin, rules, reading.times)]),
        rows=len(first) - int(is_blank.sum()) + len(block.broken),
        unread=int((is_unread & (first == 0) & ~is_blank).sum()),
        kwh_read=float(energy.sum()),
        kwh_rejected=float(energy[~is_kept].sum()),
    )


def _find_broken(times: Times, energies: tuple[Energies, Energies]) -> dict[str, NDArray[np.bool_]]:
    """Rows whose time or energies break each rule, in the order of the rules."""
    (taken, given), second = energies, times.second
    return {
        "timestamp_unreadable": second == NO_SECOND,
        "timestamp_skipped": times.is_skipped,
        "timestamp_out_of_range": (second < EARLIEST_SECOND) | (second >= LATEST_SECOND),
        "timestamp_off_grid": second % GRID_SECONDS != 0,
        "kwh_decimal_comma": taken.has_comma | given.has_comma,
        "kwh_not_a_number": taken.is_text | given.is_text,
        "kwh_not_finite": taken.is_infinite | given.is_infinite,
        "kwh_negative": (taken.kwh < 0) | (given.kwh < 0),
    }


def build_file_fault(name: str, rule: str, reason: str) -> pa.Table:
    """One fault for a file as a whole; the reason says what was found and what was wanted."""
    return pa.table([[name], [rule], [reason], [None], [None]], schema=FAULT_SCHEMA)


def _is_energy(reading: Reading) -> bool:
    """Whether the numbers are energies as they stand, and no totals or powers."""
    return not reading.marks & (RUNNING_TOTAL | DAILY | POWER)


def _read_energies(columns: pa.Table, name: str, origin: Origin, reading: Reading) -> Energies:
    if name not in columns.column_names:
        nothing = np.zeros(columns.num_rows, dtype=np.bool_)
        return Energies(np.full(columns.num_rows, np.nan), ~nothing, nothing, nothing, nothing)
    found = read_energies(columns[name], f"{origin.name}: column {name}", reading.decimal_comma, reading.unread)
    return found if reading.kwh_per_unit == 1.0 else found._replace(kwh=found.kwh * reading.kwh_per_unit)


def _build_faults(rows: pa.Table, places: list[str], rule: NDArray[np.str_], series: Any, wanted: Mapping[str, str]) -> pa.Table:
    texts = [[str(value) if value is not None else "" for value in rows[name].to_pylist()] for name in rows.column_names]
    raw = [",".join(parts)[:RAW_CHARS] for parts in zip(*texts, strict=True)]
    rules = rule.tolist()
    reasons = [write_fault(text, wanted[name]) for text, name in zip(raw, rules, strict=True)]
    return pa.table([places, rules, reasons, raw, series], schema=FAULT_SCHEMA)


def _build_broken(block: RawBlock, origin: Origin, limits: ReadingRules, times: TimeReading) -> pa.Table:
    raw = [text[:RAW_CHARS] for _, text, _ in block.broken]
    rules = [rule for _, _, rule in block.broken]
    places = [origin.place(line) for line, _, _ in block.broken]
    reasons = [write_fault(text, describe_rule(rule, limits, times)) for text, rule in zip(raw, rules, strict=True)]
    return pa.table([places, rules, reasons, raw, [None] * len(raw)], schema=FAULT_SCHEMA)
