from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.rows import ReadingRules

RNG = np.random.default_rng(5)


def anomalies_of(folder: Path, times: pd.DatetimeIndex, kwh: np.ndarray | None = None, zone: str = "Europe/London") -> set[str]:
    values = RNG.uniform(0.05, 1.5, len(times)).round(3) if kwh is None else kwh
    path = folder / "homes.parquet"
    pd.DataFrame({"series_id": "a", "timestamp_utc": times, "kwh_import": values}).to_parquet(path)
    intake = import_files(find_files(path), folder, ReadingRules({"a": zone})).intake
    return {name for name, found in intake.anomalies.items() if found}


def test_plain_utc_half_hours_show_no_anomaly(tmp_path: Path) -> None:
    assert anomalies_of(tmp_path, pd.date_range("2023-01-01", "2024-12-31 23:30", freq="30min")) == set()


@pytest.mark.parametrize("zone", ["Europe/London", "Australia/Sydney"])
def test_stamps_of_the_local_clock_are_noticed(tmp_path: Path, zone: str) -> None:
    wall = pd.date_range("2023-01-01", "2024-06-30", freq="30min", tz="UTC").tz_convert(zone).tz_localize(None)
    assert anomalies_of(tmp_path, wall, zone=zone) == {"local_clock"}


def test_an_hour_that_comes_twice_with_equal_values_is_a_sign_unless_all_hours_do(tmp_path: Path) -> None:
    autumn = pd.date_range("2024-10-22", "2024-11-03 23:30", freq="30min", tz="UTC")
    wall, flat = autumn.tz_convert("Europe/London").tz_localize(None), np.full(len(autumn), 0.25)
    assert anomalies_of(tmp_path, wall, flat) == {"local_clock"}
    assert anomalies_of(tmp_path, autumn.append(autumn), np.tile(flat, 2)) == set()


def test_a_gap_over_the_clock_change_is_no_sign_of_the_local_clock(tmp_path: Path) -> None:
    times = pd.date_range("2023-01-01", "2023-09-30 23:30", freq="30min")
    is_gap = (times >= "2023-03-25 20:00") & (times < "2023-03-26 09:00")
    assert anomalies_of(tmp_path, times[~is_gap]) == set()


def test_period_ends_are_noticed(tmp_path: Path) -> None:
    assert anomalies_of(tmp_path, pd.date_range("2024-01-01 00:30", "2024-03-01 00:00", freq="30min")) == {"period_end"}


@pytest.mark.parametrize(
    ("start", "rows", "zone"),
    [
        ("2024-05-31 23:30", 96, "Europe/London"),
        ("2024-01-01 00:30", 96, "Europe/London"),
        ("2024-01-01 00:30", 101, "Europe/London"),
        ("2024-06-01 14:30", 480, "Australia/Sydney"),
    ],
)
def test_period_ends_are_noticed_on_the_clock_of_the_series(tmp_path: Path, start: str, rows: int, zone: str) -> None:
    assert anomalies_of(tmp_path, pd.date_range(start, periods=rows, freq="30min"), zone=zone) == {"period_end"}


def test_period_ends_are_noticed_by_most_days_where_days_are_missing(tmp_path: Path) -> None:
    ends = pd.date_range("2024-01-01 00:30", "2024-03-31 00:00", freq="30min")
    is_left = ((ends - pd.Timedelta("30min")).dayofyear % 5 != 0) & (ends >= "2024-01-01 09:00")
    assert "period_end" in anomalies_of(tmp_path, ends[is_left])


@pytest.mark.parametrize(
    ("start", "end", "freq"),
    [
        ("2024-06-01", "2024-06-09 23:00", "60min"),
        ("2024-05-31 23:00", "2024-06-09 22:30", "30min"),
        ("2024-01-01", "2024-02-01", "30min"),
        ("2024-01-01 07:30", "2024-02-01 16:00", "30min"),
    ],
)
def test_period_starts_are_no_ends(tmp_path: Path, start: str, end: str, freq: str) -> None:
    assert anomalies_of(tmp_path, pd.date_range(start, end, freq=freq)) == set()


