"""Reads agreements from CSV, a row at a time: whatever a spreadsheet can do to a file, each row is taken or refused with its reason."""

import codecs
import csv
from collections.abc import Iterator
from io import TextIOWrapper
from typing import IO, Any, Final, NamedTuple

from pydantic import ValidationError

from fmar_spark.domain.mpan import has_valid_check_digit
from fmar_spark.services.register.bodies import NewAgreement
from fmar_spark.services.web.problems import InvalidError, TooLargeError

REQUIRED: Final = ("mpan_id", "amsid", "market", "primacy_tier", "is_exclusive", "valid_from_at")
OPTIONAL: Final = ("valid_to_at",)
_BLOCK_BYTES: Final = 2**20
_WRONG_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class UploadRow(NamedTuple):
    """One row of the file."""

    line: int
    """Of the file, 1 = header."""
    values: dict[str, Any] | None
    """What an agreement is made of; None where the row is refused."""
    rule: str = ""
    detail: str = ""
    """Never repeats what the row said."""


def check_file(file: IO[bytes], most_rows: int) -> None:
    """Nothing, if the file is UTF-8 text of at most so many rows under a header that we know; ends at its beginning.

    Raises:
        InvalidError: another encoding, NUL bytes, or another header.
        TooLargeError: too many rows.
    """
    lines = _check_encoding(file)
    if lines > most_rows + 1:
        raise TooLargeError("too-many-rows", f"about {lines - 1} rows found, at most {most_rows} wanted; split the file")
    file.seek(0)
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        header = next(csv.reader(text), [])
    except csv.Error as error:
        raise InvalidError("csv-header", "the first line cannot be read as CSV") from error
    finally:
        text.detach()
    file.seek(0)
    unknown = [name for name in header if name not in REQUIRED + OPTIONAL]
    missing = [name for name in REQUIRED if name not in header]
    if unknown or missing or len(set(header)) != len(header):
        wanted = (
            f"columns {', '.join(REQUIRED)} and perhaps {', '.join(OPTIONAL)}, each once, separated by commas, wanted in the first line"
        )
        raise InvalidError("csv-header", f"{wanted}; {len(missing)} missing, {len(unknown)} unknown")


def read_rows(file: IO[bytes], is_check_digit_enforced: bool) -> Iterator[UploadRow]:
    """Every row of a checked file but the blank ones, as they come."""
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text)
    header = next(reader)
    line = reader.line_num + 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            yield UploadRow(line, None, "unreadable", "from here on the file cannot be read as CSV: a quote left open?")
            break
        if cells is None:
            break
        if cells:
            yield _row_of(line, header, cells, is_check_digit_enforced)
        line = reader.line_num + 1
    text.detach()


def defuse(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _check_encoding(file: IO[bytes]) -> int:
    """The number of lines."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    lines = 0
    file.seek(0)
    block = file.read(_BLOCK_BYTES)
    if block.startswith(_WRONG_BOMS):
        raise InvalidError("csv-encoding", "UTF-16 found, UTF-8 wanted; save the file as CSV UTF-8")
    while block:
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            at_line = lines + block[: error.start].count(b"\n") + 1
            raise InvalidError("csv-encoding", f"line {at_line}: bytes that are not UTF-8; save the file as CSV UTF-8") from error
        if b"\0" in block:
            at_line = lines + block[: block.index(0)].count(b"\n") + 1
            raise InvalidError("csv-encoding", f"line {at_line}: a NUL byte")
        lines += block.count(b"\n")
        block = file.read(_BLOCK_BYTES)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise InvalidError("csv-encoding", "the file ends in the middle of a character") from error
    return lines


def _row_of(line: int, header: list[str], cells: list[str], is_check_digit_enforced: bool) -> UploadRow:
    if len(cells) != len(header):
        return UploadRow(line, None, "cells", f"{len(cells)} cells found, {len(header)} wanted")
    values: dict[str, Any] = dict(zip(header, cells, strict=True))
    if not values.get("valid_to_at"):
        values.pop("valid_to_at", None)
    try:
        form = NewAgreement.model_validate_strings(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return UploadRow(line, None, str(first["loc"][0]) if first["loc"] else "term", first["msg"])
    if is_check_digit_enforced and not has_valid_check_digit(form.mpan_id):
        return UploadRow(line, None, "mpan_id", "the check digit is wrong")
    return UploadRow(line, form.model_dump())
