"""The engine in one line of Python: frames of readings in, frames of answers out, without Spark."""

import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet
from narwhals.exceptions import DuplicateError

from fmar_spark.contracts.readings import SERIES
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.mpan import assign_mpans
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.companions import SiteRow, read_sites
from fmar_spark.intake.intervals.report import describe_intake
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.series_rows import Surroundings, build_series_row
from fmar_spark.intake.intervals.tables import TableIntake, import_table
from fmar_spark.intake.intervals.weather import WeatherFile, read_weather
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.local.meter_days import describe_days
from fmar_spark.local.passes import Histories, predict_meter_days, profile_meters
from fmar_spark.profiling.baselines import check_reach
from fmar_spark.profiling.projections import (
    list_availabilities,
    list_baselines,
    list_capabilities,
    list_changes,
    list_detections,
    list_events,
)
from fmar_spark.profiling.windows import build_weather_book, empty_weather
from fmar_spark.settings.sections import Settings

_Answer = TypeVar("_Answer")
_TABLES: Final = {
    "detections": list_detections,
    "capability": list_capabilities,
    "availability": list_availabilities,
    "events": list_events,
    "changes": list_changes,
    "baselines": list_baselines,
}


class _Given(NamedTuple):
    """What was understood of the frames."""

    intake: TableIntake
    series: pa.Table
    """Rows of silver.series."""
    histories: Histories
    until_date: date
    """Newest UTC day with readings."""
    notes: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Characterisation:
    """What the meters of some readings can do; every frame is of the kind that the readings were, keyed by ``series_id``.

    Columns and meanings are those of the tables of the same name (docs/data_dictionary.md), ``series_id`` in place of ``mpan_id``.
    """

    detections: Any
    """gold.asset_detections: five rows a series, one an asset class, whatever the answer."""
    capability: Any
    """gold.capability: what each asset that is there can do, by direction."""
    availability: Any
    """gold.availability: share of weeks in which it operates, by season, weekday and half-hour."""
    events: Any
    """silver.asset_events: operating episodes."""
    changes: Any
    """gold.asset_changes: when assets came, grew, shrank or went."""
    baselines: Any
    """gold.baselines: how the day-ahead baseline did on the last 30 days."""
    rejected: Any
    """Rows that could not be used: source, rule, reason, raw, series_id."""
    notes: tuple[str, ...]
    """What was understood of the readings, line by line, and what looks odd in them."""
    given: _Given

    def plot(self, series: str, week: date | None = None) -> Any:
        """A plotly figure of one series: its whole history as days by clock time, and one week with the episodes found in it.

        Args:
            series: a series_id of the readings.
            week: a day of the week to show; None = the week with the most episodes of the most classes.

        Raises:
            InputError: an unknown series, a week without readings, or plotly is not installed.
        """
        try:
            charts = import_module("fmar_spark.local.charts")
        except ModuleNotFoundError as error:
            raise InputError(f"plot: {error.name} is not installed; pip install 'fmar-spark[report]'") from error
        return charts.draw_series(self, series, week)

    def __repr__(self) -> str:
        """One line: how many series, and which classes are there."""
        detections = to_arrow(self.detections, "detections")
        is_there = pc.fill_null(detections["is_present"].cast(pa.bool_()), False)
        counted = pc.value_counts(detections["asset_class"].filter(is_there).combine_chunks()).to_pylist()
        found = ", ".join(f"{entry['values']} in {entry['counts']}" for entry in counted) or "no asset found"
        return f"Characterisation of {self.given.series.num_rows} series: {found}"


def characterise(readings: Any, weather: Any = None, sites: Any = None, *, settings: Settings | None = None) -> Characterisation:
    """What can the connection behind each series do? The answers are those of the jobs import_intervals and characterise.

    Args:
        readings: a pandas, polars or Arrow frame with series_id, timestamp_utc (start of each interval of 15, 30 or 60 minutes;
            a time without a zone is taken as UTC), kwh_import and perhaps kwh_export. Rows that break a rule are left out
            and stand in ``rejected``; of two values for one series and time the first is kept. Days after today (UTC) are left out
            with a warning, as a lake's answers stop at the day of the run.
        weather: timestamp_utc, temp_c and perhaps ghi_w_m2, for all series, or with a series_id column for each.
        sites: series_id and any of latitude, longitude, time_zone, gsp_group, is_domestic; without one a series is taken
            to stand in London.
        settings: thresholds; None = the defaults (docs/settings.md).

    Raises:
        InputError: a frame is of another kind, lacks a column, or holds no usable row.
    """
    settings = settings or Settings()
    given = _as_input_errors(lambda: _read_frames(readings, weather, sites, settings))
    profiles = profile_meters(given.histories, load_bundled(), settings, _name_run(), given.until_date)
    answers = {name: _from_arrow(_key_by_series(project(profiles), given.series), readings) for name, project in _TABLES.items()}
    return Characterisation(rejected=_from_arrow(given.intake.faults, readings), notes=given.notes, given=given, **answers)


