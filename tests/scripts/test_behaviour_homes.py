"""The script that adds behaviours by rule to recorded homes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

ROOT = Path(__file__).resolve().parents[2]
SLOTS = 48


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    sys.path.insert(0, str(ROOT / "scripts"))
    spec = importlib.util.spec_from_file_location("behaviour_homes", ROOT / "scripts" / "behaviour_homes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """Two homes that draw 0.1 kWh in each of 60 days' half-hours."""
    index = pd.date_range("2024-01-01", periods=61 * SLOTS, freq="30min", tz="UTC")
    frames = [pd.DataFrame({"series_id": name, "timestamp_utc": index, "kwh_import": 0.1}) for name in ("one", "two")]
    path = tmp_path / "homes.parquet"
    pd.concat(frames).to_parquet(path, index=False)
    return path


def test_every_behaviour_is_added_to_every_home_and_labelled(
    script: ModuleType, homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["behaviour_homes.py", "add", "--homes", str(homes), "--series", "one,two", "--each", "2", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", argv)
    assert script.main() == 0
    labels = pd.read_csv(tmp_path / "out" / "labels.csv")
    readings = pd.read_parquet(tmp_path / "out" / "readings.parquet")
    assert len(labels) == 2 * (2 * (len(script.BEHAVIOURS) - 1 + len(script.SCENARIOS)) + 1)
    assert set(readings["series_id"]) == set(labels["series_id"])
    assert set(labels.loc[labels["has_ev"] == 1, "behaviour"]) == {
        *(one.name for one in script.BEHAVIOURS if one.has_ev),
        *(one.name for one in script.SCENARIOS if "ev" in one.has),
    }
    sizes = labels[["ev_kw", "heat_pump_kw", "battery_kw", "battery_kwh", "pv_kwp"]].notna()
    has = labels[["has_ev", "has_heat_pump", "has_battery", "has_battery", "has_pv"]] == 1
    assert (sizes.to_numpy() == has.to_numpy()).all()
    runs = readings["series_id"].isin(labels.loc[labels["behaviour"].isin([one.name for one in script.BEHAVIOURS]), "series_id"])
    assert readings.loc[runs, "kwh_import"].min() >= 0.1 - 1e-12
    exporting = set(readings.loc[readings["kwh_export"].notna(), "series_id"])
    wanted = labels["behaviour"].str.startswith("solar PV") & ~labels["behaviour"].str.endswith("import only")
    assert exporting == set(labels.loc[wanted, "series_id"])


def test_a_run_starts_at_its_local_hour_and_draws_its_power(script: ModuleType) -> None:
    nightly = next(one for one in script.BEHAVIOURS if one.name == "7.2 kW every night from 00:30")
    local = pd.date_range("2024-03-20", periods=20 * SLOTS, freq="30min", tz="UTC").tz_convert("Europe/London")
    kwh = script.draw_load(np.random.default_rng(4), nightly, local)
    started = np.flatnonzero((kwh > 0) & (np.roll(kwh, 1) == 0))
    assert {(local[slot].hour, local[slot].minute) for slot in started} == {(0, 30)}
    assert started.size >= 17
    assert np.isclose(2 * kwh.max(), 7.2, rtol=0.031)


def test_a_battery_gives_no_more_than_it_took_and_a_meter_sees_only_the_net_flow(script: ModuleType) -> None:
    index = pd.date_range("2024-06-01", periods=30 * SLOTS, freq="30min", tz="UTC")
    home = script.Home(np.full(30 * SLOTS, 0.2), index)
    scenario = next(one for one in script.SCENARIOS if one.name == "battery that fills at night")
    outcome = scenario.add(np.random.default_rng(1), home)
    assert outcome.import_kwh.min() >= 0
    assert outcome.import_kwh.sum() >= home.kwh.sum() - 2.0
    assert outcome.import_kwh.max() == pytest.approx(0.2 + 1.8)


def test_a_car_that_comes_draws_nothing_before_its_day(script: ModuleType) -> None:
    index = pd.date_range("2024-01-01", periods=200 * SLOTS, freq="30min", tz="UTC")
    home = script.Home(np.full(200 * SLOTS, 0.1), index)
    for name, is_there in (("7.2 kW car that comes", True), ("7.2 kW car that goes", False)):
        outcome = next(one for one in script.SCENARIOS if one.name == name).add(np.random.default_rng(2), home)
        day = outcome.appeared if is_there else outcome.removed
        before = outcome.import_kwh[index < day].sum() - home.kwh[index < day].sum()
        after = outcome.import_kwh[index >= day].sum() - home.kwh[index >= day].sum()
        assert (before < 1e-6) == is_there
        assert after > 50 if is_there else after < 15


def test_a_lake_without_these_series_is_one_line(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = pa.schema([("series_id", pa.string()), ("mpan_id", pa.string())])
    write_deltalake(str(tmp_path / "lake" / "silver" / "series"), text.empty_table())
    answers = pa.schema(
        [("mpan_id", pa.string()), ("asset_class", pa.string()), ("probability", pa.float64()), ("present_probability", pa.float64())]
    )
    for name, kind in (("tier", pa.string()), ("appeared_date", pa.date32()), ("removed_date", pa.date32())):
        answers = answers.append(pa.field(name, kind))
    write_deltalake(str(tmp_path / "lake" / "gold" / "asset_detections"), answers.empty_table())
    (tmp_path / "labels.csv").write_text("series_id,behaviour\none,nothing added\n")
    assert script.score_lake(tmp_path / "lake", tmp_path / "labels.csv") == 1
    assert "none of the series" in capsys.readouterr().err
