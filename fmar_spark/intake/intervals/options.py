"""What a user may state of files that do not say it themselves."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from fmar_spark.errors import ConfigError

FORMATS: Final = ("plain", "wide", "octopus", "n3rgy", "hildebrand", "low-carbon-london", "ausgrid", "nem12")
"""Named exports; the first two are any file with a row an interval, and any with a row a day."""
PLAIN, WIDE, AUSGRID, NEM12 = "plain", "wide", "ausgrid", "nem12"
UNITS: Final = ("kwh", "wh", "mwh", "kw", "w")
"""Of each number: an energy, or the mean power of the interval."""
STAMPS: Final = ("start", "end")
DAY_FIRST, MONTH_FIRST, SWAPPED = "day-first", "month-first", "swapped"
DATES: Final = (DAY_FIRST, MONTH_FIRST, SWAPPED)
"""How dates with slashes are read; swapped = ISO dates whose day and month stand in each other's place up to the twelfth."""
INTERVAL, REGISTER, DAILY_TOTAL = "interval", "register", "daily-total"
COUNTS: Final = (INTERVAL, REGISTER, DAILY_TOTAL)
"""What each number counts: its interval, all since the meter was new, or all since midnight."""
WANTED: Final = ("series_id", "timestamp_utc", "kwh_import")
OPTIONAL: Final = ("kwh_export",)
OURS: Final = (*WANTED, *OPTIONAL, "date", "time")
"""What a column may be; date and time together make timestamp_utc."""


class ReadingOptions(NamedTuple):
    """What the user states of the files; what is None or empty is not stated."""

    format: str | None = None
    """One of ``FORMATS``."""
    columns: Mapping[str, str] = MappingProxyType({})
    """Name in the file, in lower case -> one of ``OURS``."""
    series: str | None = None
    """Name of the one series of each file."""
    units: str | None = None
    """One of ``UNITS``."""
    stamps: str | None = None
    """One of ``STAMPS``."""
    time_zone: str | None = None
    """IANA name of the clock of times that name none."""
    dates: str | None = None
    """One of ``DATES``."""
    decimal_comma: bool = False
    readings: str | None = None
    """One of ``COUNTS``."""


STATED_IN_NEM12: Final = ("units", "stamps", "dates", "readings", "decimal_comma")
"""Options that NEM12 leaves open nothing of: its records name their unit and day, and hold intervals by their place in it."""


def list_stated(options: ReadingOptions, names: Sequence[str]) -> list[str]:
    """Those of some options that the user states, as on a command line: ``--units wh``."""
    stated = {name: value for name, value in options._asdict().items() if name in names and value}
    return [f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}") for name, value in stated.items()]


def read_columns(texts: Sequence[str]) -> dict[str, str]:
    """Columns as a user states them, ``THEIRS=OURS`` each: name in the file, in lower case -> one of ``OURS``.

    Raises:
        ConfigError: another format, or another name of ours.
    """
    found = {}
    for text in texts:
        theirs, separator, ours = (part.strip() for part in text.rpartition("="))
        if not separator or ours not in OURS:
            raise ConfigError(f"--columns: {text!r} found; THEIRS=OURS wanted, with OURS one of {', '.join(OURS)}")
        found[theirs.lower()] = ours
    return found
