"""Reads NEM12: a record for each register and day of a meter point, whose registers together are what was drawn and what was given."""

import csv
import gzip
import io
import math
from collections.abc import Iterator
from datetime import date, time
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from nemreader import NEMFile
from nemreader.nem_objects import NEMReadings, Reading
from numpy.typing import NDArray

from fmar_spark.errors import InputError
from fmar_spark.intake.intervals.absent import Absent
from fmar_spark.intake.intervals.files import InputFile
from fmar_spark.intake.intervals.nem12_records import DRAWN, GIVEN, HOUR_MINUTES, KWH_OF_UNIT, NULL_QUALITY, Checked, check_records
from fmar_spark.intake.intervals.rows import RawBlock
from fmar_spark.intake.intervals.stretches import STEPS
from fmar_spark.intake.intervals.undated import find_days_of_undated
from fmar_spark.intake.intervals.wide import DAY_MINUTES


class _Record(NamedTuple):
    """Energies of a register on a day."""

    line: int
    kwh: list[float]
    """NaN where there is none."""

    @property
    def minutes(self) -> int:
        """Of its intervals."""
        return DAY_MINUTES // len(self.kwh)

    def fill(self, known: list[float]) -> "_Record":
        """The same with other energies where there is none."""
        return self._replace(kwh=[other if math.isnan(kwh) else kwh for kwh, other in zip(self.kwh, known, strict=True)])


_Days = dict[tuple[str, date], dict[str, list[_Record]]]
"""Records of each register, by meter point and day; more than one where they are there again."""


def read_nem12(file: InputFile) -> Iterator[RawBlock]:
    """Energy drawn (E) and given (B) by meter point and time; reactive registers are left.

    Registers of a day are summed in the shortest of 15, 30 and 60 minutes that all their intervals divide. An interval of which a register
    has no value was not read, nor is a direction on a day without a register that it has by the file's records before and after, or by
    the meter point's configuration. A record that is there twice makes its intervals twice, of which an empty one is as the other.

    Raises:
        InputError: no NEM12, or one without a register of energy.
    """
    opener = gzip.open if file.name.lower().endswith(".gz") else open
    try:
        with opener(file.path, "rt", encoding="utf-8-sig", errors="replace") as text:
            checked = check_records(file, text.read())
        found = NEMFile(file.name, strict=True).parse_nem_file(io.StringIO(checked.text), file_name=file.name)
    except (OSError, ValueError, IndexError, KeyError, csv.Error) as error:
        raise InputError(f"{file.name}: no NEM12 that can be read: {error}") from error
    if checked.others and not checked.order:
        others = ", ".join(sorted(checked.others))
        raise InputError(f"{file.name}: values of {others} alone found; of registers of what is drawn (E) or given (B) wanted")
    days = _list_days(found, checked)
    missing = _find_missing(days, checked)
    broken = list(checked.broken)
    names: list[str] = []
    lines: list[int] = []
    seconds, energies = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 2))]
    for (nmi, day), registers in days.items():
        lacks = missing.lacks.get((nmi, day), [])
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
        (*_list_absent(file, days, checked), *_list_late(file, days, missing.late)),
    )


def _list_days(found: NEMReadings, checked: Checked) -> _Days:
    days: _Days = {}
    for nmi, register, reading in _list_readings(found):
        day = reading.t_start.date()
        records = days.setdefault((nmi, day), {}).setdefault(register, [])
        if reading.t_start.time() == time():
            records.append(_Record(checked.lines[nmi, register, day][len(records)], []))
        records[-1].kwh.append(_read_kwh(reading))
    for registers in days.values():
        registers.update({one: _complete(records) for one, records in registers.items() if len(records) > 1})
    return days


def _complete(records: list[_Record]) -> list[_Record]:
    """What is there again of a register and day, each with the first value of the others where it has none: nothing read is no reading.

    A record without a single value is left out where another has one.
    """
    read = [record for record in records if not np.isnan(record.kwh).all()]
    for step in {record.minutes for record in read}:
        alike = [record.kwh for record in read if record.minutes == step]
        known = [next((kwh for kwh in own if not math.isnan(kwh)), math.nan) for own in zip(*alike, strict=True)]
        read = [record.fill(known) if record.minutes == step else record for record in read]
    return read or records


