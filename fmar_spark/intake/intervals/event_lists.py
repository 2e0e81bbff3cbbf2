"""Reads lists of events that a user knows of: when load was asked or paid to change, for whom, and who belongs to which portfolio."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fmar_spark.domain.gsp_groups import GROUP_OF_ID
from fmar_spark.domain.listed_events import ListedEvent
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.files import find_files, list_columns, read_blocks
from fmar_spark.intake.intervals.rows import RULES, write_fault

TIMES: Final = ("event_start_utc", "event_end_utc")
SCOPES: Final = ("level", "gsp_group", "portfolio")
HIGH_LEVEL: Final = "high"
"""Price level on which load is held back; rows of other levels are no events."""
METER_COLUMNS: Final = ("series_id", "mpan_id")


def read_event_list(path: Path) -> list[ListedEvent]:
    """The events of a file; of rows with a price ``level`` those of level High.

    Raises:
        ConfigError: names the file, the line and what was wanted there.
        InputError: there is no event.
    """
    found = []
    for place, row in _read_rows(path, TIMES, SCOPES):
        start, end = (_read_moment(place, row, name) for name in TIMES)
        if end <= start:
            raise ConfigError(f"{place}: event_end_utc is {end.isoformat()}, a time after event_start_utc ({start.isoformat()}) wanted")
        group = row.get("gsp_group", "").upper().lstrip("_")
        if group and f"_{group}" not in GROUP_OF_ID:
            raise ConfigError(f"{place}: gsp_group is {group!r}, one of {', '.join(GROUP_OF_ID)} wanted")
        if row.get("level", HIGH_LEVEL).lower() in {HIGH_LEVEL, ""}:
            found.append(ListedEvent(start, end, f"_{group}" if group else None, row.get("portfolio") or None))
    if not found:
        raise InputError(f"--events: {path}: no events found; {', '.join(TIMES)}[, {', '.join(SCOPES)}] wanted")
    return found


def read_portfolios(path: Path) -> dict[str, str]:
    """Portfolio of each meter, by series id or MPAN.

    Raises:
        ConfigError: names the file, the line and what was wanted there.
    """
    named = list_columns(find_files(path)[0])
    key = next((name for name in METER_COLUMNS if name in named), METER_COLUMNS[0])
    members: dict[str, str] = {}
    for place, row in _read_rows(path, (key, "portfolio"), ()):
        if not row[key] or not row["portfolio"]:
            raise ConfigError(f"{place}: {key} or portfolio is empty, a meter and its portfolio wanted")
        if members.setdefault(row[key], row["portfolio"]) != row["portfolio"]:
            raise ConfigError(f"{place}: {row[key]!r} found again, in another portfolio; one portfolio a meter wanted")
    return members


def _read_rows(path: Path, wanted: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    for file in find_files(path):
        for block in read_blocks(file, wanted, optional):
            if block.broken:
                line, text, rule = block.broken[0]
                raise ConfigError(f"{file.origin.place(line)}: {write_fault(repr(text), RULES[rule])}")
            for line, row in zip(block.line.tolist(), block.columns.to_pylist(), strict=True):
                yield file.origin.place(line), {name: "" if value is None else str(value).strip() for name, value in row.items()}


def _read_moment(place: str, row: dict[str, str], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(row[name])
    except ValueError as error:
        raise ConfigError(f"{place}: {name} is {row[name]!r}, a time such as 2024-01-15T17:00Z wanted") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
