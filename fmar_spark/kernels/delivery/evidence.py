"""Evidence over events: a bet against each asset's honesty that may be looked at after every event.

Each event's p-value becomes a normal score, 0 on average and 1 in spread for an honest asset whatever the shape of the
baseline's errors, and the likelihood ratio of a shift of that score against none is an e-value: at most 1 on average for an
honest asset. Products over days are test martingales (mixture SPRT over several shifts; Robbins 1970, Ramdas et al. 2023), and
one begins anew each month, so that an asset that turns dishonest late is found as fast as one that always was (Shiryaev-Roberts
e-detector; Shin, Ramdas, Rinaldo 2024). Their sum exceeds 1 / rate within so many months with a probability of at most
months * rate, however often it is looked at.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import ndtri

from fmar_spark.kernels.window import Bools, Floats, Ints

NO_EVENT: Final = -1


class EvidenceRules(NamedTuple):
    """Against which shortfalls is bet, and when an asset is suspect."""

    rate: float = 0.01
    """Honest assets flagged a month at most, as a share."""
    shifts: tuple[float, ...] = (0.3, 0.6, 1.0, 1.5)
    """Shortfalls bet on, in spreads of the baseline's error, with equal stakes."""
    drift: float = 0.1
    """Shift of the scores that honest assets are allowed: errors that last from event to event, as in a heat wave."""
    largest_score: float = 3.0
    """Scores beyond this count as this: no single event decides."""
    cleared_below: float = 1.0
    """A suspect whose evidence falls below this is no longer one."""


class Evidence(NamedTuple):
    """Arrays of shape (groups,): what the events of each group add up to, up to its last one."""

    days: Ints
    """Days with an assessable event."""
    months: Ints
    """Months with one."""
    e_value: Floats
    """Mean over the months' bets: at most 1 on average for an honest asset. NaN without an event."""
    level: Floats
    """Sum over the months' bets: an asset becomes suspect where it reaches 1 / rate. NaN without an event."""
    peak: Floats
    """Highest level so far."""
    is_suspect: Bools
    suspect_event: Ints
    """Row of the event with which the group became suspect, ``NO_EVENT`` where it is not."""

    def take(self, rows: Ints) -> "Evidence":
        """That of some groups, in this order."""
        return Evidence(
            days=self.days[rows],
            months=self.months[rows],
            e_value=self.e_value[rows],
            level=self.level[rows],
            peak=self.peak[rows],
            is_suspect=self.is_suspect[rows],
            suspect_event=self.suspect_event[rows],
        )


def weigh_evidence(group: Ints, groups: int, day: Ints, p_value: Floats, rules: EvidenceRules | None = None) -> Evidence:
    """Add up the events of each group in the order of their days.

    Events of one day share its errors: their e-values are averaged, which is valid whatever their dependence.

    Args:
        group: number of the asset (or of the meter) of each event, shape (events,).
        groups: how many there are.
        day: of each event, any count of days.
        p_value: one-sided, NaN where the event cannot be assessed.
        rules: stakes and rate.
    """
    rules = rules or EvidenceRules()
    rows = np.flatnonzero(np.isfinite(p_value))
    order = rows[np.lexsort((rows, day[rows], group[rows]))]
    key = np.stack([group[order], day[order]], axis=1)
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (key[1:] != key[:-1]).any(axis=1)
    start = np.flatnonzero(is_first)
    value = _score_days(p_value[order], start, rules)
    newest = np.append(start[1:], len(order))[: len(start)] - 1
    return _accumulate(group[order][start], groups, _count_months(day[order][start]), value, order[newest], rules)


def control_false_discoveries(e_value: Floats, share: float) -> Bools:
    """Which of a portfolio's assets to report so that at most this share of those reported is honest, on average.

    e-BH of Wang and Ramdas (2022): valid whatever the dependence between assets. NaN is never reported.
    """
    given = np.nan_to_num(e_value, nan=0.0)
    descending = np.sort(given)[::-1]
    rank = np.arange(1, len(given) + 1)
    passed = np.flatnonzero(descending * rank * share >= np.isfinite(e_value).sum())
    reported: Bools = (given > 0) & (given >= (descending[passed[-1]] if passed.size else np.inf))
    return reported


def _score_days(p_value: Floats, start: Ints, rules: EvidenceRules) -> Floats:
    """E-value of each day by shift, shape (days, shifts), from its events' p-values; ``start`` tells each day's first event."""
    score = np.clip(-ndtri(np.clip(p_value, 1e-12, 1.0 - 1e-12)), -rules.largest_score, rules.largest_score) - rules.drift
    shift = np.asarray(rules.shifts)
    value = np.exp(shift * score[:, None] - shift**2 / 2)
    count = np.diff(np.append(start, len(p_value)))
    if not len(start):
        return np.zeros((0, len(shift)))
    mean: Floats = np.add.reduceat(value, start, axis=0) / count[:, None]
    return mean


def _count_months(day: Ints) -> Ints:
    """Number of the 30 days to which each day belongs."""
    month: Ints = day // 30
    return month


def _accumulate(group: Ints, groups: int, month: Ints, value: Floats, event: Ints, rules: EvidenceRules) -> Evidence:
    """Run every group's bets through its days, all groups at once, day by day of their own counting."""
    first = np.searchsorted(group, np.arange(groups), side="left")
    days = np.searchsorted(group, np.arange(groups), side="right") - first
    bets = np.zeros((groups, value.shape[1]))
    months = np.zeros(groups, dtype=np.int64)
    newest_month = np.full(groups, np.iinfo(np.int64).min)
    level, peak = np.full((2, groups), np.nan)
    suspect_event = np.full(groups, NO_EVENT)
    for step in range(int(days.max(initial=0))):
        live = np.flatnonzero(days > step)
        row = first[live] + step
        is_new = month[row] != newest_month[live]
        months[live] += is_new
        newest_month[live] = month[row]
        bets[live] = (bets[live] + is_new[:, None]) * value[row]
        level[live] = bets[live].mean(axis=1)
        peak[live] = np.fmax(peak[live], level[live])
        begins = (level[live] >= 1.0 / rules.rate) & (suspect_event[live] == NO_EVENT)
        suspect_event[live] = np.where(begins, event[row], np.where(level[live] < rules.cleared_below, NO_EVENT, suspect_event[live]))
    e_value = level / np.where(months > 0, months, np.nan)
    return Evidence(days, months, e_value, level, peak, suspect_event != NO_EVENT, suspect_event)
