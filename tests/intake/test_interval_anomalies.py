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


def test_a_gap_over_the_clock_change_is_no_sign_of_the_local_clock(tmp_path: Path) -> None:
    times = pd.date_range("2023-01-01", "2023-09-30 23:30", freq="30min")
    is_gap = (times >= "2023-03-25 20:00") & (times < "2023-03-26 09:00")
    assert anomalies_of(tmp_path, times[~is_gap]) == set()


def test_period_ends_are_noticed(tmp_path: Path) -> None:
    assert anomalies_of(tmp_path, pd.date_range("2024-01-01 00:30", "2024-03-01 00:00", freq="30min")) == {"period_end"}


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


def test_nothing_but_zeros_is_noticed(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", "2024-02-01 23:30", freq="30min")
    assert anomalies_of(tmp_path, times, np.zeros(len(times))) == {"all_zero"}
