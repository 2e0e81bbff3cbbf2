"""Reads exports of Ausgrid's solar homes: a row for each customer, day and category, which together are what the connection sees."""

import csv
import io
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from fmar_spark.errors import ConfigError
from fmar_spark.intake.intervals.csv_records import read_heading
from fmar_spark.intake.intervals.files import InputFile, read_blocks
from fmar_spark.intake.intervals.options import MONTH_FIRST, SWAPPED
from fmar_spark.intake.intervals.rows import RawBlock, Reading
from fmar_spark.intake.intervals.undated import find_days_of_undated
from fmar_spark.intake.intervals.values import DAY_SECONDS, NO_SECOND, read_energies, swap_day_and_month
from fmar_spark.intake.intervals.wide import DAY_MINUTES

SIGN_OF_CATEGORY: Final = {"GC": 1.0, "CL": 1.0, "GG": -1.0}
"""General consumption and controlled load are drawn, gross generation is given: the connection sees the difference."""
MAIN_CATEGORY, GENERATION = "GC", "GG"
NAMED_MONTHS: Final = ("%d-%b-%y", "%d-%b-%Y")
NUMBERED_MONTHS: Final = {None: ("%d/%m/%Y", "%Y-%m-%d"), MONTH_FIRST: ("%m/%d/%Y", "%Y-%m-%d")}
"""Forms of dates that exports are met with, day first unless the user states the other order."""
KEYS: Final = ("customer", "consumption category", "date")
ENDS: Final = (*range(30, DAY_MINUTES, 30), DAY_MINUTES)
"""Minute of the day at which each half-hour ends."""
MOST_CHARS: Final = 10_000
"""Of a line that makes no row; more is not looked at."""
NO_DAY: Final = np.iinfo(np.int64).min
NAMES: Final = tuple(f"{at // 60 % 24}:{at % 60:02d}" for at in ENDS)


class _Cells(NamedTuple):
    """What stands in the half-hours of each row, arrays of shape (rows, 48)."""

    kwh: NDArray[np.float64]
    """NaN where nothing was read, or nothing can be."""
    is_faulty: NDArray[np.bool_]
    """No energy."""

    @property
    def is_null(self) -> NDArray[np.bool_]:
        """Rows of which no cell was read, shape (rows,)."""
        return np.asarray((np.isnan(self.kwh) & ~self.is_faulty).all(axis=1))


def read_ausgrid(file: InputFile, reading: Reading) -> Iterator[RawBlock]:
    """Half-hours of customers: what was drawn less what was made, in one row a half-hour.

    A half-hour of which a category is empty was not read, nor a day without a category that its customer has before and after or whose row
    was rejected, nor one without general consumption where its customer has any; such a day is named by its first line. Each cell that is
    no energy is a row of its own, with its text, and its half-hour has no other. A day that is there twice is two days of the same
    customer. The import of a customer of generation alone was not read.

    Raises:
        ConfigError: a column is missing, or a category is unknown.
        InputError: the file cannot be read, or not to its end.
    """
    blocks = list(read_blocks(file, (*KEYS, *NAMES)))
    if not blocks:
        return
    rows = pa.concat_tables([block.columns for block in blocks])
    line = np.concatenate([block.line for block in blocks])
    broken = [fault for block in blocks for fault in block.broken]
    keys = _read_keys(rows, reading.times.dates).assign(line=line)
    sign = _read_signs(file, keys["consumption category"], line)
    is_dated = (keys["midnight"] != NO_SECOND).to_numpy()
    unread = keys.loc[~is_dated, list(KEYS)]
    undated = [f"customer {whose} {kind}: date {date!r}" for whose, kind, date in unread.itertuples(index=False, name=None)]
    lost = _find_lost(keys, _read_broken(file, broken, keys, reading.times.dates))
    broken += [(number, text, "customer_date") for number, text in zip(line[~is_dated].tolist(), undated, strict=True)]
    rows, line, sign, keys = rows.filter(pa.array(is_dated)), line[is_dated], sign[is_dated], keys[is_dated].reset_index(drop=True)
    cells = _read_cells(file, rows, reading)
    # The second row of a category on a day belongs to a second copy of the day, and so does one of which nothing was read.
    by_read = keys.iloc[np.argsort(cells.is_null, kind="stable")]
    copy = by_read.groupby(["customer", "consumption category", "midnight"], sort=False, dropna=False).cumcount().sort_index()
    day = keys.groupby(["customer", "midnight", copy], sort=False, dropna=False).ngroup().to_numpy()
    order = np.argsort(day, kind="stable")
    first = np.flatnonzero(np.diff(day[order], prepend=-1))
    midnight = keys["midnight"].to_numpy()
    net = np.add.reduceat(cells.kwh[order] * sign[order, None], first, axis=0) if len(first) else cells.kwh
    is_faulty = np.logical_or.reduceat(cells.is_faulty[order], first, axis=0) if len(first) else cells.is_faulty
    customer = keys["customer"].to_numpy()
    for number, lacks in _find_partial(keys.assign(day=day), lost).items():
        net[number] = np.nan
        lead = order[first][number]
        row = "row" if copy[lead] == 0 else "further row"
        said = f"customer {customer[lead]} {keys['date'][lead]}: no {row} of {' or '.join(lacks)}"
        broken.append((int(line[lead]), said, "category_missing"))
    at, slot = np.nonzero(~is_faulty)
    lead = order[first][at]
    kwh = net[at, slot]
    is_drawing = (keys["consumption category"].str.upper() != GENERATION).groupby(keys["customer"], sort=False).transform("any").to_numpy()
    taken = np.where(is_drawing[lead], np.maximum(kwh, 0), np.nan)
    yield RawBlock(_build_rows(customer[lead], midnight[lead], slot, taken, np.maximum(-kwh, 0)), line[lead], broken)
    at, slot = np.nonzero(cells.is_faulty)
    if at.size:
        texts = np.array([str(rows[NAMES[place]][row]) for row, place in zip(at.tolist(), slot.tolist(), strict=True)], dtype=object)
        yield RawBlock(_build_rows(customer[at], midnight[at], slot, texts), line[at], [])


