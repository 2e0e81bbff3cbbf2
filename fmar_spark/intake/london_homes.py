"""Two measured London homes, as the package opendsm 1.2.7 carries them, with the defects of its files corrected and counted.

The homes took part in Low Carbon London (UK Power Networks, CC BY 4.0). The files hold kWh by half-hour, stamped with the
start in GMT all year; their temperatures are hourly, of the same place and time.
"""

import csv
import gzip
import io
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.domain.mpan import number_mpans
from fmar_spark.errors import InputError
from fmar_spark.kernels.annual_energy import estimate_annual_energy
from fmar_spark.simulate.messages import UNREAD, DayMessage, Origin, StandingMessage
from fmar_spark.units import WATT_HOURS_PER_KWH

SAMPLES: Final = "opendsm/eemeter/samples"
HOMES: Final = (1, 2)
SWAPPED_HOMES: Final = (2,)
"""Day and month stand in each other's place wherever both readings are dates: on days up to the twelfth."""
LAST_SWAPPED_DAY: Final = 12
TEMPERATURES: Final = f"{SAMPLES}/uk-tempC-sample-1_2.csv.gz"
LONDON_DISTRIBUTOR: Final = 12
LONDON_GROUP: Final = "_C"
MEASURED: Final = Origin("LCL", "MEASURED")
WHOLE_CURRENT: Final = "W"
SLOT_SECONDS: Final = 1800
TEMPERATURE_COLUMNS: Final = ("weather_area", "timestamp_utc", "temp_c")


class Repairs(NamedTuple):
    """What was found in one file, in rows."""

    rows_read: int
    dates_swapped: int
    """Rows whose day and month were corrected."""
    rows_repeated: int
    """Rows that repeat a row of the same time."""
    rows_before_meter: int
    """Zeros before the meter's first reading: never read."""
    half_hours_unread: int
    """Gaps between the first and the last reading; they stay gaps."""


class Home(NamedTuple):
    """One home's readings on whole UTC days."""

    number: int
    """Of the file."""
    mpan_id: str
    """Made up, with a valid check digit: the trial published none."""
    first_date: date
    watt_hours: NDArray[np.int64]
    """Shape (days, 48), ``UNREAD`` where never read."""
    repairs: Repairs


def read_homes(package: Path) -> tuple[Home, ...]:
    """Both homes, corrected.

    Args:
        package: the wheel file of opendsm 1.2.7.

    Raises:
        InputError: another file, or rows that are not what that version holds.
    """
    mpans = number_mpans(np.full(len(HOMES), LONDON_DISTRIBUTOR), np.asarray(HOMES))
    return tuple(_read_home(package, number, mpan) for number, mpan in zip(HOMES, mpans, strict=True))


def write_temperatures(package: Path, out_file: Path) -> None:
    """The homes' temperatures as a weather file of London that ``read_weather`` understands.

    Raises:
        InputError: another file than opendsm 1.2.7.
    """
    rows = _read_rows(package, TEMPERATURES, ("dt", "tempC"))
    with out_file.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(TEMPERATURE_COLUMNS)
        writer.writerows((LONDON_GROUP, stamp, celsius) for stamp, celsius in rows)


