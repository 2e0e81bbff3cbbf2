"""When a car came, by the sessions that nobody had before one day and that are frequent from it on.

A water heater or a shower at the charger's power leaves no silence before the car comes. But each has its own hours and its own energy:
sessions are counted by either, and those kinds of them that begin on one day, beyond chance, are the car's.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.kernels.amend import amend_history, join_changes
from fmar_spark.kernels.breaks import date_first
from fmar_spark.kernels.changes import APPEARED, REMOVED, Changes, History
from fmar_spark.kernels.window import Bools, Events, Floats, Ints

SPAN_SLOTS: Final = 6
"""Half-hours of the day whose starts are counted together. Source: chosen by hand."""
LONG_KWH: Final = (4.0, 9.0)
"""Energies that part sessions: cooking and showers, a tank, a car. Source: chosen by hand."""
FEWEST_DAYS: Final = 3
"""Fewest days with sessions of one kind. Source: chosen by hand."""
STRAY_DAYS: Final = 5
"""Most days with such sessions before the car. Source: chosen by hand."""
STRAY_RATIO: Final = 0.05
"""How frequent they may be before the car, over with it. Source: as ``LEAST_GAIN``."""
FREE_GAIN: Final = 2.5
"""Gain in log likelihood of two frequencies over one that the best of a year's days has by chance. Source: half the log of 183 days."""
LEAST_GAIN: Final = 15.0
"""Least gain of all kinds together. Source: of 174 cars found that came in four simulated fleets of which many assets change (seeds 9101
to 9104) 101 are dated within a week and 23 not, and 16 of 462 others are dated; by the level of the daily energy alone 92, 29 and 22. With
10 or 20 two more and four fewer are, and one more and three fewer of the others."""
MOVED: Final = 0.25
"""Where kinds that become rarer on the same day have more than this share of the gain, the hours of charging moved. Source: as
``LEAST_GAIN``."""
OWN_SHARE: Final = 0.4
"""Least share of the energy of all sessions from that day on that is of the kinds that begin. Source: as ``LEAST_GAIN``."""
SILENT_GAIN: Final = 5.0
"""The same of a car that came after complete silence. Source: of the dates found so on the same fleets none of less is within a week, and
of cars of recorded charging, some of which charge once in two weeks, two are."""
LEAST_SIDE_DAYS: Final = 28
"""Read days before it, and after it: a shorter silence is an absence. Source: as ``LEAST_GAIN``."""
LATE_DAYS: Final = 1
"""A car that comes by day is charged in the night after. Source: of 116 cars dated so in the same fleets the intervals of 78 % hold, 67 %
without."""
_SPANS: Final = SLOTS_PER_DAY // SPAN_SLOTS
_FIRST_KIND: Final = np.array([0, 1, 1 + _SPANS, 1 + 2 * _SPANS])
"""Kinds are numbered through: all sessions, by hour, by hour from the middle of each span, by energy."""
_KINDS: Final = 1 + 2 * _SPANS + len(LONG_KWH) + 1


class Arrivals(NamedTuple):
    """The day on which each meter's car came, shape (meters,) each; NaN where it was there before or nothing shows it."""

    day: Floats
    p10_day: Floats
    p90_day: Floats
    """Ends of the 80 % interval."""
    size_kw: Floats
    """Usual power of its sessions."""
    first_day: Floats
    """Of the first session of any kind."""
    silent_days: Floats
    """Read days before it."""
    silent_gain: Floats
    """Gain in log likelihood of sessions that begin on it over sessions as frequent before."""


class _Sessions(NamedTuple):
    """Sessions of one meter."""

    position: Ints
    """Read day of each, counted from the first; of a day that was hardly read the read day before it, or the first."""
    kind: Ints
    """Shape (ways of counting, sessions)."""
    energy_kwh: Floats
    days: int
    """Read days."""


class _Arrival(NamedTuple):
    first: int
    """Read day of the first session."""
    is_own: Bools
    """Sessions of the kinds that begin then."""


