from datetime import date

import numpy as np
import pytest
from report_world import BOTH, CAR, DAYS, FIRST, HOSTILE, ROOF, SHORT

from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.report.histories import History, read_histories, read_places, to_local_days


@pytest.fixture(scope="module")
def histories(lake: LakeRows) -> dict[str, History]:
    meters = lake.rows("SELECT * FROM meters ORDER BY mpan_id")
    return {history.meter["mpan_id"]: history for history in read_histories(lake, meters)}


def test_a_meter_without_readings_has_no_history(histories: dict[str, History]) -> None:
    assert set(histories) == {CAR, ROOF, BOTH, SHORT, HOSTILE}
    assert (len(histories[CAR].import_kw), len(histories[SHORT].import_kw)) == (DAYS, 12)
    assert histories[CAR].first_date == FIRST


def test_export_counts_for_the_boundary_that_its_meter_belongs_to(histories: dict[str, History]) -> None:
    roof = histories[ROOF]
    assert (roof.import_kw[0, 24], roof.export_kw[0, 24], roof.net_kw[0, 24]) == (0.5, 1.0, -0.5)
    assert np.isnan(histories[CAR].export_kw).all()
    assert roof.net_kwh[24] == -0.25


def test_days_follow_the_local_clock(histories: dict[str, History]) -> None:
    car = histories[CAR].import_kw
    before_summer_time, after = 0, 60
    assert (car[before_summer_time, 2:6] == 7.0).all()
    assert (car[after, 4:8] == 7.0).all()
    assert car[after, 2] == 0.5
    change = (date(2024, 3, 31) - FIRST).days
    assert np.isnan(car[change, 2:4]).all()


def test_unread_and_opted_out_half_hours_are_missing(histories: dict[str, History]) -> None:
    assert np.argwhere(np.isnan(histories[ROOF].import_kw[:20])).tolist() == [[3, 0]]
    assert np.argwhere(np.isnan(histories[BOTH].import_kw[:20])).tolist() == [[5, 47]]


def test_of_an_hour_that_happened_twice_the_first_is_kept() -> None:
    utc = np.arange(96.0).reshape(2, 48)
    local = to_local_days(utc, date(2024, 10, 27), "Europe/London")
    assert np.isnan(local[0, :2]).all()
    assert local[0, 2] == 0.0
    assert local[0, 4] == 4.0
    assert local[1, 0] == 48.0


def test_places_carry_the_weather_or_a_clear_sky(lake: LakeRows, histories: dict[str, History]) -> None:
    places, place_of = read_places(lake, [histories[CAR], histories[HOSTILE], histories[BOTH]])
    assert place_of == [0, 1, 0]
    assert [place.is_measured for place in places] == [True, False]
    assert places[0].temp_c[0, 0] == 2.0
    assert places[0].sun_w_m2[0, 10] == 300.0
    assert np.isnan(places[1].temp_c).all()
    assert places[1].sun_w_m2[0, 24] > 300
    assert places[1].sun_w_m2[0, 0] == 0
