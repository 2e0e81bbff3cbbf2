"""Reads NEM12: a record for each register and day of a meter point, whose registers together are what was drawn and what was given."""

import csv
import gzip
import io
import math
import re
from collections.abc import Iterator
from datetime import date, time
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from nemreader import NEMFile
from nemreader.nem_objects import NEMReadings, Reading
from numpy.typing import NDArray

from fmar_spark.clock import parse_day
from fmar_spark.domain.figures import write_count
from fmar_spark.errors import InputError
from fmar_spark.intake.decimals import parse_decimal
from fmar_spark.intake.intervals.files import InputFile
from fmar_spark.intake.intervals.rows import RawBlock
from fmar_spark.intake.intervals.stretches import STEPS
from fmar_spark.intake.intervals.wide import DAY_MINUTES

KWH_OF_UNIT: Final = {"wh": 0.001, "kwh": 1.0, "mwh": 1000.0}
DRAWN, GIVEN = "E", "B"
"""First letter of a register that counts energy from and to the grid."""
NULL_QUALITY: Final = "N"
"""Quality of a value that stands for none."""
HOUR_MINUTES: Final = 60
_QUALITY: Final = re.compile(r"[ASFNEV][0-9]{0,2}")
_REGISTER, _VALUES, _ACCUMULATED = "200", "300", "250"
"""Indicators of the records that name a register, that hold the values of its day, and of NEM13's counted up since a visit."""
_OF_VALUES: Final = (_VALUES, "400", "500")
"""The latter two say more of the values before them."""
_NMI, _CONFIGURATION, _SUFFIX, _UNIT, _STEP = 1, 2, 4, 7, 8
"""Places of a register's own fields."""
_FIRST_VALUE: Final = 2
_SUFFIX_CHARS: Final = 2
_AFTER_VALUES: Final = 4
"""Quality, reason, its description, time of the update: the latter three may be left off."""


class _Register(NamedTuple):
    """Whose values follow."""

    nmi: str
    suffix: str
    minutes: int
    """Of its intervals."""
    configured: frozenset[str]
    """Registers of energy that its meter point has."""

    @property
    def is_energy(self) -> bool:
        """Drawn or given; else it is reactive."""
        return self.suffix[:1] in (DRAWN, GIVEN)


class _Checked(NamedTuple):
    """The records of a file as they are handed on."""

    text: str
    """Without what is broken: a cell that is no energy as NaN, records without a date left out."""
    lines: dict[tuple[str, str, date], list[int]]
    """Where the values of each meter point, register and day stand, each time that they are there."""
    configured: dict[tuple[str, date], frozenset[str]]
    """Registers of energy that the meter point has on a day, as the record of its register (200) says."""
    broken: list[tuple[int, str, str]]
    """Line, text and rule."""


class _Record(NamedTuple):
    """Energies of a register on a day."""

    line: int
    kwh: list[float]
    """NaN where there is none."""

    @property
    def minutes(self) -> int:
        """Of its intervals."""
        return DAY_MINUTES // len(self.kwh)


_Days = dict[tuple[str, date], dict[str, list[_Record]]]
"""Records of each register, by meter point and day; more than one where they are there again."""


