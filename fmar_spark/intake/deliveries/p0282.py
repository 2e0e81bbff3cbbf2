"""Reads delivered volumes as data flow P0282 v002 declares them: records in a hierarchy, local settlement periods, MWh.

A line is a record, its fields divided by ``|``: MSA settlement date, MSB GSP group, MSC BM unit, MSJ import and export MSID,
MSP settlement period and volume; under MSJ also ASJ import and export AMSID, ASP settlement period and volume. A header (ZH.)
names the sender and the time of the file; without one the BM unit stands for the FSP. The rule-makers publish no sample: which
way a positive volume counts is assumed to be less import or more export.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa

from fmar_spark.clock import LONDON
from fmar_spark.intake.decimals import parse_decimal
from fmar_spark.intake.deliveries.rows import (
    EARLIEST,
    LATEST,
    STAMP,
    VOLUME_SCHEMA,
    Checked,
    DeclarationRules,
    describe_rules,
    find_meter_notices,
    list_faults,
    list_notices,
)
from fmar_spark.intake.deliveries.volumes import find_timing_notices
from fmar_spark.intake.intervals.rows import RAW_CHARS

PARENT: Final = {"MSB": "MSA", "MSC": "MSB", "MSJ": "MSC", "MSP": "MSJ", "ASJ": "MSJ", "ASP": "ASJ"}
"""The record that must stand above each."""
FIELDS: Final = {"MSA": 1, "MSB": 1, "MSC": 1, "MSJ": 1, "MSP": 2, "ASJ": 1, "ASP": 2}
"""Least fields of each record, its type left aside."""
BELOW: Final = {
    "MSA": ("MSB", "MSC", "MSJ", "ASJ"),
    "MSB": ("MSC", "MSJ", "ASJ"),
    "MSC": ("MSJ", "ASJ"),
    "MSJ": ("ASJ",),
    "ASJ": (),
}
"""What a new record of a type ends."""
RULES: Final = {
    "mpan_format": "an import MSID of 13 digits in MSJ",
    "delivered_not_a_number": "a number of MWh after the settlement period in MSP and ASP",
    "delivered_beyond_limit": "at most {max_mwh} MWh in MSP and ASP (deliveries.max_kwh_per_slot)",
}
"""What rules want that other formats have too, in the records of this one."""
KWH_PER_MWH: Final = 1000.0
SLOT: Final = timedelta(minutes=30)
_DATE: Final = re.compile(r"[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERIOD: Final = re.compile(r"[0-9]{1,2}")


class _Volume(NamedTuple):
    mpan_id: str
    amsid: str
    fsp_id: str
    start_at: datetime
    kwh: float
    line: int


class _Fault(NamedTuple):
    line: int
    rule: str
    text: str


class _Reading:
    """What has been read of a file so far: the records that are open, and who sent it."""

    def __init__(self, rules: DeclarationRules) -> None:
        """Nothing is open yet."""
        self.rules = rules
        self.open: dict[str, list[str]] = {}
        self.sender = ""
        self.sent_at: datetime | None = None

    def read(self, line: int, text: str) -> _Volume | _Fault | None:
        """What a line declares, or the rule that it breaks."""
        kind, *fields = [field.strip() for field in text.strip().split("|")]
        if kind.startswith(("ZH", "ZP")):
            self._read_header(kind, fields)
            return None
        if kind not in FIELDS:
            return _Fault(line, "p0282_record_unknown", text)
        parent = PARENT.get(kind)
        for ended in BELOW.get(kind, ()):
            self.open.pop(ended, None)
        if parent is not None and parent not in self.open:
            self.open.pop(kind, None)
            return _Fault(line, "p0282_record_missing", text)
        rule = self._find_rule(kind, fields)
        if rule:
            self.open.pop(kind, None)
            return _Fault(line, rule, text)
        if kind not in BELOW:
            return self._build_volume(line, kind, fields)
        self.open[kind] = fields
        return None

    def _read_header(self, kind: str, fields: list[str]) -> None:
        if kind.startswith("ZH") and len(fields) > 3:
            self.sender = fields[3] if len(fields[3]) <= self.rules.max_name_chars else ""
            stamps = [_parse_stamp(field) for field in fields[4:]]
            self.sent_at = next((stamp for stamp in stamps if stamp), None)

    def _find_rule(self, kind: str, fields: list[str]) -> str:
        if sum(field != "" for field in fields[: FIELDS[kind]]) < FIELDS[kind]:
            return "p0282_fields"
        if kind == "MSA" and _parse_date(fields[0]) is None:
            return "p0282_fields"
        if kind == "MSJ" and not (len(fields[0]) == 13 and fields[0].isascii() and fields[0].isdigit()):
            return "mpan_format"
        if kind not in BELOW:
            return self._find_volume_rule(fields)
        return "name_too_long" if len(fields[0]) > self.rules.max_name_chars else ""

    def _find_volume_rule(self, fields: list[str]) -> str:
        day = _parse_date(self.open["MSA"][0])
        if day is None or not _PERIOD.fullmatch(fields[0]) or not 1 <= int(fields[0]) <= len(_list_periods(day)):
            return "period_out_of_day"
        kwh = parse_decimal(fields[1]) * KWH_PER_MWH
        if not np.isfinite(kwh):
            return "delivered_not_a_number"
        return "delivered_beyond_limit" if abs(kwh) > self.rules.max_kwh_per_slot else ""

    def _build_volume(self, line: int, kind: str, fields: list[str]) -> _Volume:
        day = _parse_date(self.open["MSA"][0]) or date.min
        amsid = self.open["ASJ"][0] if kind == "ASP" else ""
        start = _list_periods(day)[int(fields[0]) - 1]
        kwh = round(parse_decimal(fields[1]) * KWH_PER_MWH, 4)
        return _Volume(self.open["MSJ"][0], amsid, self.sender or self.open["MSC"][0], start, kwh, line)


def read_p0282(path: Path, rules: DeclarationRules) -> Checked:
    """The volumes of a file, and the lines that break a rule.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    reading = _Reading(rules)
    volumes, faults = [], []
    for line, text in _list_lines(path):
        found = reading.read(line, text)
        if isinstance(found, _Volume):
            volumes.append(found)
        elif found is not None:
            faults.append(found)
    places = [f"{path.name}:{fault.line}" for fault in faults]
    raw = [fault.text.strip()[:RAW_CHARS] for fault in faults]
    rejected = list_faults(places, [fault.rule for fault in faults], raw, wanted=describe_rules(rules, RULES))
    return Checked(_build_rows(path.name, volumes, reading.sent_at), rejected)


