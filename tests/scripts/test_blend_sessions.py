import sys
from collections.abc import Callable
from pathlib import Path

import blend_sessions
import numpy as np
import pandas as pd
import pytest

DAYS = 120
Blend = Callable[..., tuple[int, str, str]]


@pytest.fixture
def blend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Blend:
    """How the script ends with the files in a folder, as its process would; what it says on standard output and error."""

    def run(folder: Path, *more: str) -> tuple[int, str, str]:
        files = ["--homes", str(folder / "homes.parquet"), "--sessions", str(folder / "sessions.parquet"), "--out", str(folder / "out")]
        monkeypatch.setattr(sys, "argv", ["blend_sessions.py", *files, *more])
        message = ""
        try:
            status = blend_sessions.main()
        except SystemExit as ended:
            status, message = (ended.code, "") if isinstance(ended.code, int) else (1, f"{ended.code}\n")
        said = capsys.readouterr()
        return status, said.out, said.err + message

    return run


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two homes of a constant 0.1 kWh a half-hour, and three drivers: of 60 days and of 65, and one of a week."""
    slots = pd.date_range("2023-01-01", periods=DAYS * 48, freq="30min", tz="UTC")
    pd.concat([pd.DataFrame({"series_id": name, "timestamp_utc": slots, "kwh_import": 0.1}) for name in ("a", "b")]).to_parquet(
        tmp_path / "homes.parquet"
    )
    rows = []
    for user, days in (("OSL_1", 61), ("TRO_1", 66), ("TRO_2", 7)):
        for day in range(days):
            start = pd.Timestamp("2020-05-04 18:10", tz="UTC") + pd.Timedelta(days=day)
            rows.append((user, start, start + pd.Timedelta(hours=13), 7.0, 3.5))
    columns = ["user_id", "plugin_utc", "plugout_utc", "energy_kwh", "charging_power_kw_est"]
    pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / "sessions.parquet")
    return tmp_path


def test_every_session_is_in_the_readings_and_in_the_truth(blend: Blend, recorded: Path) -> None:
    done = blend(recorded, "--series", "a,b", "--days", "119")
    assert done == (0, f"2 meters on 2 homes in {recorded / 'out'}\n", "")
    labels = pd.read_csv(recorded / "out" / "labels.csv").set_index("series_id")
    truth = pd.read_parquet(recorded / "out" / "truth.parquet")
    readings = pd.read_parquet(recorded / "out" / "readings.parquet")
    assert sorted(name.partition("__")[2] for name in labels.index) == ["OSL_1", "TRO_1"]
    assert (labels["ev_kw"] == 3.5).all()
    assert labels["provenance"].str.startswith("semi-synthetic").all()
    for name, mine in truth.groupby("series_id"):
        sessions = 61 if name.endswith("OSL_1") else 66
        assert mine["ev_kwh"].sum() == pytest.approx(7.0 * sessions)
        read = readings[readings["series_id"] == name]
        np.testing.assert_allclose(read["kwh_import"], 0.1 + mine["ev_kwh"])
        charged = mine[mine["ev_kwh"] > 0].set_index("timestamp_utc")["ev_kwh"]
        # 18:10 to 20:10: two thirds of a half-hour, three whole ones, one third.
        np.testing.assert_allclose(charged.iloc[:5], np.array([2 / 3, 1, 1, 1, 1 / 3]) * 1.75)
        assert charged.index[0].strftime("%a %H:%M") == "Mon 18:00"
        assert labels.loc[name, "ev_appeared_date"] == str(charged.index[0].date())


def test_a_site_may_be_left_out(blend: Blend, recorded: Path) -> None:
    assert blend(recorded, "--series", "a", "--without", "TRO")[1].startswith("1 meter on 1 home")
    assert list(pd.read_csv(recorded / "out" / "labels.csv")["series_id"]) == ["a__OSL_1"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--series", "c"), "homes.parquet: no series c"),
        (("--series", "a", "--least-days", "90"), "no driver has so many sessions over so many days"),
        (("--series", "a", "--homes", "none.parquet"), "none.parquet: no such file"),
    ],
)
def test_what_cannot_be_done_is_one_line(blend: Blend, recorded: Path, more: tuple[str, ...], said: str) -> None:
    status, _, error = blend(recorded, *more)
    assert status
    assert error.splitlines()[-1].endswith(said)
    assert "Traceback" not in error
    assert not (recorded / "out").exists()


def test_a_file_that_is_not_parquet_is_rejected_in_one_line(blend: Blend, recorded: Path) -> None:
    (recorded / "homes.parquet").write_text("series_id,timestamp_utc,kwh_import\n")
    assert blend(recorded, "--series", "a") == (1, "", f"{recorded / 'homes.parquet'}: not Parquet\n")


def test_a_file_without_a_column_is_rejected_by_name(blend: Blend, recorded: Path) -> None:
    pd.read_parquet(recorded / "sessions.parquet").drop(columns="plugout_utc").to_parquet(recorded / "sessions.parquet")
    assert "no column plugout_utc" in blend(recorded, "--series", "a")[2]