def predict_baseline(readings: Any, days: Any, weather: Any = None, sites: Any = None, *, settings: Settings | None = None) -> Any:
    """What was expected of each half-hour of the wanted local days, from readings before that day only.

    Args:
        readings: as for ``characterise``.
        days: a frame with series_id and date, or dates that are wanted of every series.
        weather: as for ``characterise``; the measured temperature of the day itself is used, a forecast if there is one.
        sites: as for ``characterise``.
        settings: thresholds; None = the defaults.

    Returns:
        The columns of gold.baseline_predictions, ``series_id`` in place of ``mpan_id``: a row for every half-hour.

    Raises:
        InputError: as for ``characterise``; or no day is wanted of any series of the readings, or one lies far from all of them.
    """
    settings = settings or Settings()
    given = _as_input_errors(lambda: _read_frames(readings, weather, sites, settings))
    wanted = _as_input_errors(lambda: _read_days(days, given))
    rows = predict_meter_days(given.histories, wanted, settings, _name_run())
    return _from_arrow(_key_by_series(rows, given.series), readings)


def _read_frames(readings: Any, weather: Any, sites: Any, settings: Settings) -> _Given:
    defaults = settings.imports
    located = _read_companion(sites, "sites", read_sites) or {}
    sky = _read_companion(weather, "weather", read_weather)
    zones = {name: site.time_zone for name, site in located.items() if site.time_zone}
    intake = import_table(
        to_arrow(readings, "readings"), ReadingRules(zones, defaults.time_zone, defaults.max_kwh_per_slot, defaults.max_series_chars)
    )
    intake, to_come = _leave_out_days_to_come(intake)
    if to_come:
        warnings.warn(to_come, stacklevel=5)
    series = _list_series(intake, located, sky, settings)
    names = series["series_id"].combine_chunks()
    mpan_ids = series["mpan_id"].take(pc.index_in(intake.days["series_id"], names))
    days = describe_days(intake.days.append_column("mpan_id", mpan_ids), series)
    histories = Histories(days, build_weather_book(sky.days) if sky else empty_weather())
    notes = describe_intake(intake.intake, located, sky, (), defaults)
    of_frames = [line for line in notes if not line.startswith(("files ", "labels "))]
    if to_come:
        of_frames.append(f"warning    {to_come}")
    return _Given(intake, series, histories, pc.max(intake.days["utc_date"]).as_py(), tuple(of_frames))


def _leave_out_days_to_come(intake: TableIntake) -> tuple[TableIntake, str]:
    """The readings up to the present day (UTC), at which a lake's answers stop as well, and what is to be said of the others."""
    today = datetime.now(UTC).date()
    is_past = pc.less_equal(intake.days["utc_date"], today)
    kept, left_out = intake.days.filter(is_past), intake.days.filter(pc.invert(is_past))
    if not left_out.num_rows:
        return intake, ""
    if not kept.num_rows:
        raise InputError(f"readings: every day is after today, {today} UTC; days up to today wanted")
    values = write_count(len(pc.drop_null(pc.list_flatten(left_out["kwh"]))), "half-hourly value")
    known = set(kept["series_id"].to_pylist())
    facts = tuple(fact for fact in intake.intake.series if fact.series_id in known)
    said = f"readings: {values} left out, of days after today, {today} UTC, up to {pc.max(left_out['utc_date'])}"
    return intake._replace(intake=intake.intake._replace(series=facts), days=kept), said


def _list_series(intake: TableIntake, sites: dict[str, SiteRow], weather: WeatherFile | None, settings: Settings) -> pa.Table:
    """Rows of silver.series, as an import would write them."""
    facts = intake.intake.series
    mpan_ids = assign_mpans([fact.series_id for fact in facts], {})
    around = Surroundings(sites, weather, settings.imports)
    now = datetime.now(UTC)
    rows = [build_series_row(fact, mpan_ids[fact.series_id], None, around, now) for fact in facts]
    return pa.Table.from_pylist(rows, schema=arrow_schema(SERIES))


