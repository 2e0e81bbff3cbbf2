"""Reads the columns of a user's table, whatever type they have: names of series, times, energies."""

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.clock import trace_clock, utc_of_wall
from fmar_spark.errors import ConfigError
from fmar_spark.intake.decimals import parse_column
from fmar_spark.intake.intervals.options import DAY_FIRST, MONTH_FIRST, SWAPPED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NO_SECOND: Final = np.iinfo(np.int64).min
DAY_SECONDS: Final = 86_400
UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT"})
EXACT_IN_FLOAT: Final = {"float": 2**24, "double": 2**53, "halffloat": 2**11}
"""Whole numbers below these are exact."""
SCIENTIFIC: Final = r"^[0-9](?:[.,][0-9]+)?[eE][+]?[0-9]+$"
THOUSANDS: Final = r"^[-+]?[1-9][0-9]{0,2}(?:[.][0-9]{3})+(?:,[0-9]*)?$"
"""Whole groups of three digits behind each point."""

NAIVE, TWENTY_FOUR, DOUBLE, ZONED = 1, 2, 4, 128
"""Marks of a time: neither it nor the user names a zone; it says 24:00; the clock of its zone showed it twice; it names its zone."""


class Times(NamedTuple):
    """One entry a row."""

    second: Ints
    """Seconds since 1970 in UTC; ``NO_SECOND`` where unreadable."""
    marks: NDArray[np.uint8]
    is_skipped: Bools
    """The clock of the zone went forward over it."""


class Energies(NamedTuple):
    """One energy column as numbers, with what is wrong with it."""

    kwh: Floats
    is_empty: Bools
    is_text: Bools
    has_comma: Bools
    """A number with a decimal comma or a mark of thousands; it counts as text too."""
    is_infinite: Bools


class TimeReading(NamedTuple):
    """How times are read that do not say it themselves."""

    time_zone: str | None = None
    """IANA name of the clock of times without a zone; None = not stated, then UTC."""
    dates: str | None = None
    """One of ``options.DATES``; None = ISO 8601 only."""
    has_days: bool = False
    """Times were made of days that were read by ``dates`` before."""


def read_names(column: Any, where: str) -> tuple[pa.Array, Bools]:
    """Names as trimmed text, null where there is none; and which are numbers that a spreadsheet has shortened.

    An MPAN that was stored as a number has one name, whatever the type of its column: its digits.

    Raises:
        ConfigError: the column's numbers have lost digits.
    """
    column = flatten(column)
    kind = column.type
    if pa.types.is_floating(kind):
        numbers = np.asarray(pc.cast(column, pa.float64()).fill_null(np.nan), dtype=np.float64)
        known = numbers[~np.isnan(numbers)]
        if (known != np.round(known)).any() or (np.abs(known) >= EXACT_IN_FLOAT[str(kind)]).any():
            raise ConfigError(f"{where}: numbers of type {kind} found, which do not hold every digit; text wanted")
        column = pc.cast(pa.array(numbers, mask=np.isnan(numbers)), pa.int64())
    elif not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise ConfigError(f"{where}: type {kind} found; text, or whole numbers, wanted")
    names = pc.utf8_trim_whitespace(pc.cast(column, pa.string()))
    if not pa.types.is_string(kind):
        return names, np.zeros(len(names), dtype=np.bool_)
    distinct = names.dictionary_encode()
    texts = pc.replace_substring_regex(distinct.dictionary, r"^([0-9]{10,})[.]0+$", r"\1")
    shortened = np.asarray(pc.match_substring_regex(texts, SCIENTIFIC).fill_null(False), dtype=np.bool_)
    place = np.asarray(distinct.indices.fill_null(0), dtype=np.int64)
    is_shortened = shortened[place] if len(shortened) else np.zeros(len(names), dtype=np.bool_)
    return texts.take(distinct.indices), is_shortened & np.asarray(names.is_valid())


