"""Half-hourly truth of single meters from a user's files: sub-metered energies, or a list of events."""

import logging
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.words import Direction
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.decimals import parse_column
from fmar_spark.intake.intervals.files import InputFile, list_columns, read_blocks
from fmar_spark.intake.intervals.rows import RULES, check_columns
from fmar_spark.intake.intervals.values import NAIVE, NO_SECOND, TimeReading, read_times
from fmar_spark.kernels.window import Bools, Floats, Ints
from fmar_spark.learning.event_scores import Episodes, join_episodes
from fmar_spark.units import SLOT_MINUTES

ENERGIES: Final = {
    column: (asset, direction is Direction.IMPORT) for asset, facts in ASSET_FACTS.items() for column, direction in facts.submeters
}
"""Column of a sub-metered file -> class, and whether it is import (for demand response: load reduced)."""
EVENT_COLUMNS: Final = ("event_start_utc", "event_end_utc")
HIGH_PRICE_LEVEL: Final = "high"
"""Of a list with a column ``level`` (of a price), only these are events: load is reduced while the price is high."""
RUNNING_SHARE: Final = 0.03
"""A half-hour runs where the asset takes more than this share of its largest half-hour."""
STEPS: Final = (15, 30, 60)
UNKNOWN: Final = frozenset({"", "nan", "na", "null"})

_log = logging.getLogger(__name__)


class TrueRuns(NamedTuple):
    """Episodes of one class of one meter, and the half-hours of which the truth is known."""

    mpan_id: str
    asset: AssetClass
    episodes: Episodes
    """``meter`` is 0 throughout."""
    known_slot: Ints
    """Half-hours since 1970, each once."""


def read_true_runs(argument: str, mpan_of: dict[str, str]) -> list[TrueRuns]:
    """What a file says: ``SERIES=FILE``, or ``FILE`` with a column series_id.

    A file of energies has ``timestamp_utc`` (interval start) and one or more of ``ENERGIES``, kWh of the asset alone in steps
    of 15, 30 or 60 minutes, empty where unknown. A list of events has ``event_start_utc, event_end_utc`` and may have
    ``asset_class`` (default demand_response) and ``level``; between the first and the last event it is complete.

    Args:
        argument: as given.
        mpan_of: MPAN of a series id or of itself.

    Raises:
        ConfigError: neither format, or a time or number that cannot be read; the message names the line.
        InputError: no such file, one that cannot be read or has no rows, or a series that is not in the lake.
    """
    series, separator, name = argument.rpartition("=")
    path = Path(name)
    if not path.is_file():
        raise InputError(f"--truth: {name}: no such file")
    rows = _read_rows(InputFile(path, path.name))
    if separator:
        rows = rows.assign(series_id=series)
    elif "series_id" not in rows:
        raise ConfigError(f"--truth: {path.name}: no column series_id; write SERIES={name}")
    found = []
    for one, mine in rows.groupby("series_id", sort=True):
        if str(one) not in mpan_of:
            raise InputError(f"--truth: {one}: no such series or MPAN in the lake")
        read = _read_events if set(EVENT_COLUMNS) <= set(rows) else _read_energies
        found += read(path.name, mpan_of[str(one)], mine)
    return found


def _read_rows(file: InputFile) -> pd.DataFrame:
    """All columns as the file has them, by place of the row in it; a field without text is null."""
    columns = list_columns(file)
    check_columns(file.name, tuple(dict.fromkeys(columns)), columns)
    parts = []
    for block in read_blocks(file, tuple(columns), ()):
        if block.broken:
            line, _, rule = block.broken[0]
            raise ConfigError(f"--truth: {file.origin.place(line)}: {RULES[rule]} wanted")
        parts.append(block.columns.to_pandas().set_axis([file.origin.place(line) for line in block.line.tolist()]))
    rows = pd.concat(parts) if parts else pd.DataFrame()
    if rows.empty:
        raise InputError(f"--truth: {file.name}: no rows under the header")
    return rows


def _read_energies(file: str, mpan_id: str, rows: pd.DataFrame) -> list[TrueRuns]:
    columns = [name for name in ENERGIES if name in rows]
    if "timestamp_utc" not in rows or not columns:
        wanted = f"timestamp_utc and one of {', '.join(ENERGIES)}, or {', '.join(EVENT_COLUMNS)}"
        raise ConfigError(f"--truth: {file}: found {', '.join(map(str, rows))}; {wanted} wanted")
    minutes = _to_minutes(file, rows["timestamp_utc"])
    energies = {name: _to_energies(rows[name]) for name in columns}
    ordered = pd.DataFrame({"minutes": minutes, **energies}, index=rows.index).drop_duplicates().sort_values("minutes", kind="stable")
    if ordered["minutes"].duplicated().any():
        raise ConfigError(f"--truth: {ordered.index[ordered['minutes'].duplicated()][0]}: a second energy for the same time")
    step = int(np.median(np.diff(ordered["minutes"].to_numpy()))) if len(ordered) > 1 else SLOT_MINUTES
    if step not in STEPS:
        raise ConfigError(f"--truth: {file}: steps of {step} minutes found; 15, 30 or 60 wanted")
    parts: dict[AssetClass, list[tuple[Episodes, Ints]]] = {}
    for name in columns:
        asset, is_import = ENERGIES[name]
        slot, kwh = _place_half_hours(ordered["minutes"].to_numpy(), ordered[name].to_numpy(dtype=np.float64), step)
        known = ~np.isnan(kwh)
        parts.setdefault(asset, []).append((_find_runs(slot[known], kwh[known], is_import), slot[known]))
    return [
        TrueRuns(mpan_id, asset, join_episodes([runs for runs, _ in mine]), np.unique(np.concatenate([slot for _, slot in mine])))
        for asset, mine in parts.items()
    ]


