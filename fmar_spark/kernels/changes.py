"""When an asset came, grew, shrank or went: change points of its daily mark."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.breaks import (
    DatedBreak,
    Series,
    clip_ends,
    date_break,
    date_first,
    find_bounds,
    find_quantiles,
    gain_of_two_rates,
    join_sizes,
    split_sizes,
    stabilise,
)
from fmar_spark.kernels.extension import find_growth
from fmar_spark.kernels.window import Bools, Events, Floats, Ints

APPEARED: Final = 0
UPGRADED: Final = 1
REDUCED: Final = 2
REMOVED: Final = 3
KINDS: Final = ("appeared", "upgraded", "reduced", "removed")
"""What the kind codes mean, by position: the values of ``domain.words.ChangeKind``."""
YEAR_DAYS: Final = 365
"""Distance of the days that a quiet spell is compared with. Source: definition."""
REACH_MARK: Final = 0.7
"""A quiet mark counts from this share of the usual one. Source: dates of cars that came to simulated homes; with 0.5 or 0.35 fewer hold."""
REACH_MARKS: Final = 3
"""Fewest such marks that say that the asset was there already. Source: chosen by hand."""
REACH_RATIO: Final = 4.0
"""How much more frequent they must be than before. Source: chosen by hand."""
REACH_SHARE: Final = 0.1
"""Least frequency of them, over that of the usual days. Source: chosen by hand."""
REACH_EVIDENCE: Final = 6.0
"""Least gain in log likelihood of two frequencies over one. Source: as ``REACH_MARK``; with 4 or 8 as many or fewer."""


class ChangeRules(NamedTuple):
    """When a shift of level counts as a change of the asset."""

    min_segment_days: int = 7
    """Shortest run of read days with one level."""
    penalty: float = 3.0
    """Cost of a break, in units of long-run noise variance x log(days)."""
    off_share: float = 0.25
    """A run is off when its level is below this share of the on-level, both counted from the off-level."""
    min_off_days: int = 35
    """A shorter off spell between on spells or at the end is an absence, not a removal."""
    min_first_off_days: int = 14
    """A shorter off spell at the window's start is an absence, not the time before the asset came."""
    min_missed_marks: float = 6.0
    """An off spell is also as long as this many marks usually take: a car that charges once in ten days is missed late."""
    min_on_days: int = 14
    """A shorter on spell is a fluke, not an asset."""
    upgrade_ratio: float = 1.35
    """Least ratio of sizes for an upgrade, and of its inverse for a reduction."""
    min_upgrade_days: int = 45
    """Both sides of an upgrade last at least this long."""
    is_seasonal: bool = False
    """The mark follows the season (heating, sun): off spells at either end are compared with the same days of the other year, one
    between two on spells is a season, and sizes that are not the asset's own are not cut, as they follow the season too."""
    has_own_size: bool = False
    """Every day's size lies close to that of the asset, so that a few days are enough to say that there was another one."""
    sure_mark: float = np.inf
    """A first mark of this much, with none at all before it, is the asset's own."""
    sure_kw: float = 0.0
    """Least size of the first mark for that."""
    has_daily_size: bool = False
    """Sizes are what single days show of one that is set by the asset on clear days alone: it may only grow, at once and for good."""
    shows_at_night: bool = False
    """The mark is of dark hours, so that an asset that is installed or taken away by day may show it from the next day on."""
    is_sparse: bool = False
    """Many days show no mark though the asset is there, as of a car: the days before the first mark, and those after the last, are runs of
    their own."""


class Changes(NamedTuple):
    """Parallel arrays, one entry a change, ordered by meter then day."""

    meter: Ints
    day: Ints
    """Best estimate of the first day of the new state."""
    p10_day: Ints
    p90_day: Ints
    """Ends of the 80 % interval of that day; a gap at the change is inside it."""
    level_before: Floats
    """Size before, 0 while off: kW where ``size_kw`` was given, else the mark counted from the off-level."""
    level_after: Floats
    kind: Ints
    """Position in ``KINDS``."""

    @property
    def is_first(self) -> Bools:
        """Changes that are the first of their meter."""
        return np.append(True, self.meter[1:] != self.meter[:-1])[: self.meter.size]

    @property
    def is_last(self) -> Bools:
        """Changes that are the last of their meter."""
        return np.append(self.meter[1:] != self.meter[:-1], True)[: self.meter.size]

    def take(self, rows: Ints | Bools) -> "Changes":
        """These changes, in their order."""
        return Changes._make(field[rows] for field in self)