def read_times(column: Any, reading: TimeReading, where: str) -> Times:
    """Times in UTC.

    Raises:
        ConfigError: the column holds neither times nor text.
    """
    column = flatten(column)
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = pc.cast(pc.cast(column, pa.timestamp("us"), safe=False), pa.int64())
        second, is_naive = _whole_seconds(micros), np.full(len(column), getattr(kind, "tz", None) is None)
        is_24 = np.zeros(len(column), dtype=np.bool_)
    elif pa.types.is_string(kind):
        second, is_naive, is_24 = _parse_times(column, reading.dates)
    elif pa.types.is_null(kind):
        second, is_naive, is_24 = np.full(len(column), NO_SECOND), *(np.zeros(len(column), dtype=np.bool_) for _ in range(2))
    else:
        raise ConfigError(f"{where}: type {kind} found; times, or text in ISO 8601, wanted")
    is_read = second != NO_SECOND
    if reading.dates == SWAPPED and not reading.has_days:
        day = second // DAY_SECONDS
        second = np.where(is_read, swap_day_and_month(np.where(is_read, day, 0)) * DAY_SECONDS + second % DAY_SECONDS, second)
    is_local = is_naive & is_read & (reading.time_zone is not None and reading.time_zone not in UTC_NAMES)
    is_double, is_skipped = np.zeros(len(second), dtype=np.bool_), np.zeros(len(second), dtype=np.bool_)
    if reading.time_zone is not None and is_local.any():
        years = second[is_local].astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970
        clock = trace_clock(max(1970, int(years.min()) - 1), min(2100, int(years.max()) + 1), reading.time_zone)
        found = utc_of_wall(second[is_local], clock)
        second = second.copy()
        second[is_local], is_double[is_local], is_skipped[is_local] = found
    marks = NAIVE * (is_naive & (reading.time_zone is None)) + TWENTY_FOUR * is_24 + DOUBLE * is_double + ZONED * (~is_naive & is_read)
    return Times(second, marks.astype(np.uint8), is_skipped)


def read_energies(column: Any, where: str, decimal_comma: bool = False, unread: frozenset[str] = frozenset()) -> Energies:
    """Numbers of an energy column; null is empty, and so is NaN in a column of numbers.

    Raises:
        ConfigError: the column holds neither numbers nor text.
    """
    column = flatten(column)
    kind = column.type
    if pa.types.is_string(kind):
        return _parse_energies(column, decimal_comma, unread)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)):
        raise ConfigError(f"{where}: type {kind} found, numbers wanted")
    numbers = np.asarray(pc.cast(column, pa.float64(), safe=False).fill_null(np.nan), dtype=np.float64)
    nothing = np.zeros(len(numbers), dtype=np.bool_)
    is_infinite = np.isinf(numbers)
    return Energies(np.where(is_infinite, np.nan, numbers), np.isnan(numbers), nothing, nothing, is_infinite)


def swap_day_and_month(days: Ints) -> Ints:
    """Days since 1970 with day and month swapped wherever the day is 12 or lower."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    day = (dates - months).astype(np.int64) + 1
    month = months.astype(np.int64) % 12 + 1
    january = months.astype("datetime64[Y]").astype("datetime64[M]")
    turned = (january + (day - 1)).astype("datetime64[D]").astype(np.int64) + month - 1
    return np.where(day <= 12, turned, days)


def flatten(column: Any) -> Any:
    """One array of a plain type: dictionaries decoded, views and large or binary text as text."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    is_view = pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)
    if is_view or pa.types.is_large_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pc.cast(column, pa.string())
    return column


def _parse_times(column: Any, dates: str | None) -> tuple[Ints, Bools, Bools]:
    """Seconds as the clock shows them, which name no zone, and which say 24:00."""
    text = pc.utf8_trim_whitespace(column)
    if dates in (DAY_FIRST, MONTH_FIRST):
        text = _put_year_first(text, dates)
    quick = _cast_times(text)
    if quick is not None:
        return *quick, np.zeros(len(text), dtype=np.bool_)
    is_24 = np.asarray(pc.match_substring_regex(text, r"[T ]24:00").fill_null(False), dtype=np.bool_)
    text = pc.replace_substring_regex(text, r"([T ])24:00", r"\100:00")
    text = pc.replace_substring_regex(text, r"[.]0+$", "")
    quick = _cast_times(text)
    second, is_naive = quick if quick is not None else _parse_mixed_times(text)
    return np.where(is_24 & (second != NO_SECOND), second + DAY_SECONDS, second), is_naive, is_24


