"""Half-hourly truth of single meters: sub-metered energies and lists of events."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmar_spark.domain.assets import AssetClass
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.evaluation.submetered import read_true_runs

MPAN_OF = {"home": "9900000000001"}
FIRST = int(pd.Timestamp("2023-01-01", tz="UTC").timestamp()) // 1800


def write(path: Path, step: str, **columns: list[float | None]) -> str:
    times = pd.date_range("2023-01-01", periods=len(next(iter(columns.values()))), freq=step, tz="UTC")
    pd.DataFrame({"timestamp_utc": times, **columns}).to_csv(path, index=False)
    return f"home={path}"


def test_energies_become_runs_and_unknown_half_hours_are_no_truth(tmp_path: Path) -> None:
    given = write(tmp_path / "a.csv", "30min", ev_kwh=[0, 3, 3.5, 0, None, 2, 0.01], pv_kwh=[0, 0, 0, 1, 1, 0, 0], other=[1] * 7)
    car, sun = read_true_runs(given, MPAN_OF)
    assert (car.mpan_id, car.asset, sun.asset) == ("9900000000001", AssetClass.EV, AssetClass.SOLAR_PV)
    np.testing.assert_array_equal(car.known_slot - FIRST, [0, 1, 2, 3, 5, 6])
    np.testing.assert_array_equal(car.episodes.start_slot - FIRST, [1, 5])
    np.testing.assert_array_equal(car.episodes.end_slot - FIRST, [3, 6])
    np.testing.assert_allclose(car.episodes.energy_kwh, [6.5, 2])
    assert car.episodes.is_import.all()
    assert not sun.episodes.is_import.any()


def test_charging_and_discharging_are_one_battery(tmp_path: Path) -> None:
    given = write(tmp_path / "a.csv", "30min", battery_charge_kwh=[1, 0, 0], battery_discharge_kwh=[0, 0, 1])
    (battery,) = read_true_runs(given, MPAN_OF)
    assert battery.episodes.is_import.tolist() == [True, False]
    np.testing.assert_array_equal(battery.episodes.start_slot - FIRST, [0, 2])


@pytest.mark.parametrize(("step", "values"), [("60min", [0, 4, 0]), ("15min", [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0])])
def test_other_steps_are_laid_on_half_hours(tmp_path: Path, step: str, values: list[float | None]) -> None:
    (car,) = read_true_runs(write(tmp_path / "a.csv", step, ev_kwh=values), MPAN_OF)
    np.testing.assert_array_equal(car.episodes.start_slot - FIRST, [2])
    np.testing.assert_array_equal(car.episodes.end_slot - FIRST, [4])
    np.testing.assert_allclose(car.episodes.energy_kwh, [4])


def test_a_list_of_events_is_complete_between_its_ends_and_a_low_price_is_none(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    rows = ["high,2023-01-01 00:30+00:00,2023-01-01 01:30+00:00", "low,2023-01-01 02:00+00:00,2023-01-01 04:00+00:00"]
    path.write_text("\n".join(["level,event_start_utc,event_end_utc", *rows]) + "\n")
    (response,) = read_true_runs(f"home={path}", MPAN_OF)
    assert response.asset is AssetClass.DEMAND_RESPONSE
    np.testing.assert_array_equal(response.episodes.start_slot - FIRST, [1])
    np.testing.assert_array_equal(response.episodes.end_slot - FIRST, [3])
    assert np.isnan(response.episodes.energy_kwh).all()
    np.testing.assert_array_equal(response.known_slot - FIRST, np.arange(1, 8))


def test_a_file_may_name_its_series_itself(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", "30min", ev_kwh=[1.0, 0])
    rows = pd.read_csv(tmp_path / "a.csv").assign(series_id="home")
    rows.to_parquet(tmp_path / "b.parquet")
    assert [runs.mpan_id for runs in read_true_runs(str(tmp_path / "b.parquet"), MPAN_OF)] == ["9900000000001"]


def test_what_cannot_be_understood_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    wrong = {
        "timestamp_utc,kwh\n2023-01-01,1\n": (ConfigError, "found timestamp_utc, kwh, series_id; timestamp_utc and one of ev_kwh"),
        "timestamp_utc,ev_kwh\nsoon,1\n": (ConfigError, "timestamp_utc"),
        "timestamp_utc,ev_kwh\n2023-01-01T00:00,1\n2023-01-01T02:00,1\n": (ConfigError, "steps of 120 minutes"),
        "asset_class,event_start_utc,event_end_utc\nkettle,2023-01-01T00:00,2023-01-01T02:00\n": (ConfigError, "asset_class 'kettle'"),
    }
    for text, (error, message) in wrong.items():
        path.write_text(text)
        with pytest.raises(error, match=message):
            read_true_runs(f"home={path}", MPAN_OF)
    with pytest.raises(InputError, match="no such series"):
        read_true_runs(f"away={path}", MPAN_OF)
    with pytest.raises(ConfigError, match="no column series_id; write SERIES="):
        read_true_runs(str(path), MPAN_OF)
    with pytest.raises(InputError, match="no such file"):
        read_true_runs(f"home={tmp_path}/b.csv", MPAN_OF)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv: empty"),
        ("timestamp_utc,ev_kwh\n", "a.csv: no rows"),
        ("timestamp_utc,ev_kwh\n2023-01-01T00:00,1\n2023-01-01T00:30,abc\n", r"a.csv:3: ev_kwh is 'abc', a number wanted"),
        ("timestamp_utc,ev_kwh\n2023-01-01T00:00,inf\n", r"a.csv:2: ev_kwh is 'inf', a number wanted"),
        ("timestamp_utc,ev_kwh\n2023-01-01T00:00,1\n,1\n", r"a.csv:3: timestamp_utc is empty, a time wanted"),
        ("timestamp_utc,ev_kwh\n2023-01-01T00:00,1\n05/08/2023 00:30,1\n", r"a.csv:3: timestamp_utc is '05/08/2023 00:30', ISO 8601"),
        ("timestamp_utc,ev_kwh\n2023-01-01T00:00,1,9\n", r"a.csv:2: as many fields as the header has wanted"),
        ("timestamp_utc,ev_kwh,ev_kwh\n2023-01-01T00:00,1,9\n", "column ev_kwh stands twice"),
        (
            "timestamp_utc,ev_kwh\n2023-01-01T00:00,1\n2023-01-01T00:30,0\n2023-01-01T00:00,2\n",
            r"a.csv:4: a second energy for the same time",
        ),
        ("event_start_utc,event_end_utc\n", "a.csv: no rows"),
        ("event_start_utc,event_end_utc\n2023-01-01T00:00,\n", r"a.csv:2: event_end_utc is empty, a time wanted"),
        (
            "event_start_utc,event_end_utc\n2023-01-01T10:00,2023-01-01T09:00\n",
            r"a.csv:2: ends in the half-hour in which it begins, or before",
        ),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_scored_without_it(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises((ConfigError, InputError), match=message):
        read_true_runs(f"home={tmp_path / 'a.csv'}", MPAN_OF)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_file_that_is_none_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bytes(range(200, 256)) * 4)
    with pytest.raises(InputError, match=rf"{name}: cannot be read"):
        read_true_runs(f"home={tmp_path / name}", MPAN_OF)


def test_rows_in_any_order_and_given_twice_alike_are_the_same_truth(tmp_path: Path) -> None:
    rows = ["2023-01-01T01:00,0", "2023-01-01T00:30,3", "2023-01-01T00:00,nan", "2023-01-01T00:30,3"]
    (tmp_path / "a.csv").write_text("\n".join(["timestamp_utc,ev_kwh", *rows]) + "\n")
    (car,) = read_true_runs(f"home={tmp_path / 'a.csv'}", MPAN_OF)
    np.testing.assert_array_equal(car.known_slot - FIRST, [1, 2])
    np.testing.assert_allclose(car.episodes.energy_kwh, [3])


def test_times_without_a_zone_are_utc_and_that_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp_utc,ev_kwh\n2023-01-01T00:00,0\n2023-01-01T01:30+01:00,1\n2023-01-01T01:00Z,0\n")
    (car,) = read_true_runs(f"home={path}", MPAN_OF)
    np.testing.assert_array_equal(car.episodes.start_slot - FIRST, [1])
    assert "a.csv: 1 time without a zone in timestamp_utc, taken as UTC" in caplog.text
