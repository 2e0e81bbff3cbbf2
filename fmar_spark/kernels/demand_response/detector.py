"""Demand response: load that is now and then held back for some hours, against what similar days lead one to expect.

What speaks for it: dips with two sharp edges, more and deeper than the bumps of the same load; always at the same hours or of
the same length; on the same days as the neighbours'; a load that comes back afterwards. A dip that recurs every working day of
one season is no surprise on any day, so it is sought in the season's mean profile.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.demand_response.drops import EDGE_SLOTS, DailyDips, DayTypes, Drops, refine_drops, scan_days, sort_days
from fmar_spark.kernels.demand_response.timetable import find_timetable
from fmar_spark.kernels.window import (
    Bools,
    Events,
    Feature,
    Findings,
    Floats,
    MeterWindow,
    Method,
    Sizes,
    blank_columns,
    name_columns,
    unknown_sizes,
)
from fmar_spark.units import HOURS_PER_SLOT

FEATURES: Final = (
    Feature(
        "demand_response_excess_days",
        "share",
        "Days with a deeper dip than the meter's own bumps explain, at the depth where they are most.",
    ),
    Feature("demand_response_tail", "log ratio", "98th percentile of the days' deepest dips over their median."),
    Feature("demand_response_asymmetry", "log ratio", "Median of the days' deepest dips over that of their highest bumps."),
    Feature("demand_response_tail_asymmetry", "log ratio", "98th percentile of the days' deepest dips over that of their highest bumps."),
    Feature("demand_response_score", "usual dips", "Median depth of the 20 deepest dips, over the usual dip of that length."),
    Feature("demand_response_best_score", "usual dips", "Median depth of the five deepest dips, over the usual dip of that length."),
    Feature(
        "demand_response_sharpness",
        "ratio",
        "Depth that lies in the single steps at start and end, median of them.",
    ),
    Feature("demand_response_start_concentration", "share", "Deepest dips that start in the same two neighbouring clock slots."),
    Feature("demand_response_length_concentration", "share", "Deepest dips of the same length."),
    Feature("demand_response_workday_share", "share", "Deepest dips on working days."),
    Feature("demand_response_day_clustering", "ratio", "Spread of their days over that of days scattered evenly."),
    Feature("demand_response_rebound_share", "ratio", "Energy above expectation in the next two hours over the energy held back."),
    Feature("demand_response_noise_share", "ratio", "Usual deviation from expectation on working days over the expected load."),
    Feature(
        "demand_response_timetable_score",
        "standard errors",
        "Deepest dip of winter's mean working day against other seasons'.",
    ),
    Feature("demand_response_timetable_asymmetry", "log ratio", "Deepest dip of winter's mean working day over its highest bump."),
    Feature("demand_response_timetable_depth_share", "share", "Deepest dip of winter's mean working day over the mean load."),
    Feature(
        "demand_response_alignment",
        "log ratio",
        "How much more often other meters dip then than at that hour of other days.",
    ),
)
METHOD: Final = Method(
    found="Every day is compared with similar days around it. Dips with two sharp edges, more and deeper than the meter's own bumps, "
    "at the same hours or of the same length, on the same days as its neighbours', and followed by a rebound, speak for load that is held "
    "back. Where the load usually deviates from expectation by more than 35 %, as in nearly every single home, nothing is said. A dip on "
    "every working day of one season surprises on no day, so it is sought in winter's mean working day against the other seasons'. "
    "Events whose times are known (`--events`) are compared with the same clock hours of all other days, and the members of a portfolio or "
    "an area with each other: their evidence then takes the place of all this, in homes too.",
    sized="`rated_kw` is the median of what the likely events held back on average, of the ten deepest dips where no event is likely.",
    dated="The daily mark is the energy held back in likely events.",
)
YEAR_DAYS: Final = 365
"""Days of a year, for the number of candidates. Source: definition."""


class ResponseRules(NamedTuple):
    """Thresholds of the search for held-back load."""

    candidates_a_year: int = 60
    """Days of deepest dips that are examined closely, a year."""
    top_events: int = 20
    """Deepest dips that features are drawn from."""
    min_score: float = 3.0
    """Least depth of an event, in units of the meter's usual dip of that length."""
    min_days: int = 40
    """Fewest scanned days of which anything is said."""
    min_neighbours: int = 8
    """Fewest other meters in the batch for alignment to mean anything."""
    rebound_slots: int = 4
    """How long after an event its load may come back."""
    most_noise: float = 0.35
    """Usual deviation from expectation, over the expected load, beyond which held-back load does not stand out. Source: of simulated meters
    beyond it none was answered yes, and the ranking was little better than chance."""


