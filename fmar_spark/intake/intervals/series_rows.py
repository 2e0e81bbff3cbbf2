"""Rows of silver.series: what an import says of a series, on top of what earlier imports said of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fmar_spark.intake.intervals.companions import SiteRow
from fmar_spark.intake.intervals.tables import SeriesFacts
from fmar_spark.intake.intervals.weather import WeatherFile
from fmar_spark.settings.sections import ImportSettings


class Surroundings(NamedTuple):
    """What comes with the intervals: where the series are and which weather is theirs."""

    sites: Mapping[str, SiteRow]
    weather: WeatherFile | None
    defaults: ImportSettings


def build_series_row(
    fact: SeriesFacts, mpan_id: str, before: Mapping[str, Any] | None, surroundings: Surroundings, imported_at: datetime
) -> dict[str, object]:
    """The row of a series: what the files say now, on top of what earlier imports said and these leave out."""
    old: Mapping[str, Any] = before or {}
    site = surroundings.sites.get(fact.series_id, SiteRow())
    defaults = surroundings.defaults
    area = surroundings.weather.area_of(fact.series_id) if surroundings.weather else None
    first_at, last_at = fact.first_at, fact.last_at
    return {
        "series_id": fact.series_id,
        "mpan_id": mpan_id,
        "source": fact.source,
        "interval_minutes": max(fact.interval_minutes, old.get("interval_minutes") or 0),
        "first_at": min(first_at, _in_utc(old["first_at"])) if old else first_at,
        "last_at": max(last_at, _in_utc(old["last_at"])) if old else last_at,
        "has_export": fact.has_export or bool(old.get("has_export")),
        "time_zone": _first_known(site.time_zone, old.get("time_zone"), defaults.time_zone),
        "rows_read": fact.rows_read,
        "rows_quarantined": fact.rows_quarantined,
        "gsp_group_id": _first_known(site.gsp_group_id, old.get("gsp_group_id")),
        "latitude": _first_known(site.latitude, old.get("latitude"), defaults.latitude),
        "longitude": _first_known(site.longitude, old.get("longitude"), defaults.longitude),
        "weather_area": _first_known(area, old.get("weather_area")),
        "is_domestic": _first_known(site.is_domestic, old.get("is_domestic")),
        "imported_at": imported_at,
    }


def is_same_row(row: Mapping[str, object], before: Mapping[str, Any] | None) -> bool:
    """Whether a series' row says what the one before it said, the time of the import aside."""
    if before is None:
        return False
    return all(_comparable(row[name]) == _comparable(before[name]) for name in row if name != "imported_at")


def _comparable(value: object) -> object:
    return _in_utc(value) if isinstance(value, datetime) else value


def _in_utc(at: datetime) -> datetime:
    """Spark hands out timestamps without a zone, in the clock of this machine."""
    return at.astimezone(UTC)


def _first_known(*values: object) -> object:
    return next((value for value in values if value is not None), None)