def _read_keys(rows: pa.Table, dates: str | None) -> pd.DataFrame:
    """Customer, category and date of each row as they stand there, and midnight."""
    keys = pd.DataFrame({name: rows[name].cast(pa.string()).to_pandas().fillna("").str.strip() for name in KEYS})
    return keys.assign(midnight=_read_dates(keys["date"], dates))


def _read_broken(file: InputFile, broken: list[tuple[int, str, str]], keys: pd.DataFrame, dates: str | None) -> pd.DataFrame:
    """Customer, category, midnight and line of the lines that make no row, where their text has a customer.

    A line that does not name its category is there for each that its customer has.
    """
    if not broken:
        return keys.iloc[:0]
    heading = read_heading(file.path)
    own = set(zip(keys["customer"], keys["consumption category"].str.upper(), strict=True))
    rows = []
    for number, text, rule in broken:
        # A row with a byte that is no text is shown by the columns that were asked for.
        names, delimiter = ((*KEYS, *NAMES), ",") if rule == "text_undecodable" else (heading.names, heading.delimiter)
        fields = next(csv.reader(io.StringIO(text[:MOST_CHARS]), delimiter=delimiter), [])
        named = dict.fromkeys(KEYS, "") | {name: field.strip() for name, field in zip(names, fields, strict=False) if name in KEYS}
        customer, kind, date = (named[name] for name in KEYS)
        kinds = [kind] if kind.upper() in SIGN_OF_CATEGORY else [one for one in SIGN_OF_CATEGORY if (customer, one) in own]
        rows += [(customer, one, date, number) for one in kinds if customer]
    found = pd.DataFrame(rows, columns=[*KEYS, "line"]).astype(dict.fromkeys(KEYS, object))
    return found.assign(midnight=_read_dates(found["date"], dates))


def _find_lost(keys: pd.DataFrame, broken: pd.DataFrame) -> pd.DataFrame:
    """Customer, category and midnight of rows that were rejected; of those without a readable date, of each day that they may be of."""
    if broken.empty and (keys["midnight"] != NO_SECOND).all():
        return pd.DataFrame({"customer": [], "category": [], "midnight": []}).astype({"customer": object, "midnight": np.int64})
    named = pd.concat([keys.assign(is_broken=False), broken.assign(is_broken=True)]).sort_values("line", kind="stable")
    named = named.assign(category=named["consumption category"].str.upper(), is_dated=named["midnight"] != NO_SECOND)
    lost = named.loc[named["is_broken"] & named["is_dated"], ["customer", "category", "midnight"]]
    undated = named.loc[~named["is_dated"], ["customer", "category"]].drop_duplicates()
    days = {str(whose): sorted(set(own)) for whose, own in keys.loc[keys["midnight"] != NO_SECOND].groupby("customer")["midnight"]}
    places = [
        (whose, kind, day)
        for (whose, kind), own in named.merge(undated, on=["customer", "category"]).groupby(["customer", "category"])
        for day in find_days_of_undated([None if day == NO_SECOND else day for day in own["midnight"].tolist()], days.get(str(whose), []))
    ]
    return pd.concat([lost, pd.DataFrame(places, columns=["customer", "category", "midnight"]).astype(lost.dtypes)]).drop_duplicates()


