"""How each meter answered events whose times are known, and which members of a group answered them.

A single home's load hides a fifth of itself on any one evening; over many events, and over the members of a portfolio, the same fifth
shows. Each event is compared with the same clock hours of all other days, so that what the meter does anyway is no answer.
"""

from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.demand_response.drops import DayTypes, expect_load
from fmar_spark.kernels.window import Events, Floats, Ints
from fmar_spark.units import HOURS_PER_SLOT

BEFORE_SLOTS: Final = 4
"""Half-hours before an event whose deviation lasts into it in part."""
LEAST_EVENTS: Final = 5
"""Events that were read below which nothing is said."""
LEAST_QUIET: Final = 15
"""Other days at the same hours below which an event is left out."""
WIDEST: Final = 4.0
"""Deviations are cut at so many usual ones: one evening proves nothing."""
SHOWN_SHARE: Final = 0.2
"""Share of the load whose holding back should show, for a meter's silence to say anything. Source: 10 to 30 % in trials of homes."""
SHOWN_SCORE: Final = 2.0
"""Standard errors at which it does."""
SURE_SCORE: Final = 3.0
"""Standard errors from which a drop shows, whatever was expected."""
LEAST_MEMBERS: Final = 8
"""Members of a group below which its own share and depth are not learnt."""
LONE: Final = (0.2, 3.0, 2.5)
"""Share, mean and spread of the scores of those who answer, where no group says. Source: chosen by hand."""
NULL_SPREAD: Final = 1.15
"""Spread of the score of a meter that answers nothing: weather and holidays are shared by the days of a price or a dispatch."""
LEAST_LAW: Final = 1e-4
"""Density below which no score is held to fall of those who answer nothing: something else may have happened."""
ROUNDS: Final = 60
"""Steps of the fit of a group, after which its share moves no more."""


class KnownEvents(NamedTuple):
    """The events that concern the meters of a window; parallel arrays, one entry an event of a meter."""

    meter: Ints
    start_slot: Ints
    """Counted from the window's first local midnight."""
    end_slot: Ints