def _cast_times(text: Any) -> tuple[Ints, Bools] | None:
    """Seconds and which name no zone, where all texts are of one kind."""
    for zone in ("UTC", None):
        try:
            micros = pc.cast(pc.cast(text, pa.timestamp("us", zone)), pa.int64())
        except pa.ArrowInvalid:
            continue
        return _whole_seconds(micros), np.full(len(text), zone is None)
    return None


def _parse_mixed_times(text: Any) -> tuple[Ints, Bools]:
    words = text.to_pandas()
    times = pd.to_datetime(words, format="ISO8601", utc=True, errors="coerce")
    seconds = times.dt.tz_localize(None).to_numpy(dtype="datetime64[s]").astype(np.int64)
    seconds = np.where(times.isna().to_numpy(), NO_SECOND, seconds)
    has_zone = words.str.contains(r"(?:[zZ]|[+-]\d{2}:?\d{2})$", regex=True, na=False).to_numpy(dtype=bool)
    return seconds, ~has_zone & (seconds != NO_SECOND)


def _put_year_first(text: Any, dates: str) -> Any:
    """``1/2/2024 7:00`` as ``2024-02-01 07:00`` (day first) or ``2024-01-02 07:00``."""
    text = pc.replace_substring_regex(text, r"^([0-9][/.-])", r"0\1")
    text = pc.replace_substring_regex(text, r"^([0-9]{2}[/.-])([0-9][/.-])", r"\10\2")
    order = r"\3-\2-\1" if dates == DAY_FIRST else r"\3-\1-\2"
    text = pc.replace_substring_regex(text, r"^([0-9]{2})[/.-]([0-9]{2})[/.-]([0-9]{4})", order)
    return pc.replace_substring_regex(text, r"([T ])([0-9]):", r"\10\2:")


def _parse_energies(column: Any, decimal_comma: bool, unread: frozenset[str]) -> Energies:
    column = pc.utf8_trim_whitespace(column)
    is_nothing = pc.equal(column, "")
    if unread:
        is_nothing = pc.or_(is_nothing, pc.is_in(pc.utf8_lower(column), pa.array(sorted(unread))))
    column = pc.if_else(is_nothing, pa.scalar(None, pa.string()), column)
    is_empty = np.asarray(pc.is_null(column))
    nothing = np.zeros(len(is_empty), dtype=np.bool_)
    is_odd = nothing
    if decimal_comma:
        column, is_odd = _put_point(column)
    try:
        numbers = np.asarray(pc.cast(column, pa.float64()), dtype=np.float64)
        is_text, has_comma = is_odd, nothing
    except pa.ArrowInvalid:
        words = column.to_pandas()
        numbers = parse_column(words).to_numpy(dtype=np.float64)
        is_text = is_odd | np.isnan(numbers) & ~is_empty & (words.str.strip().str.lower() != "nan").to_numpy(dtype=bool)
        has_comma = is_text & words.str.fullmatch(r"[-+]?[0-9.]*,[0-9.,]*", na=False).to_numpy(dtype=bool)
    is_infinite = ~np.isfinite(numbers) & ~is_empty & ~is_text
    return Energies(np.where(is_empty | is_text | is_infinite, np.nan, numbers), is_empty, is_text, has_comma, is_infinite)


def _put_point(column: Any) -> tuple[Any, Bools]:
    """Numbers with a decimal comma as numbers with a point, and which have a point that is no mark of thousands."""
    is_grouped = pc.match_substring_regex(column, THOUSANDS)
    has_point = pc.match_substring(column, ".")
    column = pc.if_else(is_grouped, pc.replace_substring(column, ".", ""), column)
    is_odd = np.asarray(pc.and_not(has_point, is_grouped).fill_null(False), dtype=np.bool_)
    return pc.replace_substring(column, ",", "."), is_odd


def _whole_seconds(micros: Any) -> Ints:
    """Whole seconds; a stamp with a fraction of a second becomes an odd second, which lies on no grid."""
    values = np.asarray(micros.fill_null(NO_SECOND), dtype=np.int64)
    whole = values // 1_000_000
    return np.where(values == NO_SECOND, NO_SECOND, np.where(values % 1_000_000 == 0, whole, whole | 1))