class _Depths(NamedTuple):
    """What each candidate held back, arrays of shape (meters, candidates)."""

    mean_kw: Floats
    peak_kw: Floats
    rebound_share: Floats
    """Energy above expectation just after it over the energy held back, cut at -1..2."""


def examine(window: MeterWindow, load_kw: Floats, rules: ResponseRules | None = None) -> Findings:
    """Look for load that was held back in every meter of a batch.

    Events are drops that the meter's own bumps do not explain; their energy is the energy held back and counts as import.
    The size is the middle of what the events held back on average.

    Args:
        window: the batch.
        load_kw: import - export + PV generation, shape (meters, days, 48), NaN where unread.
        rules: thresholds; None = the defaults.
    """
    rules = rules or ResponseRules()
    days = load_kw.shape[1]
    types = sort_days(window.calendar)
    dips = scan_days(load_kw, types)
    candidates = min(max(rules.top_events, rules.candidates_a_year * days // YEAR_DAYS), days)
    drops = refine_drops(load_kw, dips, types, candidates)
    depths = _measure_depths(load_kw, dips.expected_kw, drops, rules)
    timetable = find_timetable(load_kw, window.calendar, types)
    scanned = (~np.isnan(dips.drop)).sum(axis=1)
    columns = _compare_tails(dips) | _describe_top(drops, depths, types, rules)
    columns |= {f"demand_response_timetable_{name}": column for name, column in timetable._asdict().items()}
    columns |= {"demand_response_noise_share": _noise_share(dips), "demand_response_alignment": _align(drops, days, rules)}
    is_hidden = (scanned < rules.min_days) | ~(columns["demand_response_noise_share"] <= rules.most_noise)
    features = blank_columns(name_columns(FEATURES, columns), is_hidden)
    unexplained = _explain_drops(dips, drops, rules)
    probability = _event_probability(drops, unexplained, rules)
    return Findings(
        features=features,
        daily=_daily_energy(dips, drops, depths, unexplained),
        events=_list_events(drops, depths, probability),
        sizes=_sizes(depths, probability),
    )


def _compare_tails(dips: DailyDips) -> dict[str, Floats]:
    """Excess of drop days over bump days, spread of the drop days' tail, and drops against bumps in the middle and the tail."""
    drop, rise = np.sort(dips.drop, axis=1), np.sort(dips.rise, axis=1)
    count = (~np.isnan(drop)).sum(axis=1)

    def at(ordered: Floats, share: float) -> Floats:
        position = np.maximum(count - 1, 0) * share
        if not ordered.shape[1]:
            return np.full(len(ordered), np.nan)
        return np.asarray(ordered[np.arange(len(ordered)), position.astype(np.int64)])

    middle, high = at(drop, 0.5), at(drop, 0.98)
    tail = _log_ratio(high, middle)
    ranks = np.array([np.searchsorted(bumps, drops) for bumps, drops in zip(rise, drop, strict=True)]) if len(drop) else drop
    days = np.arange(drop.shape[1])
    excess = np.where(np.isnan(drop), 0.0, (count[:, None] - days) - np.maximum(count[:, None] - ranks, 0))
    largest = excess.max(axis=1, initial=0.0) / np.maximum(count, 1)
    return {
        "demand_response_excess_days": largest,
        "demand_response_tail": tail,
        "demand_response_asymmetry": _log_ratio(middle, at(rise, 0.5)),
        "demand_response_tail_asymmetry": _log_ratio(high, at(rise, 0.98)),
    }


def _log_ratio(above: Floats, below: Floats) -> Floats:
    """Log of a ratio of depths, NaN where either is not positive."""
    is_known = (above > 0) & (below > 0)
    return np.asarray(np.where(is_known, np.log(np.where(is_known, above, 1.0) / np.where(is_known, below, 1.0)), np.nan))


def _describe_top(drops: Drops, depths: _Depths, types: DayTypes, rules: ResponseRules) -> dict[str, Floats]:
    """What the meter's deepest dips have in common."""
    top = slice(0, rules.top_events)
    clock, length = drops.start_slot[:, top] % SLOTS_PER_DAY, drops.length_slots[:, top]
    found = ~np.isnan(drops.score[:, top])
    known = np.maximum(found.sum(axis=1), 1)
    row = np.broadcast_to(np.arange(len(clock))[:, None], clock.shape)
    starts = _counts(row, clock, found)
    near = starts + np.roll(starts, 1, axis=1)
    lengths = _counts(row, length, found)
    workday = (~types.is_rest[drops.day[:, top]] & found).sum(axis=1) / known
    return {
        "demand_response_score": _middle(drops.score[:, top]),
        "demand_response_best_score": _middle(drops.score[:, : max(rules.top_events // 4, 1)]),
        "demand_response_sharpness": _middle(drops.sharpness[:, top]),
        "demand_response_start_concentration": near.max(axis=1) / known,
        "demand_response_length_concentration": lengths.max(axis=1) / known,
        "demand_response_workday_share": workday,
        "demand_response_day_clustering": _clustering(drops.day[:, top], types.is_rest.size),
        "demand_response_rebound_share": _middle(depths.rebound_share[:, top]),
    }


def _counts(row: NDArray[np.integer], value: NDArray[np.integer], found: Bools) -> NDArray[np.int64]:
    """How often each value 0..47 occurs in each row, shape (rows, 48)."""
    cell = row[found] * SLOTS_PER_DAY + value[found]
    return np.bincount(cell, minlength=len(row) * SLOTS_PER_DAY).reshape(len(row), SLOTS_PER_DAY)


def _clustering(day: NDArray[np.integer], days: int) -> Floats:
    """Spread of the days in the window over that of days strewn evenly: below 1 where events keep to a part of it."""
    even = days / np.sqrt(12)
    return np.asarray(day.std(axis=1) / max(even, 1.0)) if day.shape[1] else np.full(len(day), np.nan)


def _middle(values: Floats) -> Floats:
    """Median of each row, NaN where nothing is known; rows are short."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1)
    count = (~np.isnan(values)).sum(axis=1)
    return np.asarray(ordered[np.arange(len(values)), np.maximum(count - 1, 0) // 2])


def _noise_share(dips: DailyDips) -> Floats:
    """Usual deviation from expectation on working days over the expected load."""
    sample = dips.expected_kw[:, ::5]
    known = ~np.isnan(sample)
    expected = np.where(known, sample, 0.0).sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
    return np.asarray(dips.noise_kw[:, 0].mean(axis=1) / np.maximum(np.abs(expected), 1e-3))


def _measure_depths(load_kw: Floats, expected_kw: Floats, drops: Drops, rules: ResponseRules) -> _Depths:
    """What was held back at each candidate: expectation, moved to the level just before, less the load."""
    meters, days = load_kw.shape[:2]
    slots = days * SLOTS_PER_DAY
    row = np.arange(meters)[:, None, None]
    longest = int(drops.length_slots.max(initial=1))
    offset = np.arange(-EDGE_SLOTS, longest + rules.rebound_slots)
    slot = drops.start_slot[..., None] + offset
    inside_window = (slot >= 0) & (slot < slots)
    place = row * slots + np.where(inside_window, slot, 0)
    expected = np.where(inside_window, np.take(expected_kw, place), np.nan)
    gap = expected - np.take(load_kw, place)
    before = offset < 0
    during = (offset >= 0) & (offset < drops.length_slots[..., None])
    after = (offset >= drops.length_slots[..., None]) & (offset < drops.length_slots[..., None] + rules.rebound_slots)
    level = -_mean_where(gap, before)
    level = np.where(np.isnan(level), 0.0, level)
    moved = np.maximum(gap + np.maximum(level, 0)[..., None], 0.0)
    mean_kw = _mean_where(moved, during)
    peak_kw = np.where(during & ~np.isnan(moved), moved, 0.0).max(axis=2, initial=0.0)
    held = np.where(during & ~np.isnan(moved), moved, 0.0).sum(axis=2)
    back = np.where(after & ~np.isnan(gap), -gap - level[..., None], 0.0).sum(axis=2)
    return _Depths(mean_kw, peak_kw, np.clip(back / np.where(held > 0, held, np.nan), -1.0, 2.0))


def _mean_where(values: Floats, chosen: Bools) -> Floats:
    """Mean of the chosen entries on the last axis, NaN where none is known."""
    known = chosen & ~np.isnan(values)
    count = known.sum(axis=-1)
    return np.asarray(np.where(count > 0, np.where(known, values, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan))


def _align(drops: Drops, days: int, rules: ResponseRules) -> Floats:
    """How much more often other meters drop at the same time than at the same hour of other days: log ratio, shape (meters,)."""
    meters = len(drops.day)
    if meters <= rules.min_neighbours:
        return np.full(meters, np.nan)
    start = drops.start_slot[:, : rules.top_events]
    found = ~np.isnan(drops.score[:, : rules.top_events])
    cell = np.clip(start, 0, days * SLOTS_PER_DAY - 1)
    strewn = np.bincount(cell[found], minlength=days * SLOTS_PER_DAY).reshape(days, SLOTS_PER_DAY).astype(np.float64)
    near = strewn.copy()
    near[:, 1:] += strewn[:, :-1]
    near[:, :-1] += strewn[:, 1:]
    usual = near.mean(axis=0)
    day, clock = cell // SLOTS_PER_DAY, cell % SLOTS_PER_DAY
    together = np.where(found, near[day, clock] - 1.0, 0.0).sum(axis=1)
    by_chance = np.where(found, usual[clock], 0.0).sum(axis=1) * (meters - 1) / meters
    return np.asarray(np.log((together + 1.0) / (by_chance + 1.0)))


def _explain_drops(dips: DailyDips, drops: Drops, rules: ResponseRules) -> Floats:
    """Share of the drops at least that deep that the meter's own bumps do not explain, shape of the candidates; 0 below the least score."""
    rise = np.sort(np.where(np.isnan(dips.rise), -np.inf, dips.rise), axis=1)
    bumps = np.zeros(drops.score.shape, dtype=np.int64)
    for meter, (heights, depths) in enumerate(zip(rise, drops.score, strict=True)):
        bumps[meter] = heights.size - np.searchsorted(heights, depths)
    rank = np.arange(1, drops.day.shape[1] + 1)
    explained = np.maximum.accumulate(np.minimum((bumps + 0.5) / (rank + 0.5), 1.0), axis=1)
    return np.asarray(np.where(drops.score >= rules.min_score, 1.0 - explained, 0.0))


def _event_probability(drops: Drops, unexplained: Floats, rules: ResponseRules) -> Floats:
    """How sure each candidate is an event, given that the meter has them, shape of the candidates; 0 below the least score.

    The greater of what bumps do not explain and what the depth alone says: a tariff with cheap hours makes bumps as well.
    """
    by_depth = 1.0 - np.exp(-(drops.score - rules.min_score + 0.5) / 2.0)
    return np.asarray(np.where(drops.score >= rules.min_score, np.maximum(unexplained, by_depth), 0.0))


def _daily_energy(dips: DailyDips, drops: Drops, depths: _Depths, probability: Floats) -> Floats:
    """Energy held back on each day in likely events, kWh, shape (meters, days); NaN on days that were not scanned."""
    energy = np.where(np.isnan(dips.drop), np.nan, np.float32(0.0))
    held = depths.mean_kw * drops.length_slots * HOURS_PER_SLOT * (probability > 0)
    row = np.broadcast_to(np.arange(len(energy))[:, None], drops.day.shape)
    known = ~np.isnan(held) & ~np.isnan(energy[row, drops.day])
    energy[row[known], drops.day[known]] = held[known]
    return energy.astype(np.float32)


def _list_events(drops: Drops, depths: _Depths, probability: Floats) -> Events:
    """The likely events, ordered by meter then start; of two that overlap the deeper one."""
    meter, column = np.nonzero((probability > 0) & (depths.peak_kw > 0))
    start, end = drops.start_slot[meter, column], drops.start_slot[meter, column] + drops.length_slots[meter, column]
    order = np.lexsort((start, meter))
    meter, column, start, end = meter[order], column[order], start[order], end[order]
    apart = np.ones(meter.size, dtype=np.bool_)
    apart[1:] = (meter[1:] != meter[:-1]) | (start[1:] >= end[:-1])
    meter, column, start, end = meter[apart], column[apart], start[apart], end[apart]
    return Events(
        meter=meter,
        start_slot=start,
        end_slot=end,
        energy_kwh=depths.mean_kw[meter, column] * (end - start) * HOURS_PER_SLOT,
        peak_kw=depths.peak_kw[meter, column],
        is_import=np.ones(meter.size, dtype=np.bool_),
        probability=probability[meter, column],
    )


def _sizes(depths: _Depths, probability: Floats) -> Sizes:
    """Middle of what the events more likely than not held back on average, or the ten deepest dips where no event is likely."""
    likely = probability >= 0.5
    likely[~likely.any(axis=1), :10] = True
    held = np.sort(np.where(likely, depths.mean_kw, np.nan), axis=1)
    count = (~np.isnan(held)).sum(axis=1)
    row = np.arange(len(held))
    unknown = np.full(len(held), np.nan)
    if not held.shape[1]:
        return unknown_sizes(len(held))
    low, size, high = (held[row, (share * np.maximum(count - 1, 0)).astype(np.int64)] for share in (0.25, 0.5, 0.75))
    spread = (high - low) / np.where(size > 0, 2 * size, np.nan) + 1 / np.sqrt(np.maximum(count, 1))
    return Sizes(size, unknown, spread, unknown, unknown, unknown)
