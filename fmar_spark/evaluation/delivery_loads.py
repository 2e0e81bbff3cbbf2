"""Loads on which deliveries are tried out: recorded ones from a file or from the London homes, and simulated ones."""

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark import clock
from fmar_spark.contracts.readings import METER_POINTS
from fmar_spark.domain.consent import METER_ATTRIBUTES
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.intake.intervals.companions import read_sites
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.tables import SeriesFacts, import_table
from fmar_spark.intake.intervals.weather import WeatherFile, read_weather
from fmar_spark.intake.london_homes import read_homes, write_temperatures
from fmar_spark.kernels.assembly import Site, UtcReadings, UtcWeather, assemble_window
from fmar_spark.kernels.delivery.verification import MeterDays
from fmar_spark.kernels.window import MeterWindow
from fmar_spark.profiling.public_holidays import find_holidays
from fmar_spark.profiling.windows import build_weather_book, empty_weather, group_meters
from fmar_spark.simulate.fleet import simulate_fleet
from fmar_spark.simulate.messages import UNREAD
from fmar_spark.simulate.plan import FleetPlan, mix_from
from fmar_spark.simulate.weather import GSP_AREAS
from fmar_spark.units import WATT_HOURS_PER_KWH, kwh_from_kw

HOME_LIMIT_KWH: Final = 12.0
"""A site whose half-hours stay below this, 24 kW, is called a home."""
WHOLE_HISTORY_MONTHS: Final = 1200
LONDON: Final = (51.5, -0.1)
ATTRIBUTES: Final = pa.schema([arrow_schema(METER_POINTS).field(name).with_nullable(True) for name in METER_ATTRIBUTES])
"""What a window is built with beside the readings."""


class Loads(NamedTuple):
    """Meters that share a calendar."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    """home, larger site, or exporting site."""
    meter_days: MeterDays


def read_recorded(readings: Path, weather: Path | None, sites: Path | None, unwanted: frozenset[str] = frozenset()) -> list[Loads]:
    """The series of a Parquet or CSV file with series_id, timestamp_utc, kwh_import[, kwh_export].

    Args:
        readings: the file.
        weather: timestamp_utc and temp_c, for all series that stand on British time.
        sites: series_id and time_zone of series that stand elsewhere; they are given no weather.
        unwanted: series that are left out.

    Raises:
        InputError: a file cannot be used.
    """
    frame = pd.read_parquet(readings) if readings.suffix == ".parquet" else pd.read_csv(readings)
    frame = frame[~frame["series_id"].isin(unwanted)]
    zones = {name: site.time_zone for name, site in read_sites(sites).items() if site.time_zone} if sites else {}
    return _build_loads(pa.Table.from_pandas(frame, preserve_index=False), read_weather(weather) if weather else None, zones)


def read_london_homes(package: Path) -> list[Loads]:
    """The two measured homes that opendsm carries.

    Raises:
        InputError: another file than the wheel of opendsm 1.2.7.
    """
    frames = []
    for home in read_homes(package):
        watt_hours = home.watt_hours.reshape(-1)
        stamps = pd.date_range(home.first_date, periods=len(watt_hours), freq="30min", tz="UTC")
        frame = pd.DataFrame(
            {"series_id": f"London home {home.number}", "timestamp_utc": stamps, "kwh_import": watt_hours / WATT_HOURS_PER_KWH}
        )
        frames.append(frame[watt_hours != UNREAD])
    with tempfile.TemporaryDirectory(prefix="fmar_") as folder:
        path = Path(folder) / "weather.csv"
        write_temperatures(package, path)
        stamped = pd.read_csv(path)
        stamped[["timestamp_utc", "temp_c"]].to_csv(path, index=False)
        weather = read_weather(path)
    return _build_loads(pa.Table.from_pandas(pd.concat(frames), preserve_index=False), weather, {})


def simulate_loads(meters: int, days: int, seed: int) -> list[Loads]:
    """Homes and businesses of the simulator, half and half, with and without assets."""
    first_date = date(2023, 1, 1)
    plan = FleetPlan(meters, first_date, first_date + timedelta(days=days - 1), seed, mix_from({"domestic": 0.5}))
    fleet = simulate_fleet(plan)
    window = assemble_window(
        UtcReadings(fleet.import_kwh, fleet.export_kwh, fleet.interval_minutes, fleet.area),
        UtcWeather(fleet.weather.temp_c, fleet.weather.ghi_w_m2),
        tuple(Site(north, east) for _, north, east in GSP_AREAS.values()),
        first_date,
        clock.LONDON,
        find_holidays(clock.LONDON),
    )
    return [_take_window(tuple(f"simulated {meter}" for meter in range(meters)), window)]


def _build_loads(readings: pa.Table, weather: WeatherFile | None, time_zones: dict[str, str]) -> list[Loads]:
    """The series of a table, grouped by calendar."""
    intake = import_table(readings, ReadingRules(time_zones))
    facts = intake.intake.series
    days = intake.days
    place = pc.index_in(days["series_id"], pa.array([fact.series_id for fact in facts]))
    attributes = pa.Table.from_pylist([_describe_series(fact, weather, time_zones) for fact in facts], schema=ATTRIBUTES).take(place)
    columns = {"mpan_id": days["series_id"], **{name: days[name] for name in ("utc_date", "quantity", "kwh")}}
    chunk = pa.table(columns | {name: attributes[name] for name in ATTRIBUTES.names})
    book = build_weather_book(weather.days) if weather else empty_weather()
    return [_take_window(tuple(group.mpan_ids), group.window) for group in group_meters(chunk, book, WHOLE_HISTORY_MONTHS)]


def _describe_series(fact: SeriesFacts, weather: WeatherFile | None, time_zones: dict[str, str]) -> dict[str, object]:
    """What a window is built with."""
    is_abroad = fact.series_id in time_zones
    return {
        "interval_minutes": fact.interval_minutes,
        "time_zone": time_zones.get(fact.series_id, clock.LONDON),
        "latitude": -LONDON[0] if is_abroad else LONDON[0],
        "longitude": LONDON[1],
        "weather_area": weather.area_of(fact.series_id) if weather and not is_abroad else None,
        "gsp_group_id": None,
        "is_domestic": None,
    }


def _take_window(names: tuple[str, ...], window: MeterWindow) -> Loads:
    """The net energies of a window, and what kind of site each meter is."""
    net_kwh = np.ascontiguousarray(kwh_from_kw(window.net_kw))
    largest = np.nanmax(window.import_kw, axis=(1, 2)) / 2
    kinds = np.where(window.has_export, "exporting site", np.where(largest < HOME_LIMIT_KWH, "home", "larger site"))
    return Loads(names, tuple(kinds.tolist()), MeterDays(net_kwh, window.temp_c, window.area, window.calendar))
