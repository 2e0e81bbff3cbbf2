"""Evidence over events: a bet against each asset's honesty that may be looked at after every event.

Each event's p-value becomes a normal score, 0 on average and 1 in spread for an honest asset whatever the shape of the
baseline's errors. The likelihood ratio of the score's shift, were a given share of the declared energy missing, against no
shift is an e-value: at most 1 on average for an honest asset. Its products over days are test martingales (a mixture SPRT over
several shares; Robbins 1970, Ramdas et al. 2023), and one begins anew each month, so that an asset that turns dishonest late is
found as fast as one that always was (a Shiryaev-Roberts e-detector; Shin, Ramdas and Rinaldo 2024). Their sum exceeds 1 / rate within so
many months with a probability of at most months * rate, however often it is looked at.
"""

from typing import Final, NamedTuple

import numpy as np
from scipy.special import ndtri

from fmar_spark.kernels.window import Bools, Floats, Ints

NO_EVENT: Final = -1
MONTH_DAYS: Final = 30
"""A month of evidence: so many days."""


class EvidenceRules(NamedTuple):
    """Against which shortfalls is bet, and when an asset is suspect."""

    rate: float = 0.01
    """Honest assets flagged a month at most, as a share."""
    missing_shares: tuple[float, ...] = (0.2, 0.45, 0.9)
    """Shares of the declared energy, beyond the tolerance, that are bet to be missing, with equal stakes."""
    largest_shift: float = 1.5
    """Shift of the score that is bet on at most, however large the asset: no single event decides."""
    drift: float = 0.05
    """Shift of the scores that honest assets are allowed: errors that last from event to event, as in a heat wave."""
    largest_score: float = 3.0
    """Scores beyond this count as this."""
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


class Scores(NamedTuple):
    """What each event says, arrays of shape (events,)."""

    group: Ints
    """Number of the asset, or of the meter."""
    day: Ints
    """Any count of days."""
    p_value: Floats
    """One-sided; NaN where the event cannot be assessed."""
    declared_spreads: Floats
    """Declared energy over the root mean squared error of the baseline."""


def weigh_evidence(scores: Scores, groups: int, rules: EvidenceRules | None = None) -> Evidence:
    """Add up the events of each group in the order of their days.

    Events of one day share its errors: their e-values are averaged, which is valid whatever their dependence.

    Args:
        scores: of all events, in any order.
        groups: how many there are.
        rules: stakes and rate.
    """
    return _add_up(scores, groups, rules or EvidenceRules())[0]


def trace_evidence(scores: Scores, groups: int, rules: EvidenceRules | None = None) -> Floats:
    """Level of each event's group once its day was over, shape (events,); NaN where the event cannot be assessed."""
    return _add_up(scores, groups, rules or EvidenceRules())[1]


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


def _add_up(scores: Scores, groups: int, rules: EvidenceRules) -> tuple[Evidence, Floats]:
    """Evidence of the groups, and the level after each event."""
    rows = np.flatnonzero(np.isfinite(scores.p_value) & np.isfinite(scores.declared_spreads))
    order = rows[np.lexsort((rows, scores.day[rows], scores.group[rows]))]
    group, day = scores.group[order], scores.day[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (group[1:] != group[:-1]) | (day[1:] != day[:-1])
    start = np.flatnonzero(is_first)
    value = _score_days(scores.p_value[order], scores.declared_spreads[order], start, rules)
    newest = np.append(start[1:], len(order))[: len(start)] - 1
    found, level = _accumulate(_Days(group[start], day[start] // MONTH_DAYS, value, order[newest]), groups, rules)
    trace = np.full(len(scores.group), np.nan)
    trace[order] = level[np.cumsum(is_first) - 1]
    return found, trace


class _Days(NamedTuple):
    """Days with assessable events, by group and time."""

    group: Ints
    month: Ints
    value: Floats
    """E-value by missing share, shape (days, shares)."""
    event: Ints
    """Row of the day's last event."""


def _score_days(p_value: Floats, declared_spreads: Floats, start: Ints, rules: EvidenceRules) -> Floats:
    """E-value of each day by missing share, shape (days, shares), from its events; ``start`` marks each day's first event."""
    missing = np.asarray(rules.missing_shares)
    if not len(start):
        return np.zeros((0, len(missing)))
    score = np.clip(-ndtri(np.clip(p_value, 1e-12, 1.0 - 1e-12)), -rules.largest_score, rules.largest_score) - rules.drift
    shift = np.minimum(missing * declared_spreads[:, None], rules.largest_shift)
    value = np.exp(shift * score[:, None] - shift**2 / 2)
    count = np.diff(np.append(start, len(p_value)))
    mean: Floats = np.add.reduceat(value, start, axis=0) / count[:, None]
    return mean


def _accumulate(listed: _Days, groups: int, rules: EvidenceRules) -> tuple[Evidence, Floats]:
    """Run every group's bets through its days, all groups at once, day by day of their own counting; the level after each day beside it."""
    first = np.searchsorted(listed.group, np.arange(groups), side="left")
    days = np.searchsorted(listed.group, np.arange(groups), side="right") - first
    bets = np.zeros((groups, listed.value.shape[1]))
    months = np.zeros(groups, dtype=np.int64)
    newest_month = np.full(groups, np.iinfo(np.int64).min)
    level, peak = np.full((2, groups), np.nan)
    trace = np.full(len(listed.group), np.nan)
    suspect_event = np.full(groups, NO_EVENT)
    for step in range(int(days.max(initial=0))):
        live = np.flatnonzero(days > step)
        row = first[live] + step
        is_new = listed.month[row] != newest_month[live]
        months[live] += is_new
        newest_month[live] = listed.month[row]
        bets[live] = (bets[live] + is_new[:, None]) * listed.value[row]
        level[live] = trace[row] = bets[live].mean(axis=1)
        peak[live] = np.fmax(peak[live], level[live])
        begins = (level[live] >= 1.0 / rules.rate) & (suspect_event[live] == NO_EVENT)
        kept = np.where(level[live] < rules.cleared_below, NO_EVENT, suspect_event[live])
        suspect_event[live] = np.where(begins, listed.event[row], kept)
    e_value = level / np.where(months > 0, months, np.nan)
    return Evidence(days, months, e_value, level, peak, suspect_event != NO_EVENT, suspect_event), trace
