"""Reads a weather file into UTC days of 48 half-hours by area."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.files import InputFile, find_files, list_columns, read_blocks
from fmar_spark.intake.intervals.rows import RawBlock
from fmar_spark.intake.intervals.series import SLOT_SECONDS, list_by_day
from fmar_spark.intake.intervals.values import NAIVE, NO_SECOND, TimeReading, read_energies, read_names, read_times

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ALIASES: Final = {
    "temp_c": ("temp_c", "air_temperature_c", "temperature_c", "tempc"),
    "ghi_w_m2": ("ghi_w_m2", "global_irradiance_wm2", "ghi_wm2"),
}
"""Other names that are understood for the two quantities; the first of each is the one that is wanted."""
COLUMNS: Final = "timestamp_utc, temp_c[, ghi_w_m2][, series_id]"
OWNERS: Final = ("weather_area", "series_id")
MAX_BRIDGED_SLOTS: Final = 4
"""Two hours: further apart, what lies between two readings stays unknown."""
COLDEST_C, HOTTEST_C = -60.0, 60.0
MOST_W_M2: Final = 1500.0
"""A little above the solar constant: more cannot reach the ground for half an hour."""
MOST_KW_M2: Final = 4.0
"""Days on which no half-hour has more are none in W/m2; hourly energies in MJ/m2 stay under it too."""
LEAST_SHINING: Final = 48
IMPLAUSIBLE_SHARE: Final = 0.05
SHARED_PREFIX: Final = "import:"
SERIES_PREFIX: Final = "series:"

WEATHER_SCHEMA: Final = pa.schema(
    [
        ("weather_area", pa.string()),
        ("utc_date", pa.date32()),
        ("temp_c", pa.list_(pa.float32())),
        ("ghi_w_m2", pa.list_(pa.float32())),
        ("source", pa.string()),
    ]
)


class WeatherFile(NamedTuple):
    """What a weather file holds."""

    days: pa.Table
    """Format of ``WEATHER_SCHEMA``."""
    shared_area: str | None
    """Area for all series, where the file names none."""
    series: frozenset[str]
    """Series that have weather of their own."""
    rows: int
    ignored: int
    """Rows without a readable time, or outside what weather can be."""
    naive: int = 0
    """Rows whose time names no zone and is taken as UTC."""

    def area_of(self, series_id: str) -> str | None:
        """The area that a series takes its weather from."""
        return f"{SERIES_PREFIX}{series_id}" if series_id in self.series else self.shared_area


class _Rows(NamedTuple):
    """Rows of weather files: parallel arrays."""

    area: NDArray[np.object_]
    second: Ints
    is_naive: Bools
    values: Floats
    """Shape (quantities, rows)."""
    file: Ints
    line: Ints


def read_weather(path: Path, source: str = "") -> WeatherFile:
    """Weather of one file or folder: finer steps are averaged into half-hours, coarser ones interpolated up to two hours.

    Raises:
        ConfigError: a wanted column is missing, the numbers are in other units, or two rows contradict each other.
        InputError: there is nothing to read.
    """
    parts, owner_kind, broken = [], "", 0
    files = find_files(path)
    for number, file in enumerate(files):
        names = _match_columns(file)
        owner_kind = next((name for name in OWNERS if name in names), "")
        for block in read_blocks(file, tuple(names.values())):
            broken += len(block.broken)
            parts.append(_read_block(block, names, owner_kind, (path, file, number)))
    if not sum(len(part.second) for part in parts):
        raise InputError(f"{path.name}: no weather rows found")
    rows = _Rows(*(np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)))
    _check_repeats(rows, files)
    temp_c, ghi_w_m2 = _clean(path, rows.values[0], rows.values[1])
    is_usable = (rows.second != NO_SECOND) & ~(np.isnan(temp_c) & np.isnan(ghi_w_m2))
    days = _build_days(rows.area[is_usable], rows.second[is_usable], np.stack([temp_c, ghi_w_m2])[:, is_usable], source or path.name)
    own = frozenset(str(name).removeprefix(SERIES_PREFIX) for name in np.unique(rows.area[is_usable]) if owner_kind == "series_id")
    shared = None if owner_kind else f"{SHARED_PREFIX}{path.stem}"
    return WeatherFile(days, shared, own, len(rows.second) + broken, int((~is_usable).sum()) + broken, int(rows.is_naive.sum()))


def _read_block(block: RawBlock, names: dict[str, str], owner_kind: str, origin: tuple[Path, InputFile, int]) -> _Rows:
    path, file, number = origin
    columns = {name: block.columns[stored] for name, stored in names.items()}
    where = {name: f"{file.name}: column {stored}" for name, stored in names.items()}
    times = read_times(columns["timestamp_utc"], TimeReading(), where["timestamp_utc"])
    count = len(times.second)
    owner = np.full(count, "", dtype=object)
    if owner_kind:
        owner = read_names(columns[owner_kind], where[owner_kind])[0].fill_null("").to_numpy(zero_copy_only=False)
    values = [read_energies(columns[name], where[name]).kwh if name in columns else np.full(count, np.nan) for name in ALIASES]
    is_naive = (times.marks & NAIVE) != 0
    return _Rows(_name_areas(owner, owner_kind, path), times.second, is_naive, np.stack(values), np.full(count, number), block.line)


def _check_repeats(rows: _Rows, files: list[InputFile]) -> None:
    """Nothing happens where every row of one place and time says the same.

    Raises:
        ConfigError: two do not; both lines are named.
    """
    code = np.unique(rows.area.astype(str), return_inverse=True)[1]
    order = np.lexsort((rows.line, rows.file, rows.second, code))
    first, second = order[:-1], order[1:]
    is_again = (code[first] == code[second]) & (rows.second[first] == rows.second[second]) & (rows.second[first] != NO_SECOND)
    before, after = rows.values[:, first], rows.values[:, second]
    contradicts = is_again & ~((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=0)
    if contradicts.any():
        at = int(np.flatnonzero(contradicts)[0])
        earlier, later = (files[rows.file[row]].origin.place(int(rows.line[row])) for row in (first[at], second[at]))
        raise ConfigError(f"{later}: other weather found than in {earlier} for the same time; one row a time and place wanted")


def bridge_gaps(values: Floats, max_slots: int = MAX_BRIDGED_SLOTS) -> Floats:
    """Fill NaN between two known slots that are at most ``max_slots`` apart by a straight line; and one slot after the last."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == 0:
        return values
    slots = np.arange(len(values))
    line = np.interp(slots, known, values[known])
    after = known[np.minimum(np.searchsorted(known, slots, side="left"), len(known) - 1)]
    before = known[np.maximum(np.searchsorted(known, slots, side="right") - 1, 0)]
    is_inside = (before <= slots) & (slots <= after) & (after - before <= max_slots)
    is_next = (slots == before + 1) & (before < slots)
    return np.where(is_inside | is_next, line, np.nan)


