"""How much of its declarations each asset delivered, with all assets of a meter seen together."""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.kernels.delivery.checks import EventChecks
from fmar_spark.kernels.delivery.dispatches import Dispatches, pair_overlaps
from fmar_spark.kernels.window import Bools, Floats, Ints

ROUNDS: Final = 200
"""Passes of the coordinate descent; assets that are separable need far fewer."""
MOST_INFLATION: Final = 10.0
"""Assets whose variance is inflated beyond this by the others' events are not separable (the usual limit of the factor)."""
NORMAL_95: Final = 1.96
ALWAYS_LEVEL: Final = 0.01
"""Probability with which a share ever leaves the interval that may be looked at every day."""
ALWAYS_INFORMATION: Final = 4.3
"""Weight of that interval's mixture: it is narrowest where a share is known to about 0.14 (Robbins 1970)."""


class Shares(NamedTuple):
    """Arrays of shape (assets,): delivered energy over declared energy, 1 for an honest asset; NaN without an assessable event."""

    share: Floats
    lower: Floats
    """95 % interval."""
    upper: Floats
    always_upper: Floats
    """High end of an interval that holds after every event at once, so that looking daily names no more honest assets."""
    is_separable: Bools
    """Whether the asset's events differ enough in time from those of the others at the meter."""
    events: Ints
    """Assessable events."""


def fit_shares(events: Dispatches, checks: EventChecks, assets: int) -> Shares:
    """Regress what each meter shows on what each of its assets declared; no share is negative.

    Every event counts by the spread of its expectation. Where all meters have one asset this is a weighted mean.

    Args:
        events: as they were checked.
        checks: of the same events.
        assets: numbers of assets that there are.
    """
    meter_of_asset, place = _place_assets(events, assets)
    meters, width = int(events.meter.max(initial=-1)) + 1, int(place.max(initial=0)) + 1
    rows = np.flatnonzero(checks.is_assessable & (checks.spread_kwh > 0) & _is_first_of_its_kind(events))
    sign = np.where(events.is_down, 1.0, -1.0)
    declared = np.zeros((len(events.meter), width))
    declared[np.arange(len(events.meter)), place[events.asset]] = sign * np.nan_to_num(events.declared_kwh)
    one, two, shared = pair_overlaps(events)
    np.add.at(declared, (one, place[events.asset[two]]), sign[two] * shared * np.nan_to_num(events.declared_kwh[two]))
    x = declared[rows] / checks.spread_kwh[rows, None]
    y = sign[rows] * checks.meter_observed_kwh[rows] / checks.spread_kwh[rows]
    owner = events.meter[rows]
    gram, moment = np.zeros((meters, width, width)), np.zeros((meters, width))
    np.add.at(gram, owner, x[:, :, None] * x[:, None, :])
    np.add.at(moment, owner, x * y[:, None])
    share = _solve_positive(gram, moment)
    variance, inflation = _find_variance(gram)
    excess = np.zeros(meters)
    np.add.at(excess, owner, (y - np.einsum("rw,rw->r", x, share[owner])) ** 2)
    freedom = np.bincount(owner, minlength=meters) - (np.einsum("mww->mw", gram) > 0).sum(axis=1)
    scale = np.sqrt(np.maximum(excess / np.maximum(freedom, 1), 1.0))
    reach = NORMAL_95 * np.sqrt(variance) * scale[:, None]
    always = _reach_always(variance) * scale[:, None]
    at = (meter_of_asset, place)
    is_known = (meter_of_asset >= 0) & (np.einsum("mww->mw", gram)[at] > 0) if meters else np.zeros(assets, dtype=np.bool_)
    if not meters:
        nothing = np.full(assets, np.nan)
        return Shares(nothing, nothing, nothing, nothing, is_known, np.zeros(assets, dtype=np.int64))
    count = np.bincount(events.asset[checks.is_assessable], minlength=assets)
    return Shares(
        share=np.where(is_known, share[at], np.nan),
        lower=np.where(is_known, np.maximum(share[at] - reach[at], 0.0), np.nan),
        upper=np.where(is_known, share[at] + reach[at], np.nan),
        always_upper=np.where(is_known, share[at] + always[at], np.nan),
        is_separable=is_known & (inflation[at] <= MOST_INFLATION),
        events=count,
    )


def _place_assets(events: Dispatches, assets: int) -> tuple[Ints, Ints]:
    """Meter of each asset, -1 without an event, and its place among the meter's assets; shape (assets,) each."""
    meter = np.full(assets, -1, dtype=np.int64)
    meter[events.asset] = events.meter
    order = np.argsort(meter, kind="stable")
    rank = np.arange(assets) - np.searchsorted(meter[order], meter[order], side="left")
    place = np.empty(assets, dtype=np.int64)
    place[order] = rank
    place[meter < 0] = 0
    return meter, place


def _is_first_of_its_kind(events: Dispatches) -> Bools:
    """False for an event that covers the same half-hours of the same meter as an earlier row: both show one and the same reading."""
    key = np.stack([events.meter, events.start_slot, events.end_slot], axis=1)
    _, first = np.unique(key, axis=0, return_index=True)
    is_first: Bools = np.zeros(len(key), dtype=np.bool_)
    is_first[first] = True
    return is_first


def _solve_positive(gram: Floats, moment: Floats) -> Floats:
    """Shares that fit best and are not negative, shape (meters, width): coordinate descent on all meters at once."""
    diagonal = np.einsum("mww->mw", gram)
    share = np.where(diagonal > 0, 1.0, 0.0)
    for _ in range(ROUNDS if gram.shape[1] > 1 else 1):
        before = share.copy()
        for column in range(gram.shape[1]):
            own = diagonal[:, column]
            rest = moment[:, column] - np.einsum("mw,mw->m", gram[:, column], share) + own * share[:, column]
            share[:, column] = np.where(own > 0, np.maximum(rest, 0.0) / np.where(own > 0, own, 1.0), 0.0)
        if np.abs(share - before).max(initial=0.0) < 1e-6:
            break
    return share


def _find_variance(gram: Floats) -> tuple[Floats, Floats]:
    """Variance of each share, and by how much the other assets' events inflate it, shape (meters, width)."""
    diagonal = np.einsum("mww->mw", gram)
    alone = np.where(diagonal > 0, diagonal, 1.0)
    scaled = gram / np.sqrt(alone[:, :, None] * alone[:, None, :])
    eye = np.eye(gram.shape[1])
    inverse = np.linalg.inv(scaled + eye * np.where(diagonal > 0, 1e-9, 1.0)[:, :, None])
    inflation = np.einsum("mww->mw", inverse)
    variance: Floats = inflation / alone
    return variance, inflation


def _reach_always(variance: Floats) -> Floats:
    """Half the width of the normal mixture's confidence sequence at each share's information, same shape."""
    information = 1.0 / np.where(variance > 0, variance, np.inf)
    mixed = information + ALWAYS_INFORMATION
    with np.errstate(divide="ignore"):
        reach: Floats = np.sqrt(mixed * np.log(mixed / (ALWAYS_INFORMATION * ALWAYS_LEVEL**2))) / information
    return reach