def list_messages(home: Home) -> tuple[StandingMessage, list[DayMessage]]:
    """What the DIP would send of a home: its standing data, and a message for every UTC day with a reading."""
    kwh = np.where(home.watt_hours == UNREAD, np.nan, home.watt_hours / WATT_HOURS_PER_KWH)
    connected_on = home.first_date.isoformat()
    standing = StandingMessage(
        mpan_id=home.mpan_id,
        gsp_group=LONDON_GROUP,
        direction="I",
        is_domestic=True,
        annual_kwh=estimate_annual_energy(kwh, home.first_date).kwh,
        partner_mpan_id="",
        consent_granularity="H",
        connection=WHOLE_CURRENT,
        connected_on=connected_on,
        reported_at=f"{connected_on}T00:00:00+00:00",
        origin=MEASURED,
    )
    days = []
    for day, watt_hours in enumerate(home.watt_hours.tolist()):
        if max(watt_hours) == UNREAD:
            continue
        utc_date = home.first_date + timedelta(days=day)
        days.append(
            DayMessage(
                mpan_id=home.mpan_id,
                gsp_group=LONDON_GROUP,
                quantity="AI",
                utc_date=utc_date.isoformat(),
                watt_hours=tuple(watt_hours),
                connection=WHOLE_CURRENT,
                connected_on=connected_on,
                reported_at=f"{utc_date + timedelta(days=1)}T06:00:00+00:00",
                origin=MEASURED,
            )
        )
    return standing, days


def swap_day_and_month(stamp: datetime) -> datetime:
    """The stamp that was meant: on days up to the twelfth the file has day and month in each other's place."""
    return stamp.replace(month=stamp.day, day=stamp.month) if stamp.day <= LAST_SWAPPED_DAY else stamp


def _read_home(package: Path, number: int, mpan_id: str) -> Home:
    member = f"{SAMPLES}/uk-electricity-hdd-only-hourly-sample-{number}.csv.gz"
    kwh_of_stamp: dict[datetime, float] = {}
    rows = _read_rows(package, member, ("start", "value"))
    swapped = 0
    for text, value in rows:
        written = _parse(package, member, text)
        stamp = swap_day_and_month(written) if number in SWAPPED_HOMES else written
        swapped += stamp != written
        kwh = float(value)
        if kwh_of_stamp.setdefault(stamp, kwh) != kwh:
            raise InputError(f"{package}: {member}: two values at {stamp} found, one wanted; is this opendsm 1.2.7?")
    stamps = sorted(kwh_of_stamp)
    first = next(at for at, stamp in enumerate(stamps) if kwh_of_stamp[stamp] > 0)
    kept = np.asarray(stamps[first:], dtype="datetime64[s]")
    first_day = kept[0].astype("datetime64[D]")
    place = (kept - first_day).astype(np.int64) // SLOT_SECONDS
    days = int(place[-1]) // SLOTS_PER_DAY + 1
    watt_hours = np.full(days * SLOTS_PER_DAY, UNREAD, dtype=np.int64)
    watt_hours[place] = np.rint(np.asarray([kwh_of_stamp[stamp] for stamp in stamps[first:]]) * WATT_HOURS_PER_KWH)
    repairs = Repairs(
        rows_read=len(rows),
        dates_swapped=swapped,
        rows_repeated=len(rows) - len(stamps),
        rows_before_meter=first,
        half_hours_unread=int(place[-1] - place[0]) + 1 - len(kept),
    )
    return Home(number, mpan_id, first_day.item(), watt_hours.reshape(days, SLOTS_PER_DAY), repairs)


def _parse(package: Path, member: str, text: str) -> datetime:
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{package}: {member}: {text!r} found, a time wanted; is this opendsm 1.2.7?") from error
    if stamp.minute % 30 or stamp.second or stamp.tzinfo is not None:
        raise InputError(f"{package}: {member}: {text!r} found, the start of a half-hour in GMT wanted; is this opendsm 1.2.7?")
    return stamp


def _read_rows(package: Path, member: str, columns: tuple[str, str]) -> list[tuple[str, str]]:
    """Two columns of one file of the package, in its order."""
    try:
        with zipfile.ZipFile(package) as wheel:
            text = gzip.decompress(wheel.read(member)).decode()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{package}: no {member} inside; the wheel of opendsm 1.2.7 wanted") from error
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not set(columns) <= set(rows[0]):
        raise InputError(f"{package}: {member}: columns {', '.join(rows[0]) if rows else 'none'} found, {', '.join(columns)} wanted")
    return [(row[columns[0]], row[columns[1]]) for row in rows]
