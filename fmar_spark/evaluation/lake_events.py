"""Episodes of the lake against those of the truth, a few hundred meters at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fmar_spark import clock
from fmar_spark.domain.assets import ASSET_CLASSES, AssetClass
from fmar_spark.domain.words import PRESENT_FROM
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.evaluation.known_meters import read_truth
from fmar_spark.evaluation.submetered import TrueRuns
from fmar_spark.kernels.window import Bools, Ints
from fmar_spark.learning.answers import Scored
from fmar_spark.learning.event_scores import Episodes, HalfHours, count_half_hours, join_episodes, take_episodes
from fmar_spark.report.frame import EPOCH
from fmar_spark.report.histories import read_histories
from fmar_spark.units import SLOT_MINUTES

METERS_AT_ONCE: Final = 200
MICROSECONDS_A_SLOT: Final = SLOT_MINUTES * 60_000_000
OPEN_END: Final = 10**9
"""Slot of the end of an episode that still goes on."""


class ClassCounts(NamedTuple):
    """Half-hours of the meters of one kind that have one class and whose truth has its operation."""

    counts: HalfHours
    was_found: Bools
    """Reported to have had it, shape (meters,)."""
    place: Ints
    """Of the labelled meter."""


class _Truths(NamedTuple):
    """Episodes by class, ordered by meter, and the known half-hours of sub-metered meters."""

    episodes: dict[AssetClass, Episodes]
    """``meter`` is the place of the labelled meter."""
    known: dict[tuple[int, AssetClass], Ints]
    simulated: Bools
    """Meters whose truth is known in every half-hour, shape (meters,)."""


def count_events(
    lake: LakeRows, scored: Scored, folders: dict[str, Path], runs: Sequence[TrueRuns]
) -> Iterator[tuple[AssetClass, ClassCounts]]:
    """Counts by class of the labelled meters; classes without any true episode are left out.

    Args:
        lake: with the labelled meters in the table ``labelled``.
        scored: their labels and answers.
        folders: truth folder of a simulated meter's fleet, by MPAN.
        runs: truth of sub-metered meters.
    """
    truths = _gather(scored, folders, runs)
    found = _read_found(lake)
    for position, asset in enumerate(ASSET_CLASSES):
        is_known = np.array([(place, asset) in truths.known for place in range(len(scored.labels.mpan_id))], dtype=np.bool_)
        is_there = (scored.truth.ever[:, position] == 1) | (is_known & np.isnan(scored.truth.ever[:, position]))
        answered = ~np.isnan(scored.answers.probability[:, position])
        places = np.flatnonzero(is_there & answered & (is_known | truths.simulated))
        if not places.size:
            continue
        parts = [
            _count_some(lake, scored, asset, places[first : first + METERS_AT_ONCE], (truths, found))
            for first in range(0, places.size, METERS_AT_ONCE)
        ]
        counts = HalfHours(*(np.concatenate(fields) for fields in zip(*(counts for counts, _ in parts), strict=True)))
        scored_slots = np.concatenate([was_scored for _, was_scored in parts])
        was_found = np.nan_to_num(scored.answers.probability[places, position]) >= PRESENT_FROM
        kept = HalfHours(*(field[scored_slots] for field in counts))
        yield asset, ClassCounts(kept, was_found[scored_slots], places[scored_slots])


def _count_some(
    lake: LakeRows, scored: Scored, asset: AssetClass, places: Ints, events: tuple[_Truths, dict[AssetClass, Episodes]]
) -> tuple[HalfHours, Bools]:
    """Counts of a few meters, and which of them have any scored_slots half-hour."""
    truths, found = events
    scored_slots, first_slot = _find_scored_slots(lake, scored, asset, places, truths)
    reported = _take(found[asset], places)
    reported = reported._replace(end_slot=np.where(reported.end_slot == OPEN_END, first_slot + scored_slots.shape[1], reported.end_slot))
    counts = count_half_hours(_take(truths.episodes[asset], places), reported, scored_slots, first_slot)
    return counts, np.asarray(scored_slots.any(axis=1), dtype=np.bool_)


def _find_scored_slots(lake: LakeRows, scored: Scored, asset: AssetClass, places: Ints, truths: _Truths) -> tuple[Bools, int]:
    """Half-hours that were read inside the window that was looked at and whose truth is known, (meters, slots), and the first slot."""
    rows = lake.rows(
        "SELECT mpan_id, time_zone, latitude, longitude, weather_area FROM silver.meter_points WHERE mpan_id IN $wanted",
        wanted=[scored.labels.mpan_id[place] for place in places],
    )
    place_of = {scored.labels.mpan_id[place]: row for row, place in enumerate(places)}
    read: dict[int, tuple[int, Bools]] = {}
    for history in read_histories(lake, rows):
        first = (history.first_date - EPOCH).days * clock.SLOTS_PER_DAY
        read[place_of[history.meter["mpan_id"]]] = (first, ~np.isnan(history.net_kwh))
    first_slot = min((first for first, _ in read.values()), default=0)
    last_slot = max((first + len(known) for first, known in read.values()), default=0)
    scored_slots = np.zeros((len(places), last_slot - first_slot), dtype=np.bool_)
    for row, (first, known) in read.items():
        scored_slots[row, first - first_slot : first - first_slot + len(known)] = known
        begin, end = scored.facts.first_day[places[row]], scored.facts.last_day[places[row]]
        scored_slots[row] &= _lies_between(begin, end, first_slot, scored_slots.shape[1])
        known_slot = truths.known.get((int(places[row]), asset))
        if known_slot is not None:
            inside = known_slot[(known_slot >= first_slot) & (known_slot < last_slot)] - first_slot
            mask = np.zeros(scored_slots.shape[1], dtype=np.bool_)
            mask[inside] = True
            scored_slots[row] &= mask
    return scored_slots, first_slot


def _lies_between(first_day: float, last_day: float, first_slot: int, slots: int) -> Bools:
    slot = first_slot + np.arange(slots)
    if np.isnan(first_day) or np.isnan(last_day):
        return np.ones(slots, dtype=np.bool_)
    return (slot >= first_day * clock.SLOTS_PER_DAY) & (slot < (last_day + 1) * clock.SLOTS_PER_DAY)


def _gather(scored: Scored, folders: dict[str, Path], runs: Sequence[TrueRuns]) -> _Truths:
    place_of = {mpan: place for place, mpan in enumerate(scored.labels.mpan_id)}
    parts: dict[AssetClass, list[Episodes]] = {asset: [] for asset in ASSET_CLASSES}
    for folder in sorted(set(folders.values())):
        events = read_truth(folder, "events")
        for asset, episodes in _split_classes(events, {mpan: place_of[mpan] for mpan in folders if folders[mpan] == folder}).items():
            parts[asset].append(episodes)
    known = {}
    for one in runs:
        place = place_of.get(one.mpan_id)
        if place is not None:
            parts[one.asset].append(one.episodes._replace(meter=np.full(len(one.episodes.meter), place)))
            known[(place, one.asset)] = one.known_slot
    return _Truths(
        episodes={asset: join_episodes(mine) for asset, mine in parts.items()},
        known=known,
        simulated=np.array([mpan in folders for mpan in scored.labels.mpan_id], dtype=np.bool_),
    )


def _read_found(lake: LakeRows) -> dict[AssetClass, Episodes]:
    """The lake's own episodes of the labelled meters."""
    events = lake.read("SELECT e.* FROM silver.asset_events e JOIN labelled USING (mpan_id)")
    places = {row["mpan_id"]: row["place"] for row in lake.rows("SELECT mpan_id, place FROM labelled")}
    return _split_classes(events, places)


