"""Reads rows from CSV as they come: whatever a spreadsheet can do to a file, each row is taken or rejected with its reason."""

import codecs
import csv
import re
from collections.abc import Iterator
from io import TextIOWrapper
from typing import IO, Any, Final, NamedTuple

from pydantic import ValidationError

from fmar_spark.domain.figures import write_count
from fmar_spark.domain.mpan import has_valid_check_digit
from fmar_spark.errors import read_fault
from fmar_spark.services.register.bodies import NewAgreement, NewEvidence
from fmar_spark.services.web.models import RequestModel
from fmar_spark.services.web.problems import InvalidError, TooLargeError

_BLOCK_BYTES: Final = 2**20
_WRONG_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WHOLE: Final = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
_FLAGS: Final = frozenset({"true", "false", "TRUE", "FALSE"})
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class RowFault(NamedTuple):
    """What is wrong with a row."""

    rule: str
    """The column, or the rule that it breaks."""
    detail: str
    """Never repeats what the row said."""


class Columns(NamedTuple):
    """What a file consists of."""

    model: type[RequestModel]
    """Checks each row."""
    required: tuple[str, ...]
    optional: tuple[str, ...]
    """May be left out, and their cells may be empty."""
    numbers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    def faults_of(self, values: dict[str, str]) -> list[RowFault]:
        """Cells that JSON would not take for a number or a flag; spreadsheets write flags in capitals."""
        numbers = [
            RowFault(name, "a whole number in plain digits is required") for name in self.numbers if not _WHOLE.fullmatch(values[name])
        ]
        return numbers + [RowFault(name, "true or false is required") for name in self.flags if values[name] not in _FLAGS]


AGREEMENT_COLUMNS: Final = Columns(
    NewAgreement,
    ("mpan_id", "amsid", "market", "primacy_tier", "is_exclusive", "valid_from_at"),
    ("valid_to_at", "consent_reference"),
    numbers=("primacy_tier",),
    flags=("is_exclusive",),
)
EVIDENCE_COLUMNS: Final = Columns(NewEvidence, ("basis", "mpan_id", "reference"), ("fsp_id", "amsid", "valid_from_at", "valid_to_at"))


class UploadRow(NamedTuple):
    """One row of the file."""

    line: int
    """Of the file, 1 = header."""
    values: dict[str, Any] | None
    """Its fields; None where the row is rejected."""
    faults: tuple[RowFault, ...] = ()
    """Everything that is wrong with it."""


def check_file(file: IO[bytes], most_rows: int, columns: Columns = AGREEMENT_COLUMNS) -> None:
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
    unknown = [name for name in header if name not in columns.required + columns.optional]
    missing = [name for name in columns.required if name not in header]
    if unknown or missing or len(set(header)) != len(header):
        names = f"{', '.join(columns.required)} and perhaps {', '.join(columns.optional)}"
        wanted = f"columns {names}, each once, separated by commas, wanted in the first line"
        raise InvalidError("csv-header", f"{wanted}; {len(missing)} missing, {len(unknown)} unknown")


def read_rows(file: IO[bytes], is_check_digit_enforced: bool, columns: Columns = AGREEMENT_COLUMNS) -> Iterator[UploadRow]:
    """Every row of a checked file but the blank ones, as they come; a row is a line, for no column holds line breaks."""
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    header = next(csv.reader([text.readline()]))
    for line, written in enumerate(text, start=2):
        try:
            cells = next(csv.reader([written], strict=True), [])
        except csv.Error:
            yield UploadRow(line, None, (RowFault("unreadable", "a quote left open or closed within a text, or a cell too long"),))
            continue
        if any(cell.strip() for cell in cells):
            yield (
                _row_of(line, dict(zip(header, cells, strict=True)), columns, is_check_digit_enforced)
                if len(cells) == len(header)
                else UploadRow(line, None, (RowFault("cells", f"{write_count(len(cells), 'cell')} found, {len(header)} wanted"),))
            )
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


def _row_of(line: int, values: dict[str, Any], columns: Columns, is_check_digit_enforced: bool) -> UploadRow:
    given = {name: value for name, value in values.items() if value or name not in columns.optional}
    faults = columns.faults_of(given)
    body = None
    try:
        body = columns.model.model_validate_strings(given)
    except ValidationError as error:
        for found in error.errors(include_url=False, include_context=False, include_input=False):
            faults.append(RowFault(str(found["loc"][0]) if found["loc"] else "term", read_fault(found)))
    if is_check_digit_enforced and all(fault.rule != "mpan_id" for fault in faults) and not has_valid_check_digit(given["mpan_id"]):
        faults.append(RowFault("mpan_id", "the check digit is wrong"))
    first_of_each: dict[str, RowFault] = {}
    for fault in faults:
        first_of_each.setdefault(fault.rule, fault)
    return UploadRow(line, None if body is None or faults else body.model_dump(), tuple(first_of_each.values()))
