"""What the columns of a file mean: by what the user states, else by the headings of a known export. Nothing else is assumed."""

import difflib
from typing import Final, NamedTuple

from fmar_spark.errors import ConfigError
from fmar_spark.intake.intervals.files import CSV_ENDINGS, InputFile, Kind, list_columns
from fmar_spark.intake.intervals.options import (
    AUSGRID,
    DAILY_TOTAL,
    INTERVAL,
    NEM12,
    OURS,
    PLAIN,
    REGISTER,
    STATED_IN_NEM12,
    WANTED,
    WIDE,
    ReadingOptions,
    list_stated,
)
from fmar_spark.intake.intervals.rows import DAILY, POWER, RUNNING_TOTAL, STAMPED_AT_END, Reading, describe_columns
from fmar_spark.intake.intervals.values import TimeReading
from fmar_spark.intake.intervals.wide import WideColumns, find_wide_columns

NEM_TIME: Final = "Etc/GMT-10"
"""Australian Eastern Standard Time all year, which the National Electricity Market keeps."""
KWH_PER_UNIT: Final = {"kwh": 1.0, "wh": 0.001, "mwh": 1000.0, "kw": 1.0, "w": 0.001}
POWERS: Final = frozenset({"kw", "w"})
TOTALS: Final = {INTERVAL: 0, REGISTER: RUNNING_TOTAL, DAILY_TOTAL: DAILY}


class Format(NamedTuple):
    """An export that is recognised by its headings."""

    headings: frozenset[str]
    """All are there, in lower case."""
    columns: dict[str, str]
    """Name in the file -> one of ``options.OURS``."""
    assumes: str
    """What the format says without the file saying it, as a sentence."""
    time_zone: str | None = None
    unread: frozenset[str] = frozenset()


class Plan(NamedTuple):
    """How one file is read."""

    format: str
    columns: dict[str, str]
    """Our name -> name in the file."""
    reading: Reading
    series: str | None
    """Where no column names it."""
    notes: tuple[str, ...]
    """What is taken for granted, for the user to confirm."""
    wide: WideColumns | None = None
    settled: tuple[str, ...] = ()
    """Options of which the file leaves nothing open."""


def _list_export(columns: dict[str, str], assumes: str, time_zone: str | None = None, unread: tuple[str, ...] = ()) -> Format:
    return Format(frozenset(columns), {name: ours for name, ours in columns.items() if ours}, assumes, time_zone, frozenset(unread))


EXPORTS: Final = {
    "octopus": (
        _list_export({"consumption (kwh)": "kwh_import", "start": "timestamp_utc", "end": ""}, "times carry their offset"),
        _list_export({"consumption": "kwh_import", "interval_start": "timestamp_utc", "interval_end": ""}, "times carry their offset"),
    ),
    "n3rgy": (
        _list_export(
            {"timestamp (utc)": "timestamp_utc", "energyconsumption (kwh)": "kwh_import"}, "times are UTC, as the heading says", "UTC"
        ),
    ),
    "hildebrand": (
        _list_export(
            {"entity": "series_id", "resource": "", "time": "timestamp_utc", "value": "kwh_import", "unit": ""},
            "values are kWh of electricity.consumption; an entity is a series",
        ),
    ),
    "low-carbon-london": (
        _list_export(
            {"lclid": "series_id", "datetime": "timestamp_utc", "kwh/hh (per half hour)": "kwh_import"},
            "times are GMT all year; Null was not read",
            "UTC",
            ("null",),
        ),
        _list_export(
            {"lclid": "series_id", "tstp": "timestamp_utc", "energy(kwh/hh)": "kwh_import"}, "times are GMT all year", "UTC", ("null",)
        ),
    ),
}
AUSGRID_HEADINGS: Final = frozenset({"customer", "consumption category", "date", "0:30", "0:00"})


