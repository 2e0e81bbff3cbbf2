"""Lays the Arrow rows of whole meters out as the windows that the kernels look at."""

from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark import clock
from fmar_spark.domain.words import Quantity
from fmar_spark.engine.arrow_columns import day_arrays, number_keys
from fmar_spark.kernels.assembly import Site, UtcReadings, UtcWeather, assemble_window, round_days
from fmar_spark.kernels.plausible import IMPLAUSIBLE, PLAUSIBLE, screen_matrix
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow
from fmar_spark.profiling.public_holidays import find_holidays, holiday_region

EPOCH: Final = date(1970, 1, 1)
DAYS_PER_MONTH: Final = 30.44
MONTHS_PER_QUARTER: Final = 3


class WeatherBook(NamedTuple):
    """The weather of every area on one run of UTC days; small enough to go to every worker."""

    area_of_name: dict[str, int]
    first_date: date
    temp_c: Floats
    """Shape (areas, days, 48); NaN = unknown."""
    ghi_w_m2: Floats
    """Same shape."""


class MeterGroup(NamedTuple):
    """Meters that share a calendar."""

    mpan_ids: list[str]
    window: MeterWindow
    first_utc_date: date
    time_zone: str
    gsp_group_ids: list[str | None]
    is_domestic: list[bool | None]
    implausible_slots: dict[str, Ints]
    """Half-hours of import and export that are left out, by verdict (``kernels.plausible.IMPLAUSIBLE``); shape (meters,) each."""
    asked_meter: Ints
    """Row of the window of each meter-day that was asked for."""
    asked_day: Ints
    """The day in parallel, counted from the window's first."""


class _Rows(NamedTuple):
    meter: Ints
    day: Ints
    is_export: Bools
    source: Ints
    """Row of the chunk's energies."""


class _Asked(NamedTuple):
    meter: Ints
    day: Ints


class _Attributes(NamedTuple):
    ids: list[str]
    time_zone: list[str]
    region: list[str]
    weather_area: list[str | None]
    site: list[Site]
    interval_minutes: Ints
    gsp_group_id: list[str | None]
    is_domestic: list[bool | None]


def empty_weather() -> WeatherBook:
    """No weather at all."""
    return WeatherBook({}, EPOCH, np.zeros((0, 0, clock.SLOTS_PER_DAY)), np.zeros((0, 0, clock.SLOTS_PER_DAY)))


def build_weather_book(table: pa.Table) -> WeatherBook:
    """Lay the rows of ``silver.weather`` out as one matrix."""
    if table.num_rows == 0:
        return empty_weather()
    names, area = number_keys(table["weather_area"])
    day = table["utc_date"].combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False)
    first = int(day.min())
    shape = (len(names), int(day.max()) - first + 1, clock.SLOTS_PER_DAY)
    book = WeatherBook(
        {name: row for row, name in enumerate(names)},
        _date_of(first),
        np.full(shape, np.nan, np.float32),
        np.full(shape, np.nan, np.float32),
    )
    book.temp_c[area, day - first] = day_arrays(table["temp_c"], clock.SLOTS_PER_DAY)
    book.ghi_w_m2[area, day - first] = day_arrays(table["ghi_w_m2"], clock.SLOTS_PER_DAY)
    return book


def group_meters(chunk: pa.Table, weather: WeatherBook, window_months: int) -> Iterator[MeterGroup]:
    """Split a chunk of whole meters into groups of one calendar and lay each out as a window.

    A row whose quantity is null carries no reading: it asks for its day, which the window will then hold.

    Meters go together when clock, holidays, hemisphere and the quarter of their last reading agree; the window runs
    from the group's first day to its last, rounded to the same grid for all groups. Readings more than ``window_months`` before a
    meter's own last one are left out.

    Args:
        chunk: columns mpan_id, utc_date, quantity, kwh, interval_minutes, time_zone, latitude, longitude, weather_area,
            gsp_group_id, is_domestic; the rows of each meter complete.
        weather: of all areas.
        window_months: longest history.
    """
    ids, meter = number_keys(chunk["mpan_id"])
    day = chunk["utc_date"].combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
    is_asked = np.asarray(pc.is_null(chunk["quantity"]), dtype=bool)
    asked = _Asked(meter[is_asked], day[is_asked])
    is_export = np.asarray(pc.equal(chunk["quantity"], Quantity.AE.value).fill_null(False), dtype=bool)
    kwh = day_arrays(chunk["kwh"], clock.SLOTS_PER_DAY)
    rows = _Rows(meter, day, is_export, np.arange(len(meter)))
    read = _find_read(kwh)
    last = np.full(len(ids), -1, dtype=np.int64)
    np.maximum.at(last, meter[read], day[read])
    rows = _take_rows(rows, read & (day > last[meter] - round(window_months * DAYS_PER_MONTH)))
    attributes = _meter_attributes(chunk, ids, meter)
    quarter = _month_of(last) // MONTHS_PER_QUARTER
    south = [site.latitude_deg < 0 for site in attributes.site]
    keys = list(zip(attributes.time_zone, attributes.region, south, quarter.tolist(), strict=True))
    for key in sorted(set(keys)):
        members = np.array([position for position, found in enumerate(keys) if found == key])
        yield _cut_group((rows, kwh), asked, attributes, np.asarray(members), weather)