class _Missing(NamedTuple):
    """Registers by days of which the file has no record of them, though it has others."""

    lacks: dict[tuple[str, date], list[str]]
    """What their direction is left out for."""
    late: dict[tuple[str, str], list[date]]
    """By meter point and register the days before its first record on which its whole direction is not there."""


def _find_missing(days: _Days, checked: Checked) -> _Missing:
    """Registers that a meter point has, by days of which it has no record of them.

    Before the first record of a register and after its last a day is missing where the meter point is configured with it: the register was
    there. So is every day of values that cannot be read, and every day that a record without a readable date may be of.
    """
    spans: dict[str, dict[str, tuple[date, date]]] = {}
    for (nmi, day), registers in days.items():
        own = spans.setdefault(nmi, {})
        own.update({one: (min(day, own[one][0]), max(day, own[one][1])) if one in own else (day, day) for one in registers})
    known: dict[str, set[str]] = {nmi: set() for nmi in spans}
    for nmi, one in checked.order:
        known.setdefault(nmi, set()).add(one)
    unusable = set(_list_undated(days, checked)) | {(nmi, one, day) for nmi, day in days for one in checked.lost.get((nmi, day), ())}
    found: dict[tuple[str, date], set[str]] = {place: set() for place in days}
    late: dict[tuple[str, str], list[date]] = {}
    for (nmi, day), registers in days.items():
        named = checked.configured[nmi, day]
        there = {one for one, (first, last) in spans[nmi].items() if first < day < last} | (known[nmi] & named)
        for one in there - set(registers):
            if one not in spans[nmi] or day > spans[nmi][one][0] or any(own[:1] == one[:1] for own in registers):
                found[nmi, day].add(one)
            elif (nmi, one, day) not in unusable:
                late.setdefault((nmi, one), []).append(day)
    for nmi, register, day in unusable:
        if register not in days[nmi, day]:
            found[nmi, day].add(register)
    return _Missing({place: sorted(lacks) for place, lacks in found.items() if lacks}, late)


def _list_undated(days: _Days, checked: Checked) -> Iterator[tuple[str, str, date]]:
    """Meter point, register and day of each record without a readable date; of each day that it may be of."""
    by_nmi: dict[str, list[date]] = {}
    for nmi, day in sorted(days):
        by_nmi.setdefault(nmi, []).append(day)
    for (nmi, register), order in checked.order.items():
        if None in order:
            yield from ((nmi, register, day) for day in find_days_of_undated(order, by_nmi.get(nmi, [])))


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


def _list_absent(file: InputFile, days: _Days, checked: Checked) -> tuple[Absent, ...]:
    """Meter points that are configured with registers of which the file has no record at all."""
    read: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    own_days: dict[str, set[date]] = {}
    for (nmi, day), registers in days.items():
        read.setdefault(nmi, set()).update(registers)
        named.setdefault(nmi, set()).update(checked.configured[nmi, day])
        own_days.setdefault(nmi, set()).add(day)
    lacks = {nmi: frozenset(one for one in named[nmi] - own if (nmi, one) not in checked.order) for nmi, own in sorted(read.items())}
    return tuple(Absent(file.name, nmi, found, frozenset(read[nmi]), frozenset(own_days[nmi])) for nmi, found in lacks.items() if found)


def _list_late(file: InputFile, days: _Days, late: dict[tuple[str, str], list[date]]) -> Iterator[Absent]:
    """Directions that begin later than their meter point, which is configured with them before."""
    for (nmi, register), own in sorted(late.items()):
        read = {other for day in own for other in days[nmi, day]}
        yield Absent(file.name, nmi, frozenset([register]), frozenset(read), frozenset(own), is_late=True)


def _list_readings(found: NEMReadings) -> Iterator[tuple[str, str, Reading]]:
    """Meter point and register of each interval of energy."""
    for nmi, registers in found.readings.items():
        for register, readings in registers.items():
            if register[:1] in (DRAWN, GIVEN):
                yield from ((nmi, register, reading) for reading in readings)


def _read_kwh(reading: Reading) -> float:
    is_null = str(reading.quality_method).startswith(NULL_QUALITY)
    return math.nan if is_null or reading.read_value is None else reading.read_value * KWH_OF_UNIT[str(reading.uom).lower()]