def _read_events(file: str, mpan_id: str, rows: pd.DataFrame) -> list[TrueRuns]:
    start, end = (_to_minutes(file, rows[name]) // SLOT_MINUTES for name in EVENT_COLUMNS)
    if (end <= start).any():
        raise ConfigError(f"--truth: {rows.index[end <= start][0]}: ends in the half-hour in which it begins, or before")
    known = np.arange(start.min(), end.max())
    if "level" in rows:
        wanted = rows["level"].astype(str).str.lower().to_numpy() == HIGH_PRICE_LEVEL
        rows, start, end = rows[wanted], start[wanted], end[wanted]
    classes = rows["asset_class"].to_numpy() if "asset_class" in rows else np.full(len(rows), AssetClass.DEMAND_RESPONSE.value)
    unknown = sorted({str(name) for name in classes} - set(ASSET_CLASSES))
    if unknown:
        raise ConfigError(f"--truth: {file}: asset_class {unknown[0]!r} found, one of {', '.join(ASSET_CLASSES)} wanted")
    found = []
    for name in sorted(set(classes)):
        mine = classes == name
        nothing = np.full(int(mine.sum()), np.nan)
        episodes = Episodes(np.zeros(mine.sum(), dtype=np.int64), start[mine], end[mine], nothing, np.ones(mine.sum(), dtype=np.bool_))
        found.append(TrueRuns(mpan_id, AssetClass(name), episodes, known))
    return found


def _to_minutes(file: str, times: pd.Series) -> Ints:
    """Minutes since 1970; a time that names no zone is UTC, and that is said."""
    if times.isna().any():
        raise ConfigError(f"--truth: {times.index[times.isna()][0]}: {times.name} is empty, a time wanted")
    read = read_times(pa.array(times), TimeReading(), f"--truth: {file}: column {times.name}")
    unreadable = np.flatnonzero(read.second == NO_SECOND)
    if len(unreadable):
        found = times.iloc[unreadable[0]]
        raise ConfigError(f"--truth: {times.index[unreadable[0]]}: {times.name} is {found!r}, ISO 8601 such as 2024-03-31T00:30:00Z wanted")
    naive = int(((read.marks & NAIVE) != 0).sum())
    if naive:
        _log.warning("--truth: %s: %s without a zone in %s, taken as UTC", file, write_count(naive, "time"), times.name)
    return read.second // 60


def _to_energies(column: pd.Series) -> Floats:
    """kWh, NaN where the field is empty or says so."""
    is_given = ~(column.isna() | column.astype(str).str.strip().str.lower().isin(UNKNOWN))
    kwh = np.asarray(parse_column(column.where(is_given)), dtype=np.float64)
    wrong = is_given.to_numpy() & ~np.isfinite(kwh)
    if wrong.any():
        raise ConfigError(f"--truth: {column.index[wrong][0]}: {column.name} is {column[wrong].iloc[0]!r}, a number wanted")
    return kwh


def _place_half_hours(minutes: Ints, kwh: Floats, step: int) -> tuple[Ints, Floats]:
    """Energy of each half-hour: hours are split into halves, quarters of an hour summed."""
    slot = minutes // SLOT_MINUTES
    if step > SLOT_MINUTES:
        return np.concatenate([slot, slot + 1]), np.concatenate([kwh, kwh]) / 2
    unique, place = np.unique(slot, return_inverse=True)
    return unique, np.asarray(np.bincount(place, weights=kwh, minlength=len(unique)), dtype=np.float64)


def _find_runs(slot: Ints, kwh: Floats, is_import: bool) -> Episodes:
    order = np.argsort(slot)
    slot, kwh = slot[order], kwh[order]
    running: Bools = kwh > RUNNING_SHARE * kwh.max(initial=0.0)
    slot, kwh = slot[running], kwh[running]
    first = np.flatnonzero(np.diff(slot, prepend=-10) != 1)
    energy = np.add.reduceat(kwh, first) if first.size else np.zeros(0)
    last = np.append(first[1:], len(slot)) - 1
    return Episodes(np.zeros(first.size, dtype=np.int64), slot[first], slot[last] + 1, energy, np.full(first.size, is_import))
