"""Reads Embedded Capacity Registers of the six DNO groups: every row becomes the terms of its connections, or a row with its fault.

The registers share 57 mandated fields under other headings in each group and release. ``ecr_headings.csv`` is the crosswalk: which field a
heading is, letters and digits alone, and which groups use it; it lists headings as facts, collected from the groups' files and
from open-source readers of them (UrbanChain/uc_dbt_maps, the client library bessible).
"""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import pandas as pd
from pyproj import Transformer

from fmar_spark.domain.coast import is_in_britain
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.fmar import ConnectionStatus, Firmness
from fmar_spark.domain.mpan import has_valid_check_digit
from fmar_spark.domain.network import MOST_KW
from fmar_spark.errors import InputError
from fmar_spark.intake.decimals import parse_grouped_decimal

HEADER_LINES: Final = 5
"""Lines among which the header is looked for: titles and a row of groups may stand above it."""
LEAST_HEADINGS: Final = 10
NULLS: Final = frozenset(
    {"", "-", "0", "n/a", "na", "none", "null", "data not available", "data not applicable", "to be confirmed", "tbc", "999-99-99"}
)
SCIENTIFIC: Final = re.compile(r"\d+(\.\d+)?e\+?\d+", re.IGNORECASE)
DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
STATUSES: Final = {"connected": ConnectionStatus.CONNECTED, "accepted to connect": ConnectionStatus.PENDING}
FLAGS: Final = {"yes": True, "y": True, "no": False, "n": False}
LOW_VOLTAGE_KV: Final = 0.4
KW_PER_MW: Final = 1000.0
EARLIEST: Final = date(1882, 1, 1)
"""No connection is older: the first public supply of electricity in London."""
LATEST: Final = date(2099, 12, 31)
TECHNOLOGIES: Final = (1, 2, 3)
RULES: Final = MappingProxyType(
    {
        "row_fields": "as many fields as the header",
        "mpan_missing": "an import or export MPAN",
        "mpan_scientific": "all 13 digits: a number in scientific notation has lost its check digit",
        "mpan_invalid": "13 digits with a right check digit",
        "mpan_repeated": "one row a meter point: another row of the file has it",
        "number_unreadable": f"a number, of MW, MWh or kV from 0 to {MOST_KW / KW_PER_MW:,.0f}, or a word for not available",
        "date_unreadable": f"YYYY-MM-DD or DD/MM/YYYY from {EARLIEST.year} to {LATEST.year}, or a word for not available",
        "status_unknown": "Connected or Accepted to Connect",
        "flag_unknown": "Yes or No",
        "place_in_sea": "eastings and northings of the Ordnance Survey, or degrees, on land",
    }
)
"""What was wanted, by the rule that a row breaks."""
TERM_COLUMNS: Final = (
    "firmness",
    "connection_status",
    "connected_date",
    "max_import_kw",
    "max_export_kw",
    "registered_kw",
    "registered_storage_kwh",
    "energy_source",
    "poc_voltage_kv",
    "latitude",
    "longitude",
)


class Fault(NamedTuple):
    """A rejected row."""

    line: int
    rule: str
    found: str
    raw: str


class Register(NamedTuple):
    """What one register says."""

    terms: pd.DataFrame
    """mpan_id, ``TERM_COLUMNS`` and line: one row a meter point."""
    faults: list[Fault]
    rows_read: int
    rows_parsed: int
    unknown_headings: list[str]

    @property
    def broken(self) -> dict[str, int]:
        """Rejected rows by rule."""
        return dict(Counter(fault.rule for fault in self.faults))


class _RowError(Exception):
    """A row breaks a rule."""

    def __init__(self, rule: str, found: str) -> None:
        super().__init__(rule)
        self.rule, self.found = rule, found