def _find_partial(rows: pd.DataFrame, lost: pd.DataFrame) -> dict[int, list[str]]:
    """Categories that days lack and their customer has before and after, or general consumption that they have at all, by number of day.

    Args:
        rows: customer, consumption category, midnight and day, its number.
        lost: customer, category and midnight of rows that were rejected: their day lacks the category too.
    """
    category = rows["consumption category"].str.upper()
    named = rows.assign(category=category)
    spans = named.groupby(["customer", "category"])["midnight"].agg(["min", "max"]).reset_index()
    days = named.groupby("day").agg(customer=("customer", "first"), midnight=("midnight", "first")).reset_index()
    wanted = days.merge(spans, on="customer", how="inner")
    is_wanted = wanted["midnight"].between(wanted["min"], wanted["max"]) | (wanted["category"] == MAIN_CATEGORY)
    there = set(zip(named["day"], named["category"], strict=True))
    places = pd.concat([wanted.loc[is_wanted, ["day", "category"]], days.merge(lost, on=["customer", "midnight"])[["day", "category"]]])
    found: dict[int, list[str]] = {}
    for number, one in places.drop_duplicates().sort_values(["day", "category"]).itertuples(index=False, name=None):
        if (number, one) not in there:
            found.setdefault(int(number), []).append(str(one))
    return found


def _read_signs(file: InputFile, categories: "pd.Series[str]", line: NDArray[np.int64]) -> NDArray[np.float64]:
    sign = np.asarray(categories.str.upper().map(SIGN_OF_CATEGORY), dtype=np.float64)
    unknown = np.flatnonzero(np.isnan(sign))
    if unknown.size:
        found = categories.iloc[unknown[0]]
        wanted = "GC (general consumption), CL (controlled load) or GG (gross generation)"
        raise ConfigError(f"{file.name}:{line[unknown[0]]}: category {found!r} found; {wanted} wanted")
    return sign


def _read_cells(file: InputFile, rows: pa.Table, reading: Reading) -> _Cells:
    columns = [read_energies(rows[name], f"{file.name}: column {name}", reading.decimal_comma, reading.unread) for name in NAMES]
    kwh = np.stack([column.kwh for column in columns], axis=1)
    is_faulty = np.stack([column.is_text | column.is_infinite for column in columns], axis=1)
    return _Cells(kwh, is_faulty | (kwh < 0))


def _build_rows(
    customer: NDArray[np.object_], midnight: NDArray[np.int64], slot: NDArray[np.int64], *energies: NDArray[np.generic]
) -> pa.Table:
    second = np.where(midnight == NO_SECOND, 0, midnight) + 60 * np.asarray(ENDS)[slot]
    stamps = pa.array(second * 1_000_000, mask=midnight == NO_SECOND).cast(pa.timestamp("us"))
    named = dict(zip(("kwh_import", "kwh_export"), energies, strict=False))
    return pa.table({"series_id": pa.array(customer, pa.string()), "timestamp_utc": stamps, **named})


def _read_dates(texts: "pd.Series[str]", dates: str | None) -> NDArray[np.int64]:
    """Midnights in seconds since 1970, the least integer where unreadable. Each text is of one form at most.

    Args:
        texts: one a row.
        dates: one of ``options.DATES``, where the user states it.
    """
    place, distinct = pd.factorize(texts)
    named, numbered = (
        _match_dates(pd.Series(distinct, dtype=object), patterns)
        for patterns in (NAMED_MONTHS, NUMBERED_MONTHS[dates if dates == MONTH_FIRST else None])
    )
    if dates == SWAPPED:
        numbered = np.where(numbered == NO_DAY, NO_DAY, swap_day_and_month(np.where(numbered == NO_DAY, 0, numbered)))
    day = np.where(named == NO_DAY, numbered, named)
    return np.where(day == NO_DAY, NO_SECOND, np.where(day == NO_DAY, 0, day) * DAY_SECONDS)[place]


def _match_dates(texts: "pd.Series[str]", patterns: tuple[str, ...]) -> NDArray[np.int64]:
    """Days since 1970 of texts of one of the patterns, else ``NO_DAY``."""
    found = np.full(len(texts), NO_DAY)
    for pattern in patterns:
        days = pd.to_datetime(texts, format=pattern, errors="coerce").to_numpy(dtype="datetime64[D]")
        found = np.where(np.isnat(days), found, days.astype(np.int64))
    return found