def _find_read(kwh: Floats) -> Bools:
    """Rows of which some slot was read, shape (rows,); nearly all have their first."""
    read: Bools = ~np.isnan(kwh[:, 0])
    unsure = np.flatnonzero(~read)
    read[unsure] = ~np.isnan(kwh[unsure]).all(axis=1)
    return read


def _cut_group(readings: tuple[_Rows, Floats], asked: _Asked, attributes: _Attributes, members: Ints, weather: WeatherBook) -> MeterGroup:
    rows, kwh = readings
    place = np.full(len(attributes.ids), -1, dtype=np.int64)
    place[members] = np.arange(len(members))
    mine = _take_rows(rows, place[rows.meter] >= 0)
    mine_asked = place[asked.meter] >= 0
    today = np.concatenate([mine.day, asked.day[mine_asked]])
    today = today if len(today) else np.array([0])
    first, after = round_days(int(today.min()), int(today.max()))
    days = after - first + 1
    shape = (len(members), days, clock.SLOTS_PER_DAY)
    imports, exports = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for target, wanted in ((imports, ~mine.is_export), (exports, mine.is_export)):
        target[place[mine.meter[wanted]], mine.day[wanted] - first] = kwh[mine.source[wanted]]
    chosen = [(attributes.weather_area[member], attributes.site[member]) for member in members]
    places = list(dict.fromkeys(chosen))
    flat = (len(members), days * clock.SLOTS_PER_DAY)
    imports, exports = imports.reshape(flat), exports.reshape(flat)
    verdicts = screen_matrix(imports), screen_matrix(exports)
    utc_readings = UtcReadings(
        import_kwh=np.where(verdicts[0] == PLAUSIBLE, imports, np.float32(np.nan)),
        export_kwh=np.where(verdicts[1] == PLAUSIBLE, exports, np.float32(np.nan)),
        interval_minutes=attributes.interval_minutes[members],
        area=np.array([places.index(one) for one in chosen]),
    )
    zone, region = attributes.time_zone[members[0]], attributes.region[members[0]]
    first_date = _date_of(first)
    window = assemble_window(
        utc_readings,
        _cut_weather(weather, [name for name, _ in places], first_date, days),
        tuple(site for _, site in places),
        first_date,
        zone,
        find_holidays(region),
    )
    return MeterGroup(
        mpan_ids=[attributes.ids[member] for member in members],
        window=window,
        first_utc_date=first_date,
        time_zone=zone,
        gsp_group_ids=[attributes.gsp_group_id[member] for member in members],
        is_domestic=[attributes.is_domestic[member] for member in members],
        implausible_slots={name: sum((one == code).sum(axis=1) for one in verdicts) for name, code in IMPLAUSIBLE.items()},
        asked_meter=place[asked.meter[mine_asked]],
        asked_day=asked.day[mine_asked] - first,
    )


def _cut_weather(weather: WeatherBook, names: list[str | None], first_date: date, days: int) -> UtcWeather:
    """The wanted areas on the wanted days, NaN where the book has nothing."""
    shape = (len(names), days, clock.SLOTS_PER_DAY)
    temp_c, ghi_w_m2 = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    offset = (first_date - weather.first_date).days
    low, high = max(offset, 0), min(offset + days, weather.temp_c.shape[1])
    if high > low:
        for row, name in enumerate(names):
            area = weather.area_of_name.get(name) if name is not None else None
            if area is not None:
                temp_c[row, low - offset : high - offset] = weather.temp_c[area, low:high]
                ghi_w_m2[row, low - offset : high - offset] = weather.ghi_w_m2[area, low:high]
    flat = (len(names), days * clock.SLOTS_PER_DAY)
    return UtcWeather(temp_c=temp_c.reshape(flat), ghi_w_m2=ghi_w_m2.reshape(flat))


def _meter_attributes(chunk: pa.Table, ids: list[str], meter: Ints) -> _Attributes:
    first_rows = pa.array(np.unique(meter, return_index=True)[1])
    taken = {
        name: chunk[name].take(first_rows).to_pylist()
        for name in ("time_zone", "weather_area", "latitude", "longitude", "interval_minutes", "gsp_group_id", "is_domestic")
    }
    return _Attributes(
        ids=ids,
        time_zone=taken["time_zone"],
        region=[holiday_region(zone, group) for zone, group in zip(taken["time_zone"], taken["gsp_group_id"], strict=True)],
        weather_area=taken["weather_area"],
        site=[Site(round(north, 2), round(east, 2)) for north, east in zip(taken["latitude"], taken["longitude"], strict=True)],
        interval_minutes=np.array(taken["interval_minutes"]),
        gsp_group_id=taken["gsp_group_id"],
        is_domestic=taken["is_domestic"],
    )


def _take_rows(rows: _Rows, wanted: Bools) -> _Rows:
    return _Rows(rows.meter[wanted], rows.day[wanted], rows.is_export[wanted], rows.source[wanted])


def _month_of(day: Ints) -> Ints:
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _date_of(day: int) -> date:
    found: date = np.datetime64(day, "D").astype(date)
    return found