def read_register(path: Path) -> Register:
    """Every row of the file, parsed or with its fault: rows read = rows parsed + faults.

    Raises:
        InputError: it is no text, no header of a capacity register is among its first lines, a quote is not closed, or a field is too long.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: cannot be read: {error}; CSV in UTF-8 wanted") from error
    records = _list_records(path, text)
    fields, unknown = _find_header(path, records)
    faults: list[Fault] = []
    parsed: list[dict[str, object]] = []
    rows_read = 0
    for line, cells in records:
        if not any(cell.strip() for cell in cells):
            continue
        if any("\n" in cell and cell.count(",") >= len(fields) - 1 for cell in cells):
            raise InputError(
                f"{path.name} line {line}: a quote that takes whole rows with it found; every quote closed in its field wanted"
            )
        rows_read += 1
        try:
            parsed.append(_parse_row(cells, fields) | {"line": line, "raw": ",".join(cells)})
        except _RowError as error:
            faults.append(Fault(line, error.rule, error.found, ",".join(cells)))
    kept = list(_check_places(parsed, faults))
    terms = list(_list_connections(kept, faults))
    columns = ["mpan_id", *TERM_COLUMNS, "line"]
    faults.sort()
    return Register(pd.DataFrame(terms, columns=columns), faults, rows_read, rows_read - len(faults), unknown)


def read_crosswalk() -> dict[str, str]:
    """Field of each heading, letters and digits alone."""
    text = resources.files(__package__).joinpath("ecr_headings.csv").read_text(encoding="utf-8")
    return {row["heading"]: row["field"] for row in csv.DictReader(io.StringIO(text))}


def _list_records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Every record and the line on which it begins."""
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines)
    before = 0
    wanted = f"every quote closed and at most {csv.field_size_limit():,} characters in a field wanted"
    try:
        for cells in reader:
            is_long = reader.line_num - before > 1
            if is_long and reader.line_num == len(lines) and "".join(lines[before:]).count('"') % 2:
                raise InputError(f"{path.name} line {before + 1}: a quote that is not closed found; {wanted}")
            yield before + 1, cells
            before = reader.line_num
    except csv.Error as error:
        raise InputError(f"{path.name} line {before + 1}: cannot be read: {error}; {wanted}") from error


def _find_header(path: Path, records: Iterator[tuple[int, list[str]]]) -> tuple[list[str | None], list[str]]:
    crosswalk = read_crosswalk()
    for _, (_, cells) in zip(range(HEADER_LINES), records, strict=False):
        fields = [crosswalk.get(re.sub(r"[^a-z0-9]+", "", cell.lower())) for cell in cells]
        if len(set(fields) - {None}) >= LEAST_HEADINGS:
            return fields, [cell.strip() for cell, field in zip(cells, fields, strict=True) if field is None and cell.strip()]
    raise InputError(f"{path.name}: no header of a capacity register in its first {HEADER_LINES} lines; Export MPAN / MSID, ... wanted")


def _parse_row(cells: list[str], fields: list[str | None]) -> dict[str, object]:
    if len(cells) != len(fields):
        raise _RowError("row_fields", write_count(len(cells), "field"))
    row = {field: cell.strip() for field, cell in zip(fields, cells, strict=True) if field is not None}
    mpans = [mpan for name in ("import_mpan", "export_mpan") for mpan in _read_mpans(row.get(name, ""))]
    if not mpans:
        raise _RowError("mpan_missing", "neither")
    status = _read_word(row.get("connection_status", ""), STATUSES, "status_unknown")
    flexible = _read_word(row.get("flexible_connection", ""), FLAGS, "flag_unknown")
    stated = [_read_number(row.get(f"registered_mw_{one}", "")) for one in TECHNOLOGIES]
    storage = [_read_number(row.get(f"storage_mwh_{one}", "")) for one in TECHNOLOGIES]
    total = _read_number(row.get("connected_registered_mw", "")) or _read_number(row.get("accepted_registered_mw", ""))
    source = row.get("energy_source_1", "")
    return {
        "mpans": list(dict.fromkeys(mpans)),
        "firmness": None if flexible is None else (Firmness.NON_FIRM if flexible else Firmness.FIRM).value,
        "connection_status": None if status is None else str(status),
        "connected_date": _read_date(row.get("date_connected", "")),
        "max_import_kw": _scale(_read_number(row.get("max_import_mw", ""))),
        "max_export_kw": _scale(_read_number(row.get("max_export_mw", ""))),
        "registered_kw": _scale(_add(stated) if _add(stated) is not None else total),
        "registered_storage_kwh": _scale(_add(storage)),
        "energy_source": None if _is_null(source) else source,
        "poc_voltage_kv": _read_voltage(row.get("poc_voltage_kv", "")),
        **{name: _read_coordinate(row.get(name, "")) for name in ("eastings", "northings", "latitude", "longitude")},
    }


def _is_null(text: str) -> bool:
    return text.strip().lower() in NULLS


