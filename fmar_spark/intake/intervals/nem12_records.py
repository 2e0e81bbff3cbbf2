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
UNDECODABLE: Final = "\ufffd"
"""Stands for bytes that are no text in UTF-8."""
NULL_QUALITY: Final = "N"
"""Quality of a value that stands for none."""
HOUR_MINUTES: Final = 60
_QUALITY: Final = re.compile(r"[ASFNEV][0-9]{0,2}")
_HEADER, _REGISTER, _VALUES, _EVENT, _END, _ACCUMULATED = "100", "200", "300", "400", "900", "250"
"""Indicators of the records that name a register, that hold the values of its day, that say the quality of some, and of NEM13's that was
counted up since a visit."""
_UNREAD: Final = (_END, "500")
"""The latter says who was asked for the values before it."""
_HEADER_FIELDS, _EVENT_FIELDS = 5, 6
_NMI, _CONFIGURATION, _SUFFIX, _UNIT, _STEP = 1, 2, 4, 7, 8
_OWN: Final = (_NMI, _CONFIGURATION, _SUFFIX, _UNIT, _STEP)
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
    """Of its intervals; 0 where its values are not read."""
    configured: frozenset[str]
    """Registers of energy that its meter point has."""

    @property
    def place(self) -> tuple[str, str]:
        """Its meter point and name."""
        return self.nmi, self.suffix

    @property
    def intervals(self) -> int:
        """Of a day."""
        return DAY_MINUTES // self.minutes

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
    lost: dict[tuple[str, date], set[str]]
    """Registers of energy of a meter point and day whose values cannot be read."""
    broken: list[tuple[int, str, str]]
    """Line, text and rule."""
    others: set[str]
    """Registers with values that are no energy."""


def check_records(file: InputFile, text: str) -> Checked:
    """The records of registers of energy, without those and those cells that are no energies.

    Raises:
        InputError: values of no register, or energy that was counted up between visits (NEM13).
    """
    kept, checking = io.StringIO(), _Checking(file)
    writer, reader = csv.writer(kept, lineterminator="\n"), csv.reader(io.StringIO(text))
    writer.writerows([row for row in reader if checking.take(row, reader.line_num)])
    return checking.checked._replace(text=kept.getvalue())


class _Checking:
    """Checks a file record by record."""

    def __init__(self, file: InputFile) -> None:
        self.checked = Checked("", {}, {}, {}, {}, [], set())
        self._file = file
        self._register: _Register | None = None
        self._values: list[str] | None = None
        """The record that events are of; none where it was left out."""

    def take(self, row: list[str], number: int) -> bool:
        """Whether a record is handed on; what is wrong with it is noted, and put right in its place.

        Raises:
            InputError: see ``check_records``.
        """
        kind = row[0].strip() if row else ""
        if kind == _ACCUMULATED:
            raise InputError(
                f"{self._file.name}:{number}: an accumulated reading (250, NEM13) found; interval readings (NEM12) wanted: ask for them"
            )
        if kind == _REGISTER and any(UNDECODABLE in row[at] for at in _OWN if at < len(row)):
            self.checked.broken.append((number, ",".join(row), "text_undecodable"))
            self._register, self._values = _name_unread(row), None
            return False
        if kind == _REGISTER:
            self._register, self._values = self._read_register(row, number), None
            return self._register.minutes > 0
        if kind == _VALUES:
            return self._take_values(row, number)
        if kind == _EVENT:
            return self._take_event(row, number)
        if kind == _HEADER:
            row += [""] * (_HEADER_FIELDS - len(row))
        elif kind not in _UNREAD and any(cell.strip() for cell in row):
            self.checked.broken.append((number, ",".join(row), "record_kind"))
            return self._take_unknown(row, number)
        return kind in (_HEADER, _END)

    def _take_unknown(self, row: list[str], number: int) -> bool:
        """What may have been values, or a register, is none: the days that lack it are not whole."""
        self._values, register = None, self._register
        if _is_like_register(row, register):
            self._register = _name_unread(row)
            return False
        if register is None or not register.minutes or len(row) < _FIRST_VALUE or not _is_day(row[1]):
            return False
        row[0] = _VALUES
        _leave_out(register, row)
        _note_day(register, parse_day(row[1]), number, self.checked)
        return True

    def _read_register(self, row: list[str], number: int) -> _Register:
        """A register; where it is one of energy that cannot be read, its days are not whole."""
        unread = _name_unread(row)
        if unread.suffix and not unread.is_energy:
            return unread
        fault = _find_register_fault(row)
        if fault:
            self.checked.broken.append((number, f"{unread.nmi} {unread.suffix}".rstrip() + f": {fault}", "register_unreadable"))
            return unread
        row[_UNIT] = row[_UNIT].strip()
        return _Register(unread.nmi, unread.suffix, int(row[_STEP]), _list_configured(row[_CONFIGURATION]))

    def _take_values(self, row: list[str], number: int) -> bool:
        if self._register is None:
            raise InputError(f"{self._file.name}:{number}: values (300) found before the record of their register (200)")
        if not self._register.minutes:
            self._lose_values(self._register, row)
            return False
        self._values = row if _note_values(self._register, row, number, self.checked) else None
        return self._values is not None

    def _lose_values(self, register: _Register, row: list[str]) -> None:
        """The values of a register that is not read: those of one that cannot be read make its day not whole."""
        if register.suffix and not register.is_energy:
            self.checked.others.add(register.suffix)
            return
        day = parse_day(row[1]) if len(row) >= _FIRST_VALUE and _is_day(row[1]) else None
        for suffix in (register.suffix,) if register.suffix else (f"{DRAWN}?", f"{GIVEN}?"):
            self.checked.order.setdefault((register.nmi, suffix), []).append(day)
            if day is not None:
                self.checked.lost.setdefault((register.nmi, day), set()).add(suffix)

    def _take_event(self, row: list[str], number: int) -> bool:
        """A quality of intervals; where it cannot be read, what may be of none is left out."""
        register, values = self._register, self._values
        if register is None or not register.minutes or (values is None and None in self.checked.order.get(register.place, [])):
            return False
        row += [""] * (_EVENT_FIELDS - len(row))
        first, last, quality = (cell.strip() for cell in row[1:4])
        is_placed = first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) <= register.intervals
        is_value = _QUALITY.fullmatch(quality) is not None and not quality.startswith(NULL_QUALITY)
        row[3] = quality
        if values is not None and is_placed and _QUALITY.fullmatch(quality):
            return True
        said = f"{register.nmi} {register.suffix} {values[1] if values else ''}".rstrip()
        self.checked.broken.append((number, f"{said}: {','.join(row).rstrip(',')}", "record_event"))
        if values is not None and not is_placed and not is_value:
            _leave_out(register, values)
        row[3] = NULL_QUALITY
        return values is not None and is_placed


