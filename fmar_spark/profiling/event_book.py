"""Events whose times are known, for whom they were, and what they say of the meters of a batch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.listed_events import ListedEvent
from fmar_spark.kernels.demand_response.drops import sort_days
from fmar_spark.kernels.demand_response.known_events import (
    LEAST_EVENTS,
    LEAST_MEMBERS,
    SHOWN_SHARE,
    Answering,
    KnownEvents,
    KnownResponse,
    learn_group,
    list_known,
    measure_response,
    weigh_scores,
)
from fmar_spark.kernels.examination import Examination
from fmar_spark.kernels.window import Bools, Events, Findings, Floats, Sizes
from fmar_spark.profiling.parts import read_slot_starts
from fmar_spark.profiling.windows import MeterGroup, WeatherBook, group_meters

EVERYONE: Final = "all meters"
POSITION: Final = ASSET_CLASSES.index(AssetClass.DEMAND_RESPONSE)
Moments = np.ndarray[tuple[int], np.dtype[np.datetime64]]


class Times(NamedTuple):
    """Starts and ends of events, UTC."""

    start: Moments
    end: Moments


class EventAnswers(NamedTuple):
    """What listed events say of the meters of a group, shape (meters,)."""

    is_concerned: Bools
    """Enough listed events were read of it to say something."""
    is_shown: Bools
    probability: Floats
    findings: Findings
    """Of demand response, by the listed events where they are shown."""
    sentences: list[str | None]
    """Of the meters that are concerned: what was seen, or why nothing can be said."""


@dataclass(frozen=True)
class EventBook:
    """Listed events by the name of whom they concern, and what their groups showed; small enough to go to every worker."""

    times: Mapping[str, Times] = field(default_factory=dict)
    """By portfolio, settlement area or ``EVERYONE``."""
    portfolio_of: Mapping[str, str] = field(default_factory=dict)
    """By MPAN."""
    groups: Mapping[str, Answering] = field(default_factory=dict)
    """What the members of each showed; a group that is not here is taken for a few meters."""

    @property
    def is_empty(self) -> bool:
        """Whether no event is listed."""
        return not self.times

    def name_group(self, mpan_id: str, gsp_group_id: str | None) -> str:
        """The narrowest group with events that a meter belongs to, "" for none."""
        names = (self.portfolio_of.get(mpan_id), gsp_group_id, EVERYONE)
        return next((name for name in names if name is not None and name in self.times), "")

    def find_events(self, group: MeterGroup) -> KnownEvents:
        """The listed events of the meters of a window, in its slots; those outside it are left out."""
        starts = read_slot_starts(group.first_utc_date, group.window.import_kw.shape[1], group.time_zone)
        valid = np.flatnonzero(~np.isnat(starts))
        moments = starts[valid]
        slots: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]] = {}
        parts = []
        for row, (mpan_id, area) in enumerate(zip(group.mpan_ids, group.gsp_group_ids, strict=True)):
            names = tuple(name for name in (self.portfolio_of.get(mpan_id), area, EVERYONE) if name is not None and name in self.times)
            if names not in slots:
                slots[names] = _lay_times([self.times[name] for name in names], moments, valid)
            begin, end = slots[names]
            parts.append((np.full(begin.size, row), begin, end))
        none = np.zeros(0, dtype=np.int64)
        meter, begin, end = (np.concatenate([none, *columns]).astype(np.int64) for columns in zip(*parts, strict=True))
        return KnownEvents(meter, begin, end)

    def answer(self, group: MeterGroup, examination: Examination) -> EventAnswers | None:
        """What the listed events say of each meter; None where none is listed for any."""
        if self.is_empty:
            return None
        known = self.find_events(group)
        if not known.meter.size:
            return None
        response = measure_response(examination.net_kw, sort_days(group.window.calendar), known)
        names = [self.name_group(mpan, area) for mpan, area in zip(group.mpan_ids, group.gsp_group_ids, strict=True)]
        probability = np.full(len(names), np.nan)
        for name in set(names) - {""}:
            rows = np.array([mine == name for mine in names])
            probability[rows] = weigh_scores(response.score[rows], self._learnt(name))
        is_concerned: Bools = np.asarray(response.events >= LEAST_EVENTS)
        is_shown = is_concerned & response.is_shown
        findings = _replace_findings(examination.findings[AssetClass.DEMAND_RESPONSE], (known, response), probability, is_shown)
        sentences = [
            self._describe(name, response, row, shown=bool(is_shown[row])) if is_concerned[row] else None for row, name in enumerate(names)
        ]
        return EventAnswers(is_concerned, is_shown, probability, findings, sentences)

    def learn_groups(self, chunks: Iterable[pa.Table], weather: WeatherBook, window_months: int) -> "EventBook":
        """The same book with what the members in these chunks of whole meters showed.

        Args:
            chunks: as ``windows.group_meters`` takes them.
            weather: of all areas.
            window_months: longest history.
        """
        scores: dict[str, list[float]] = {}
        for chunk in chunks:
            for group in group_meters(chunk, weather, window_months):
                known = self.find_events(group)
                if not known.meter.size:
                    continue
                response = measure_response(group.window.net_kw, sort_days(group.window.calendar), known)
                for mpan, area, score in zip(group.mpan_ids, group.gsp_group_ids, response.score.tolist(), strict=True):
                    scores.setdefault(self.name_group(mpan, area), []).append(score)
        return EventBook(self.times, self.portfolio_of, {name: learn_group(np.array(mine)) for name, mine in scores.items()})

    def _learnt(self, name: str) -> Answering:
        return self.groups.get(name) or learn_group(np.zeros(0))

    def _describe(self, name: str, response: KnownResponse, row: int, *, shown: bool) -> str:
        events, score = int(response.events[row]), float(response.score[row])
        if not shown:
            return (
                f"{events} listed events were read; {SHOWN_SHARE:.0%} less load in them would be {float(response.power[row]):.1f} of this "
                "meter's standard errors: it takes more events or a steadier load"
            )
        held = float(response.held_kw[row])
        change = f"{held:.2f} kW less" if held >= 0 else f"{-held:.2f} kW more"
        seen = f"{change} than on other days in {events} listed events, {score:.1f} standard errors"
        group = self._learnt(name)
        return seen if group.members < LEAST_MEMBERS else f"{seen}; {group.share:.0%} of {group.members} meters of {name} answered"


def build_event_book(events: Sequence[ListedEvent], portfolio_of: Mapping[str, str]) -> EventBook:
    """The book of a list of events.

    Args:
        events: as listed.
        portfolio_of: portfolio of each member by MPAN.
    """
    listed: dict[str, list[ListedEvent]] = {}
    for event in events:
        listed.setdefault(event.portfolio or event.gsp_group_id or EVERYONE, []).append(event)

    def moments(values: Iterable[datetime]) -> Moments:
        return np.array([np.datetime64(value.replace(tzinfo=None), "us") for value in values])

    times = {name: Times(moments(one.start for one in mine), moments(one.end for one in mine)) for name, mine in listed.items()}
    return EventBook(times, dict(portfolio_of))


def _lay_times(listed: Sequence[Times], moments: Moments, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First slot and slot after the last of every event that lies in the window, each once; an event takes every half-hour it touches."""
    if not listed or not moments.size:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    start, end = (np.concatenate([getattr(times, name) for times in listed]) for name in Times._fields)
    inside = (start >= moments[0]) & (end <= moments[-1])
    first = slots[np.searchsorted(moments, start[inside], side="right") - 1]
    last = slots[np.searchsorted(moments, end[inside], side="left") - 1]
    edges = np.unique(np.stack([first, last + 1], axis=1), axis=0)
    return edges[:, 0], edges[:, 1]