def _match_columns(file: InputFile) -> dict[str, str]:
    found = list_columns(file)
    names = {"timestamp_utc": "timestamp_utc"} if "timestamp_utc" in found else {}
    for wanted, known in ALIASES.items():
        present = [name for name in known if name in found]
        if present:
            names[wanted] = present[0]
    names.update({owner: owner for owner in OWNERS if owner in found})
    if "timestamp_utc" not in names or "temp_c" not in names:
        others = ", ".join(name for group in ALIASES.values() for name in group[1:])
        raise ConfigError(f"{file.name}: columns {', '.join(found)} found; {COLUMNS} wanted (also understood: {others})")
    return names


def _name_areas(owner: NDArray[np.object_], owner_kind: str, path: Path) -> NDArray[np.object_]:
    if owner_kind == "weather_area":
        return owner.astype(object)
    if owner_kind == "series_id":
        return np.asarray([f"{SERIES_PREFIX}{str(name).strip()}" for name in owner], dtype=object)
    return np.full(len(owner), f"{SHARED_PREFIX}{path.stem}", dtype=object)


def _clean(path: Path, temp_c: Floats, ghi_w_m2: Floats) -> tuple[Floats, Floats]:
    known = temp_c[~np.isnan(temp_c)]
    is_odd = (known < COLDEST_C) | (known > HOTTEST_C)
    if len(known) and is_odd.mean() > IMPLAUSIBLE_SHARE:
        raise ConfigError(f"{path.name}: temperatures from {known.min():.0f} to {known.max():.0f} found, degrees Celsius wanted")
    temperature = np.where((temp_c < COLDEST_C) | (temp_c > HOTTEST_C), np.nan, temp_c)
    _check_irradiance(path, ghi_w_m2)
    irradiance = np.where((ghi_w_m2 > MOST_W_M2) | (ghi_w_m2 < -50), np.nan, np.maximum(ghi_w_m2, 0))
    return temperature, irradiance


