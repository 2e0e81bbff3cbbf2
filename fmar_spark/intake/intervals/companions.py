"""Reads the small files that a user may add: where the sites are, what is known of them, which meters are meant."""

import math
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from fmar_spark.clock import LONDON
from fmar_spark.domain.assets import ASSET_FACTS, LABEL_OF_CLASS, SIZE_LABELS, AssetClass
from fmar_spark.domain.gsp_groups import GROUP_OF_ID
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.decimals import parse_decimal
from fmar_spark.intake.intervals.files import InputFile, find_files, list_columns, read_blocks
from fmar_spark.intake.intervals.rows import RULES, check_columns, write_fault

AssetDays = tuple[date | None, date | None]
"""Appeared and removed."""
Row = TypeVar("Row")
MOST_LATITUDE: Final = 90.0
BRITAIN: Final = (49.0, 61.5, -9.0, 2.5)
"""South, north, west and east of what keeps the clock of London."""
AREA_DEGREES: Final = 3.0
"""No settlement area reaches further from its middle, Shetland left aside."""
CLOCK_HOURS: Final = 3.5
"""Between a zone's clock and the sun's at its places, at most."""
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


class Stated(Generic[Row]):
    """What the rows of a file state of each series, each once: a second row must say the same."""

    def __init__(self) -> None:
        """Nothing is stated yet."""
        self.rows: dict[str, Row] = {}
        self._place_of: dict[str, str] = {}

    def state(self, place: str, series_id: str, row: Row) -> None:
        """Remember a row.

        Raises:
            ConfigError: an earlier row says something else; both lines are named.
        """
        if self.rows.setdefault(series_id, row) != row:
            raise ConfigError(f"{place}: {series_id!r} found again, otherwise than in {self._place_of[series_id]}; one row a series wanted")
        self._place_of.setdefault(series_id, place)


def read_sites(path: Path) -> dict[str, SiteRow]:
    """The sites by series.

    Raises:
        ConfigError: names the file, the line and what was wanted there.
    """
    sites: Stated[SiteRow] = Stated()
    for place, row in _read_rows(path, SITE_COLUMNS):
        group = row.get("gsp_group", "").upper().lstrip("_")
        site = SiteRow(
            _read_number(place, row, "latitude", MOST_LATITUDE),
            _read_number(place, row, "longitude", 180.0),
            _read_zone(place, row.get("time_zone", "")),
            f"_{group}" if group else None,
            _read_flag(place, row, "is_domestic"),
        )
        sites.state(place, row["series_id"], site)
    return sites.rows


def find_misplaced(sites: Mapping[str, SiteRow], default_zone: str) -> dict[str, str]:
    """What is odd about where sites are said to be: a place that is far from its own settlement area or from the clock of its zone."""
    found = {}
    for name, site in sites.items():
        if site.latitude is None or site.longitude is None or _is_near(site.latitude, site.longitude, site, default_zone):
            continue
        area = f"settlement area {site.gsp_group_id}" if site.gsp_group_id in GROUP_OF_ID else site.time_zone or default_zone
        is_swapped = abs(site.longitude) <= MOST_LATITUDE and _is_near(site.longitude, site.latitude, site, default_zone)
        cure = "; latitude and longitude look swapped" if is_swapped else ""
        found[name] = f"latitude {site.latitude:g}, longitude {site.longitude:g} is far from {area}{cure}"
    return found


def _is_near(latitude: float, longitude: float, site: SiteRow, default_zone: str) -> bool:
    group = GROUP_OF_ID.get(site.gsp_group_id or "")
    if group is not None:
        return abs(latitude - group.latitude) <= AREA_DEGREES and abs(longitude - group.longitude) <= AREA_DEGREES
    zone = site.time_zone or default_zone
    if zone == LONDON:
        south, north, west, east = BRITAIN
        return south <= latitude <= north and west <= longitude <= east
    midwinter = datetime(2024, 1 if latitude >= 0 else 7, 1, 12, tzinfo=ZoneInfo(zone))
    hours = (midwinter.utcoffset() or timedelta()).total_seconds() / 3600
    return abs((longitude / 15 - hours + 12) % 24 - 12) <= CLOCK_HOURS


def read_labels(path: Path, key: str = "series_id") -> pa.Table:
    """Labels in the format of ``LABEL_SCHEMA``; an empty field is unknown and stays null.

    Args:
        path: a file or a folder of files.
        key: column that names the meter.

    Raises:
        ConfigError: names the file, the line and what was wanted there.
    """
    labels: Stated[dict[str, object]] = Stated()
    for place, row in _read_rows(path, (*FLAGS, *SIZES, "confusers", "provenance"), key):
        label: dict[str, object] = {
            "series_id": row["series_id"],
            **{name: _read_flag(place, row, name) for name in FLAGS},
            **{name: _read_number(place, row, name, float("inf")) for name in SIZES},
            "confusers": row.get("confusers") or None,
            "provenance": row.get("provenance") or PROVENANCE_UNKNOWN,
        }
        labels.state(place, row["series_id"], label)
    return pa.Table.from_pylist(list(labels.rows.values()), schema=LABEL_SCHEMA)


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
    days: Stated[dict[AssetClass, AssetDays]] = Stated()
    for place, row in _read_rows(path, names, key):
        stated = {asset: pair for asset, pair in DATES.items() if any(name in row for name in pair)}
        days.state(place, row["series_id"], {asset: _read_stay(place, row, pair) for asset, pair in stated.items()})
    return days.rows


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
        raise ConfigError(f"{place}: {names[1]} is {removed}, a later day than {names[0]} ({appeared}) wanted")
    return appeared, removed


def _read_rows(path: Path, optional: tuple[str, ...], key: str = "series_id") -> list[tuple[str, dict[str, str]]]:
    found = []
    for file in find_files(path):
        check_columns(file.name, (key,), list_columns(file))
        for block in read_blocks(file, (key,), optional):
            if block.broken:
                line, text, rule = block.broken[0]
                raise ConfigError(f"{file.origin.place(line)}: {write_fault(repr(text), RULES[rule])}")
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
    number = parse_decimal(text)
    if math.isnan(number):
        raise ConfigError(f"{place}: {name} is {text!r}, a number wanted")
    if not abs(number) <= limit:
        raise ConfigError(f"{place}: {name} is {text}, {-limit:g} to {limit:g} wanted")
    return number


def _read_flag(place: str, row: dict[str, str], name: str) -> bool | None:
    text = row.get(name, "").lower()
    if text in YES | NO:
        return text in YES
    if text:
        raise ConfigError(f"{place}: {name} is {text!r}, 1, 0 or an empty field wanted")
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
