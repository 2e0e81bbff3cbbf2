"""Frames in, frames out: the engine in one line of Python."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from readings_world import CAR, DAYS, FIRST_DAY, LAST_DAY, PLAIN, ROOF, build_readings, build_weather

import fmar_spark as fmar
from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, BASELINE_PREDICTIONS, BASELINES, CAPABILITY
from fmar_spark.contracts.profiles import ASSET_EVENTS
from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.errors import InputError

TABLES = {
    "detections": ASSET_DETECTIONS,
    "capability": CAPABILITY,
    "availability": AVAILABILITY,
    "events": ASSET_EVENTS,
    "changes": ASSET_CHANGES,
    "baselines": BASELINES,
}


@pytest.fixture(scope="module")
def readings() -> pd.DataFrame:
    return build_readings()


@pytest.fixture(scope="module")
def found(readings: pd.DataFrame) -> fmar.Characterisation:
    return fmar.characterise(readings, build_weather())


def drop_run(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="run_id", errors="ignore")


def test_every_frame_has_the_columns_of_its_table_and_every_series_an_answer_for_each_class(found: fmar.Characterisation) -> None:
    for name, contract in TABLES.items():
        columns = ["series_id" if column == "mpan_id" else column for column in contract.names]
        assert list(getattr(found, name).columns) == columns
    assert found.detections.groupby("series_id")["asset_class"].nunique().to_dict() == dict.fromkeys((CAR, ROOF, PLAIN), len(ASSET_CLASSES))
    assert set(found.baselines["series_id"]) == {CAR, ROOF, PLAIN}


def test_a_car_and_a_roof_are_found_where_they_are(found: fmar.Characterisation) -> None:
    there = found.detections[found.detections["is_present"].fillna(False).astype(bool)]
    assert {(CAR, "ev"), (ROOF, "solar_pv")} <= set(zip(there["series_id"], there["asset_class"], strict=True))
    assert PLAIN not in set(there["series_id"])
    charger = found.capability[found.capability["series_id"] == CAR].iloc[0]
    assert charger["rated_kw"] == pytest.approx(7.2, rel=0.1)
    assert found.events[found.events["series_id"] == CAR]["peak_kw"].median() == pytest.approx(7.2, rel=0.1)
    assert repr(found).startswith("Characterisation of 3 series: ev in 1, ")


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "arrow"])
def test_answers_are_frames_of_the_kind_that_was_given(
    convert: Callable[[pd.DataFrame], Any], readings: pd.DataFrame, found: fmar.Characterisation
) -> None:
    other = fmar.characterise(convert(readings), convert(build_weather()))
    for name in TABLES:
        frame = getattr(other, name)
        assert type(frame) is type(convert(readings))
        table = frame if isinstance(frame, pa.Table) else frame.to_arrow()
        pd.testing.assert_frame_equal(drop_run(table.to_pandas(date_as_object=False)), drop_run(getattr(found, name)), check_dtype=False)


def test_times_without_a_zone_are_utc_and_texts_are_read(readings: pd.DataFrame, found: fmar.Characterisation) -> None:
    naive = readings.assign(timestamp_utc=readings["timestamp_utc"].dt.tz_localize(None))
    texts = readings.assign(timestamp_utc=readings["timestamp_utc"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for frame in (naive, texts):
        pd.testing.assert_frame_equal(drop_run(fmar.characterise(frame, build_weather()).detections), drop_run(found.detections))


def test_quarter_hours_are_added_and_hours_are_halved(readings: pd.DataFrame) -> None:
    own = readings[readings["series_id"] == CAR]
    hourly = own.groupby(own["timestamp_utc"].dt.floor("h"))[["kwh_import", "kwh_export"]].sum().reset_index().assign(series_id="hourly")
    halves = own.assign(kwh_import=own["kwh_import"] / 2, kwh_export=0.0, series_id="quarters")
    later = halves.assign(timestamp_utc=halves["timestamp_utc"] + pd.Timedelta(minutes=15))
    found = fmar.characterise(pd.concat([hourly, halves, later], ignore_index=True))
    steps = dict(zip(*(found.given.series[name].to_pylist() for name in ("series_id", "interval_minutes")), strict=True))
    assert steps == {"hourly": 60, "quarters": 15}
    days = found.given.intake.days.to_pandas().set_index(["series_id", "quantity", "utc_date"])["kwh"]
    np.testing.assert_allclose(days["quarters", "AI", FIRST_DAY], own["kwh_import"].to_numpy()[:48], rtol=1e-5)
    pairs = days["hourly", "AI", FIRST_DAY].reshape(24, 2)
    np.testing.assert_array_equal(pairs[:, 0], pairs[:, 1])


def test_the_first_of_two_values_is_kept_and_what_is_rejected_is_listed(readings: pd.DataFrame, found: fmar.Characterisation) -> None:
    twice = pd.concat([readings, readings.iloc[[5]].assign(kwh_import=9.0), readings.iloc[[6]].assign(kwh_import=-1.0)])
    again = fmar.characterise(twice, build_weather())
    assert set(again.rejected["rule"]) == {"duplicate_conflicts", "kwh_negative"}
    assert set(again.rejected["series_id"]) == {CAR}
    assert any("rejected by kwh_negative" in line for line in again.notes)
    pd.testing.assert_frame_equal(drop_run(again.detections), drop_run(found.detections))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (lambda rows: rows.drop(columns="kwh_import"), "readings: column kwh_import is missing; found series_id"),
        (lambda rows: rows.to_dict(), "readings: dict found, a pandas, polars or Arrow frame wanted"),
        (lambda rows: rows.iloc[:0], "readings: no usable row found"),
        (
            lambda rows: rows.assign(series_id=[*rows["series_id"].iloc[:-1], 7]),
            "readings: a column holds values of more than one kind, or of one that is no number, text or time: ",
        ),
        (lambda rows: rows.rename(columns={"kwh_import": "series_id"}), "readings: Expected unique column names, got: .*series_id"),
        (lambda rows: rows.assign(timestamp_utc="noon"), "timestamp_unreadable"),
    ],
)
def test_readings_that_cannot_be_used_are_one_line(frame: Callable[[pd.DataFrame], Any], message: str, readings: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=message) as raised:
        fmar.characterise(frame(readings))
    assert "\n" not in str(raised.value)


def test_weather_and_sites_are_checked_like_files_of_them(readings: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="temp_c"):
        fmar.characterise(readings, weather=build_weather().rename(columns={"temp_c": "warmth"}))
    with pytest.raises(InputError, match="latitude is 123"):
        fmar.characterise(readings, sites=pd.DataFrame({"series_id": [CAR], "latitude": [123.0]}))


def test_a_site_says_where_a_series_is(readings: pd.DataFrame) -> None:
    sites = pd.DataFrame({"series_id": [CAR], "latitude": [-33.9], "longitude": [151.2], "time_zone": ["Australia/Sydney"]})
    found = fmar.characterise(readings, sites=sites)
    seasons = found.availability.groupby("series_id")["season"].unique()
    assert "spring" in seasons[CAR]
    assert "autumn" in seasons[ROOF]


def test_days_are_predicted_from_the_days_before_them(readings: pd.DataFrame) -> None:
    next_day = LAST_DAY + timedelta(days=1)
    found = fmar.predict_baseline(readings, [LAST_DAY, next_day.isoformat()], build_weather())
    assert list(found.columns) == ["series_id", *BASELINE_PREDICTIONS.names[1:]]
    assert found.groupby("series_id").size().to_dict() == dict.fromkeys((CAR, ROOF, PLAIN), 96)
    assert found["predicted_kwh"].notna().all()
    assert (found["trained_to_date"].dt.date < found["slot_start_at"].dt.date).all()
    listed = pd.DataFrame({"series_id": [ROOF], "date": [next_day]})
    own = fmar.predict_baseline(readings, listed, build_weather())
    wanted = found[(found["series_id"] == ROOF) & (found["slot_start_at"].dt.date == next_day)].reset_index(drop=True)
    pd.testing.assert_frame_equal(drop_run(own), drop_run(wanted))


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (["2024-13-01"], "'2024-13-01' found, a date or YYYY-MM-DD wanted"),
        (["2034-01-01"], "day 2034-01-01 requested"),
        (7, "int found, a frame with series_id and date, or a list of dates wanted"),
        (pd.DataFrame({"series_id": ["x"], "day": ["2024-01-01"]}), "column date is missing"),
        (pd.DataFrame({"series_id": ["x"], "date": ["2024-01-01"]}), "1 day of 1 series found"),
    ],
)
def test_days_that_cannot_be_used_are_one_line(days: Any, message: str, readings: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=message):
        fmar.predict_baseline(readings, days)


def test_a_plot_shows_the_history_and_a_week_with_its_episodes(found: fmar.Characterisation) -> None:
    figure = found.plot(CAR)
    assert [trace.type for trace in figure.data] == ["heatmap", "scatter", "bar"]
    carpet, week, charging = figure.data
    assert carpet.z.shape == (48, DAYS)
    assert len(week.x) == 7 * 48
    assert charging.name == "ev"
    assert max(charging.y) == pytest.approx(7.2, rel=0.1)
    assert figure.layout.title.text.startswith(f"{CAR}: ev 7.2 kW")
    assert [trace.type for trace in found.plot(PLAIN).data] == ["heatmap", "scatter"]


def test_days_after_today_are_left_out_as_in_a_lake_and_counted(readings: pd.DataFrame) -> None:
    today = datetime.now(UTC).date()
    by_today = readings.assign(timestamp_utc=readings["timestamp_utc"] + pd.Timedelta(today - LAST_DAY))
    later = by_today.assign(timestamp_utc=by_today["timestamp_utc"] + pd.Timedelta(days=5))
    unread = later[later["series_id"] == CAR].assign(
        series_id="to come", timestamp_utc=lambda rows: rows["timestamp_utc"] + pd.Timedelta(days=DAYS)
    )
    values = (3 * 5 + 5 + DAYS) * 48  # the roof has export as well
    said = rf"readings: {values:,} half-hourly values left out, of days after today, {today} UTC, up to {today + timedelta(days=5 + DAYS)}"
    with pytest.warns(UserWarning, match=said) as warned:
        found = fmar.characterise(pd.concat([later, unread]))
    assert [warning.filename for warning in warned] == [__file__]
    assert any(said in line for line in found.notes)
    known = later[later["timestamp_utc"].dt.date <= today]
    pd.testing.assert_frame_equal(drop_run(found.detections), drop_run(fmar.characterise(known).detections))
    with pytest.raises(InputError, match="readings: every day is after today"):
        fmar.characterise(unread)


@pytest.mark.parametrize("days", [1, 5, 7, 40])
def test_a_series_too_short_for_an_answer_is_plotted(days: int) -> None:
    at = pd.date_range("2023-01-01", periods=days * 48, freq="30min", tz="UTC")
    readings = pd.DataFrame({"series_id": "short", "timestamp_utc": at, "kwh_import": np.linspace(0.1, 0.3, at.size)})
    figure = fmar.characterise(readings).plot("short")
    assert [trace.type for trace in figure.data] == ["heatmap", "scatter"]
    assert figure.data[1].x.size > 0


def test_columns_that_cannot_be_read_are_an_input_s_fault() -> None:
    at = pd.date_range("2023-01-01", periods=48, freq="30min", tz="UTC")
    readings = pd.DataFrame({"series_id": "h", "timestamp_utc": at, "kwh_import": 0.1})
    for wrong in (readings.assign(kwh_import=0.1 + 1j), pd.concat([readings, readings[["kwh_import"]]], axis=1)):
        with pytest.raises(InputError, match="readings: "):
            fmar.characterise(wrong)


def test_a_plot_of_what_is_not_there_says_so(found: fmar.Characterisation) -> None:
    with pytest.raises(InputError, match="series 'nobody' found"):
        found.plot("nobody")
    with pytest.raises(InputError, match="one from 2023-10-02 to 2024-02-08 wanted"):
        found.plot(CAR, week=date(2020, 1, 1))


def test_nothing_is_imported_that_is_not_needed() -> None:
    code = """
import gc, sys
gc.disable()  # to look for garbage takes a sixth of an import
loaded = lambda *names: set(names) & set(sys.modules)
heavy = {"pyspark", "delta", "mlflow", "plotly", "fastapi"}
import fmar_spark as fmar
assert "numpy" not in sys.modules
fmar.characterise, fmar.predict_baseline
assert not loaded(*heavy, "deltalake", "duckdb"), sys.modules.keys()
import numpy as np
from fmar_spark.kernels.examination import FEATURES
from fmar_spark.learning.bundled_classifier import load_bundled
load_bundled().predict(np.zeros((1, len(FEATURES))))
assert not loaded(*heavy), sys.modules.keys()
import fmar_spark.local.own_lake
assert not loaded(*heavy), sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
