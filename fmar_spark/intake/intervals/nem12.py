"""Reads NEM12: a record for each register and day of a meter point, whose registers together are what was drawn and what was given."""

import csv
import gzip
import io
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from nemreader import NEMFile
from nemreader.nem_objects import NEMReadings, Reading

from fmar_spark.clock import parse_day
from fmar_spark.errors import InputError
from fmar_spark.intake.decimals import parse_decimal
from fmar_spark.intake.intervals.files import InputFile
from fmar_spark.intake.intervals.rows import RawBlock

KWH_OF_UNIT: Final = {"wh": 0.001, "kwh": 1.0, "mwh": 1000.0}
DRAWN, GIVEN = "E", "B"
"""First letter of a register that counts energy from and to the grid."""
NULL_QUALITY: Final = "N"
"""Quality of a value that stands for none."""
DAY_MINUTES: Final = 24 * 60
_QUALITY: Final = re.compile(r"[ASFNEV][0-9]{0,2}")
_REGISTER, _VALUES = "200", "300"
"""Indicators of the records that name a register, and that hold the values of its day."""
_OF_VALUES: Final = (_VALUES, "400", "500")
"""The latter two say more of the values before them."""
_NMI, _SUFFIX, _UNIT, _STEP = 1, 4, 7, 8
"""Places of a register's own fields."""
_FIRST_VALUE: Final = 2


class _Register(NamedTuple):
    """Whose values follow."""

    nmi: str
    suffix: str
    minutes: int
    """Of its intervals."""

    @property
    def is_energy(self) -> bool:
        """Drawn or given; else it is reactive."""
        return self.suffix[:1] in (DRAWN, GIVEN)


class _Checked(NamedTuple):
    """The records of a file as they are handed on."""

    text: str
    """Without what is broken: a cell that is no energy as NaN, records without a date left out."""
    line: dict[tuple[str, str, str], int]
    """Where the values of each meter point, register and date (YYYYMMDD) stand."""
    broken: list[tuple[int, str, str]]
    """Line, text and rule."""


def read_nem12(file: InputFile) -> Iterator[RawBlock]:
    """Energy drawn (E) and given (B) by meter point and time; reactive registers are left.

    An interval of which a register has no value was not read. A record that is there twice makes its intervals twice.

    Raises:
        InputError: no NEM12, or a register that cannot be read as energy.
    """
    opener = gzip.open if file.name.lower().endswith(".gz") else open
    try:
        with opener(file.path, "rt", encoding="utf-8-sig") as text:
            checked = _check_records(file, text.read())
        found = NEMFile(file.name, strict=True).parse_nem_file(io.StringIO(checked.text), file_name=file.name)
    except (OSError, ValueError, IndexError, KeyError, csv.Error) as error:
        raise InputError(f"{file.name}: no NEM12 that can be read: {error}") from error
    energies: dict[tuple[str, int, int], list[float | None]] = {}
    times: Counter[tuple[str, str, int]] = Counter()
    lines = []
    for nmi, register, reading in _list_readings(found):
        second = int(np.datetime64(reading.t_start, "s").astype(np.int64))
        key = (nmi, second, times[nmi, register, second])
        times[nmi, register, second] += 1
        if key not in energies:
            lines.append(checked.line[nmi, register, f"{reading.t_start:%Y%m%d}"])
        sides = energies.setdefault(key, [None, None])
        side = (DRAWN, GIVEN).index(register[0])
        before = sides[side]
        kwh = _read_kwh(reading)
        sides[side] = kwh if before is None else before + kwh
    values = np.array(list(energies.values()), dtype=np.float64).reshape(-1, 2)
    yield RawBlock(
        pa.table(
            {
                "series_id": [nmi for nmi, _, _ in energies],
                "timestamp_utc": pa.array([second * 1_000_000 for _, second, _ in energies], pa.int64()).cast(pa.timestamp("us")),
                "kwh_import": values[:, 0],
                "kwh_export": values[:, 1],
            }
        ),
        np.array(lines, dtype=np.int64),
        checked.broken,
    )