def _read_days(days: Any, given: _Given) -> set[tuple[str, date]]:
    """Wanted meter-days, by MPAN."""
    mpan_of = dict(zip(given.series["series_id"].to_pylist(), given.series["mpan_id"].to_pylist(), strict=True))
    wanted = _list_days(days, tuple(mpan_of))
    unknown = {name for name, _ in wanted} - set(mpan_of)
    known = {(mpan_of[name], day) for name, day in wanted if name not in unknown}
    if not known:
        raise InputError(
            f"days: {write_count(len(wanted), 'day')} of {len(unknown)} series found, a day of a series of the readings wanted"
        )
    if unknown:
        warnings.warn(f"days: {len(unknown)} series not in the readings, {min(unknown)!r} among them", stacklevel=5)
    first_read: date = pc.min(given.intake.days["utc_date"]).as_py()
    check_reach([day for _, day in known], first_read, given.until_date)
    return known


def _list_days(days: Any, every_series: tuple[str, ...]) -> list[tuple[str, date]]:
    """Series and date of every row of a frame, or every date of a list for every series."""
    if not (hasattr(days, "columns") or hasattr(days, "column_names")):
        if not isinstance(days, Iterable):
            raise InputError(f"days: {type(days).__name__} found, a frame with series_id and date, or a list of dates wanted")
        dates = [_to_date(day) for day in days]
        return [(name, day) for name in every_series for day in dates]
    listed = to_arrow(days, "days")
    if missing := {"series_id", "date"} - set(listed.column_names):
        raise InputError(f"days: column {', '.join(sorted(missing))} is missing; found {', '.join(listed.column_names)}")
    names = listed["series_id"].cast(pa.string()).to_pylist()
    return [(name, _to_date(day)) for name, day in zip(names, listed["date"].to_pylist(), strict=True)]


def _to_date(day: Any) -> date:
    if isinstance(day, datetime):
        return day.date()
    try:
        return day if isinstance(day, date) else date.fromisoformat(day)
    except (TypeError, ValueError) as error:
        raise InputError(f"days: {day!r} found, a date or YYYY-MM-DD wanted") from error


def _read_companion(frame: Any, name: str, read: Callable[[Path], _Answer]) -> _Answer | None:
    """A small frame that comes with the readings, read by what reads files of that kind."""
    if frame is None:
        return None
    with tempfile.TemporaryDirectory(prefix="fmar_") as folder:
        path = Path(folder) / f"{name}.parquet"
        arrow_parquet.write_table(to_arrow(frame, name), path)
        return read(path)


def to_arrow(frame: Any, name: str) -> pa.Table:
    """The frame as an Arrow table, texts as plain strings.

    Raises:
        InputError: it is no frame, or its columns cannot be read.
    """
    try:
        table = nw.from_native(frame, eager_only=True).to_arrow()
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InputError(
            f"{name}: a column holds values of more than one kind, or of one that is no number, text or time: {str(error).splitlines()[0]}"
        ) from error
    except TypeError as error:
        raise InputError(f"{name}: {type(frame).__name__} found, a pandas, polars or Arrow frame wanted") from error
    except DuplicateError as error:
        raise InputError(f"{name}: {' '.join(str(error).split())}") from error
    is_text = (pa.types.is_large_string, pa.types.is_string_view, pa.types.is_dictionary)
    texts = [place for place, kind in enumerate(table.schema.types) if any(fits(kind) for fits in is_text)]
    for place in texts:
        table = table.set_column(place, table.column_names[place], table.column(place).cast(pa.string()))
    return table


def _from_arrow(table: pa.Table, like: Any) -> Any:
    """The table as a frame of the kind that was given; dates of a pandas frame are datetime64, so that they can be reckoned with."""
    backend = nw.from_native(like, eager_only=True).implementation
    if backend.is_pandas():
        return table.to_pandas(date_as_object=False)
    return nw.from_arrow(table, backend=backend).to_native()


def _key_by_series(rows: pa.Table, series: pa.Table) -> pa.Table:
    """The rows with ``series_id`` in place of ``mpan_id``, in the order of the series' names."""
    place = pc.index_in(rows["mpan_id"], series["mpan_id"].combine_chunks()).to_numpy()
    named = rows.set_column(rows.column_names.index("mpan_id"), "series_id", series["series_id"].take(pa.array(place)))
    return named.take(pa.array(np.argsort(place, kind="stable")))


def _as_input_errors(read: Callable[[], _Answer]) -> _Answer:
    """What is wrong with a frame is an input's fault here, also where it would be an argument's on a command line."""
    try:
        return read()
    except ConfigError as error:
        raise InputError(str(error)) from error


def _name_run() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-in-memory"
