"""How often honest assets are flagged and how soon dishonest ones are found, with intervals over the loads."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.delivery.evidence import MONTH_DAYS
from fmar_spark.kernels.window import Bools, Floats, Ints

RESAMPLES: Final = 400
NEVER: Final = np.iinfo(np.int64).max


class Traces(NamedTuple):
    """A statistic after each event; higher is more suspect. Parallel arrays of shape (events,), ordered by asset, then time."""

    asset: Ints
    load: Ints
    """Number of the load that the asset's meter repeats: assets of one load are resampled together."""
    order: Ints
    """Place of the event among its asset's."""
    day: Ints
    value: Floats
    """NaN counts as nothing seen."""


class Rate(NamedTuple):
    """A share or a mean with its 95 % interval over loads."""

    value: float
    lower: float
    upper: float

    def show(self, decimals: int) -> str:
        """Value and interval."""
        return f"{self.value:.{decimals}f} ({self.lower:.{decimals}f} to {self.upper:.{decimals}f})"


def join_traces(parts: list[Traces]) -> Traces:
    """Several portfolios as one; their assets get new numbers, their loads too."""
    assets = np.cumsum([0, *(int(part.asset.max(initial=-1)) + 1 for part in parts)])
    loads = np.cumsum([0, *(int(part.load.max(initial=-1)) + 1 for part in parts)])
    return Traces(
        np.concatenate([part.asset + first for part, first in zip(parts, assets, strict=False)]),
        np.concatenate([part.load + first for part, first in zip(parts, loads, strict=False)]),
        np.concatenate([part.order for part in parts]),
        np.concatenate([part.day for part in parts]),
        np.concatenate([part.value for part in parts]),
    )


class Flags(NamedTuple):
    """When each asset was flagged; arrays of shape (assets,), of assets with events."""

    load: Ints
    event: Ints
    """Events up to and with the one that flagged it, ``NEVER`` where none did."""
    months: Floats
    """Months watched, to the flag or to the last event."""


def find_flags(traces: Traces, threshold: float) -> Flags:
    """The first event after which each asset's statistic reaches the threshold."""
    _assets, first = np.unique(traces.asset, return_index=True)
    last = np.append(first[1:], len(traces.asset)) - 1
    is_over = np.nan_to_num(traces.value, nan=-np.inf) >= threshold
    row = np.where(is_over, np.arange(len(is_over)), NEVER)
    flagged = np.minimum.reduceat(row, first) if len(first) else np.zeros(0, dtype=np.int64)
    is_flagged = flagged != NEVER
    until = np.where(is_flagged, flagged, last)
    months = (traces.day[until] - traces.day[first] + 1) / MONTH_DAYS
    return Flags(traces.load[first], np.where(is_flagged, traces.order[np.minimum(flagged, last)] + 1, NEVER), months)


def rate_false_flags(flags: Flags) -> Rate:
    """Flags a meter-month."""
    return _resample(flags.load, (flags.event != NEVER).astype(float), flags.months)


def rate_found(flags: Flags, events: int) -> Rate:
    """Share of the assets that were flagged within so many events."""
    return _resample(flags.load, (flags.event <= events).astype(float), np.ones(len(flags.event)))


def median_delay(flags: Flags) -> float:
    """Events that it took to flag half of the assets; infinite where fewer were."""
    found = np.sort(np.where(flags.event == NEVER, np.inf, flags.event.astype(float)))
    return float(found[(len(found) - 1) // 2]) if len(found) else float("nan")


def find_threshold(honest: Traces, rate: float, candidates: Floats) -> float:
    """Lowest of the candidates (ascending) at which honest assets are flagged at most at this rate a meter-month."""
    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        if rate_of(find_flags(honest, float(candidates[middle]))) <= rate:
            high = middle
        else:
            low = middle + 1
    return float(candidates[low]) if low < len(candidates) else float("inf")


def rate_of(flags: Flags) -> float:
    """Flags a meter-month, without an interval."""
    return float((flags.event != NEVER).sum() / max(flags.months.sum(), 1e-9))


def trace_cusum(traces: Traces, allowance: float) -> Traces:
    """One-sided CUSUM of a standardised shortfall (Page 1954): what lies above the allowance adds up, never below nothing."""
    total = np.zeros(int(traces.asset.max(initial=-1)) + 1)
    value = np.empty(len(traces.asset))
    by_order = np.argsort(traces.order, kind="stable")
    for rows in np.split(by_order, np.flatnonzero(np.diff(traces.order[by_order])) + 1):
        step = np.nan_to_num(traces.value[rows] - allowance, nan=0.0)
        total[traces.asset[rows]] = np.maximum(total[traces.asset[rows]] + step, 0.0)
        value[rows] = total[traces.asset[rows]]
    return traces._replace(value=value)


def average_by_load(load: Ints, is_right: Bools) -> Rate:
    """Share of rows that are right."""
    return _resample(load, is_right.astype(float), np.ones(len(load)))


def _resample(load: Ints, count: Floats, exposure: Floats) -> Rate:
    """Ratio of the sums with its interval, loads drawn with replacement."""
    loads, place = np.unique(load, return_inverse=True)
    if not len(loads):
        return Rate(float("nan"), float("nan"), float("nan"))
    counts, exposures = np.bincount(place, count), np.bincount(place, exposure)
    drawn = np.random.default_rng(1).integers(len(loads), size=(RESAMPLES, len(loads)))
    ratios = counts[drawn].sum(axis=1) / np.maximum(exposures[drawn].sum(axis=1), 1e-9)
    lower, upper = np.quantile(ratios, [0.025, 0.975])
    return Rate(float(counts.sum() / max(exposures.sum(), 1e-9)), float(lower), float(upper))
