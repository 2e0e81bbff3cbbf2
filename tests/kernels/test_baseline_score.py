"""Figures of merit against the same by hand."""

import numpy as np

from fmar_spark.kernels.baseline.score import Forecasts, summarise_fit


def test_scores_of_two_slots_by_hand() -> None:
    actual = np.full((1, 1, 48), np.nan)
    actual[0, 0, :2] = [2.0, -4.0]
    ones = np.ones((1, 1, 48))
    forecasts = Forecasts(predicted_kwh=ones, p10_kwh=0 * ones, p90_kwh=2 * ones, reference_kwh=2 * ones)
    found = summarise_fit(actual, forecasts)
    assert found.scored_days.tolist() == [1]
    assert np.allclose(found.cv_rmse, np.sqrt((1 + 25) / 2) / 3)
    assert np.allclose(found.cv_rmse_reference, np.sqrt((0 + 36) / 2) / 3)
    assert np.allclose(found.nmbe, (-1 + 5) / 2 / 3)
    assert np.allclose(found.coverage, 0.5)


def test_only_slots_that_both_forecasts_know_are_scored() -> None:
    rng = np.random.default_rng(1)
    actual, predicted, reference = rng.random((3, 4, 5, 48))
    actual[rng.random(actual.shape) < 0.2] = np.nan
    predicted[1, 2] = np.nan
    reference[2] = np.nan
    found = summarise_fit(actual, Forecasts(predicted, predicted - 0.3, predicted + 0.3, reference))
    for meter in (0, 1, 3):
        known = np.isfinite(actual[meter] + predicted[meter] + reference[meter])
        error = (predicted[meter] - actual[meter])[known]
        load = np.abs(actual[meter][known]).mean()
        assert np.isclose(found.cv_rmse[meter], np.sqrt((error**2).mean()) / load)
        assert np.isclose(found.coverage[meter], (np.abs(error) <= 0.3).mean())
    assert found.scored_days.tolist() == [5, 4, 5, 5]


def test_where_the_reference_has_no_forecast_the_forecasts_own_figures_stand() -> None:
    rng = np.random.default_rng(2)
    actual, predicted, reference = rng.random((3, 2, 4, 48))
    actual[rng.random(actual.shape) < 0.2] = np.nan
    reference[0] = np.nan
    found = summarise_fit(actual, Forecasts(predicted, predicted - 0.3, predicted + 0.3, reference))
    known = np.isfinite(actual[0])
    error, load = (predicted[0] - actual[0])[known], actual[0][known].mean()
    assert np.isclose(found.cv_rmse[0], np.sqrt((error**2).mean()) / load)
    assert np.isclose(found.nmbe[0], error.mean() / load)
    assert np.isclose(found.coverage[0], (np.abs(error) <= 0.3).mean())
    assert np.isnan(found.cv_rmse_reference).tolist() == [True, False]
    assert found.scored_days.tolist() == [4, 4]


def test_nothing_scored_and_nothing_drawn_have_no_figures() -> None:
    none = np.full((2, 3, 48), np.nan)
    assert np.isnan(summarise_fit(none, Forecasts(none, none, none, none)).nmbe).all()
    zero = np.zeros((2, 3, 48))
    found = summarise_fit(zero, Forecasts(zero, zero, zero, zero))
    assert np.isnan(found.cv_rmse).all()
    assert (found.coverage == 1).all()
    empty = np.zeros((0, 3, 48))
    assert summarise_fit(empty, Forecasts(empty, empty, empty, empty)).cv_rmse.shape == (0,)
