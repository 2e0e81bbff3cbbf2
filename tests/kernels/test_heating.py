"""How a load answers to the cold."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from fmar_spark.kernels.heat_pump.heating import (
    BASE_TEMPERATURES_C,
    LAG_WEIGHTS,
    WINDOW_DAYS,
    WINDOW_STRIDE_DAYS,
    Response,
    contrast_days,
    describe_climate,
    fit_response,
    fit_windows,
    mean_of_days,
    regress,
)
from fmar_spark.kernels.window import Bools, Floats, MeterWindow

WindowMaker = Callable[..., MeterWindow]
DAYS = 364


def winter_and_summer(rng: np.random.Generator, days: int = DAYS) -> Floats:
    """Daily temperature from January on, shape (days,)."""
    return 10 - 7 * np.cos(2 * np.pi * (np.arange(days) - 20) / 365) + 2.5 * rng.standard_normal(days)


def lag_naively(temp_c: Floats, weights: tuple[float, ...]) -> Floats:
    felt = np.full(len(temp_c), np.nan)
    for day in range(len(temp_c)):
        if np.isnan(temp_c[day]):
            continue
        known = [(share, temp_c[day - back]) for back, share in enumerate(weights) if day >= back and not np.isnan(temp_c[day - back])]
        felt[day] = sum(share * one for share, one in known) / sum(share for share, _ in known)
    return felt


def heated(window: MeterWindow, base_c: float, lag: int, slope_kw: float, noise_kw: float, seed: int = 0) -> Floats:
    """Daily mean load of buildings that heat below ``base_c``, shape (meters, days)."""
    felt = lag_naively(window.temp_c[0].mean(axis=1).astype(np.float64), LAG_WEIGHTS[lag])
    meters, days = window.import_kw.shape[:2]
    noise = np.random.default_rng(seed).normal(0, noise_kw, (meters, days))
    weekend = 0.2 * (window.calendar.weekday >= 6)
    return 0.6 + weekend + slope_kw * np.maximum(base_c - felt, 0) + noise


def test_a_building_feels_the_last_days_and_passes_over_unknown_ones(lay_window: WindowMaker) -> None:
    temp_c = np.random.default_rng(1).normal(8, 4, 90)
    temp_c[[4, 30, 31, 60]] = np.nan
    climate = describe_climate(lay_window(np.zeros((1, 90, 48)), temp_c=temp_c))
    assert climate.is_measured.tolist() == [True]
    for lag, weights in enumerate(LAG_WEIGHTS):
        np.testing.assert_allclose(climate.felt_c[0, lag], lag_naively(temp_c, weights), rtol=1e-5)


def test_a_window_that_is_longer_than_a_meter_s_readings_leaves_its_weather_measured(lay_window: WindowMaker) -> None:
    temp_c, load_kw = np.full((200, 48), np.nan), np.full((1, 200, 48), np.nan)
    temp_c[100:], load_kw[:, 110:] = 5.0, 1.0
    assert describe_climate(lay_window(load_kw, temp_c=temp_c)).is_measured.tolist() == [True]
    load_kw[:, :110] = 1.0
    assert describe_climate(lay_window(load_kw, temp_c=temp_c)).is_measured.tolist() == [False]


def test_a_day_needs_half_of_its_temperatures(lay_window: WindowMaker) -> None:
    temp_c = np.full((90, 48), 8.0)
    temp_c[10, :25], temp_c[11, :24] = np.nan, np.nan
    felt = describe_climate(lay_window(np.zeros((1, 90, 48)), temp_c=temp_c)).felt_c[0, 0]
    assert np.isnan(felt[10])
    assert felt[11] == 8.0


def test_without_weather_the_season_of_the_place_stands_in(lay_window: WindowMaker) -> None:
    climate = describe_climate(lay_window(np.zeros((1, DAYS, 48))))
    assert climate.is_measured.tolist() == [False]
    assert (climate.daylight == 0).all()
    assert climate.felt_c[0, 0].mean() == pytest.approx(10.5, abs=1.0)
    assert abs(int(climate.felt_c[0, 0].argmin()) - 18) <= 3


@pytest.mark.parametrize("days", [0, 5])
def test_an_empty_batch_still_has_a_climate(lay_window: WindowMaker, days: int) -> None:
    climate = describe_climate(lay_window(np.zeros((0, days, 48))))
    assert climate.felt_c.shape == (1, len(LAG_WEIGHTS), days)


def test_means_of_days_agree_with_a_naive_loop() -> None:
    rng = np.random.default_rng(2)
    load_kw = rng.normal(0.5, 0.6, (4, 30, 48)).astype(np.float32)
    load_kw[rng.random(load_kw.shape) < rng.choice([0.0, 0.1, 0.3], (4, 30, 1))] = np.nan
    means, filled = mean_of_days(load_kw)
    for place in np.ndindex(4, 30):
        read = np.maximum(load_kw[place][~np.isnan(load_kw[place])], 0)
        if read.size < 40:
            assert np.isnan(means[place])
            assert (filled[place] == 0).all()
        else:
            assert means[place] == pytest.approx(read.mean(), rel=1e-5)
            wanted = np.where(np.isnan(load_kw[place]), read.mean(), np.maximum(load_kw[place], 0))
            np.testing.assert_allclose(filled[place], wanted, rtol=1e-5)


@pytest.mark.parametrize("shape", [(0, 5, 48), (2, 0, 48), (2, 5, 48)])
def test_days_of_which_nothing_was_read_have_no_mean(shape: tuple[int, int, int]) -> None:
    means, filled = mean_of_days(np.full(shape, np.nan, dtype=np.float32))
    assert means.shape == shape[:2]
    assert np.isnan(means).all()
    assert (filled == 0).all()


def contrast_naively(filled_kw: Floats, kept: Bools, felt_c: Floats) -> tuple[float, Floats, Floats]:
    usable = [day for day in range(len(felt_c)) if kept[day] and not np.isnan(felt_c[day])]
    count = min(len(usable) // 4, 32)
    cold = sorted(usable, key=lambda day: np.round(felt_c[day], 2))[:count]
    mild = sorted(usable, key=lambda day: np.round(np.abs(felt_c[day] - 16.5), 2))[:count]
    gap = felt_c[mild].mean() - felt_c[cold].mean() if count >= 8 else np.nan
    place = [round(share * (count - 1)) for share in (0.1, 0.5, 0.9)]
    quantiles = [np.sort(filled_kw[days], axis=0)[place] for days in (cold, mild)]
    return gap if gap >= 4 else np.nan, quantiles[0], quantiles[1]


@pytest.mark.parametrize("days", [60, 200])
def test_cold_and_mild_days_are_those_of_a_naive_loop(days: int) -> None:
    rng = np.random.default_rng(days)
    felt_c = np.stack([winter_and_summer(rng, days) for _ in range(5)])
    felt_c[rng.random(felt_c.shape) < 0.1] = np.nan
    kept = rng.random(felt_c.shape) < 0.9
    filled_kw = rng.random((5, days, 48)).astype(np.float32)
    found = contrast_days(filled_kw, kept, felt_c)
    for meter in range(5):
        gap, cold_kw, mild_kw = contrast_naively(filled_kw[meter], kept[meter], felt_c[meter])
        np.testing.assert_allclose(found.gap_c[meter], gap)
        np.testing.assert_array_equal(found.cold_kw[meter], cold_kw)
        np.testing.assert_array_equal(found.mild_kw[meter], mild_kw)


@pytest.mark.parametrize(("meters", "days"), [(0, 90), (2, 0), (2, 90)])
def test_without_usable_days_there_is_no_contrast(meters: int, days: int) -> None:
    found = contrast_days(np.zeros((meters, days, 48)), np.zeros((meters, days), dtype=bool), np.full((meters, days), np.nan))
    assert np.isnan(found.gap_c).all()
    assert found.cold_kw.shape == (meters, 3, 48)
    assert np.isnan(found.cold_kw).all()


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("base_c", [11.0, 15.0])
def test_base_and_lag_of_a_heated_building_are_recovered(lay_window: WindowMaker, base_c: float, lag: int) -> None:
    window = lay_window(np.zeros((8, DAYS, 48)), temp_c=winter_and_summer(np.random.default_rng(3)))
    day_kw = heated(window, base_c, lag, 0.25, 0.12)
    found = fit_response(day_kw, window, describe_climate(window))
    assert (found.base_c == base_c).all()
    assert (found.is_lagged == bool(lag)).all()
    assert (found.fit > 0.7).all()
    beta, explained = regress(found, np.nan_to_num(day_kw)[:, :, None])
    np.testing.assert_allclose(beta[:, 3, 0], 0.25, rtol=0.05)
    assert (explained > 0.7).all()


def score_naively(load: Floats, column: Floats, nuisance: Floats) -> float:
    """Signed share of the variance left by the nuisance that the column explains."""
    rest = [values - nuisance @ np.linalg.lstsq(nuisance, values, rcond=None)[0] for values in (load, column)]
    both = float(rest[0] @ rest[1])
    return float(np.sign(both) * both**2 / (rest[0] @ rest[0]) / (rest[1] @ rest[1])) if column.std() >= 1 else -1.0


def test_the_fit_agrees_with_a_naive_search_over_bases_and_lags(lay_window: WindowMaker) -> None:
    rng = np.random.default_rng(4)
    temp_c = winter_and_summer(rng)
    temp_c[rng.random(DAYS) < 0.05] = np.nan
    window = lay_window(np.zeros((6, DAYS, 48)), temp_c=temp_c)
    climate = describe_climate(window)
    day_kw = heated(window, 13.0, 0, 0.1, 0.5, seed=4)
    day_kw[rng.random(day_kw.shape) < 0.2] = np.nan
    found = fit_response(day_kw, window, climate)
    weekend = (window.calendar.weekday >= 6).astype(float)
    for meter in range(6):
        kept = ~np.isnan(day_kw[meter]) & ~np.isnan(climate.felt_c[0]).any(axis=0)
        nuisance = np.stack([np.ones(DAYS), weekend, climate.daylight[0]], axis=1)[kept]
        tried = [np.maximum(base - felt, 0) for felt in climate.felt_c[0].astype(np.float64) for base in BASE_TEMPERATURES_C]
        scores = [score_naively(day_kw[meter][kept], column[kept], nuisance) for column in tried]
        best = int(np.argmax(scores))
        assert found.fit[meter] == pytest.approx(max(scores), rel=1e-3)
        assert found.base_c[meter] == BASE_TEMPERATURES_C[best % len(BASE_TEMPERATURES_C)]
        assert found.is_lagged[meter] == (best >= len(BASE_TEMPERATURES_C))


@pytest.mark.parametrize(("meters", "days"), [(0, 90), (2, 0), (2, 90)])
def test_nothing_read_answers_to_no_cold(lay_window: WindowMaker, meters: int, days: int) -> None:
    window = lay_window(np.zeros((meters, days, 48)), temp_c=np.linspace(0, 15, days))
    day_kw = np.full((meters, days), np.nan)
    found = fit_response(day_kw, window, describe_climate(window))
    assert np.isnan(found.fit).all()
    assert np.isnan(found.base_c).all()
    assert found.design.shape == (meters, days, 5)
    slope, fit = fit_windows(found, np.zeros((meters, days)))
    assert np.isnan(slope).all()
    assert np.isnan(fit).all()


def test_an_even_temperature_gives_no_slope(lay_window: WindowMaker) -> None:
    window = lay_window(np.zeros((1, 90, 48)), temp_c=np.full(90, 5.0))
    found = fit_response(np.random.default_rng(1).random((1, 90)), window, describe_climate(window))
    assert np.isnan(found.fit).all()


def answer(lay_window: WindowMaker, seed: int) -> tuple[Response, Floats]:
    """Responses of random loads, and the loads."""
    rng = np.random.default_rng(seed)
    window = lay_window(np.zeros((4, 200, 48)), temp_c=winter_and_summer(rng, 200), first_date=date(2022, 10, 3))
    day_kw = heated(window, 15.0, 0, 0.1, 0.6, seed)
    day_kw[rng.random(day_kw.shape) < 0.2] = np.nan
    return fit_response(day_kw, window, describe_climate(window)), np.nan_to_num(day_kw)


def test_slopes_of_six_weeks_agree_with_a_naive_loop(lay_window: WindowMaker) -> None:
    response, mark_kw = answer(lay_window, 5)
    slope, fit = fit_windows(response, mark_kw)
    assert np.isfinite(slope).sum() > 20
    for meter, number in np.ndindex(slope.shape):
        days = slice(number * WINDOW_STRIDE_DAYS, number * WINDOW_STRIDE_DAYS + WINDOW_DAYS)
        kept = response.design[meter, days, 0] > 0
        x, y = response.design[meter, days, 3][kept].astype(np.float64), mark_kw[meter, days][kept]
        if kept.sum() < WINDOW_DAYS // 2 or x.var() < 1 or x.mean() < 2:
            assert np.isnan(slope[meter, number])
            continue
        assert slope[meter, number] == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-4)
        correlation = np.corrcoef(x, y)[0, 1]
        assert fit[meter, number] == pytest.approx(correlation * abs(correlation), rel=1e-4)


def test_coefficients_agree_with_least_squares_meter_by_meter(lay_window: WindowMaker) -> None:
    response, mark_kw = answer(lay_window, 6)
    marks = np.stack([mark_kw, mark_kw**2], axis=2).astype(np.float32)
    beta, explained = regress(response, marks)
    for meter, mark in np.ndindex(4, 2):
        kept = response.design[meter, :, 0] > 0
        x, y = response.design[meter][kept].astype(np.float64), marks[meter, kept, mark].astype(np.float64)
        np.testing.assert_allclose(beta[meter, :4, mark], np.linalg.lstsq(x, y, rcond=None)[0][:4], rtol=0.05, atol=0.01)
        without = np.delete(x, 3, axis=1)
        full, part = (y - one @ np.linalg.lstsq(one, y, rcond=None)[0] for one in (x, without))
        wanted = 1 - (full @ full) / (part @ part)
        assert abs(explained[meter, mark]) == pytest.approx(wanted, abs=0.01)