class Presence(NamedTuple):
    """How each meter stands at the end of the window, arrays of shape (meters,); NaN where nothing is known."""

    relative_level: Floats
    """Level of the last run of days over the on-level, both counted from the off-level: about 1 there, about 0 gone."""
    days_since_change: Floats
    """Days from the last change to the window's end; NaN without one."""
    days_since_mark: Floats
    """Days from the last clear mark to the last read day."""
    on_level: Floats
    """Level of the daily mark while the asset is on, counted from the off-level."""


class History(NamedTuple):
    """Everything that the daily marks say of time."""

    changes: Changes
    presence: Presence
    present: Bools
    """Days on which the asset is taken to be there, shape (meters, days)."""


class _Mark(NamedTuple):
    """The read days of one meter."""

    day: NDArray[np.int64]
    value: Series
    """Counted from the off-level."""
    size: Series
    """Not positive or NaN on days that show no size."""


class _Spell(NamedTuple):
    """A run of read days in one state; bounds count read days, the second is exclusive."""

    first: int
    last: int
    is_on: bool
    level: float
    steady_from: int = 0
    """First day of its usual use, where the days before it were quieter: the change before the spell is dated without what follows."""
    begins_surely: bool = False
    """Its first mark is the asset's own beyond doubt, and nothing was seen before it."""


_Row = tuple[float, ...]
_UNKNOWN: Final = (np.nan,) * len(Presence._fields)