def plan_reading(file: InputFile, options: ReadingOptions) -> Plan:
    """How a file is read.

    Raises:
        ConfigError: the columns cannot be understood; the message says what was found and what to say.
        InputError: the file cannot be read.
    """
    found = list_columns(file)
    unknown = sorted(set(options.columns) - set(found))
    if unknown:
        raise ConfigError(f"{file.name}: --columns names {', '.join(unknown)}; found {', '.join(found)}")
    kind = options.format or _recognise(file, found, options)
    if kind in EXPORTS:
        export = next((one for one in EXPORTS[kind] if one.headings <= set(found)), None)
        if export is None:
            wanted = " or ".join(", ".join(sorted(one.headings)) for one in EXPORTS[kind])
            raise ConfigError(f"{file.name}: no {kind} export: found {', '.join(found)}; wanted {wanted}")
        columns = {name: theirs for theirs, name in export.columns.items()} | _stated(options)
        settled = ("units",) if "kwh" in columns["kwh_import"] and "kwh_import" not in _stated(options) else ()
        reading = _read_as(_leave_out(options, settled), export.time_zone, export.unread)
        notes = (export.assumes, *_describe_unused(options, settled, "its heading says kWh"))
        return _name_series(file, Plan(kind, columns, reading, options.series, notes, settled=settled), options)
    if kind in (AUSGRID, NEM12):
        return _plan_australian(kind, options)
    columns = {name: name for name in OURS if name in found} | _stated(options)
    if kind == WIDE:
        return _plan_wide(file, found, columns, options)
    return _plan_plain(file, found, columns, options)


def _recognise(file: InputFile, found: list[str], options: ReadingOptions) -> str:
    if file.kind is Kind.CSV and (found[0] == "200" or (found[0] == "100" and {"nem12", "nem13"} & set(found))):
        return NEM12
    named = set(found) | set(_stated(options))
    if set(WANTED[1:]) <= named or {"date", "time", "kwh_import"} <= named:
        return PLAIN
    if set(found) >= AUSGRID_HEADINGS:
        return AUSGRID
    for name, exports in EXPORTS.items():
        if any(export.headings <= set(found) for export in exports):
            return name
    return WIDE if find_wide_columns(found) is not None else PLAIN


def _plan_australian(kind: str, options: ReadingOptions) -> Plan:
    settled, why = (
        (STATED_IN_NEM12, "its records name their unit, day and intervals")
        if kind == NEM12
        else (("stamps",), "its headings are period ends")
    )
    reading = _read_by_day(_leave_out(options, settled), NEM_TIME)
    reading = reading._replace(marks=reading.marks | STAMPED_AT_END) if kind == AUSGRID else reading
    kept = ", standard time all year" if reading.times.time_zone == NEM_TIME else ", as stated"
    notes = (f"times are {reading.times.time_zone}{kept}", *_describe_unused(options, settled, why))
    return Plan(kind, {}, reading, options.series, notes, settled=settled)


def _leave_out(options: ReadingOptions, names: tuple[str, ...]) -> ReadingOptions:
    """The options with some as if they were not stated."""
    return options._replace(**{name: ReadingOptions._field_defaults[name] for name in names})


def _describe_unused(options: ReadingOptions, names: tuple[str, ...], why: str) -> tuple[str, ...]:
    """A note where the user states what the file says itself: the file's own word stands."""
    stated = list_stated(options, names)
    return (f"{', '.join(stated)} {'is' if len(stated) == 1 else 'are'} not used: {why}",) if stated else ()


def _plan_plain(file: InputFile, found: list[str], columns: dict[str, str], options: ReadingOptions) -> Plan:
    notes: list[str] = []
    if "timestamp_utc" not in columns and {"date", "time"} <= set(columns):
        notes.append("date and time are read together")
    else:
        columns = {name: theirs for name, theirs in columns.items() if name not in ("date", "time")}
    has_time = "timestamp_utc" in columns or {"date", "time"} <= set(columns)
    missing = [name for name in WANTED if name not in columns and not (name == "timestamp_utc" and has_time)]
    if options.series is not None:
        columns.pop("series_id", None)
        missing = [name for name in missing if name != "series_id"]
    twice = sorted(theirs for theirs in columns.values() if found.count(theirs) > 1)
    if missing or twice:
        fault = describe_columns(missing, twice)
        raise ConfigError(f"{file.name}: {fault}; found {', '.join(found)}; wanted {', '.join(WANTED)}{_advise(found, missing)}")
    return Plan(PLAIN, columns, _read_as(options, None, frozenset()), options.series, tuple(notes))


