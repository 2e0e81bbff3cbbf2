"""Builds the window that the detectors look at from UTC half-hours."""

from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from fmar_spark import clock
from fmar_spark.kernels.sun import clear_sky_w_m2, locate_sun
from fmar_spark.kernels.window import Bools, Floats, Ints, LocalCalendar, MeterWindow
from fmar_spark.units import kw_from_kwh

GRID_DAYS: Final = 28
"""Days to whose multiples a window is rounded: all spells that detectors compare begin on it. Source: definition."""


class Site(NamedTuple):
    """One place whose weather and sun are shared by meters."""

    latitude_deg: float
    longitude_deg: float


class UtcReadings(NamedTuple):
    """A batch of meters in UTC order. NaN = never read."""

    import_kwh: Floats
    """Shape (meters, utc slots)."""
    export_kwh: Floats
    """Same shape; all NaN where there is no export register."""
    interval_minutes: Ints
    """Shape (meters,)."""
    area: Ints
    """Row of the site and weather arrays, shape (meters,)."""


class UtcWeather(NamedTuple):
    """Weather of each area on the same UTC slots, shape (areas, utc slots); NaN = unknown."""

    temp_c: Floats
    ghi_w_m2: Floats


def build_calendar(first_local_date: date, days: int, holidays: frozenset[date], southern: bool) -> LocalCalendar:
    """The civil days of a window, shape (days,) each."""
    start = np.datetime64(first_local_date, "D")
    dates = start + np.arange(days)
    weekday = (dates.astype(np.int64) + 3) % clock.DAYS_PER_WEEK + 1
    month = dates.astype("datetime64[M]").astype(np.int64) % 12
    season = (month + 1) // 3 % 4
    if southern:
        season = (season + 2) % 4
    is_holiday = np.isin(dates, np.array(sorted(holidays), dtype="datetime64[D]"))
    return LocalCalendar(start_date=start, weekday=weekday, is_holiday=is_holiday, season=season)


class ClearSky(NamedTuple):
    """The sun of one site, and what it would give; arrays of shape (days, 48), local days by clock slot, float32."""

    clear_w_m2: Floats
    """0 where the clock skipped a slot."""
    cos_zenith: Floats
    azimuth_rad: Floats


@lru_cache(maxsize=128)
def trace_clear_sky(site: Site, first_utc_date: date, days: int, time_zone: str) -> ClearSky:
    """Where the sun of a site stands in each half-hour, and the irradiance of a cloudless sky.

    Kept from call to call: meters of one place share it, and it costs more than the rest of the window.
    """
    index = clock.local_slot_index(first_utc_date, days, time_zone, first_utc_date)
    skipped = index == clock.NO_SLOT
    starts = np.datetime64(first_utc_date, "m") + np.where(skipped, 0, index).astype(np.int64) * np.timedelta64(30, "m")
    sun = locate_sun(starts, site.latitude_deg, site.longitude_deg)
    clear = np.where(skipped, 0.0, clear_sky_w_m2(sun.cos_zenith))
    sky = ClearSky(*(values.astype(np.float32) for values in (clear, sun.cos_zenith, sun.azimuth_rad)))
    for values in sky:
        values.flags.writeable = False
    return sky


def find_spans(index: Ints, slots: int) -> list[tuple[int, int, int]]:
    """Where to put what: first local slot, first UTC slot and length of each unbroken stretch, a few a year.

    Args:
        index: UTC slot of each local one; those outside 0 .. ``slots`` - 1 have none.
        slots: UTC slots there are.
    """
    known = np.flatnonzero((index >= 0) & (index < slots))
    if not known.size:
        return []
    breaks = np.flatnonzero((np.diff(known) != 1) | (np.diff(index[known].astype(np.int64)) != 1)) + 1
    first = known[np.concatenate(([0], breaks))]
    length = np.diff(np.concatenate(([0], breaks, [known.size])))
    return list(zip(first.tolist(), index[first].tolist(), length.tolist(), strict=True))


def round_days(first_day: int, last_day: int) -> tuple[int, int]:
    """First day, and day after the last, of a window that holds both: multiples of ``GRID_DAYS`` since 1970-01-01.

    Detectors compare spells of 28 and of 42 days, two weeks apart, from a window's first day on. On one grid an answer does not depend on
    which other meters are passed together.
    """
    return first_day // GRID_DAYS * GRID_DAYS, (last_day // GRID_DAYS + 1) * GRID_DAYS


def assemble_window(
    readings: UtcReadings,
    weather: UtcWeather,
    sites: tuple[Site, ...],
    first_utc_date: date,
    time_zone: str,
    holidays: frozenset[date],
) -> MeterWindow:
    """Arrange UTC half-hours as local days by clock slot.

    The first local day is the day of ``first_utc_date``; slots outside the given readings, and those that the clock
    skipped, are NaN. Of an hour that happened twice the first is kept. An export register that never moved is the same
    as none: sites without one are often delivered as all zeros.

    Args:
        readings: energy per half-hour.
        weather: per area, on the same UTC slots.
        sites: one an area; the southern hemisphere turns the seasons round.
        first_utc_date: day of UTC slot 0.
        time_zone: IANA name shared by the batch.
        holidays: public holidays where the meters stand.
    """
    utc_slots = readings.import_kwh.shape[1]
    days = utc_slots // clock.SLOTS_PER_DAY
    spans = find_spans(clock.local_slot_index(first_utc_date, days, time_zone, first_utc_date).reshape(-1), utc_slots)

    def to_local(values: Floats) -> Floats:
        local = np.full((len(values), days * clock.SLOTS_PER_DAY), np.nan, dtype=np.float32)
        for target, source, length in spans:
            local[:, target : target + length] = values[:, source : source + length]
        return local.reshape(len(values), days, clock.SLOTS_PER_DAY)

    skies = [trace_clear_sky(site, first_utc_date, days, time_zone) for site in sites]
    latitude_deg = np.array([site.latitude_deg for site in sites])
    export_kw = kw_from_kwh(to_local(readings.export_kwh))
    has_export: Bools = np.asarray((readings.export_kwh > 0).any(axis=1))
    return MeterWindow(
        import_kw=kw_from_kwh(to_local(readings.import_kwh)),
        export_kw=export_kw,
        has_export=has_export,
        interval_minutes=readings.interval_minutes,
        area=readings.area,
        temp_c=to_local(weather.temp_c),
        ghi_w_m2=to_local(weather.ghi_w_m2),
        clear_w_m2=np.stack([sky.clear_w_m2 for sky in skies]),
        cos_zenith=np.stack([sky.cos_zenith for sky in skies]),
        azimuth_rad=np.stack([sky.azimuth_rad for sky in skies]),
        latitude_deg=latitude_deg,
        calendar=build_calendar(first_utc_date, days, holidays, southern=bool(latitude_deg.mean() < 0)),
    )