def find_arrivals(events: Events, daily: Floats, candidates: Bools) -> Arrivals:
    """Find when the car of each candidate meter came.

    Args:
        events: its sessions, ordered by meter.
        daily: shape (meters, days); NaN on days that were not read well enough.
        candidates: meters worth asking, shape (meters,).
    """
    columns = np.full((len(Arrivals._fields), len(candidates)), np.nan)
    edges = np.searchsorted(events.meter, np.arange(len(candidates) + 1))
    kinds = _name_kinds(events)
    for meter in np.flatnonzero(candidates & (np.diff(edges) >= FEWEST_DAYS)):
        mine = slice(edges[meter], edges[meter + 1])
        is_read = ~np.isnan(daily[meter])
        day = np.flatnonzero(is_read)
        position = np.maximum(np.cumsum(is_read) - 1, 0)[events.start_slot[mine] // SLOTS_PER_DAY]
        columns[-3:, meter] = day[position[0]], position[0], _weigh_silence(position)
        found = _find_arrival(_Sessions(position, kinds[:, mine], events.energy_kwh[mine], day.size))
        if found is None:
            continue
        is_later = found.is_own & (position >= found.first)
        stayed = position[is_later]
        rate = _count_days(stayed) / (stayed[-1] + 1 - found.first)
        dated = date_first(day[: found.first + 1], min(rate, 0.99))
        size_kw = float(np.median(events.peak_kw[mine][is_later]))
        columns[:-3, meter] = dated.day, dated.p10_day - LATE_DAYS, dated.p90_day, size_kw
    return Arrivals(*columns)


def put_arrivals(history: History, arrivals: Arrivals, candidates: Bools) -> History:
    """The history with these arrivals in place of its own, but where its own follows complete silence.

    Args:
        history: of the cars.
        arrivals: of the same meters.
        candidates: meters that were asked, shape (meters,); where neither says that the car came it was there from the first day.
    """

    def amend(meter: int, mine: Changes) -> Changes:
        return _put_arrival(_widen(mine), meter, Arrivals(*(field[meter] for field in arrivals)))

    return amend_history(history, candidates, amend)


def _widen(mine: Changes) -> Changes:
    """The changes, with a day more at the ends of the intervals of arrivals and removals that a night of charging hides."""
    is_removal = mine.kind == REMOVED
    early = np.where(is_removal | (mine.kind == APPEARED), LATE_DAYS, 0)
    return mine._replace(p10_day=np.maximum(mine.p10_day - early, 0), p90_day=mine.p90_day + np.where(is_removal, LATE_DAYS, 0))


def _put_arrival(mine: Changes, meter: int, arrival: Arrivals) -> Changes:
    """The changes of one meter with its arrival in front."""
    is_silent = mine.kind.size > 0 and mine.kind[0] == APPEARED and mine.day[0] <= arrival.first_day
    if is_silent and arrival.silent_days >= LEAST_SIDE_DAYS and arrival.silent_gain >= SILENT_GAIN:
        return mine
    is_dated = not np.isnan(arrival.day)
    kept = np.flatnonzero(mine.day > arrival.day) if is_dated else np.arange(mine.day.size)
    if kept.size and mine.kind[kept[0]] == APPEARED:
        kept = kept[1:]
    rest = mine.take(kept)
    if not is_dated:
        return rest
    level = float(rest.level_before[0]) if kept.size else float(arrival.size_kw)
    who, day, low, high, kind = np.array([[meter, arrival.day, arrival.p10_day, arrival.p90_day, APPEARED]]).astype(np.int64).T
    first = Changes(who, day, low, high, np.zeros(1), np.array([level]), kind)
    return join_changes([first, rest])


def _name_kinds(events: Events) -> Ints:
    """Kind of each session in each way of counting, shape (ways, sessions)."""
    slot = events.start_slot % SLOTS_PER_DAY
    shifted = (slot + SPAN_SLOTS // 2) % SLOTS_PER_DAY
    energy = np.searchsorted(np.array(LONG_KWH), events.energy_kwh)
    ways = np.stack([np.zeros_like(slot), slot // SPAN_SLOTS, shifted // SPAN_SLOTS, energy])
    kinds: Ints = ways + _FIRST_KIND[:, None]
    return kinds


def _find_arrival(sessions: _Sessions) -> _Arrival | None:
    """The day on which kinds of sessions begin, with the most gain of all ways of counting them; None where that is little.

    Days after the last session say nothing of when the car came: it may have gone.
    """
    end = int(sessions.position.max()) + 1
    # Days with sessions of each kind, each day once, ordered by kind and then day.
    is_marked = np.zeros(_KINDS * end, dtype=np.bool_)
    is_marked[sessions.kind * end + sessions.position] = True
    marks = np.flatnonzero(is_marked)
    kind, day = np.divmod(marks, end)
    edges = np.searchsorted(kind, np.arange(_KINDS + 1))
    total = np.diff(edges)
    is_usual = total >= FEWEST_DAYS
    is_early = is_usual[kind] & (np.arange(kind.size) - edges[kind] <= STRAY_DAYS)
    is_split = np.zeros(end, dtype=np.bool_)
    is_split[day[is_early]] = True
    is_split[:LEAST_SIDE_DAYS] = False
    is_split[max(sessions.days - LEAST_SIDE_DAYS + 1, 0) :] = False
    split = np.flatnonzero(is_split)
    if not split.size:
        return None
    before = np.searchsorted(marks, np.arange(_KINDS)[:, None] * end + split) - edges[:-1, None]
    gain = np.maximum(_gain_of_two(before, split, total[:, None] - before, end - split) - FREE_GAIN, 0.0)
    gain[~is_usual] = 0.0
    early, late = before / split, (total[:, None] - before) / (end - split)
    begins = early <= STRAY_RATIO * late
    rise, fall = (np.add.reduceat(np.where(chosen, gain, 0.0), _FIRST_KIND, axis=0) for chosen in (begins, late < early))
    rise = np.where(fall <= MOVED * rise, rise, 0.0)
    place = rise.argmax(axis=1)
    gains = rise[np.arange(rise.shape[0]), place]
    for way in np.argsort(-gains, kind="stable"):
        if gains[way] <= LEAST_GAIN:
            return None
        first = int(split[place[way]])
        is_own = begins[sessions.kind[way], place[way]]
        is_later = sessions.position >= first
        if sessions.energy_kwh[is_own & is_later].sum() >= OWN_SHARE * sessions.energy_kwh[is_later].sum():
            return _Arrival(first, is_own)
    return None


def _count_days(position: Ints) -> int:
    """Different ones of ascending days, of which there is one at least."""
    return int(np.count_nonzero(np.diff(position))) + 1


def _weigh_silence(position: Ints) -> float:
    """Gain in log likelihood of sessions that begin with the first one over sessions as frequent before."""
    silent = np.array([position[0]])
    return float(_gain_of_two(np.zeros(1, dtype=np.int64), silent, np.array([_count_days(position)]), position[-1] + 1 - silent)[0])


@lru_cache(maxsize=8)
def _tabulate_logs(most: int) -> Floats:
    """n log n of whole numbers up to ``most``."""
    number = np.arange(most + 1)
    return np.asarray(number * np.log(np.maximum(number, 1)))


def _gain_of_two(before: Ints, days_before: Ints, after: Ints, days_after: Ints) -> Floats:
    """Gain in log likelihood of two frequencies over one, as ``breaks.gain_of_two_rates``, for numbers small enough to be looked up."""
    table = _tabulate_logs(int(days_before[0] + days_after[0]))

    def chance(hits: Ints, days: Ints) -> Floats:
        return np.asarray(table[hits] + table[days - hits] - table[days])

    return np.asarray(chance(before, days_before) + chance(after, days_after) - chance(before + after, days_before + days_after))
