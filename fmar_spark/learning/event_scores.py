"""Episodes against the truth, half-hour by half-hour."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fmar_spark.kernels.window import Bools, Floats, Ints
from fmar_spark.learning.resampling import DrawRules, Statistic, draw_weights, measure, weighted_ratio


class Episodes(NamedTuple):
    """Parallel arrays, one entry an episode; slots are half-hours since 1970."""

    meter: Ints
    start_slot: Ints
    end_slot: Ints
    """Exclusive."""
    energy_kwh: Floats
    """Of the asset alone, positive; NaN unknown."""
    is_import: Bools


class HalfHours(NamedTuple):
    """Counts of each meter, arrays of shape (meters,)."""

    hit: Floats
    """Half-hours that ran and were found."""
    false: Floats
    """Found, and did not run."""
    missed: Floats
    """Ran, and were not found."""
    true_kwh: Floats
    """NaN where the truth states no energy."""
    found_kwh: Floats


def join_episodes(parts: Sequence[Episodes]) -> Episodes:
    """One set of episodes from several."""
    if not parts:
        none = np.zeros(0)
        return Episodes(none.astype(np.int64), none.astype(np.int64), none.astype(np.int64), none, none.astype(np.bool_))
    return Episodes(
        meter=np.concatenate([part.meter for part in parts]),
        start_slot=np.concatenate([part.start_slot for part in parts]),
        end_slot=np.concatenate([part.end_slot for part in parts]),
        energy_kwh=np.concatenate([part.energy_kwh for part in parts]),
        is_import=np.concatenate([part.is_import for part in parts]),
    )


def take_episodes(episodes: Episodes, wanted: Bools | Ints) -> Episodes:
    """Some of the episodes, in order."""
    return Episodes(
        meter=episodes.meter[wanted],
        start_slot=episodes.start_slot[wanted],
        end_slot=episodes.end_slot[wanted],
        energy_kwh=episodes.energy_kwh[wanted],
        is_import=episodes.is_import[wanted],
    )


def count_half_hours(truth: Episodes, found: Episodes, compared: Bools, first_slot: int) -> HalfHours:
    """Compare episodes on some half-hours; drawing and giving apart.

    Energy is spread evenly over an episode, and what falls outside of those half-hours is left out.

    Args:
        truth: true episodes, meters numbered as the rows of ``compared``.
        found: the engine's.
        compared: half-hours that were read and of which the truth is known, shape (meters, slots).
        first_slot: slot of the first column.
    """
    meters = len(compared)
    hit, false, missed = (np.zeros(meters) for _ in range(3))
    true_kwh, found_kwh = np.zeros(meters), np.zeros(meters)
    for is_import in (True, False):
        ran, ran_kwh = _spread_episodes(truth, is_import, compared.shape, first_slot)
        said, said_kwh = _spread_episodes(found, is_import, compared.shape, first_slot)
        hit += (ran & said & compared).sum(axis=1)
        false += (said & ~ran & compared).sum(axis=1)
        missed += (ran & ~said & compared).sum(axis=1)
        true_kwh += np.where(compared, ran_kwh, 0.0).sum(axis=1)
        found_kwh += np.where(compared, said_kwh, 0.0).sum(axis=1)
    is_unknown = np.zeros(meters, dtype=bool)
    is_unknown[truth.meter[np.isnan(truth.energy_kwh)]] = True
    return HalfHours(hit, false, missed, np.where(is_unknown, np.nan, true_kwh), found_kwh)


def score_half_hours(counts: HalfHours, was_found: Bools, rules: DrawRules) -> dict[str, Any]:
    """Precision, recall, F1 and found over true energy: of all meters that have the asset, and of those on which it was found.

    Args:
        counts: of meters that have the asset.
        was_found: meters that are reported to have it, shape (meters,).
        rules: of the intervals.
    """
    return {"all": _score(counts, rules), "found": _score(HalfHours(*(field[was_found] for field in counts)), rules)}


def _score(counts: HalfHours, rules: DrawRules) -> dict[str, Any]:
    meters = len(counts.hit)
    weights = draw_weights(meters, rules)
    has_energy = ~np.isnan(counts.true_kwh)
    true_kwh = np.where(has_energy, counts.true_kwh, 0.0)
    wanted: dict[str, Statistic] = {
        "precision": weighted_ratio(counts.hit, counts.hit + counts.false),
        "recall": weighted_ratio(counts.hit, counts.hit + counts.missed),
        "f1": weighted_ratio(2 * counts.hit, 2 * counts.hit + counts.false + counts.missed),
    }
    figures = {name: measure(statistic, weights, meters, rules) for name, statistic in wanted.items()}
    energy = weighted_ratio(np.where(has_energy, counts.found_kwh, 0.0), true_kwh)
    plain = rules._replace(least_meters=1, draws=1)
    ones = np.ones((1, meters))
    return {
        "meters": meters,
        **figures,
        "energy_ratio": measure(energy, weights, int((true_kwh > 0).sum()), rules),
        "pooled": {name: measure(statistic, ones, meters, plain)["value"] for name, statistic in wanted.items()}
        | {"energy_ratio": measure(energy, ones, int((true_kwh > 0).sum()), plain)["value"]},
    }


def _spread_episodes(episodes: Episodes, is_import: bool, shape: tuple[int, ...], first_slot: int) -> tuple[Bools, Floats]:
    """Which half-hours run, and the energy of each, shape (meters, slots)."""
    slots = shape[1]
    rows = np.flatnonzero((episodes.is_import == is_import) & (episodes.end_slot > first_slot) & (episodes.start_slot < first_slot + slots))
    meter = episodes.meter[rows]
    length = np.maximum(episodes.end_slot[rows] - episodes.start_slot[rows], 1)
    start = np.maximum(episodes.start_slot[rows] - first_slot, 0)
    end = np.minimum(episodes.end_slot[rows] - first_slot, slots)
    steps = np.zeros((shape[0], slots + 1))
    power = np.zeros((shape[0], slots + 1))
    each = np.nan_to_num(episodes.energy_kwh[rows]) / length
    for target, amount in ((steps, np.ones(rows.size)), (power, each)):
        np.add.at(target, (meter, start), amount)
        np.add.at(target, (meter, end), -amount)
    running: Bools = np.cumsum(steps[:, :-1], axis=1) > 0.5
    return running, np.where(running, np.cumsum(power[:, :-1], axis=1), 0.0)
