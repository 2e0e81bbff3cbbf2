"""What winter's nights show of heating by themselves."""

import numpy as np

from fmar_spark.kernels.heat_pump.winter import FEWEST_NIGHTS, describe_winter
from fmar_spark.kernels.window import Floats

DAYS = 70


def of(load_kw: Floats, name: str) -> Floats:
    return describe_winter(load_kw, load_kw.mean(axis=2), np.zeros(DAYS, dtype=int))[f"heat_pump_winter_{name}"]


def test_a_night_load_that_lasts_with_the_weather_is_distinguished_from_one_that_comes_and_goes() -> None:
    rng = np.random.default_rng(1)
    weather = 1.0 + 0.5 * np.sin(np.arange(DAYS) / 4.0)
    lasting = np.repeat(weather[:, None], 48, axis=1)
    loose = np.repeat(rng.permutation(weather)[:, None], 48, axis=1)
    load = np.stack([lasting, loose]).astype(np.float32)
    memory = of(load, "memory")
    assert memory[0] > 0.9
    assert abs(memory[1]) < 0.5
    np.testing.assert_allclose(of(load, "night_kw"), np.median(weather), rtol=0.05)
    np.testing.assert_allclose(of(load, "night_ratio"), 1.0, rtol=0.05)


def test_cycling_and_recovery_are_relative_to_the_night() -> None:
    load = np.full((1, DAYS, 48), 0.5, dtype=np.float32)
    load[:, :, 2:10:2] = 1.5
    load[:, :, 10:16] = 3.0
    assert of(load, "cycling")[0] == 1.0
    assert of(load, "recovery")[0] == 3.0
    assert of(load, "night_spread")[0] == 0.0


def test_few_winter_nights_say_nothing() -> None:
    load = np.ones((2, DAYS, 48), dtype=np.float32)
    day = load.mean(axis=2)
    day[0, FEWEST_NIGHTS - 1 :] = np.nan
    season = np.zeros(DAYS, dtype=int)
    found = describe_winter(load, day, season)
    assert all(np.isnan(column[0]) for column in found.values())
    assert found["heat_pump_winter_night_kw"][1] == 1.0
    assert np.isnan(describe_winter(load, day, season + 2)["heat_pump_winter_night_kw"]).all()
    assert describe_winter(load[:0], day[:0], season)["heat_pump_winter_night_kw"].shape == (0,)