def _split_classes(events: pa.Table, place_of: dict[str, int]) -> dict[AssetClass, Episodes]:
    """Episodes by class, of the meters that have a place."""
    names = pa.array(list(place_of), pa.string())
    place = pc.index_in(events["mpan_id"], value_set=names)
    wanted = pc.is_valid(place)
    kept = events.filter(wanted)
    row = np.array(list(place_of.values()), dtype=np.int64)[place.filter(wanted).to_numpy().astype(np.int64)]
    start = _to_slots(kept["started_at"])
    end = np.where(np.asarray(pc.is_null(kept["ended_at"])), OPEN_END, _to_slots(kept["ended_at"]))
    energy = kept["energy_kwh"].to_numpy(zero_copy_only=False).astype(np.float64)
    is_import = np.asarray(pc.fill_null(kept["is_import"], True), dtype=np.bool_)
    names_of_rows = np.array(kept["asset_class"].to_pylist(), dtype=object)
    found = {}
    for asset in ASSET_CLASSES:
        mine = names_of_rows == asset.value
        found[asset] = Episodes(row[mine], start[mine], end[mine], energy[mine], is_import[mine])
    return found


def _to_slots(times: Any) -> Ints:
    """Half-hours since 1970; of no time, 0."""
    microseconds = pc.fill_null(times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()), 0)
    return np.asarray(microseconds.to_numpy(zero_copy_only=False) // MICROSECONDS_A_SLOT, dtype=np.int64)


def _take(episodes: Episodes, places: Ints) -> Episodes:
    """Episodes of some meters, numbered in the order of ``places``."""
    number = np.full(int(max(places.max(), episodes.meter.max(initial=0))) + 1, -1, dtype=np.int64)
    number[places] = np.arange(len(places))
    row = number[episodes.meter]
    kept: Bools = row >= 0
    return take_episodes(episodes, kept)._replace(meter=row[kept])
