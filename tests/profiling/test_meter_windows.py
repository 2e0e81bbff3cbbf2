"""Arrow rows of whole meters arranged as windows."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fmar_spark.kernels.assembly import GRID_DAYS, Site, trace_clear_sky
from fmar_spark.profiling.windows import MeterGroup, WeatherBook, build_weather_book, empty_weather, group_meters

LONDON = "Europe/London"
PLACE = {
    "interval_minutes": 30,
    "time_zone": LONDON,
    "latitude": 51.5,
    "longitude": -0.1,
    "weather_area": "_C",
    "gsp_group_id": "_C",
    "is_domestic": True,
}
SCHEMA = pa.schema(
    [
        ("mpan_id", pa.string()),
        ("utc_date", pa.date32()),
        ("quantity", pa.string()),
        ("kwh", pa.list_(pa.float32())),
        ("interval_minutes", pa.int32()),
        ("time_zone", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("weather_area", pa.string()),
        ("gsp_group_id", pa.string()),
        ("is_domestic", pa.bool_()),
    ]
)
Row = dict[str, Any]


def days_of(mpan: str, first: date, days: int, kwh: float = 0.5, quantity: str | None = "AI", **place: Any) -> list[Row]:
    values = [kwh] * 48
    return [
        PLACE | {"mpan_id": mpan, "utc_date": first + timedelta(days=day), "quantity": quantity, "kwh": values} | place
        for day in range(days)
    ]


def group_all(rows: list[Row], weather: WeatherBook | None = None, months: int = 24) -> list[MeterGroup]:
    table = pa.Table.from_pylist(rows, SCHEMA)
    return list(group_meters(table, weather or empty_weather(), months))


def place_of(group: MeterGroup, day: date) -> int:
    """Row of a day in the window of a group."""
    return int((np.datetime64(day) - group.window.calendar.start_date).astype(np.int64))


def test_readings_of_one_meter_lie_on_their_local_days_in_both_directions() -> None:
    first = date(2023, 1, 10)
    rows = days_of("a", first, 5, 0.5) + days_of("a", first, 5, 0.2, "AE")
    rows[2]["kwh"] = [None if slot == 7 else slot / 10 for slot in range(48)]
    (group,) = group_all(rows)
    window = group.window
    assert group.mpan_ids == ["a"]
    tenth = place_of(group, date(2023, 1, 10))
    assert window.calendar.start_date == np.datetime64(group.first_utc_date)
    np.testing.assert_allclose(window.import_kw[0, tenth], 1.0)
    np.testing.assert_allclose(window.import_kw[0, tenth + 2], [np.nan if slot == 7 else slot / 5 for slot in range(48)], rtol=1e-6)
    np.testing.assert_allclose(window.export_kw[0, tenth : tenth + 5], 0.4)
    assert window.has_export.tolist() == [True]
    assert np.isnan(window.import_kw[0, [tenth - 1, tenth + 5]]).all()


def test_windows_begin_on_one_grid_of_days_whatever_the_company() -> None:
    long, short = days_of("a", date(2023, 2, 20), 50), days_of("b", date(2023, 3, 25), 10)
    (together,) = group_all(long + short)
    (alone,) = group_all(short)
    apart = alone.window.calendar.start_date - together.window.calendar.start_date
    assert apart > np.timedelta64(0, "D")
    assert apart % np.timedelta64(GRID_DAYS, "D") == np.timedelta64(0, "D")
    for group, first in ((together, date(2023, 2, 20)), (alone, date(2023, 3, 25))):
        assert 0 <= place_of(group, first) < GRID_DAYS


def test_meters_of_one_calendar_go_together_and_others_apart() -> None:
    first = date(2023, 1, 10)
    rows = (
        days_of("london", first, 9)
        + days_of("kent", first, 9, gsp_group_id="_J", weather_area="_J", latitude=51.2, longitude=0.4)
        + days_of("glasgow", first, 9, gsp_group_id="_N", weather_area="_N", latitude=55.8, longitude=-4.0)
        + days_of("oslo", first, 9, time_zone="Europe/Oslo", gsp_group_id=None, latitude=59.9, longitude=10.8)
        + days_of("old", date(2022, 1, 10), 9)
    )
    groups = group_all(rows)
    assert sorted(tuple(group.mpan_ids) for group in groups) == [("glasgow",), ("london", "kent"), ("old",), ("oslo",)]
    assert {group.mpan_ids[0]: group.time_zone for group in groups}["oslo"] == "Europe/Oslo"


def test_the_south_has_its_own_seasons() -> None:
    place = {"time_zone": "Australia/Sydney", "latitude": -33.9, "longitude": 151.2, "gsp_group_id": None}
    (group,) = group_all(days_of("sydney", date(2023, 1, 10), 9, **place))
    assert group.window.calendar.season[12] == 2


def test_a_meter_is_laid_out_the_same_in_any_company() -> None:
    rng = np.random.default_rng(1)
    rows = []
    for number, name in enumerate("abcd"):
        mine = days_of(name, date(2023, 2, 1), 28, interval_minutes=60 if number == 2 else 30, is_domestic=number % 2 == 0)
        for row in mine:
            row["kwh"] = rng.random(48).astype(np.float32).tolist()
        rows.append(mine)
    (together,) = group_all([row for mine in rows for row in mine])
    for number, mine in enumerate(rows):
        (alone,) = group_all(mine)
        place = together.mpan_ids.index("abcd"[number])
        np.testing.assert_array_equal(together.window.import_kw[place], alone.window.import_kw[0])
        assert together.window.interval_minutes[place] == alone.window.interval_minutes[0]
        assert together.is_domestic[place] == alone.is_domestic[0]


def test_readings_older_than_the_window_before_a_meters_own_last_are_left_out() -> None:
    rows = days_of("a", date(2022, 1, 1), 400)
    (group,) = group_all(rows, months=6)
    read = ~np.isnan(group.window.import_kw[0]).all(axis=1)
    assert 180 <= read.sum() <= 184
    first = group.window.calendar.start_date + int(np.flatnonzero(read)[0])
    assert np.datetime64("2023-02-04") - first <= np.timedelta64(184, "D")


def test_a_day_that_is_only_asked_for_lies_in_the_window_without_readings() -> None:
    rows = days_of("a", date(2023, 1, 10), 9) + [row | {"kwh": [None] * 48} for row in days_of("a", date(2023, 3, 2), 2, quantity=None)]
    (group,) = group_all(rows)
    dates = group.window.calendar.start_date + group.asked_day
    assert [str(day) for day in dates] == ["2023-03-02", "2023-03-03"]
    assert group.asked_meter.tolist() == [0, 0]
    assert np.isnan(group.window.import_kw[0, group.asked_day]).all()


def test_a_meter_that_was_only_asked_for_still_has_a_window() -> None:
    rows = [row | {"kwh": [None] * 48} for row in days_of("a", date(2023, 3, 2), 1, quantity=None)]
    (group,) = group_all(rows)
    assert np.isnan(group.window.import_kw).all()
    assert group.asked_meter.tolist() == [0]


def weather_table(area: str, first: date, days: int, celsius: float) -> pa.Table:
    return pa.table(
        {
            "weather_area": [area] * days,
            "utc_date": [first + timedelta(days=day) for day in range(days)],
            "temp_c": pa.array([[celsius + day] * 48 for day in range(days)], pa.list_(pa.float32())),
            "ghi_w_m2": pa.array([[None] * 47 + [1.0] for _ in range(days)], pa.list_(pa.float32())),
        }
    )


def test_weather_is_laid_out_by_area_and_day_with_gaps_unknown() -> None:
    table = pa.concat_tables([weather_table("x", date(2023, 1, 5), 2, 0.0), weather_table("y", date(2023, 1, 8), 1, 9.0)])
    book = build_weather_book(table)
    assert book.first_date == date(2023, 1, 5)
    assert book.temp_c.shape == (2, 4, 48)
    np.testing.assert_array_equal(book.temp_c[book.area_of_name["x"], :, 0], [0.0, 1.0, np.nan, np.nan])
    np.testing.assert_array_equal(book.temp_c[book.area_of_name["y"], :, 0], [np.nan, np.nan, np.nan, 9.0])
    assert np.isnan(book.ghi_w_m2[0, 0, 0])
    assert build_weather_book(table.slice(0, 0)).temp_c.size == 0


@pytest.mark.parametrize(("area", "is_known"), [("_C", True), ("_Z", False), (None, False)])
def test_each_meter_has_the_weather_of_its_own_area_where_there_is_some(area: str | None, is_known: bool) -> None:
    book = build_weather_book(weather_table("_C", date(2023, 1, 12), 3, 4.0))
    (group,) = group_all(days_of("a", date(2023, 1, 10), 9, weather_area=area), book)
    temp_c = group.window.temp_c[group.window.area[0]]
    known = np.flatnonzero(~np.isnan(temp_c).all(axis=1)).tolist()
    first = place_of(group, date(2023, 1, 12))
    assert known == ([first, first + 1, first + 2] if is_known else [])
    if is_known:
        assert temp_c[first : first + 3, 5].tolist() == [4.0, 5.0, 6.0]


def test_meters_of_one_area_share_its_weather_and_its_sun() -> None:
    rows = [row for name in "abc" for row in days_of(name, date(2023, 6, 10), 3, weather_area="_C" if name != "c" else None)]
    (group,) = group_all(rows)
    assert group.window.area.tolist() == [0, 0, 1]
    assert group.window.temp_c.shape[0] == group.window.clear_w_m2.shape[0] == 2
    days = group.window.import_kw.shape[1]
    sky = trace_clear_sky(Site(51.5, -0.1), group.first_utc_date, days, LONDON)
    np.testing.assert_array_equal(group.window.clear_w_m2[0], sky.clear_w_m2)


def test_no_rows_make_no_windows() -> None:
    assert group_all([]) == []


def test_energies_that_no_meter_can_have_measured_are_unread_in_the_window() -> None:
    wild, clean = days_of("wild", date(2023, 1, 10), 9), days_of("wild", date(2023, 1, 10), 9)
    for row in wild[::2]:
        row["kwh"] = [16777.215 if slot % 5 == 0 else 0.5 for slot in range(48)]
    groups = [group_all(rows)[0] for rows in (wild, clean)]
    seen, wanted = (group.window.import_kw for group in groups)
    is_code = np.zeros_like(wanted, dtype=bool)
    first = place_of(groups[0], date(2023, 1, 10))
    is_code[0, first : first + 9 : 2, ::5] = True
    np.testing.assert_array_equal(seen, np.where(is_code, np.nan, wanted))