def _read_mpans(text: str) -> Iterator[str]:
    """A cell may hold several, between commas, semicolons, slashes, or line breaks."""
    for word in re.split(r"[,;/&\s]+", text) if not _is_null(text) else ():
        if not word:
            continue
        if SCIENTIFIC.fullmatch(word):
            raise _RowError("mpan_scientific", word)
        digits = word.removesuffix(".0")
        if not has_valid_check_digit(digits):
            raise _RowError("mpan_invalid", word)
        yield digits


def _read_number(text: str) -> float | None:
    """A number of MW, MWh or kV; zero is a number."""
    cleaned = text.strip()
    if cleaned not in {"0"} and _is_null(cleaned):
        return None
    number = parse_grouped_decimal(cleaned)
    if not 0 <= number <= MOST_KW / KW_PER_MW:
        raise _RowError("number_unreadable", text)
    return number


def _read_coordinate(text: str) -> float | None:
    if _is_null(text):
        return None
    number = parse_grouped_decimal(text.strip())
    if math.isnan(number):
        raise _RowError("number_unreadable", text)
    return number


def _read_voltage(text: str) -> float | None:
    word = text.strip().lower().removesuffix("kv").strip()
    if word == "lv":
        return LOW_VOLTAGE_KV
    return _read_number(word)


def _read_date(text: str) -> date | None:
    if _is_null(text):
        return None
    for shape in DATES:
        try:
            found = datetime.strptime(text.strip().removesuffix("Z"), shape).date()
        except ValueError:
            continue
        if EARLIEST <= found <= LATEST:
            return found
    raise _RowError("date_unreadable", text)


def _read_word(text: str, words: dict[str, object] | dict[str, ConnectionStatus] | dict[str, bool], rule: str) -> object:
    if _is_null(text):
        return None
    if text.strip().lower() not in words:
        raise _RowError(rule, text)
    return words[text.strip().lower()]


def _add(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _scale(mega: float | None) -> float | None:
    return None if mega is None else round(mega * KW_PER_MW, 6)


def _check_places(rows: list[dict[str, object]], faults: list[Fault]) -> Iterator[dict[str, object]]:
    """Rows with latitude and longitude (WGS84) from the Ordnance Survey's grid (OSGB36) where they have no degrees."""
    if not rows:
        return
    frame = pd.DataFrame(rows)[["eastings", "northings", "latitude", "longitude"]].astype(float)
    has_grid = frame["eastings"].notna() & frame["northings"].notna() & frame["latitude"].isna()
    north, east = _find_projection().transform(frame.loc[has_grid, "eastings"].to_numpy(), frame.loc[has_grid, "northings"].to_numpy())
    frame.loc[has_grid, "latitude"], frame.loc[has_grid, "longitude"] = north, east
    is_placed = frame["latitude"].notna() & frame["longitude"].notna()
    on_land = is_in_britain(frame["latitude"].to_numpy(), frame["longitude"].to_numpy())
    for row, known, land, latitude, longitude in zip(rows, is_placed, on_land, frame["latitude"], frame["longitude"], strict=True):
        if known and not land:
            faults.append(Fault(int(str(row["line"])), "place_in_sea", f"latitude {latitude:g}, longitude {longitude:g}", str(row["raw"])))
            continue
        yield row | {"latitude": latitude if known else None, "longitude": longitude if known else None}


@cache
def _find_projection() -> Transformer:
    """From the grid to degrees; to look it up takes longer than a small register."""
    return Transformer.from_crs("EPSG:27700", "EPSG:4326")


def _list_connections(rows: list[dict[str, object]], faults: list[Fault]) -> Iterator[dict[str, object]]:
    """One row a meter point: what is connected counts before what is only accepted; a row that adds no meter point is rejected."""
    taken: set[str] = set()
    order = sorted(rows, key=lambda row: (row["connection_status"] != ConnectionStatus.CONNECTED, int(str(row["line"]))))
    for row in order:
        mpans = row["mpans"]
        fresh = [mpan for mpan in mpans if mpan not in taken] if isinstance(mpans, list) else []
        if not fresh:
            faults.append(
                Fault(
                    int(str(row["line"])),
                    "mpan_repeated",
                    " and ".join(map(str, mpans)) if isinstance(mpans, list) else "",
                    str(row["raw"]),
                )
            )
            continue
        taken.update(fresh)
        for mpan in fresh:
            yield {"mpan_id": mpan, "line": row["line"], **{name: row[name] for name in TERM_COLUMNS}}
