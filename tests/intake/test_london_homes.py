import gzip
import zipfile
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fmar_spark.domain.mpan import has_valid_check_digit
from fmar_spark.errors import InputError
from fmar_spark.intake.london_homes import (
    SAMPLES,
    TEMPERATURES,
    Home,
    list_messages,
    read_homes,
    swap_day_and_month,
    write_temperatures,
)
from fmar_spark.simulate.messages import UNREAD

FIRST = """start,value
2012-10-12 00:30:00,0.0
2012-10-12 01:00:00,0.0
2012-10-12 11:30:00,0.143
2012-10-12 12:30:00,0.2
2012-10-13 00:00:00,0.25
2012-10-13 00:00:00,0.25
2012-10-13 00:30:00,0.0
"""
SECOND = """start,value
2012-01-03 00:00:00,0.5
2012-02-03 00:00:00,0.75
2012-02-29 23:30:00,1.25
"""
"""1 and 2 March with day and month exchanged, and 29 February as it should be."""
HEAT = """,dt,tempC
0,2012-10-12 00:00:00,13.5
1,2012-10-12 01:00:00,12.5
"""


def pack(path: Path, first: str = FIRST, second: str = SECOND) -> Path:
    """A wheel with the three files."""
    with zipfile.ZipFile(path, "w") as wheel:
        for number, text in ((1, first), (2, second)):
            wheel.writestr(f"{SAMPLES}/uk-electricity-hdd-only-hourly-sample-{number}.csv.gz", gzip.compress(text.encode()))
        wheel.writestr(TEMPERATURES, gzip.compress(HEAT.encode()))
    return path


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Home, ...]:
    """Both homes of a small package."""
    return read_homes(pack(tmp_path / "package.whl"))


def test_repeated_midnights_count_once_and_zeros_before_the_meter_are_unread(homes: tuple[Home, ...]) -> None:
    first = homes[0]
    assert first.first_date == date(2012, 10, 12)
    assert first.watt_hours.shape == (2, 48)
    assert {int(slot): int(first.watt_hours.reshape(-1)[slot]) for slot in np.flatnonzero(first.watt_hours.reshape(-1) != UNREAD)} == {
        23: 143,
        25: 200,
        48: 250,
        49: 0,
    }
    assert first.repairs == (7, 0, 1, 2, 23)


def test_exchanged_days_and_months_are_put_right(homes: tuple[Home, ...]) -> None:
    second = homes[1]
    assert second.first_date == date(2012, 2, 29)
    assert second.watt_hours[0, 47] == 1250
    assert second.watt_hours[1, 0] == 500
    assert second.watt_hours[2, 0] == 750
    assert second.repairs.dates_swapped == 2


@given(st.datetimes(min_value=datetime(2011, 1, 1), max_value=datetime(2014, 12, 31)))
def test_exchanging_twice_is_as_never(stamp: datetime) -> None:
    assert swap_day_and_month(swap_day_and_month(stamp)) == stamp


def test_a_home_is_sent_as_the_dip_sends_it(homes: tuple[Home, ...]) -> None:
    standing, days = list_messages(homes[0])
    assert has_valid_check_digit(standing.mpan_id)
    assert standing.gsp_group == "_C"
    assert standing.is_domestic
    assert [day.utc_date for day in days] == ["2012-10-12", "2012-10-13"]
    assert days[0].reported_at == "2012-10-13T06:00:00+00:00"
    assert {day.origin.environment for day in days} == {"MEASURED"}
    assert len({day.transaction_id for day in days} | {standing.transaction_id}) == 3


def test_a_day_without_a_reading_has_no_message(tmp_path: Path) -> None:
    gap = FIRST + "2012-10-16 00:00:00,0.1\n"
    _, days = list_messages(read_homes(pack(tmp_path / "package.whl", first=gap))[0])
    assert [day.utc_date for day in days] == ["2012-10-12", "2012-10-13", "2012-10-16"]


def test_temperatures_become_a_weather_file_of_london(tmp_path: Path) -> None:
    out = tmp_path / "weather.csv"
    write_temperatures(pack(tmp_path / "package.whl"), out)
    assert out.read_text(encoding="utf-8").splitlines() == [
        "weather_area,timestamp_utc,temp_c",
        "_C,2012-10-12 00:00:00,13.5",
        "_C,2012-10-12 01:00:00,12.5",
    ]


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("start,value\n2012-10-12 00:10:00,0.1\n", "start of a half-hour in GMT wanted"),
        ("start,value\nyesterday,0.1\n", "'yesterday' found, a time wanted"),
        ("when,value\n2012-10-12 00:30:00,0.1\n", "columns when, value found, start, value wanted"),
        ("start,value\n2012-10-12 00:30:00,0.1\n2012-10-12 00:30:00,0.2\n", "two values at 2012-10-12 00:30:00 found"),
    ],
)
def test_another_version_of_the_package_is_rejected_in_one_line(tmp_path: Path, first: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as rejected:
        read_homes(pack(tmp_path / "package.whl", first=first))
    assert "\n" not in str(rejected.value)


def test_a_file_that_is_no_package_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "package.whl"
    path.write_text("not a wheel", encoding="utf-8")
    with pytest.raises(InputError, match=r"the wheel of opendsm 1\.2\.7 wanted"):
        read_homes(path)
