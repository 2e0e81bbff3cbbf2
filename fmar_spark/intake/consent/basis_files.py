"""Reads legal bases and objections from a CSV file."""

import csv
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa

from fmar_spark.clock import parse_day
from fmar_spark.domain.consent import ConsentState, Purpose
from fmar_spark.domain.mpan import is_mpan
from fmar_spark.errors import InputError
from fmar_spark.intake.consent.decisions import BASIS_SCHEMA

REQUIRED: Final = ("mpan_id", "basis")
OPTIONAL: Final = ("purpose", "state", "reference_id", "valid_from", "valid_to")
OPERATOR: Final = "operator"


def read_bases(path: Path) -> pa.Table:
    """The file's rows in the format of ``BASIS_SCHEMA``, one a meter and purpose.

    Columns: mpan_id, basis[, purpose, state, reference_id, valid_from, valid_to]; an empty field is the default: every purpose, granted,
    from the beginning, without an end.

    Raises:
        InputError: names the file, the line, the column and what was wanted there.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read(path, csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error


def _read(path: Path, reader: "csv.DictReader[str]") -> pa.Table:
    found = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = found
    unknown = [name for name in found if name not in (*REQUIRED, *OPTIONAL)]
    missing = [name for name in REQUIRED if name not in found]
    if unknown or missing or len(set(found)) < len(found):
        raise InputError(
            f"{path}: columns {', '.join(found) or 'none'} found; {', '.join(REQUIRED)}[, {', '.join(OPTIONAL)}] wanted, each once"
        )
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for fields in reader:
        place = f"{path}, line {reader.line_num}"
        if None in fields or None in fields.values():
            raise InputError(f"{place}: {len(found)} fields wanted")
        row = _read_row(place, {name: text.strip() for name, text in fields.items()})
        key = (str(row["mpan_id"]), str(row["purpose"]))
        if rows.setdefault(key, row) != row:
            raise InputError(f"{place}: {key[0]}, purpose {key[1]} found again, otherwise than before; one row wanted")
    if not rows:
        raise InputError(f"{path}: no row found")
    return pa.Table.from_pylist(list(rows.values()), schema=BASIS_SCHEMA)


def _read_row(place: str, given: dict[str, str]) -> dict[str, object]:
    if not is_mpan(given["mpan_id"]):
        raise InputError(f"{place}: mpan_id is {given['mpan_id']!r}, 13 digits with their check digit wanted")
    if not given["basis"]:
        raise InputError(f"{place}: basis is empty, a legal basis such as public task or explicit consent wanted")
    first, end = (_read_day(place, name, given.get(name, "")) for name in ("valid_from", "valid_to"))
    if first and end and end <= first:
        raise InputError(f"{place}: valid_to is {end}, a later day than valid_from ({first}) wanted")
    return {
        "mpan_id": given["mpan_id"],
        "purpose": _choose(place, "purpose", given.get("purpose") or Purpose.ANY.value, tuple(Purpose)),
        "basis": given["basis"],
        "state": _choose(place, "state", given.get("state") or ConsentState.GRANTED.value, tuple(ConsentState)),
        "reference_id": given.get("reference_id") or None,
        "source": OPERATOR,
        "valid_from_date": first,
        "valid_to_date": end,
        "verified_at": None,
        "expires_at": None,
    }


def _choose(place: str, name: str, text: str, words: tuple[str, ...]) -> str:
    if text not in words:
        raise InputError(f"{place}: {name} is {text!r}, one of {', '.join(words)} wanted")
    return text


def _read_day(place: str, name: str, text: str) -> date | None:
    try:
        return parse_day(text) if text else None
    except ValueError as error:
        raise InputError(f"{place}: {name} is {text!r}, YYYY-MM-DD wanted") from error
