"""Reads the small files that a user may add: where the sites are, what is known of them, which meters are meant."""

from datetime import date, datetime
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from fmar_spark.domain.assets import ASSET_FACTS, LABEL_OF_CLASS, SIZE_LABELS, AssetClass
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.files import InputFile, find_files, list_columns, read_blocks
from fmar_spark.intake.intervals.rows import check_columns

AssetDays = tuple[date | None, date | None]
"""Appeared and removed."""
SITE_COLUMNS: Final = ("latitude", "longitude", "time_zone", "gsp_group", "is_domestic")
FLAGS: Final = tuple(LABEL_OF_CLASS.values())
SIZES: Final = tuple(size.label for _, size in SIZE_LABELS)
YES: Final = frozenset({"1", "1.0", "true", "yes"})
NO: Final = frozenset({"0", "0.0", "false", "no"})
DATES: Final = {asset: tuple(f"{facts.stem}_{what}_date" for what in ("appeared", "removed")) for asset, facts in ASSET_FACTS.items()}
"""Columns that say when an asset came and went."""
PROVENANCE_UNKNOWN: Final = "not stated"

METER_HEADINGS: Final = frozenset({"mpan_id", "series_id"})

LABEL_SCHEMA: Final = pa.schema(
    [
        ("series_id", pa.string()),
        *((name, pa.bool_()) for name in FLAGS),
        *((name, pa.float64()) for name in SIZES),
        ("confusers", pa.string()),
        ("provenance", pa.string()),
    ]
)


class SiteRow(NamedTuple):
    """Where a series is; None where the file does not say."""

    latitude: float | None = None
    longitude: float | None = None
    time_zone: str | None = None
    gsp_group_id: str | None = None
    is_domestic: bool | None = None


def read_sites(path: Path) -> dict[str, SiteRow]:
    """The sites by series.

    Raises:
        ConfigError: names the file, the line and what was wanted there.
    """
    sites = {}
    for place, row in _read_rows(path, SITE_COLUMNS):
        group = row.get("gsp_group", "").upper().lstrip("_")
        sites[row["series_id"]] = SiteRow(
            _read_number(place, row, "latitude", 90.0),
            _read_number(place, row, "longitude", 180.0),
            _read_zone(place, row.get("time_zone", "")),
            f"_{group}" if group else None,
            _read_flag(place, row, "is_domestic"),
        )
    return sites


def read_labels(path: Path, key: str = "series_id") -> pa.Table:
    """Labels in the format of ``LABEL_SCHEMA``; an empty field is unknown and stays null.

    Args:
        path: a file or a folder of files.
        key: column that names the meter.

    Raises:
        ConfigError: names the file, the line and what was wanted there.
    """
    rows: dict[str, dict[str, object]] = {}
    for place, row in _read_rows(path, (*FLAGS, *SIZES, "confusers", "provenance"), key):
        rows[row["series_id"]] = {
            "series_id": row["series_id"],
            **{name: _read_flag(place, row, name) for name in FLAGS},
            **{name: _read_number(place, row, name, float("inf")) for name in SIZES},
            "confusers": row.get("confusers") or None,
            "provenance": row.get("provenance") or PROVENANCE_UNKNOWN,
        }
    return pa.Table.from_pylist(list(rows.values()), schema=LABEL_SCHEMA)


def read_label_dates(path: Path, key: str = "series_id") -> dict[str, dict[AssetClass, AssetDays]]:
    """First day with and first day without each asset, by series, of the classes of which the file has a column of ``DATES``.

    Of such a class an empty field means: there from the start, or to the end.

    Args:
        path: a file or a folder of files.
        key: column that names the meter.

    Raises:
        ConfigError: names the file, the line and what was wanted there.
    """
    names = tuple(name for pair in DATES.values() for name in pair)
    days: dict[str, dict[AssetClass, AssetDays]] = {}
    for place, row in _read_rows(path, names, key):
        stated = {asset: pair for asset, pair in DATES.items() if any(name in row for name in pair)}
        days[row["series_id"]] = {asset: _read_stay(place, row, pair) for asset, pair in stated.items()}
    return days


def read_meter_names(path: Path) -> tuple[str, ...]:
    """The MPANs or series ids of a file, one a line, each once; of a CSV the first field, without its heading.

    Raises:
        InputError: it cannot be read, or names none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--meters: {path}: {error}") from error
    fields = (line.partition(",")[0].strip().strip('"') for line in lines)
    names = tuple(dict.fromkeys(field for field in fields if field and field not in METER_HEADINGS))
    if not names:
        raise InputError(f"--meters: {path}: no meters listed; MPANs or series ids, one a line, wanted")
    return names


def _read_stay(place: str, row: dict[str, str], names: tuple[str, ...]) -> AssetDays:
    appeared, removed = (_read_date(place, row, name) for name in names)
    if appeared and removed and removed <= appeared:
        raise ConfigError(f"{place}: {names[1]} is {removed}, a day after {names[0]} wanted")
    return appeared, removed


def _read_rows(path: Path, optional: tuple[str, ...], key: str = "series_id") -> list[tuple[str, dict[str, str]]]:
    found = []
    for file in find_files(path):
        check_columns(file.name, (key,), list_columns(file))
        for block in read_blocks(file, (key,), optional):
            if block.broken:
                raise ConfigError(
                    f"{file.origin.place(block.broken[0][0])}: {block.broken[0][1]!r} found, as many fields as the header wanted"
                )
            columns = block.columns.rename_columns({key: "series_id"}) if key != "series_id" else block.columns
            found.extend(_name_fields(file, columns, block.line.tolist()))
    return found


def _name_fields(file: InputFile, columns: pa.Table, lines: list[int]) -> list[tuple[str, dict[str, str]]]:
    named = []
    for line, row in zip(lines, columns.to_pylist(), strict=True):
        texts = {name: "" if value is None or value != value else str(value).strip() for name, value in row.items()}
        if texts["series_id"]:
            named.append((file.origin.place(line), texts))
    return named


def _read_number(place: str, row: dict[str, str], name: str, limit: float) -> float | None:
    text = row.get(name, "")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError as error:
        raise ConfigError(f"{place}: {name} is {text!r}, a number wanted") from error
    if not abs(number) <= limit:
        raise ConfigError(f"{place}: {name} is {text}, {-limit:g} to {limit:g} wanted")
    return number


def _read_flag(place: str, row: dict[str, str], name: str) -> bool | None:
    text = row.get(name, "").lower()
    if text in YES | NO:
        return text in YES
    if text:
        raise ConfigError(f"{place}: {name} is {text!r}, 1, 0 or nothing wanted")
    return None


def _read_date(place: str, row: dict[str, str], name: str) -> date | None:
    text = row.get(name, "")
    try:
        return datetime.fromisoformat(text).date() if text else None
    except ValueError as error:
        raise ConfigError(f"{place}: {name} is {text!r}, YYYY-MM-DD wanted") from error


def _read_zone(place: str, text: str) -> str | None:
    if not text:
        return None
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"{place}: time_zone is {text!r}, an IANA name such as Europe/London wanted") from error
    return text