def _note_values(register: _Register, row: list[str], number: int, checked: Checked) -> bool:
    """Whether a record of values has a day; what is wrong with it, and where its day stands, is added to what was found so far."""
    faults = _check_values(register, row)
    checked.broken.extend((number, found, rule) for found, rule in faults)
    if any(rule == "record_date" for _, rule in faults):
        checked.order.setdefault(register.place, []).append(None)
        return False
    _note_day(register, parse_day(row[1]), number, checked)
    return True


def _note_day(register: _Register, day: date, number: int, checked: Checked) -> None:
    """Where the record of a register and day stands."""
    checked.order.setdefault(register.place, []).append(day)
    checked.lines.setdefault((register.nmi, register.suffix, day), []).append(number)
    named = checked.configured.get((register.nmi, day), frozenset())
    checked.configured[register.nmi, day] = named | register.configured


def _name_unread(row: list[str]) -> _Register:
    """A register of which nothing but its name is read; without a name where none can be read."""
    nmi, suffix = (row[at] if len(row) > at else "" for at in (_NMI, _SUFFIX))
    return _Register(nmi, "" if suffix.startswith(UNDECODABLE) else suffix, 0, frozenset())


def _is_like_register(row: list[str], before: _Register | None) -> bool:
    """Whether a record of no known kind is one of a register: of the meter point before it, or one of those that it lists."""
    if len(row) <= _SUFFIX or _is_day(row[_NMI]):
        return False
    return (before is not None and row[_NMI] == before.nmi) or row[_SUFFIX] in re.findall("..", row[_CONFIGURATION])


def _find_register_fault(row: list[str]) -> str:
    """What makes a register of energy none that can be read; empty where nothing does."""
    if len(row) <= _STEP:
        return write_count(len(row), "field")
    if row[_UNIT].strip().lower() not in KWH_OF_UNIT:
        return f"unit {row[_UNIT]!r}"
    minutes = int(row[_STEP]) if row[_STEP].isdecimal() else 0
    return "" if minutes and DAY_MINUTES % minutes == 0 else f"intervals of {row[_STEP]!r} minutes"


def _list_configured(listed: str) -> frozenset[str]:
    """Registers of energy that a configuration names."""
    suffixes = [listed[at : at + _SUFFIX_CHARS] for at in range(0, len(listed), _SUFFIX_CHARS)]
    return frozenset(one for one in suffixes if one[:1] in (DRAWN, GIVEN)) if len(listed) % _SUFFIX_CHARS == 0 else frozenset()


def _check_values(register: _Register, row: list[str]) -> list[tuple[str, str]]:
    """What is wrong with a record of values and the rule that it breaks; cells that are no energies become NaN, all of a record with too
    few or too many or of intervals that divide no hour, so that the other registers of its day are not taken for the whole."""
    last = _FIRST_VALUE + register.intervals
    said = f"{register.nmi} {register.suffix} {row[1] if len(row) > 1 else ''}"
    if len(row) < _FIRST_VALUE or not _is_day(row[1]):
        return [(said, "record_date")]
    found = _find_unwhole(register, row)
    if found is not None:
        _leave_out(register, row)
        return [(f"{said}: {found[0]}", found[1])]
    row += [""] * (last + _AFTER_VALUES - len(row))
    row[last] = row[last].strip()
    faults = []
    for place in range(_FIRST_VALUE, last):
        value = parse_decimal(row[place].strip())
        if row[place].strip() and not value >= 0:
            rule = "kwh_negative" if value < 0 else "kwh_not_a_number"
            faults.append((f"{said}: value {place - 1} of {row[place]!r}", rule))
        row[place] = f"{value}" if value >= 0 else "nan"
    return faults


def _leave_out(register: _Register, row: list[str]) -> None:
    """No value of a record is one."""
    row[_FIRST_VALUE:] = [*["nan"] * register.intervals, NULL_QUALITY, *[""] * _AFTER_VALUES]


def _find_unwhole(register: _Register, row: list[str]) -> tuple[str, str] | None:
    """What makes all values of a record no energies of intervals, and the rule that it breaks."""
    if HOUR_MINUTES % register.minutes:
        return f"intervals of {register.minutes} minutes", "record_step"
    intervals = register.intervals
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
