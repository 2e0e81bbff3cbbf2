"""One meter has one answer, whatever processor it is asked on."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__ as CPU_FEATURES

from fmar_spark.kernels.assembly import Site, UtcReadings, UtcWeather, assemble_window
from fmar_spark.learning.bundled_classifier import load_bundled
from fmar_spark.learning.examples import describe_window
from fmar_spark.simulate.fleet import FleetPlan, prepare_setting, simulate_block

METERS = 40
ROOT = Path(__file__).resolve().parents[2]


def describe(known_path: str, found_path: str) -> None:
    """Evidence, sizes and probabilities of the meters of a file, with weather and without."""
    known = np.load(known_path)
    imported = known["import_kwh"]
    readings = UtcReadings(imported, known["export_kwh"], known["interval_minutes"], np.zeros(len(imported), dtype=np.int64))
    found = []
    for factor in (1.0, np.nan):
        weather = UtcWeather(known["temp_c"] * factor, known["ghi_w_m2"] * factor)
        window = assemble_window(readings, weather, (Site(51.5, -0.1),), date(2023, 1, 1), "Europe/London", frozenset())
        found.append(describe_window(window, 55, 0.75))
    features = np.concatenate([one.features for one in found])
    np.savez(
        found_path, features=features, sizes=np.concatenate([one.sizes for one in found]), probability=load_bundled().predict(features)
    )


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, np.ndarray]]:
    """The same meters examined with all that this processor can do, and with as little as numpy and its BLAS run on."""
    folder = tmp_path_factory.mktemp("processors")
    fleet = simulate_block(prepare_setting(FleetPlan(METERS, date(2023, 1, 1), date(2023, 12, 31), 5)), 0)
    readings = folder / "readings.npz"
    np.savez(
        readings,
        import_kwh=fleet.import_kwh,
        export_kwh=fleet.export_kwh,
        interval_minutes=fleet.interval_minutes,
        temp_c=fleet.weather.temp_c[:1],
        ghi_w_m2=fleet.weather.ghi_w_m2[:1],
    )
    describe(str(readings), str(folder / "all.npz"))
    plainest = {"NPY_DISABLE_CPU_FEATURES": " ".join(CPU_FEATURES), "OPENBLAS_CORETYPE": "Nehalem"}
    subprocess.run(
        [sys.executable, str(Path(__file__)), str(readings), str(folder / "plainest.npz")],
        check=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | plainest,
        capture_output=True,
    )
    return [dict(np.load(folder / f"{name}.npz")) for name in ("all", "plainest")]


def test_probabilities_are_the_same_to_the_last_digit(answers: list[dict[str, np.ndarray]]) -> None:
    ours, plainest = (one["probability"] for one in answers)
    assert ours.shape == (2 * METERS, 5)
    differing = (ours != plainest).any(axis=1)
    assert differing.mean() < 0.01
    assert ((ours >= 0.5) == (plainest >= 0.5)).all()


def test_features_differ_in_hardly_any_meter(answers: list[dict[str, np.ndarray]]) -> None:
    ours, plainest = (one["features"] for one in answers)
    same = (ours == plainest) | (np.isnan(ours) & np.isnan(plainest))
    assert same.mean() > 0.999


if __name__ == "__main__":
    describe(*sys.argv[1:])