def _list_readings(found: NEMReadings) -> Iterator[tuple[str, str, Reading]]:
    """Meter point and register of each interval of energy."""
    for nmi, registers in found.readings.items():
        for register, readings in registers.items():
            if register[:1] in (DRAWN, GIVEN):
                yield from ((nmi, register, reading) for reading in readings)


def _read_kwh(reading: Reading) -> float:
    is_null = str(reading.quality_method).startswith(NULL_QUALITY)
    return math.nan if is_null or reading.read_value is None else reading.read_value * KWH_OF_UNIT[str(reading.uom).lower()]


def _check_records(file: InputFile, text: str) -> _Checked:
    """The records, without those and those cells that are no energies.

    Raises:
        InputError: a register of energy in another unit or step, or values of none.
    """
    kept, line, broken = io.StringIO(), {}, []
    writer, reader = csv.writer(kept, lineterminator="\n"), csv.reader(io.StringIO(text))
    register, is_broken = None, False
    for row in reader:
        number, kind = reader.line_num, row[0] if row else ""
        if kind == _REGISTER:
            register = _read_register(f"{file.name}:{number}", row)
        elif kind == _VALUES and register is None:
            raise InputError(f"{file.name}:{number}: values (300) found before the record of their register (200)")
        elif kind == _VALUES and register is not None and register.is_energy:
            faults = _check_values(register, row)
            broken += [(number, found, rule) for found, rule in faults]
            is_broken = any(rule == "record_date" for _, rule in faults)
            if not is_broken:
                line[register.nmi, register.suffix, row[1]] = number
        # An empty line for what is left out, so that the lines of what is kept are those of the file.
        writer.writerow([] if is_broken and kind in _OF_VALUES else row)
    return _Checked(kept.getvalue(), line, broken)


def _read_register(place: str, row: list[str]) -> _Register:
    if len(row) <= _STEP:
        raise InputError(f"{place}: {len(row)} fields of a register (200) found; {_STEP + 1} or more wanted")
    register = _Register(row[_NMI], row[_SUFFIX], int(row[_STEP]) if row[_STEP].isdecimal() else 0)
    if register.is_energy and row[_UNIT].lower() not in KWH_OF_UNIT:
        raise InputError(f"{place}: unit {row[_UNIT]!r} found; Wh, kWh or MWh wanted")
    if not register.minutes or DAY_MINUTES % register.minutes:
        raise InputError(f"{place}: intervals of {row[_STEP]!r} minutes found; minutes that divide a day wanted")
    return register


def _check_values(register: _Register, row: list[str]) -> list[tuple[str, str]]:
    """What is wrong with a record of values and the rule that it breaks; cells that are no energies become NaN, all of a record with too
    few or too many, so that the other registers of its day are not taken for the whole."""
    last = _FIRST_VALUE + DAY_MINUTES // register.minutes
    said = f"{register.nmi} {register.suffix} {row[1] if len(row) > 1 else ''}"
    if len(row) < _FIRST_VALUE or not _is_day(row[1]):
        return [(said, "record_date")]
    if len(row) <= last or not _QUALITY.fullmatch(row[last].strip()):
        fault = (f"{said}: {len(row)} fields", "record_values")
        row[_FIRST_VALUE:] = [*["nan"] * (last - _FIRST_VALUE), NULL_QUALITY, "", "", "", ""]
        return [fault]
    faults = []
    for place in range(_FIRST_VALUE, last):
        value = parse_decimal(row[place].strip())
        if row[place].strip() and not value >= 0:
            rule = "kwh_negative" if value < 0 else "kwh_not_a_number"
            faults.append((f"{said}: value {place - 1} of {row[place]!r}", rule))
        row[place] = f"{value}" if value >= 0 else "nan"
    return faults


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("YYYYMMDD") and bool(parse_day(text))
    except ValueError:
        return False
