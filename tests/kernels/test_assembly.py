"""From UTC half-hours to local days by clock slot."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmar_spark.kernels.assembly import Site, UtcReadings, UtcWeather, assemble_window, build_calendar, trace_clear_sky
from fmar_spark.kernels.sun import locate_sun
from fmar_spark.kernels.window import Floats, MeterWindow

LONDON = "Europe/London"
SITE = Site(51.5, -0.1)
SEASON_OF_MONTH = (0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0)
SPRING_CHANGE, AUTUMN_CHANGE = date(2023, 3, 26), date(2023, 10, 29)


def assemble(import_kwh: Floats, first: date, zone: str = LONDON, export_kwh: Floats | None = None) -> MeterWindow:
    meters, slots = import_kwh.shape
    export = np.full_like(import_kwh, np.nan) if export_kwh is None else export_kwh
    readings = UtcReadings(import_kwh, export, np.full(meters, 30), np.zeros(meters, dtype=np.int64))
    temp_c = np.arange(slots, dtype=np.float64)[None]
    return assemble_window(readings, UtcWeather(temp_c, temp_c * np.nan), (SITE,), first, zone, frozenset())


def arrange_naively(values: Floats, first: date, zone: str) -> Floats:
    """Go over the UTC slots backwards, so that of an hour that happened twice the first is what stays."""
    days = values.shape[1] // 48
    local = np.full((len(values), days, 48), np.nan)
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    for slot in reversed(range(values.shape[1])):
        at = (midnight + timedelta(minutes=30 * slot)).astimezone(ZoneInfo(zone))
        day = (at.date() - first).days
        if 0 <= day < days:
            local[:, day, at.hour * 2 + at.minute // 30] = values[:, slot]
    return local


@pytest.mark.parametrize("zone", [LONDON, "Europe/Oslo", "America/New_York", "Australia/Adelaide", "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("first", [date(2023, 3, 24), date(2023, 10, 27), date(2023, 11, 3), date(2023, 9, 29), date(2023, 4, 1)])
def test_slots_land_where_a_naive_loop_over_the_clock_puts_them(zone: str, first: date) -> None:
    rng = np.random.default_rng(1)
    import_kwh, export_kwh = rng.random((2, 3, 5 * 48))
    import_kwh[rng.random(import_kwh.shape) < 0.2] = np.nan
    window = assemble(import_kwh, first, zone, export_kwh)
    np.testing.assert_array_equal(window.import_kw, (2 * arrange_naively(import_kwh, first, zone)).astype(np.float32))
    np.testing.assert_array_equal(window.export_kw, (2 * arrange_naively(export_kwh, first, zone)).astype(np.float32))
    np.testing.assert_array_equal(window.temp_c[0], arrange_naively(np.arange(240.0)[None], first, zone)[0])


def test_the_hour_that_spring_skips_is_nan_and_has_no_sky() -> None:
    window = assemble(np.ones((1, 3 * 48)), SPRING_CHANGE - timedelta(days=1))
    assert np.flatnonzero(np.isnan(window.import_kw[0, 1])).tolist() == [2, 3]
    assert (window.clear_w_m2[0, 1, 2:4] == 0).all()


def test_of_the_hour_that_autumn_repeats_the_first_is_kept() -> None:
    window = assemble(np.arange(3 * 48.0)[None] / 2, AUTUMN_CHANGE - timedelta(days=1))
    assert window.import_kw[0, 1, :6].tolist() == [46.0, 47.0, 48.0, 49.0, 52.0, 53.0]


def test_an_export_register_that_never_moved_is_none() -> None:
    export_kwh = np.stack([np.zeros(48), np.full(48, np.nan), np.eye(1, 48, 30)[0] * 0.1])
    window = assemble(np.ones((3, 48)), date(2023, 1, 2), LONDON, export_kwh)
    assert window.has_export.tolist() == [False, False, True]


@pytest.mark.parametrize(("meters", "fill"), [(0, 1.0), (2, np.nan)])
def test_no_meter_and_no_reading_make_a_window_all_the_same(meters: int, fill: float) -> None:
    window = assemble(np.full((meters, 96), fill), date(2023, 1, 2))
    assert window.import_kw.shape == (meters, 2, 48)
    assert np.isnan(window.import_kw).all()
    assert not window.has_export.any()
    assert window.clear_w_m2.shape == (1, 2, 48)


def test_the_clear_sky_is_dark_at_night_bright_at_noon_and_never_unknown() -> None:
    clear = trace_clear_sky(SITE, date(2023, 6, 20), 3, LONDON).clear_w_m2
    assert not np.isnan(clear).any()
    assert (clear[:, :8] == 0).all()
    assert clear.argmax(axis=1).tolist() == [26, 26, 26]
    with pytest.raises(ValueError, match="read-only"):
        clear[0, 0] = 1.0


def test_the_sun_of_each_site_stands_where_it_stands_at_that_clock_time() -> None:
    sydney = Site(-33.9, 151.2)
    first, days = SPRING_CHANGE - timedelta(days=1), 3
    window = assemble_window(
        UtcReadings(*(np.ones((1, days * 48)) for _ in range(2)), np.array([30]), np.array([1])),
        UtcWeather(*(np.full((2, days * 48), np.nan) for _ in range(2))),
        (SITE, sydney),
        first,
        LONDON,
        frozenset(),
    )
    assert window.latitude_deg.tolist() == [SITE.latitude_deg, sydney.latitude_deg]
    noon_utc = np.array([f"{first + timedelta(days=2)}T12:00"], dtype="datetime64[m]")
    for area, site in enumerate((SITE, sydney)):
        sun = locate_sun(noon_utc, *site)
        assert window.cos_zenith[area, 2, 26] == pytest.approx(sun.cos_zenith[0], abs=1e-6)
        assert window.azimuth_rad[area, 2, 26] == pytest.approx(sun.azimuth_rad[0], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(0, 40), st.booleans())
def test_calendars_agree_with_the_dates_of_python(first: date, days: int, southern: bool) -> None:
    dates = [first + timedelta(days=day) for day in range(days)]
    off = frozenset(dates[::3]) | {first - timedelta(days=1)}
    calendar = build_calendar(first, days, off, southern)
    assert calendar.weekday.tolist() == [day.isoweekday() for day in dates]
    assert calendar.season.tolist() == [(SEASON_OF_MONTH[day.month - 1] + 2 * southern) % 4 for day in dates]
    assert calendar.is_holiday.tolist() == [day in off for day in dates]
    assert calendar.start_date == np.datetime64(first)
