"""Checks the records of NEM12 one by one, before any is read as energy: what is broken is named by line and left out."""

import csv
import io
import re
from datetime import date
from typing import Final, NamedTuple

from fmar_spark.clock import parse_day
from fmar_spark.domain.figures import write_count
from fmar_spark.errors import InputError
from fmar_spark.intake.decimals import parse_decimal
from fmar_spark.intake.intervals.files import InputFile
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


class Checked(NamedTuple):
    """The records of a file as they are handed on."""

    text: str
    """Without what is broken: a cell that is no energy as NaN, records without a date left out."""
    lines: dict[tuple[str, str, date], list[int]]
    """Where the values of each meter point, register and day stand, each time that they are there."""
    configured: dict[tuple[str, date], frozenset[str]]
    """Registers of energy that the meter point has on a day, as the record of its register (200) says."""
    order: dict[tuple[str, str], list[date | None]]
    """Days of the records of each meter point and register as they follow each other, None where none can be read."""
    broken: list[tuple[int, str, str]]
    """Line, text and rule."""


def check_records(file: InputFile, text: str) -> Checked:
    """The records, without those and those cells that are no energies.

    Raises:
        InputError: a register of energy in another unit or step, values of none, or energy that was counted up between visits (NEM13).
    """
    kept, checked = io.StringIO(), Checked("", {}, {}, {}, [])
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


def _note_values(register: _Register, row: list[str], number: int, checked: Checked) -> bool:
    """Whether a record of values has a day; what is wrong with it, and where its day stands, is added to what was found so far."""
    faults = _check_values(register, row)
    checked.broken.extend((number, found, rule) for found, rule in faults)
    order = checked.order.setdefault((register.nmi, register.suffix), [])
    if any(rule == "record_date" for _, rule in faults):
        order.append(None)
        return False
    day = parse_day(row[1])
    order.append(day)
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