def read_nem12(file: InputFile) -> Iterator[RawBlock]:
    """Energy drawn (E) and given (B) by meter point and time; reactive registers are left.

    Registers of a day are summed in the shortest of 15, 30 and 60 minutes that all their intervals divide. An interval of which a register
    has no value was not read, nor is a direction on a day without a register that it has before and, by the file's records or the
    meter point's configuration, after. A record that is there twice makes its intervals twice.

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
    days = _list_days(found, checked)
    missing = _find_missing(days, checked.configured)
    broken = list(checked.broken)
    names: list[str] = []
    lines: list[int] = []
    seconds, energies = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 2))]
    for (nmi, day), registers in days.items():
        lacks = missing.get((nmi, day), [])
        broken += [(_first_line(registers), f"{nmi} {day:%Y%m%d}: no record of {one}", "register_missing") for one in lacks]
        for copy in range(max(map(len, registers.values()))):
            kwh = _sum_registers(registers, copy, lacks)
            names += [nmi] * len(kwh)
            seconds.append(_start_intervals(day, len(kwh)))
            energies.append(kwh)
            lines += [next(records[copy].line for records in registers.values() if len(records) > copy)] * len(kwh)
    taken, given = np.concatenate(energies).T
    yield RawBlock(
        pa.table(
            {
                "series_id": pa.array(names, pa.string()),
                "timestamp_utc": pa.array(np.concatenate(seconds) * 1_000_000).cast(pa.timestamp("us")),
                "kwh_import": taken,
                "kwh_export": given,
            }
        ),
        np.array(lines, dtype=np.int64),
        broken,
        _describe_absent(file, days, checked.configured),
    )


def _list_days(found: NEMReadings, checked: _Checked) -> _Days:
    days: _Days = {}
    for nmi, register, reading in _list_readings(found):
        day = reading.t_start.date()
        records = days.setdefault((nmi, day), {}).setdefault(register, [])
        if reading.t_start.time() == time():
            records.append(_Record(checked.lines[nmi, register, day][len(records)], []))
        records[-1].kwh.append(_read_kwh(reading))
    return days


def _find_missing(days: _Days, configured: dict[tuple[str, date], frozenset[str]]) -> dict[tuple[str, date], list[str]]:
    """Registers that a meter point has had before, by days of which it has no record of them.

    After the last record of a register its day is missing where the meter point is still configured with it: the register is not gone.
    """
    spans: dict[str, dict[str, tuple[date, date]]] = {}
    for (nmi, day), registers in days.items():
        own = spans.setdefault(nmi, {})
        own.update({one: (min(day, own[one][0]), max(day, own[one][1])) if one in own else (day, day) for one in registers})
    found = {}
    for (nmi, day), registers in days.items():
        named = configured[nmi, day]
        lacks = [
            one
            for one, (first, last) in sorted(spans[nmi].items())
            if one not in registers and first < day and (day < last or one in named)
        ]
        if lacks:
            found[nmi, day] = lacks
    return found


def _sum_registers(registers: dict[str, list[_Record]], copy: int, lacks: list[str]) -> NDArray[np.float64]:
    """Energies drawn and given in each interval of a day, kWh, shape (intervals, 2); NaN where a direction is not whole.

    No interval where none divides an hour. A register that is there less often than others is there again with what it said last.
    """
    chosen = {one: records[min(copy, len(records) - 1)] for one, records in registers.items()}
    lengths = [record.minutes for record in chosen.values() if HOUR_MINUTES % record.minutes == 0]
    if not lengths:
        return np.zeros((0, 2))
    step = next(minutes for minutes in STEPS if all(minutes % length == 0 for length in lengths))
    total = np.full((DAY_MINUTES // step, 2), np.nan)
    for side, letter in enumerate((DRAWN, GIVEN)):
        own = [_bring_to(step, record) for one, record in chosen.items() if one.startswith(letter)]
        if own and not any(one.startswith(letter) for one in lacks):
            total[:, side] = np.sum(own, axis=0)
    return total


def _bring_to(step: int, record: _Record) -> NDArray[np.float64]:
    """Energies in intervals of so many minutes; NaN where the record's own do not make them up."""
    if step % record.minutes:
        return np.full(DAY_MINUTES // step, np.nan)
    summed: NDArray[np.float64] = np.asarray(record.kwh).reshape(DAY_MINUTES // step, -1).sum(axis=1)
    return summed


def _start_intervals(day: date, intervals: int) -> NDArray[np.int64]:
    midnight = np.datetime64(day, "s").astype(np.int64)
    starts: NDArray[np.int64] = midnight + np.arange(intervals) * (DAY_MINUTES * 60 // max(intervals, 1))
    return starts


def _first_line(registers: dict[str, list[_Record]]) -> int:
    return min(record.line for records in registers.values() for record in records)


def _describe_absent(file: InputFile, days: _Days, configured: dict[tuple[str, date], frozenset[str]]) -> tuple[str, ...]:
    """A line for each meter point that is configured with registers of which the file has no record at all."""
    found: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    for (nmi, day), registers in days.items():
        found.setdefault(nmi, set()).update(registers)
        named.setdefault(nmi, set()).update(configured[nmi, day])
    return tuple(
        f"{file.name}: {nmi}: no record of {', '.join(sorted(named[nmi] - own))} found, which its configuration (200) names: "
        f"{', '.join(sorted(own))} alone {'are' if len(own) > 1 else 'is'} read; ask for a file of all registers of the meter point"
        for nmi, own in sorted(found.items())
        if named[nmi] - own
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
        InputError: a register of energy in another unit or step, values of none, or energy that was counted up between visits (NEM13).
    """
    kept, checked = io.StringIO(), _Checked("", {}, {}, [])
    writer, reader = csv.writer(kept, lineterminator="\n"), csv.reader(io.StringIO(text))
    register, is_broken = None, False
    for row in reader:
        number, kind = reader.line_num, row[0] if row else ""
        if kind == _ACCUMULATED:
            raise InputError(
                f"{file.name}:{number}: an accumulated reading (250, NEM13) found; interval readings (NEM12) wanted: ask for them"
            )
        if kind == _REGISTER:
            register = _read_register(f"{file.name}:{number}", row)
        elif kind == _VALUES and register is None:
            raise InputError(f"{file.name}:{number}: values (300) found before the record of their register (200)")
        elif kind == _VALUES and register is not None and register.is_energy:
            is_broken = not _note_values(register, row, number, checked)
        # An empty line for what is left out, so that the lines of what is kept are those of the file.
        writer.writerow([] if is_broken and kind in _OF_VALUES else row)
    return checked._replace(text=kept.getvalue())


def _note_values(register: _Register, row: list[str], number: int, checked: _Checked) -> bool:
    """Whether a record of values has a day; what is wrong with it, and where its day stands, is added to what was found so far."""
    faults = _check_values(register, row)
    checked.broken.extend((number, found, rule) for found, rule in faults)
    if any(rule == "record_date" for _, rule in faults):
        return False
    day = parse_day(row[1])
    checked.lines.setdefault((register.nmi, register.suffix, day), []).append(number)
    named = checked.configured.get((register.nmi, day), frozenset())
    checked.configured[register.nmi, day] = named | register.configured
    return True


def _read_register(place: str, row: list[str]) -> _Register:
    if len(row) <= _STEP:
        raise InputError(f"{place}: {write_count(len(row), 'field')} of a register (200) found; {_STEP + 1} or more wanted")
    listed = row[_CONFIGURATION]
    suffixes = [listed[at : at + _SUFFIX_CHARS] for at in range(0, len(listed), _SUFFIX_CHARS)]
    configured = frozenset(one for one in suffixes if one[:1] in (DRAWN, GIVEN)) if len(listed) % _SUFFIX_CHARS == 0 else frozenset()
    register = _Register(row[_NMI], row[_SUFFIX], int(row[_STEP]) if row[_STEP].isdecimal() else 0, configured)
    if register.is_energy and row[_UNIT].lower() not in KWH_OF_UNIT:
        raise InputError(f"{place}: unit {row[_UNIT]!r} found; Wh, kWh or MWh wanted")
    if not register.minutes or DAY_MINUTES % register.minutes:
        raise InputError(f"{place}: intervals of {row[_STEP]!r} minutes found; minutes that divide a day, such as 5, 15 or 30, wanted")
    return register


def _check_values(register: _Register, row: list[str]) -> list[tuple[str, str]]:
    """What is wrong with a record of values and the rule that it breaks; cells that are no energies become NaN, all of a record with too
    few or too many or of intervals that divide no hour, so that the other registers of its day are not taken for the whole."""
    intervals = DAY_MINUTES // register.minutes
    last = _FIRST_VALUE + intervals
    said = f"{register.nmi} {register.suffix} {row[1] if len(row) > 1 else ''}"
    if len(row) < _FIRST_VALUE or not _is_day(row[1]):
        return [(said, "record_date")]
    found = _find_unwhole(register, row)
    if found is not None:
        row[_FIRST_VALUE:] = [*["nan"] * intervals, NULL_QUALITY, "", "", "", ""]
        return [(f"{said}: {found[0]}", found[1])]
    row += [""] * (last + _AFTER_VALUES - len(row))
    faults = []
    for place in range(_FIRST_VALUE, last):
        value = parse_decimal(row[place].strip())
        if row[place].strip() and not value >= 0:
            rule = "kwh_negative" if value < 0 else "kwh_not_a_number"
            faults.append((f"{said}: value {place - 1} of {row[place]!r}", rule))
        row[place] = f"{value}" if value >= 0 else "nan"
    return faults


def _find_unwhole(register: _Register, row: list[str]) -> tuple[str, str] | None:
    """What makes all values of a record no energies of intervals, and the rule that it breaks."""
    if HOUR_MINUTES % register.minutes:
        return f"intervals of {register.minutes} minutes", "record_step"
    intervals = DAY_MINUTES // register.minutes
    last = _FIRST_VALUE + intervals
    if len(row) <= last or not _QUALITY.fullmatch(row[last].strip()):
        return write_count(len(row), "field"), "record_values"
    # A day's energy in one of its intervals, the others empty: it was counted up over more than that interval.
    filled = sum(cell.strip() != "" for cell in row[_FIRST_VALUE:last])
    return (f"1 of {intervals} values", "record_values") if filled == 1 else None


def _is_day(text: str) -> bool:
    """Whether it is a day that another one follows: the last interval ends on it."""
    try:
        return len(text) == len("YYYYMMDD") and parse_day(text) < date.max
    except ValueError:
        return False