def test_times_of_day_that_are_mostly_unread_are_noticed_and_no_year_is_made_of_the_rest(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", "2024-03-01 23:30", freq="30min")
    for name, own in (("whole", times), ("nights", times[(times.hour < 10) | (times.hour >= 16)])):
        pd.DataFrame({"series_id": name, "timestamp_utc": own, "kwh_import": 0.25}).to_parquet(tmp_path / f"{name}.parquet")
        path = tmp_path / f"{name}.parquet"
        intake = import_files(find_files(path), tmp_path, ReadingRules()).intake
        assert bool(intake.anomalies["time_of_day"]) == (name == "nights")
        assert np.isnan(intake.series[0].annual.kwh)
        assert intake.series[0].annual.kwh_per_day == pytest.approx(12.0)
        assert intake.series[0].days == 61
        wanted = "10:00 to 16:00 missing on 100 % of days" if name == "nights" else "readings of 2 of 12 months"
        assert intake.series[0].annual.reason == wanted


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_a_year_of_any_step_has_its_own_sum_by_the_local_clock(tmp_path: Path, minutes: int) -> None:
    times = pd.date_range("2023-01-01", "2023-12-31 23:59", freq=f"{minutes}min")
    pd.DataFrame({"series_id": "home", "timestamp_utc": times, "kwh_import": minutes / 120}).to_parquet(tmp_path / "home.parquet")
    (fact,) = import_files(find_files(tmp_path / "home.parquet"), tmp_path, ReadingRules()).intake.series
    assert fact.annual.kwh == pytest.approx(365 * 12, rel=1e-6)
    assert fact.annual.reason == ""


def test_watt_hours_are_noticed(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", "2024-02-01 23:30", freq="30min")
    assert anomalies_of(tmp_path, times, RNG.integers(30, 900, len(times)).astype(float)) == {"watt_hours"}


def test_register_readings_are_noticed(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", "2024-02-01 23:30", freq="30min")
    assert "register" in anomalies_of(tmp_path, times, np.cumsum(RNG.uniform(0, 0.01, len(times))))


@pytest.mark.parametrize("is_sorted", [True, False])
def test_swapped_day_and_month_are_noticed(tmp_path: Path, is_sorted: bool) -> None:
    true = pd.date_range("2023-05-20", "2024-03-10 23:30", freq="30min")
    shown = pd.DatetimeIndex([at.replace(day=at.month, month=at.day) if at.day <= 12 else at for at in true])
    assert anomalies_of(tmp_path, shown.sort_values() if is_sorted else shown) == {"swapped_dates"}


def test_a_step_that_changes_is_noticed(tmp_path: Path) -> None:
    half_hours = pd.date_range("2024-01-01", "2024-03-01", freq="30min")
    hours = pd.date_range("2024-03-01 01:00", "2024-03-20", freq="60min")
    assert anomalies_of(tmp_path, half_hours.append(hours)) == {"mixed_steps"}


@pytest.mark.parametrize(("days", "noticed"), [(13, set()), (14, {"standstill"}), (60, {"standstill"})])
def test_a_meter_that_stands_still_for_two_weeks_is_noticed(tmp_path: Path, days: int, noticed: set[str]) -> None:
    times = pd.date_range("2024-01-01", periods=60 * 48, freq="30min")
    kwh = RNG.uniform(0.05, 1.5, len(times))
    kwh[: days * 48] = 0.5
    assert anomalies_of(tmp_path, times, kwh) == noticed
    kwh[: days * 48] = 0
    assert anomalies_of(tmp_path, times, kwh) == ({"all_zero"} if days == 60 else set())


def test_nothing_but_zeros_is_noticed(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", "2024-02-01 23:30", freq="30min")
    assert anomalies_of(tmp_path, times, np.zeros(len(times))) == {"all_zero"}