def find_daily_peaks(events: Events, meters: int, days: int) -> Floats:
    """The highest peak of the episodes that start on each day, kW, shape (meters, days); NaN on days without one."""
    peak_kw = np.full(meters * days, -np.inf)
    np.maximum.at(peak_kw, events.meter * days + events.start_slot // SLOTS_PER_DAY, events.peak_kw)
    peak_kw[np.isinf(peak_kw)] = np.nan
    return peak_kw.reshape(meters, days)


def find_changes(
    daily: Floats,
    candidates: Bools,
    off_level: Floats | float = 0.0,
    rules: ChangeRules | None = None,
    size_kw: Floats | None = None,
) -> History:
    """Find when the asset of each candidate meter appeared, changed its size for good, or was removed.

    A meter that is no candidate, or shows no mark, is present throughout, without change. Runs of one level come from KernelCPD
    on winsorised, variance-stabilised read days; short spells are dropped; what is left is dated day by day.

    Args:
        daily: the class's mark on each day, shape (meters, days); NaN = unread or the day cannot show it.
        candidates: meters worth asking, shape (meters,): about 0.3 ms each, the rest are free.
        off_level: value of the mark without the asset, one for all or one a meter.
        rules: thresholds; None = the defaults.
        size_kw: size seen on each day (``find_daily_peaks``), NaN where none: upgrades are read from it, because the daily
            mark also follows how it is used. None = from the mark itself.
    """
    rules = rules or ChangeRules()
    meters, days = daily.shape
    off = np.broadcast_to(np.asarray(off_level, dtype=np.float64), (meters,))
    present: Bools = np.ones((meters, days), dtype=np.bool_)
    standing = np.full((meters, len(Presence._fields)), np.nan)
    rows: list[_Row] = []
    for meter in np.flatnonzero(candidates):
        value = daily[meter].astype(np.float64) - off[meter]
        day = np.flatnonzero(~np.isnan(value))
        size = value if size_kw is None else size_kw[meter].astype(np.float64)
        found, standing[meter] = _read_one(_Mark(day, value[day], size[day]), days, rules)
        rows.extend((float(meter), *row) for row in found)
        if found:
            present[meter] = mark_present(found[0][3], [(row[0], row[4]) for row in found], days)
    return History(build_changes(rows), Presence(*standing.T), present)


def build_changes(rows: list[_Row]) -> Changes:
    """Changes of rows of meter, day, its interval, level before and after, and kind."""
    table = np.array(rows, dtype=np.float64).reshape(-1, len(Changes._fields)).T
    whole = table.astype(np.int64)
    return Changes(whole[0], whole[1], whole[2], whole[3], table[4], table[5], whole[6])


def _read_one(mark: _Mark, days: int, rules: ChangeRules) -> tuple[list[_Row], _Row]:
    """Changes and standing of one meter."""
    if mark.day.size < 2 * rules.min_segment_days:
        return [], _UNKNOWN
    bounds = find_bounds(stabilise(mark.value), rules.min_segment_days, rules.penalty)
    last_level = _level_of(mark, *bounds[-2:])
    if rules.is_sparse:
        bounds = _cut_silence(mark.value, bounds)
    runs = [_Spell(first, last, True, _level_of(mark, first, last)) for first, last in pairwise(bounds)]
    on_level = _on_level(runs, rules)
    if not on_level > 0:
        return [], _UNKNOWN
    spells = _settle_states(runs, mark, rules, on_level)
    if rules.is_sparse:
        spells = _reach_back(spells, mark, rules)
    spells = [part for spell in spells for part in (_cut_sizes(spell, mark, rules) if spell.is_on else [spell._replace(level=0.0)])]
    rows: list[_Row] = []
    for before, after in pairwise(spells):
        rows.append((*_date_change(before, after, mark, rules), before.level, after.level, _kind_of(before, after)))
    loud = mark.day[mark.value > rules.off_share * on_level]
    since_change = days - rows[-1][0] if rows else np.nan
    since_mark = float(mark.day[-1] - loud[-1]) if loud.size else np.nan
    return rows, (last_level / on_level, since_change, since_mark, on_level)


def _cut_silence(value: Series, bounds: list[int]) -> list[int]:
    """The bounds, and those between which the marks lie: means of three days hide where a mark that is rare begins and ends."""
    shown = np.flatnonzero(value > 0)
    return sorted({*bounds, int(shown[0]), int(shown[-1]) + 1}) if shown.size else bounds


def _on_level(runs: list[_Spell], rules: ChangeRules) -> float:
    """Level on the middle one of the days that are on by the measure of the highest lasting run."""
    lasting = [run for run in runs if run.last - run.first >= rules.min_on_days] or runs
    highest = max(run.level for run in lasting)
    loud = [run for run in lasting if run.level > rules.off_share * highest]
    if not highest > 0:
        return np.nan
    return find_quantiles(np.repeat([run.level for run in loud], [run.last - run.first for run in loud]), (0.5,))[0]


def _settle_states(runs: list[_Spell], mark: _Mark, rules: ChangeRules, on_level: float) -> list[_Spell]:
    """Separate on from off, drop spells too short to mean anything, and join what is left of one state."""
    threshold = rules.off_share * on_level
    spells = _join([run._replace(is_on=run.level > threshold) for run in runs], mark)
    is_on_day = np.repeat([spell.is_on for spell in spells], [spell.last - spell.first for spell in spells])
    marks_a_day = float((mark.value[is_on_day] > threshold).mean()) if is_on_day.any() else 1.0
    missed_days = rules.min_missed_marks / max(marks_a_day, 1e-3)

    def is_off(spell: _Spell) -> bool:
        least_days = rules.min_first_off_days if spell.first == 0 else rules.min_off_days
        if spell.is_on or spell.last - spell.first < max(least_days, missed_days):
            return False
        is_between = spell.first > 0 and spell.last < mark.day.size
        return not rules.is_seasonal or (not is_between and _is_off_for_the_season(spell, mark, rules, on_level))

    spells = _join([spell._replace(is_on=not is_off(spell)) for spell in spells], mark)
    return _join([spell._replace(is_on=spell.is_on and spell.last - spell.first >= rules.min_on_days) for spell in spells], mark)


def _reach_back(spells: list[_Spell], mark: _Mark, rules: ChangeRules) -> list[_Spell]:
    """The spells, with the first on spell begun where use began: a new car is driven little at first, or its driver is away.

    A first mark that nothing else makes, after none at all, is where it began.
    Among the off days before it the marks as strong as half the usual one are counted: where they are much more frequent from one of them
    on than before it, beyond chance, the asset was there from that mark on.
    """
    if len(spells) < 2 or spells[0].is_on:
        return spells
    off, on = spells[:2]
    first = int(np.argmax(mark.value > 0))
    if rules.min_first_off_days <= first < on.first and mark.value[first] >= rules.sure_mark and mark.size[first] >= rules.sure_kw:
        return [off._replace(last=first), on._replace(first=first, begins_surely=True), *spells[2:]]
    shown = mark.value[on.first : on.last]
    usual = find_quantiles(shown[shown > 0], (0.5,))[0]
    loud = mark.value[: off.last] > REACH_MARK * usual
    place = np.flatnonzero(loud)
    if place.size < REACH_MARKS:
        return spells
    earlier, later = np.arange(place.size), place.size - np.arange(place.size)
    before, after = np.maximum(earlier / np.maximum(place, 1), 1 / off.last), later / (off.last - place)
    gain = gain_of_two_rates(earlier, place, later, off.last - place)
    on_rate = float((shown > REACH_MARK * usual).mean())
    allowed = (later >= REACH_MARKS) & (after >= REACH_RATIO * before) & (after >= REACH_SHARE * on_rate)
    gain = np.where(allowed, gain, -np.inf)
    best = int(np.argmax(gain))
    if gain[best] < REACH_EVIDENCE:
        return spells
    first = int(place[best])
    return [off._replace(last=first), on._replace(first=first, steady_from=on.first), *spells[2:]]


def _is_off_for_the_season(spell: _Spell, mark: _Mark, rules: ChangeRules, on_level: float) -> bool:
    """Whether the same days of the other year were clearly louder; with no such days, whether the spell is dead quiet."""
    by_day = np.full(int(mark.day[-1]) + 2 * YEAR_DAYS + 1, np.nan)
    by_day[mark.day + YEAR_DAYS] = mark.value
    day = mark.day[spell.first : spell.last]
    by_day[day + YEAR_DAYS] = np.nan
    partner = np.concatenate((by_day[day], by_day[day + 2 * YEAR_DAYS]))
    partner = partner[~np.isnan(partner)]
    if partner.size >= rules.min_on_days:
        return spell.level <= rules.off_share * float(partner.mean())
    return spell.level <= rules.off_share / 2 * on_level


def _join(spells: list[_Spell], mark: _Mark) -> list[_Spell]:
    """Join neighbours of one state."""
    joined: list[_Spell] = []
    for spell in spells:
        first = joined.pop().first if joined and joined[-1].is_on == spell.is_on else spell.first
        joined.append(_Spell(first, spell.last, spell.is_on, _level_of(mark, first, spell.last)))
    return joined


def _level_of(mark: _Mark, first: int, last: int) -> float:
    """Mean of the mark over a run of read days."""
    return float(mark.value[first:last].sum()) / (last - first)


def _cut_sizes(spell: _Spell, mark: _Mark, rules: ChangeRules) -> list[_Spell]:
    """Cut an on spell where the asset's size changed for good; levels become sizes."""
    kept = np.flatnonzero(mark.size[spell.first : spell.last] > 0) + spell.first
    if not kept.size:
        return [spell]
    size = mark.size[kept]
    bounds = [0, kept.size]
    if rules.has_daily_size:
        split = find_growth(size, mark.day[kept])
        bounds = [0, split, kept.size] if split else bounds
    elif rules.has_own_size:
        bounds = split_sizes(size)
    elif not rules.is_seasonal:
        bounds = find_bounds(clip_ends(np.log(size), 0.02), rules.min_segment_days, rules.penalty)
    if len(bounds) > 2 and not rules.has_daily_size:
        bounds = join_sizes(size, mark.day[kept], bounds, rules.upgrade_ratio, rules.min_upgrade_days)
    levels = [find_quantiles(size[first:last], (0.5,))[0] for first, last in pairwise(bounds)]
    edges = [spell.first, *(int(kept[bound]) for bound in bounds[1:-1]), spell.last]
    parts = [_Spell(first, last, True, level) for (first, last), level in zip(pairwise(edges), levels, strict=True)]
    return [parts[0]._replace(steady_from=spell.steady_from, begins_surely=spell.begins_surely), *parts[1:]]


def _date_change(before: _Spell, after: _Spell, mark: _Mark, rules: ChangeRules) -> DatedBreak:
    """Date the change between two neighbouring spells: on to on by size, else by the mark.

    Where the asset has its own size the last day of the first one may be the day of the change: it was used in the night before.
    """
    if after.begins_surely:
        return date_first(mark.day[: after.first + 1], float((mark.value[after.first : after.last] > 0).mean()))
    index = np.arange(before.first, after.steady_from or after.last)
    if not (before.is_on and after.is_on):
        dated = date_break(mark.value[index], mark.day[index], after.first - before.first)
        return dated._replace(p10_day=dated.p10_day - 1) if rules.shows_at_night else dated
    index = index[mark.size[index] > 0]
    split = int((index < after.first).sum())
    dated = date_break(mark.size[index], mark.day[index], split)
    return dated._replace(p10_day=min(dated.p10_day, float(mark.day[index[split - 1]]))) if rules.has_own_size else dated


def mark_present(level: float, steps: Iterable[tuple[float, float]], days: int) -> Bools:
    """Days on which the asset is there, shape (days,), from its level on the first and the day and new level of each change."""
    present: Bools = np.full(days, level > 0)
    for day, after in steps:
        present[int(day) :] = after > 0
    return present


def _kind_of(before: _Spell, after: _Spell) -> int:
    if before.is_on and after.is_on:
        return UPGRADED if after.level > before.level else REDUCED
    return APPEARED if after.is_on else REMOVED