def _build_rows(name: str, volumes: list[_Volume], sent_at: datetime | None) -> pa.Table:
    listed = pd.DataFrame(volumes, columns=_Volume._fields)
    start = pd.to_datetime(listed["start_at"], utc=True)
    declared = pd.Series([sent_at] * len(listed), dtype="datetime64[us, UTC]")
    notices = find_meter_notices(listed.astype({"mpan_id": object, "amsid": object}))
    notices |= find_timing_notices(start, declared, listed["kwh"].to_numpy(dtype=np.float64))
    columns = {
        "slot_start_at": pa.array(start, STAMP, from_pandas=True),
        "delivered_kwh": listed["kwh"].tolist(),
        "metered_kwh": [None] * len(listed),
        "is_network_sign": [True] * len(listed),
        **{name: listed[name].tolist() for name in ("mpan_id", "amsid", "fsp_id")},
        "series_id": [""] * len(listed),
        "version": [None] * len(listed),
        "declared_at": pa.array(declared, STAMP, from_pandas=True),
        "notices": list_notices(notices, len(listed)),
        "file": [name] * len(listed),
        "source": [f"{name}:{line}" for line in listed["line"].tolist()],
    }
    return pa.table([columns[field.name] for field in VOLUME_SCHEMA], schema=VOLUME_SCHEMA)


def _list_lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8-sig") as stream:
        for line, text in enumerate(stream, start=1):
            if text.strip():
                yield line, text


@lru_cache(maxsize=1024)
def _list_periods(day: date) -> tuple[datetime, ...]:
    """UTC starts of the settlement periods of a local day: 46, 48 or 50."""
    zone = ZoneInfo(LONDON)
    first, after = (datetime.combine(one, time(), tzinfo=zone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    return tuple(first + number * SLOT for number in range((after - first) // SLOT))


@lru_cache(maxsize=1024)
def _parse_date(text: str) -> date | None:
    try:
        day = date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None
    return day if day and EARLIEST.date() <= day < LATEST.date() else None


def _parse_stamp(text: str) -> datetime | None:
    try:
        stamp = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC) if len(text) == 14 else None
    except ValueError:
        return None
    return stamp if stamp and EARLIEST <= stamp < LATEST else None