class KnownResponse(NamedTuple):
    """How each meter answered, shape (meters,)."""

    events: Ints
    """Events that were read and can be compared."""
    score: Floats
    """Mean held back over its standard error; NaN with fewer than five events."""
    held_kw: Floats
    """Mean of what was held back, kW; negative where more was drawn."""
    spread: Floats
    """Standard error of that mean over it, at least 0.05; NaN where nothing was held back."""
    power: Floats
    """Standard errors that a fifth of the load would make: how much silence says."""
    by_event_kw: Floats
    """Held back in each event, shape (events,), NaN where it cannot be compared."""

    @property
    def is_shown(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether the meter can be answered."""
        return np.asarray((self.events >= LEAST_EVENTS) & ((self.power >= SHOWN_SCORE) | (self.score >= SURE_SCORE)))


class Answering(NamedTuple):
    """What the scores of a group's members show."""

    share: float
    """Of the members that answer."""
    score_mean: float
    """Of those that do."""
    score_spread: float
    members: int


def measure_response(load_kw: Floats, types: DayTypes, known: KnownEvents) -> KnownResponse:
    """Compare every event with the same hours of the meter's other days.

    Args:
        load_kw: shape (meters, days, 48), NaN where unread.
        types: of the window's days.
        known: events of these meters.
    """
    meters, days = load_kw.shape[:2]
    expected = np.asarray(expect_load(load_kw, types)[0], dtype=np.float64)
    gap = (expected - load_kw).reshape(meters, days * SLOTS_PER_DAY)
    total, count = _accumulate(gap)
    level, _ = _accumulate(expected.reshape(gap.shape))
    busy = np.zeros((meters, days * SLOTS_PER_DAY + 1), dtype=np.int32)
    np.add.at(busy, (known.meter, known.start_slot), 1)
    np.add.at(busy, (known.meter, known.end_slot), -1)
    taken = np.concatenate([np.zeros((meters, 1), np.int64), np.cumsum(np.cumsum(busy[:, :-1], axis=1) > 0, axis=1)], axis=1)
    day = np.arange(days)
    length = known.end_slot - known.start_slot
    clock = known.start_slot % SLOTS_PER_DAY
    held, usual, error, expected_kw = (np.full(known.meter.size, np.nan) for _ in range(4))
    quiet_days = np.zeros(known.meter.size)
    for shape in np.unique(np.stack([clock, length], axis=1), axis=0):
        mine = np.flatnonzero((clock == shape[0]) & (length == shape[1]))
        rows = np.unique(known.meter[mine])
        start = day * SLOTS_PER_DAY + shape[0]
        inside = (start >= BEFORE_SLOTS) & (start + shape[1] <= days * SLOTS_PER_DAY)
        start = start[inside]
        during = _mean_of(total, count, rows, (start, start + shape[1]))
        before = _mean_of(total, count, rows, (start - BEFORE_SLOTS, start))
        is_quiet = taken[rows][:, start + shape[1]] == taken[rows][:, start]
        is_quiet &= ~np.isnan(during) & ~np.isnan(before)
        lag = _regress(before, during, is_quiet)
        left = during - lag[:, None] * np.nan_to_num(before)
        mean, scatter, number = _describe_quiet(left, is_quiet)
        place = {int(row): position for position, row in enumerate(rows)}
        row = np.array([place[int(meter)] for meter in known.meter[mine]], dtype=np.int64)
        column = np.searchsorted(start, known.start_slot[mine])
        fits = column < start.size
        column = np.minimum(column, max(start.size - 1, 0))
        enough = fits & (number[row] >= LEAST_QUIET) & (scatter[row] > 0)
        if not start.size:
            continue
        held[mine] = np.where(enough, left[row, column] - mean[row], np.nan)
        usual[mine], error[mine], quiet_days[mine] = scatter[row], scatter[row], number[row]
        expected_kw[mine] = np.where(
            enough, (level[known.meter[mine], known.end_slot[mine]] - level[known.meter[mine], known.start_slot[mine]]) / shape[1], np.nan
        )
    return _sum_up(known, meters, held, (usual, quiet_days, expected_kw))


def _sum_up(known: KnownEvents, meters: int, held_kw: Floats, around: tuple[Floats, Floats, Floats]) -> KnownResponse:
    """One answer a meter: events count by how little the meter varies at their hours."""
    usual, quiet_days, expected_kw = around
    fine = ~np.isnan(held_kw)
    owner = known.meter[fine]
    events = np.bincount(owner, minlength=meters)
    standard = np.clip(held_kw[fine] / usual[fine], -WIDEST, WIDEST)
    some = np.maximum(events, 1)
    variance = np.bincount(owner, 1.0 + 1.0 / quiet_days[fine], meters)
    score = np.bincount(owner, standard, meters) / np.sqrt(np.maximum(variance, 1e-9))
    share_of_usual = np.bincount(owner, np.nan_to_num(expected_kw[fine]) / usual[fine], meters)
    power = SHOWN_SHARE * share_of_usual / np.sqrt(np.maximum(variance, 1e-9))
    held = np.bincount(owner, held_kw[fine], meters) / some
    scatter = np.sqrt(np.bincount(owner, (held_kw[fine] - held[owner]) ** 2, meters) / some)
    enough = events >= LEAST_EVENTS
    spread = np.where(enough & (held > 0), np.maximum(scatter / np.sqrt(some) / np.where(held > 0, held, 1.0), 0.05), np.nan)
    blank = np.where(enough, 1.0, np.nan)
    return KnownResponse(events, score * blank, held * blank, spread, power * blank, held_kw)


def _accumulate(values: Floats) -> tuple[Floats, Ints]:
    """Running sums of the read slots and how many they are, shape (meters, slots + 1)."""
    read = ~np.isnan(values)
    before = np.zeros((len(values), 1))
    total = np.concatenate([before, np.cumsum(np.where(read, values, 0.0), axis=1)], axis=1)
    return total, np.concatenate([before.astype(np.int64), np.cumsum(read, axis=1)], axis=1)


def _mean_of(total: Floats, count: Ints, rows: Ints, ends: tuple[Ints, Ints]) -> Floats:
    """Mean over each stretch, shape (rows, stretches); NaN unless half of it was read."""
    start, end = ends
    number = count[rows][:, end] - count[rows][:, start]
    mean = (total[rows][:, end] - total[rows][:, start]) / np.maximum(number, 1)
    return np.asarray(np.where(2 * number >= end - start, mean, np.nan))


def _regress(before: Floats, during: Floats, is_quiet: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    """How much of the deviation before lasts, 0 to 1, shape (rows,)."""
    number = np.maximum(is_quiet.sum(axis=1), 1)
    first, second = (np.where(is_quiet, values, 0.0) for values in (before, during))
    first = np.where(is_quiet, first - (first.sum(axis=1) / number)[:, None], 0.0)
    second = np.where(is_quiet, second - (second.sum(axis=1) / number)[:, None], 0.0)
    square = (first**2).sum(axis=1)
    return np.asarray(np.clip((first * second).sum(axis=1) / np.where(square > 0, square, np.inf), 0.0, 1.0))


def _describe_quiet(values: Floats, is_quiet: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[Floats, Floats, Ints]:
    """Mean, scatter and number of the quiet days, shape (rows,) each; extremes cut at ``WIDEST`` scatters."""
    number = is_quiet.sum(axis=1)
    some = np.maximum(number, 1)
    known = np.where(is_quiet, values, 0.0)
    for _ in range(2):
        mean = known.sum(axis=1) / some
        scatter = np.sqrt(np.where(is_quiet, (known - mean[:, None]) ** 2, 0.0).sum(axis=1) / some)
        reach = WIDEST * scatter[:, None]
        known = np.where(is_quiet, np.clip(known, mean[:, None] - reach, mean[:, None] + reach), 0.0)
    return mean, scatter, number


def learn_group(score: Floats) -> Answering:
    """Share and strength of the members that answer, from the scores of all: a mixture of two normal laws, by expectation maximisation.

    The law of those who answer nothing is fixed; a group whose members look like it alone has a share near nothing.

    Args:
        score: shape (members,), NaN where a member cannot be compared.
    """
    known = score[np.isfinite(score)]
    if known.size < LEAST_MEMBERS:
        return Answering(*LONE, known.size)
    share, mean, spread = LONE
    for _ in range(ROUNDS):
        odds = _odds(known, Answering(share, mean, spread, known.size))
        weight = odds / (1.0 + odds)
        total = weight.sum() + 1e-9
        # One member's worth of the usual share keeps a group of few from certainty.
        share = float((weight.sum() + LONE[0]) / (known.size + 1.0))
        mean = float(max((weight @ known + LONE[1]) / (total + 1.0), 1.0))
        spread = float(np.sqrt((weight @ (known - mean) ** 2 + LONE[2] ** 2) / (total + 1.0)))
    return Answering(share, mean, max(spread, NULL_SPREAD), known.size)


def weigh_scores(score: Floats, group: Answering) -> Floats:
    """Probability that a member answers, by its own score and what its group shows, shape (members,); NaN stays.

    A score below the middle of those who do not answer never speaks for a member.
    """
    odds = _odds(np.asarray(np.maximum(score, 0.0)), group)
    return np.asarray(np.where(np.isnan(score), np.nan, odds / (1.0 + odds)))


def _odds(score: Floats, group: Answering) -> Floats:
    """Odds of answering against not; beyond the middle of those who answer, a higher score is as likely as the middle."""

    def law(mean: float, spread: float, at: Floats) -> Floats:
        return np.asarray(np.exp(-0.5 * ((at - mean) / spread) ** 2) / spread)

    answering = law(group.score_mean, group.score_spread, np.minimum(score, group.score_mean))
    silent = np.maximum(law(0.0, NULL_SPREAD, score), LEAST_LAW)
    return np.asarray(group.share / (1.0 - group.share) * answering / silent)


def list_known(known: KnownEvents, response: KnownResponse, probability: Floats) -> Events:
    """The events in which something was held back, as episodes; how sure each is follows from its meter."""
    held = np.flatnonzero(np.nan_to_num(response.by_event_kw) > 0)
    order = held[np.lexsort((known.start_slot[held], known.meter[held]))]
    meter, start, end = known.meter[order], known.start_slot[order], known.end_slot[order]
    held_kw = response.by_event_kw[order]
    return Events(
        meter=meter,
        start_slot=start,
        end_slot=end,
        energy_kwh=held_kw * (end - start) * HOURS_PER_SLOT,
        peak_kw=held_kw,
        is_import=np.ones(meter.size, dtype=np.bool_),
        probability=np.nan_to_num(probability)[meter],
    )