def _check_irradiance(path: Path, ghi_w_m2: Floats) -> None:
    """Nothing happens where the numbers can be W/m2.

    Raises:
        ConfigError: they are more like kW/m2, or like energies in J/m2 or kJ/m2.
    """
    shining = ghi_w_m2[ghi_w_m2 > 0]
    is_high = shining > MOST_W_M2
    if len(shining) and is_high.mean() > IMPLAUSIBLE_SHARE:
        raise ConfigError(
            f"{path.name}: irradiance up to {shining.max():.0f} found, W/m2 wanted (of J/m2: divide by the seconds of its step)"
        )
    if len(shining) >= LEAST_SHINING and shining.max() <= MOST_KW_M2:
        raise ConfigError(f"{path.name}: irradiance up to {shining.max():.2f} only found, W/m2 wanted (of kW/m2: multiply by 1000)")


def _build_days(area: NDArray[np.object_], second: Ints, values: Floats, source: str) -> pa.Table:
    names, owner = np.unique(area.astype(str), return_inverse=True)
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(len(names) + 1))
    tables = [
        _build_area(str(name), second[order[bounds[at] : bounds[at + 1]]], values[:, order[bounds[at] : bounds[at + 1]]], source)
        for at, name in enumerate(names)
    ]
    return pa.concat_tables(tables) if tables else WEATHER_SCHEMA.empty_table()


def _build_area(name: str, second: Ints, values: Floats, source: str) -> pa.Table:
    slot = second // SLOT_SECONDS
    first_day, last_day = int(slot.min()) // SLOTS_PER_DAY, int(slot.max()) // SLOTS_PER_DAY
    place = slot - first_day * SLOTS_PER_DAY
    days = last_day - first_day + 1
    grids = []
    for kind in values:
        known = ~np.isnan(kind)
        total = np.bincount(place[known], kind[known], minlength=days * SLOTS_PER_DAY)
        read = np.bincount(place[known], minlength=days * SLOTS_PER_DAY)
        mean = np.where(read > 0, total / np.maximum(read, 1), np.nan)
        grids.append(bridge_gaps(mean).reshape(days, SLOTS_PER_DAY).astype(np.float32))
    is_known = ~np.isnan(grids[0]).all(axis=1) | ~np.isnan(grids[1]).all(axis=1)
    dates = pa.array(np.arange(first_day, last_day + 1, dtype=np.int32)[is_known]).cast(pa.date32())
    return pa.table(
        [
            pa.array([name] * len(dates)),
            dates,
            list_by_day(grids[0][is_known]),
            list_by_day(grids[1][is_known]),
            pa.array([source] * len(dates)),
        ],
        schema=WEATHER_SCHEMA,
    )


def known_share(days: pa.Table, column: str) -> float:
    """Share of half-hours of the days whose value is known."""
    flat = pc.list_flatten(days[column])
    return 1 - flat.null_count / len(flat) if len(flat) else 0.0
