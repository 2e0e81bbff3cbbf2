from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmar_spark.errors import ConfigError
from fmar_spark.intake.intervals.weather import WeatherFile, bridge_gaps, read_weather


def write_weather(folder: Path, frame: pd.DataFrame) -> WeatherFile:
    frame.to_csv(folder / "town.csv", index=False)
    return read_weather(folder / "town.csv")


def hourly(periods: int = 24, **columns: object) -> pd.DataFrame:
    times = pd.date_range("2024-01-01", periods=periods, freq="60min")
    return pd.DataFrame({"timestamp_utc": times.strftime("%Y-%m-%dT%H:%M:%SZ"), **columns})


def test_hours_are_interpolated_to_half_hours(tmp_path: Path) -> None:
    weather = write_weather(tmp_path, hourly(temp_c=np.arange(24.0)))
    row = weather.days.to_pylist()[0]
    assert row["temp_c"] == pytest.approx([*np.arange(0, 23.5, 0.5), 23.0])
    assert row["ghi_w_m2"] == [None] * 48
    assert weather.area_of("anything") == "import:town"


def test_ten_minutes_are_averaged(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=6, freq="10min").strftime("%Y-%m-%d %H:%M")
    weather = write_weather(tmp_path, pd.DataFrame({"timestamp_utc": times, "temp_c": [1, 2, 3, 10, 20, 30]}))
    assert weather.days.to_pylist()[0]["temp_c"][:2] == pytest.approx([2.0, 20.0])


def test_only_gaps_of_two_hours_are_bridged() -> None:
    nan = np.nan
    assert bridge_gaps(np.asarray([0, nan, nan, nan, 4.0])).tolist() == [0, 1, 2, 3, 4]
    bridged = bridge_gaps(np.asarray([0, nan, nan, nan, nan, 5.0, nan, nan]))
    assert np.isnan(bridged).tolist() == [False, False, True, True, True, False, False, True]


def test_each_series_may_have_its_own_weather(tmp_path: Path) -> None:
    frame = pd.concat([hourly(temp_c=5.0, series_id="a"), hourly(temp_c=9.0, series_id="b")])
    weather = write_weather(tmp_path, frame)
    assert {row["weather_area"]: row["temp_c"][3] for row in weather.days.to_pylist()} == {"series:a": 5.0, "series:b": 9.0}
    assert weather.area_of("a") == "series:a"
    assert weather.area_of("c") is None


def test_names_seen_in_the_wild_are_understood_and_others_are_named(tmp_path: Path) -> None:
    weather = write_weather(tmp_path, hourly(air_temperature_c=5.0, global_irradiance_wm2=100.0))
    assert weather.days.to_pylist()[0]["ghi_w_m2"][0] == 100.0
    with pytest.raises(ConfigError, match=r"town.csv: columns timestamp_utc, heat found; timestamp_utc, temp_c"):
        write_weather(tmp_path, hourly(heat=1.0))


def test_kelvin_is_rejected_and_single_faults_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="degrees Celsius wanted"):
        write_weather(tmp_path, hourly(temp_c=280.0))
    temperature = np.full(48, 7.0)
    temperature[10] = -99.0
    weather = write_weather(tmp_path, hourly(48, temp_c=temperature))
    assert weather.ignored == 1
    assert weather.days.to_pylist()[0]["temp_c"][20] == 7.0


@pytest.mark.parametrize(
    ("scale", "message"),
    [(1 / 1000, "multiply by 1000"), (3600, "2880000 found, W/m2 wanted"), (3.6, "W/m2 wanted"), (1, None)],
)
def test_irradiance_in_other_units_is_named(tmp_path: Path, scale: float, message: str | None) -> None:
    sun = np.maximum(800 * np.sin((np.arange(240) % 24 - 6) / 12 * np.pi), 0)
    if message is None:
        assert write_weather(tmp_path, hourly(240, temp_c=5.0, ghi_w_m2=sun * scale)).ignored == 0
        return
    with pytest.raises(ConfigError, match=rf"^town.csv: irradiance up to .*{message}"):
        write_weather(tmp_path, hourly(240, temp_c=5.0, ghi_w_m2=sun * scale))


def test_rows_that_contradict_each_other_are_named_by_both_lines(tmp_path: Path) -> None:
    repeated = pd.concat([hourly(temp_c=5.0), hourly(3, temp_c=5.0)])
    assert write_weather(tmp_path, repeated).days.num_rows == 1
    with pytest.raises(ConfigError, match=r"^town.csv:26: other weather found than in town.csv:2 for the same time"):
        write_weather(tmp_path, pd.concat([hourly(temp_c=5.0), hourly(1, temp_c=6.0)]))


def test_times_without_a_zone_and_rows_that_are_none_are_counted(tmp_path: Path) -> None:
    (tmp_path / "town.csv").write_text("timestamp_utc,temp_c\n2024-01-01 00:00,1\n2024-01-01T01:00Z,2\nnever\n")
    weather = read_weather(tmp_path / "town.csv")
    assert (weather.rows, weather.ignored, weather.naive) == (3, 1, 1)
