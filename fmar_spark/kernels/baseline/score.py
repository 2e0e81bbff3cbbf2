"""How well forecasts did, beside a reference, in the measures that baselines are compared by."""

from typing import NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints


class Forecasts(NamedTuple):
    """What was predicted of some days beforehand; kWh, shape (meters, days, 48)."""

    predicted_kwh: Floats
    p10_kwh: Floats
    p90_kwh: Floats
    reference_kwh: Floats
    """Another forecast of the same days."""


class FitSummary(NamedTuple):
    """How well each meter was predicted, arrays of shape (meters,), NaN where nothing was scored."""

    scored_days: Ints
    cv_rmse: Floats
    """Root mean squared error of a slot over the mean absolute load."""
    cv_rmse_reference: Floats
    """The same of the reference on the same slots; NaN where it has no forecast of any."""
    nmbe: Floats
    """Mean of forecast minus actual over the mean absolute load."""
    coverage: Floats
    """Share of slots within the interval, of those that have one."""


def summarise_fit(actual_kwh: Floats, forecasts: Forecasts) -> FitSummary:
    """Score the slots that were read and predicted both by the forecast and by the reference.

    Of a meter for which the reference has no forecast at all, the slots that the forecast predicted are scored.

    Args:
        actual_kwh: shape (meters, days, 48), NaN where unread or not to be scored.
        forecasts: of the same days, NaN where nothing was predicted.
    """
    error = forecasts.predicted_kwh - actual_kwh
    reference_error = forecasts.reference_kwh - actual_kwh
    is_compared: Bools = np.isfinite(error) & np.isfinite(reference_error)
    has_reference: Bools = np.asarray(is_compared.any(axis=(1, 2), keepdims=True))
    is_scored: Bools = np.where(has_reference, is_compared, np.isfinite(error))
    count = _sum(is_scored)
    load = _sum(np.where(is_scored, np.abs(actual_kwh), 0.0)) / np.where(count > 0, count, np.nan)
    load = np.where(load > 0, load, np.nan)
    is_bounded = is_scored & np.isfinite(forecasts.p10_kwh)
    is_within = is_bounded & (actual_kwh >= forecasts.p10_kwh) & (actual_kwh <= forecasts.p90_kwh)
    bounded = _sum(is_bounded)

    def average(values: Floats) -> Floats:
        mean: Floats = _sum(np.where(is_scored, values, 0.0)) / np.where(count > 0, count, np.nan)
        return mean

    return FitSummary(
        scored_days=is_scored.any(axis=2).sum(axis=1),
        cv_rmse=np.sqrt(average(error**2)) / load,
        cv_rmse_reference=np.where(has_reference[:, 0, 0], np.sqrt(average(reference_error**2)) / load, np.nan),
        nmbe=average(error) / load,
        coverage=_sum(is_within) / np.where(bounded > 0, bounded, np.nan),
    )


def _sum(values: Floats | Bools) -> Floats:
    """Sum over each meter's slots, shape (meters,); arranged so that its order, and so its rounding, is every meter's own."""
    meters, days, slots = values.shape
    total: Floats = values.reshape(meters, days * slots).astype(np.float64).sum(axis=1)
    return total