def _replace_findings(own: Findings, listed: tuple[KnownEvents, KnownResponse], probability: Floats, is_shown: Bools) -> Findings:
    """The findings with listed events in place of those that were sought, for the meters that they show."""
    known, response = listed
    found = list_known(known, response, np.where(is_shown, probability, np.nan))
    kept, added = own.events.take(~is_shown[own.events.meter]), found.take(is_shown[found.meter])
    meter, start = np.concatenate([kept.meter, added.meter]), np.concatenate([kept.start_slot, added.start_slot])
    order = np.lexsort((start, meter))
    events = Events(*(np.concatenate(pair) for pair in zip(kept, added, strict=True))).take(order)
    daily = own.daily.copy()
    daily[is_shown] = np.where(np.isnan(daily[is_shown]), np.nan, 0.0)
    day = np.minimum(added.start_slot // SLOTS_PER_DAY, daily.shape[1] - 1)
    np.add.at(daily, (added.meter, day), added.energy_kwh.astype(daily.dtype))
    size = np.where(is_shown, np.where(response.held_kw > 0, response.held_kw, np.nan), own.sizes.rated_import_kw)
    spread = np.where(is_shown, response.spread, own.sizes.spread)
    sizes = Sizes(size, own.sizes.rated_export_kw, spread, own.sizes.storage_kwh, own.sizes.peak_kwp, own.sizes.is_least)
    return Findings(own.features, daily, events, sizes)