def _plan_wide(file: InputFile, found: list[str], columns: dict[str, str], options: ReadingOptions) -> Plan:
    wide = find_wide_columns(found)
    if wide is None:
        wanted = "a column for each time or period of a day; without --format it is read by its headings"
        raise ConfigError(f"{file.name}: no wide file: found {', '.join(found)}; wanted {wanted}")
    columns = {name: theirs for name, theirs in columns.items() if name in ("series_id", "date")}
    shown = ", ".join(name for name in found if name not in wide.columns)
    if "date" not in columns:
        raise ConfigError(f"{file.name}: column date is missing; found {shown}; say --columns THEIRS=date")
    if "series_id" not in columns and options.series is None:
        raise ConfigError(f"{file.name}: column series_id is missing; found {shown}; say --columns THEIRS=series_id or --series NAME")
    reading = _read_by_day(options, None)
    if wide.is_at_end and options.stamps is None:
        reading = reading._replace(marks=reading.marks | STAMPED_AT_END)
    said = "ends" if reading.marks & STAMPED_AT_END else "starts"
    first, last = wide.columns[0], wide.columns[-1]
    return Plan(
        WIDE, columns, reading, options.series, (f"one row a day; {len(wide.columns)} columns {first} to {last} are period {said}",), wide
    )


def _stated(options: ReadingOptions) -> dict[str, str]:
    return {ours: theirs for theirs, ours in options.columns.items()}


def _read_as(options: ReadingOptions, time_zone: str | None, unread: frozenset[str]) -> Reading:
    units = options.units or "kwh"
    marks = TOTALS[options.readings or INTERVAL]
    marks |= STAMPED_AT_END if options.stamps == "end" else 0
    marks |= POWER if units in POWERS else 0
    times = TimeReading(options.time_zone or time_zone, options.dates)
    return Reading(times, options.decimal_comma, unread, KWH_PER_UNIT[units], marks)


def _read_by_day(options: ReadingOptions, time_zone: str | None) -> Reading:
    """Of files with a row a day, whose times are made of it."""
    reading = _read_as(options, time_zone, frozenset())
    return reading._replace(times=reading.times._replace(has_days=True))


def _name_series(file: InputFile, plan: Plan, options: ReadingOptions) -> Plan:
    """A file of one series takes the stated name, else its own."""
    if options.series is not None:
        return plan._replace(columns={name: theirs for name, theirs in plan.columns.items() if name != "series_id"})
    if "series_id" in plan.columns:
        return plan
    stem = next((file.path.name[: -len(end)] for end in CSV_ENDINGS[::-1] if file.name.lower().endswith(end)), file.path.stem)
    return plan._replace(series=stem, notes=(*plan.notes, f"the series is named {stem} after its file (--series NAME says otherwise)"))


_LIKELY: Final = {
    "series_id": ("series", "meter", "mpan", "id", "household", "house", "site", "nmi", "lclid"),
    "timestamp_utc": ("timestamp", "datetime", "date_time", "time", "start", "utc", "interval_start"),
    "kwh_import": ("kwh", "energy", "consumption", "value", "import", "usage", "reading"),
}


def _advise(found: list[str], missing: list[str]) -> str:
    """What to say, with the likeliest columns as an example."""
    taken: dict[str, str] = {}
    for ours in missing:
        scored = [
            (max(difflib.SequenceMatcher(None, name, word).ratio() + (word in name) for word in _LIKELY[ours]), name)
            for name in found
            if name not in taken.values()
        ]
        if scored and max(scored)[0] > 0.8:
            taken[ours] = max(scored)[1]
    example = " ".join(f"--columns '{theirs}={ours}'" for ours, theirs in taken.items())
    series = " or --series NAME" if "series_id" in missing else ""
    return f"; say which they are, such as {example}{series}" if example else f"; say which they are by --columns THEIRS=OURS{series}"
