"""Readings of a few plain meters as a user has them: long rows of series, time and energy."""

import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from fmar_spark.engine.runs import Run, Written, start_run
from fmar_spark.engine.store import TableStore
from fmar_spark.intake.intervals.companions import read_labels
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.own_files import OwnFiles, understand_files
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.intake.intervals.series_rows import Surroundings
from fmar_spark.intake.intervals.weather import read_weather
from fmar_spark.local.own_lake import OwnLake
from fmar_spark.settings.sections import Settings
from fmar_spark.steps import build_readings as build_readings_step
from fmar_spark.steps import characterise, import_intervals, load_labels, load_weather, predict_baseline, record_legal_basis

FIRST_DAY: Final = date(2023, 10, 2)
DAYS: Final = 130
LAST_DAY: Final = FIRST_DAY + timedelta(days=DAYS - 1)
CAR, ROOF, PLAIN = "17 Elm Road", "roof", "plain"


def build_readings(days: int = DAYS, car_comes: int = 0) -> pd.DataFrame:
    """A home that charges a car in the evening, from one day on, one with PV that exports, and one with neither; half-hours in UTC."""
    rng = np.random.default_rng(7)
    at = pd.date_range(FIRST_DAY, periods=days * 48, freq="30min", tz="UTC")
    slot, day = np.arange(days * 48) % 48, np.arange(days * 48) // 48
    frames = []
    for name in (CAR, ROOF, PLAIN):
        load = 0.05 + rng.gamma(1.0, 0.04, days * 48) + rng.gamma(0.5, 0.5, days * 48) * ((slot >= 34) & (slot < 45) | (slot == 15))
        load += charge_car(rng, days, car_comes) if name == CAR else 0.0
        sun = np.maximum(np.sin((slot - 15) / 18 * np.pi), 0) * (slot >= 15) * (slot < 33) * 1.6
        net = load - (sun * rng.beta(1.5, 1.5, days)[day] * rng.uniform(0.7, 1.0, days * 48) if name == ROOF else 0.0)
        taken, given = np.maximum(net, 0).round(3), np.maximum(-net, 0).round(3)
        frames.append(pd.DataFrame({"series_id": name, "timestamp_utc": at, "kwh_import": taken, "kwh_export": given}))
    return pd.concat(frames, ignore_index=True)


def charge_car(rng: np.random.Generator, days: int, comes: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """7.2 kW on most evenings, from about half past six, for as long as the day's driving took; kWh a half-hour."""
    kwh = np.zeros(days * 48)
    for day in comes + np.flatnonzero(rng.random(days - 1 - comes) < 0.55):
        first, energy = day * 48 + int(rng.normal(38, 2)), rng.uniform(6, 25)
        whole = int(energy // 3.6)
        kwh[first : first + whole] = 3.6
        kwh[first + whole] = energy - whole * 3.6
    return kwh


def build_weather(days: int = DAYS) -> pd.DataFrame:
    """One temperature an hour for all series."""
    at = pd.date_range(FIRST_DAY, periods=days * 24, freq="h", tz="UTC")
    hour = np.arange(days * 24)
    return pd.DataFrame({"timestamp_utc": at, "temp_c": 9 - 6 * np.sin(hour / (24 * 60)) + 3 * np.sin((hour % 24 - 9) / 24 * 2 * np.pi)})


def write_files(folder: Path, car_comes: int = 0, days: int = DAYS) -> dict[str, Path]:
    """CSV files: the readings, with a row that breaks a rule and one that contradicts another; their weather; and labels."""
    files = {name: folder / f"{name}.csv" for name in ("input", "weather", "labels")}
    rows = build_readings(days, car_comes)
    rows = pd.concat([rows, rows.iloc[[5]].assign(kwh_import=9.0), rows.iloc[[6]].assign(kwh_import=-1.0)])
    rows.to_csv(files["input"], index=False)
    pd.DataFrame({"series_id": [CAR, ROOF, "elsewhere"], "has_ev": [1, 0, 1], "ev_kw": [7.2, None, 3.6]}).to_csv(
        files["labels"], index=False
    )
    build_weather(days).to_csv(files["weather"], index=False)
    return files


def run_jobs(store: TableStore, files: dict[str, Path], settings: Settings) -> None:
    """What the jobs import_intervals, characterise and predict_baseline do with the files, for the last week and the day after it."""

    def run_step(body: Callable[[TableStore, Run], Written]) -> None:
        body(store, start_run("test", None, ""))

    weather = read_weather(files["weather"])
    with tempfile.TemporaryDirectory() as folder:
        staged = import_files(find_files(files["input"]), Path(folder), ReadingRules())
        around = Surroundings({}, weather, settings.imports)
        run_step(lambda store, run: load_weather.run(store, run, weather.days, weather.ignored))
        run_step(lambda store, run: import_intervals.run(store, run, staged, around))
    names = tuple(fact.series_id for fact in staged.intake.series)
    run_step(lambda store, run: record_legal_basis.run_for_series(store, run, names, "own data", "import_intervals input.csv"))
    run_step(lambda store, run: load_labels.run(store, run, read_labels(files["labels"])))
    run_step(build_readings_step.run)
    run_step(lambda store, run: characterise.run(store, run, settings, ()))
    days = predict_baseline.Request(None, None, None, is_last_week=True)
    run_step(lambda store, run: predict_baseline.run(store, run, settings, days))


def fill_own_lake(lake: Path, own: OwnFiles, settings: Settings) -> tuple[str, ...]:
    """What the jobs do, without Spark; what is said of the files."""
    filled = OwnLake(lake, settings)
    with tempfile.TemporaryDirectory() as folder:
        found = understand_files(own, Path(folder), settings)
        filled.import_files(own, found)
    filled.characterise()
    filled.predict_last_week()
    return found.lines
