"""The nested columns of a meter profile: detections, changes, capabilities, availabilities and events."""

from datetime import date
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from fmar_spark import clock
from fmar_spark.domain.assets import ASSET_CLASSES, ASSET_FACTS, AssetClass, SizeName
from fmar_spark.domain.words import PRESENT_FROM, SEASONS, Direction
from fmar_spark.engine.arrow_columns import Values, build_structs, group_by_meter, list_rows, to_dates
from fmar_spark.kernels.changes import KINDS, Changes, History
from fmar_spark.kernels.examination import Examination, SizeEstimate, find_meterings
from fmar_spark.kernels.parameters import Capability, count_weeks, derive_availability, derive_capability
from fmar_spark.kernels.sharing import share_load
from fmar_spark.kernels.window import Bools, Events, Floats, Ints, MeterWindow
from fmar_spark.profiling.verdicts import Scorer, TierRules, name_tiers
from fmar_spark.units import SLOT_MINUTES

APPEARED, REMOVED = KINDS.index("appeared"), KINDS.index("removed")
DIRECTIONS: Final = ((Direction.IMPORT, True), (Direction.EXPORT, False))
FULL_EVIDENCE_EVENTS: Final = 10.0
"""Episodes from which their number no longer lowers the confidence in a size."""
UNKNOWN_SPREAD: Final = 0.5
"""Relative error of a size whose detector states none."""
_CAPABILITY_FIGURES: Final = (
    "rated_kw_p10",
    "rated_kw_p50",
    "rated_kw_p90",
    "rated_kw_max",
    "duration_minutes_min",
    "duration_minutes_p10",
    "duration_minutes_p50",
    "duration_minutes_p90",
    "duration_minutes_max",
    "ramp_kw_per_min_lower_bound",
    "energy_kwh_day",
)


class Scored(NamedTuple):
    """A batch after the classifier: what the nested columns are made from."""

    window: MeterWindow
    examination: Examination
    probability: Floats
    """Of having been there at some time, shape (meters, classes); NaN unless characterised."""
    present_probability: Floats
    """Of being there on the last day; NaN unless characterised."""
    reported: Bools
    """Classes that get events and parameters, shape (meters, classes)."""
    histories: dict[AssetClass, History]
    last_slot: Ints
    """Last slot read, shape (meters,)."""
    slot_starts: np.ndarray[tuple[int], np.dtype[np.datetime64]]
    """UTC start of each local slot of the window, NaT where the clock skipped it."""


class Measured(NamedTuple):
    """What the episodes of one class say of it, on the days on which it is there."""

    events: Events
    """Of the reported meters, on days on which the asset is there."""
    figures: Capability
    rated_kw: Floats
    """Size by direction, shape (meters, 2): the detector's estimate, else the high end of the episodes' peaks."""


def read_slot_starts(first_utc_date: date, days: int, time_zone: str) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """UTC start of each local slot, shape (days * 48,), ``datetime64[us]``."""
    index = clock.local_slot_index(first_utc_date, days, time_zone, first_utc_date).reshape(-1)
    starts = np.datetime64(first_utc_date, "us") + index.astype(np.int64) * np.timedelta64(SLOT_MINUTES, "m")
    return np.where(index == clock.NO_SLOT, np.datetime64("NaT"), starts)


def keep_present(history: History, is_present: Bools) -> History:
    """The history without the last removal of the meters whose asset is there after all.

    The mark of such a meter fell silent, but the classifier holds that to be an absence: the days from then on count as well.

    Args:
        history: of one class.
        is_present: meters whose asset is taken to be there on the last day, shape (meters,).
    """
    changes = history.changes
    undone = changes.is_last & (changes.kind == REMOVED) & is_present[changes.meter]
    present = history.present.copy()
    for meter, day in zip(changes.meter[undone].tolist(), changes.day[undone].tolist(), strict=True):
        present[meter, day:] = True
    return history._replace(changes=changes.take(~undone), present=present)


def measure_assets(scored: Scored) -> dict[AssetClass, Measured]:
    """Episodes, figures and sizes of every class; energies of classes that draw at once add up to no more than the load."""
    kept = [_keep_events(scored, position) for position in range(len(ASSET_CLASSES))]
    draws = [position for position, asset in enumerate(ASSET_CLASSES) if not ASSET_FACTS[asset].holds_back]
    shared = dict(zip(draws, share_load([kept[position] for position in draws], scored.examination.load_kw), strict=True))
    measured = {}
    for position, asset in enumerate(ASSET_CLASSES):
        events = shared.get(position, kept[position])
        figures = derive_capability(
            events,
            _site_power(scored, asset),
            scored.window.interval_minutes,
            scored.histories[asset].present,
            holds_back=ASSET_FACTS[asset].holds_back,
        )
        sizes = scored.examination.findings[asset].sizes
        estimate = np.stack([sizes.rated_import_kw, sizes.rated_export_kw], axis=1)
        measured[asset] = Measured(events, figures, np.where(np.isnan(estimate), figures.rated_kw_p90, estimate))
    return measured


def change_dates(scored: Scored) -> dict[str, Values]:
    """Appearance and removal dates with their intervals, each flattened meter by meter over the classes.

    An asset that was there from the first day has no appearance, even if it went and came again; one that came again, no removal.
    """
    shape = scored.probability.shape
    start = scored.window.calendar.start_date
    columns: dict[str, Values] = {}
    for name, kind in (("appeared", APPEARED), ("removed", REMOVED)):
        days = np.full((3, *shape), np.nan)
        for position, asset in enumerate(ASSET_CLASSES):
            changes = scored.histories[asset].changes
            is_end = changes.is_first if kind == APPEARED else changes.is_last
            rows = np.flatnonzero(is_end & (changes.kind == kind))
            for target, source in zip(days, (changes.day, changes.p10_day, changes.p90_day), strict=True):
                target[changes.meter[rows], position] = source[rows]
        wanted = scored.reported & (np.ones(shape, bool) if kind == APPEARED else scored.present_probability < PRESENT_FROM)
        for suffix, target in zip(("", "_p10", "_p90"), days, strict=True):
            columns[f"{name}{suffix}_date"] = to_dates(target, start, wanted & ~np.isnan(target)).reshape(-1)
    return columns


def build_changes(scored: Scored, measured: dict[AssetClass, Measured], kind: pa.ListType) -> pa.ListArray:
    """Dated changes of the reported classes, one list a meter."""
    parts = []
    start = scored.window.calendar.start_date
    for position, asset in enumerate(ASSET_CLASSES):
        changes = scored.histories[asset].changes
        wanted = scored.reported[changes.meter, position]
        parts.append((position, type(changes)(*(field[wanted] for field in changes))))
    meter = np.concatenate([changes.meter for _, changes in parts])
    order = np.lexsort((np.concatenate([changes.day for _, changes in parts]), meter))
    sizes = [scale_to_kw(changes, measured[ASSET_CLASSES[position]].rated_kw) for position, changes in parts]
    everywhere = np.ones(len(meter), dtype=bool)
    columns: dict[str, Values] = {
        "asset_class": np.concatenate([[ASSET_CLASSES[p].value] * len(c.meter) for p, c in parts]).astype(object)[order],
        "changed_date": to_dates(np.concatenate([c.day for _, c in parts])[order], start, everywhere),
        "kind": np.array(KINDS, dtype=object)[np.concatenate([c.kind for _, c in parts])[order]],
        "changed_p10_date": to_dates(np.concatenate([c.p10_day for _, c in parts])[order], start, everywhere),
        "changed_p90_date": to_dates(np.concatenate([c.p90_day for _, c in parts])[order], start, everywhere),
        "kw_before": np.concatenate([before for before, _ in sizes])[order],
        "kw_after": np.concatenate([after for _, after in sizes])[order],
    }
    return group_by_meter(build_structs(columns, kind.value_type), meter[order], scored.probability.shape[0], kind)


def build_events(scored: Scored, measured: dict[AssetClass, Measured], kind: pa.ListType) -> pa.ListArray:
    """Episodes of the reported classes on days on which the asset is there, one list a meter."""
    parts = [measured[asset].events for asset in ASSET_CLASSES]
    meter = np.concatenate([events.meter for events in parts])
    order = np.lexsort((np.concatenate([events.start_slot for events in parts]), meter))
    joined = Events(*(np.concatenate(fields)[order] for fields in zip(*parts, strict=True)))
    half_hour = np.timedelta64(SLOT_MINUTES, "m")
    last = np.maximum(joined.end_slot - 1, joined.start_slot)
    ended = scored.slot_starts[last] + half_hour
    ended[joined.end_slot > scored.last_slot[joined.meter]] = np.datetime64("NaT")
    names = np.repeat([asset.value for asset in ASSET_CLASSES], [len(events.meter) for events in parts]).astype(object)
    columns: dict[str, Values] = {
        "asset_class": names[order],
        "started_at": scored.slot_starts[joined.start_slot],
        "ended_at": ended,
        "energy_kwh": joined.energy_kwh,
        "peak_kw": joined.peak_kw,
        "is_import": joined.is_import,
        "probability": joined.probability,
    }
    return group_by_meter(build_structs(columns, kind.value_type), joined.meter, scored.probability.shape[0], kind)


def build_capabilities(
    scored: Scored, measured: dict[AssetClass, Measured], scorer: Scorer, rules: TierRules, kind: pa.ListType
) -> pa.ListArray:
    """Sizes and figures of each reported class and direction, one list a meter."""
    parts: list[dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]] = []
    for position, asset in enumerate(ASSET_CLASSES):
        _, figures, rated_kw = measured[asset]
        for place, (direction, is_import) in enumerate(DIRECTIONS):
            part = _size_columns(scored, scorer, position, is_import)
            part |= {name: getattr(figures, name)[:, place] for name in _CAPABILITY_FIGURES}
            part["events_seen"] = figures.events_seen[:, place]
            part["rated_kw"] = rated_kw[:, place]
            part["confidence"] = weigh_size(scored.present_probability[:, position], part["events_seen"], part.pop("spread"))
            wanted = scored.reported[:, position] & ((figures.events_seen[:, place] > 0) | ~np.isnan(part.pop("estimate")))
            part["asset_class"] = np.full(len(wanted), asset.value, dtype=object)
            part["direction"] = np.full(len(wanted), direction.value, dtype=object)
            parts.append({**{name: values[wanted] for name, values in part.items()}, "meter": np.flatnonzero(wanted)})
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(joined["meter"], kind="stable")
    columns: dict[str, Values] = {name: values[order] for name, values in joined.items()}
    columns["tier"] = name_tiers(joined["confidence"][order], rules)
    return group_by_meter(build_structs(columns, kind.value_type), joined["meter"][order], scored.probability.shape[0], kind)


def build_availabilities(scored: Scored, measured: dict[AssetClass, Measured], kind: pa.ListType) -> pa.ListArray:
    """7 x 48 matrices of each reported class, direction and season with readings, one list a meter."""
    meters = scored.probability.shape[0]
    cells: list[tuple[np.ndarray[tuple[int, ...], np.dtype[np.generic]], ...]] = []
    for position, asset in enumerate(ASSET_CLASSES):
        rows = np.flatnonzero(scored.reported[:, position])
        events = measured[asset].events
        if rows.size == 0 or events.meter.size == 0:
            continue
        place = np.full(meters, -1, dtype=np.int64)
        place[rows] = np.arange(rows.size)
        mine = events._replace(meter=place[events.meter])
        present = scored.histories[asset].present[rows]
        weeks = count_weeks(_site_power(scored, asset)[rows], scored.window.calendar, present)
        for direction, is_import in DIRECTIONS:
            has_events = np.zeros(rows.size, dtype=bool)
            has_events[mine.meter[mine.is_import == is_import]] = True
            if not has_events.any():
                continue
            found = derive_availability(mine, weeks, scored.window.calendar, present, is_import=is_import)
            for code, season in enumerate(SEASONS):
                seen = weeks[:, code].max(axis=2)
                chosen = np.flatnonzero(has_events & (seen.max(axis=1) > 0))
                labels = np.tile(np.array([asset.value, direction.value, season.value], dtype=object), (chosen.size, 1))
                flat = (chosen.size, clock.DAYS_PER_WEEK * clock.SLOTS_PER_DAY)
                matrices = (found.probability[chosen, code].reshape(flat), found.kw_p50[chosen, code].reshape(flat))
                cells.append((rows[chosen], labels, seen[chosen], *matrices))
    if not cells:
        return pa.array([[] for _ in range(meters)], type=kind)
    meter, labels, seen, probability, kw_p50 = (np.concatenate(parts) for parts in zip(*cells, strict=True))
    order = np.argsort(meter, kind="stable")
    fields = {kind.value_type.field(place).name: kind.value_type.field(place).type for place in range(kind.value_type.num_fields)}
    columns: dict[str, Values] = {
        "asset_class": labels[order, 0],
        "direction": labels[order, 1],
        "season": labels[order, 2],
        "weeks_observed": list_rows(seen[order].astype(np.int32), fields["weeks_observed"]),
        "probability": list_rows(probability[order].astype(np.float32), fields["probability"]),
        "kw_p50": list_rows(kw_p50[order].astype(np.float32), fields["kw_p50"]),
    }
    return group_by_meter(build_structs(columns, kind.value_type), meter[order], meters, kind)


def find_affirmed(scored: Scored, position: int) -> Bools:
    """Meters whose answer says that the class is there, or was until the day of its removal, shape (meters,).

    One that was there at some time by a hair more than even odds, and without a removal is there by a hair less, is denied.
    """
    changes = scored.histories[ASSET_CLASSES[position]].changes
    affirmed: Bools = scored.present_probability[:, position] >= PRESENT_FROM
    removed = changes.meter[changes.is_last & (changes.kind == REMOVED)]
    affirmed[removed] |= scored.reported[removed, position]
    return affirmed


def find_in_stay(scored: Scored, position: int) -> Bools:
    """Episodes of a class that begin while it is there, shape (episodes,)."""
    asset = ASSET_CLASSES[position]
    events, present = scored.examination.findings[asset].events, scored.histories[asset].present
    in_stay: Bools = present[events.meter, np.minimum(events.start_slot // clock.SLOTS_PER_DAY, present.shape[1] - 1)]
    return in_stay


def _keep_events(scored: Scored, position: int) -> Events:
    asset = ASSET_CLASSES[position]
    events = scored.examination.findings[asset].events
    wanted = scored.reported[events.meter, position] & find_in_stay(scored, position)
    wanted &= ~np.isnat(scored.slot_starts[events.start_slot])
    return Events(*(field[wanted] for field in events))


def _site_power(scored: Scored, asset: AssetClass) -> Floats:
    return scored.examination.load_kw if ASSET_FACTS[asset].is_part_of_load else scored.examination.net_kw


def _size_columns(scored: Scored, scorer: Scorer, position: int, is_import: bool) -> dict[str, Floats]:
    asset = ASSET_CLASSES[position]
    sizes = scored.examination.findings[asset].sizes
    metering = find_meterings(scored.examination.features)
    rated = SizeName.RATED_IMPORT_KW if is_import else SizeName.RATED_EXPORT_KW
    columns: dict[str, Floats] = {"estimate": getattr(sizes, rated), "spread": sizes.spread}
    for name in (rated, SizeName.STORAGE_KWH, SizeName.PEAK_KWP):
        size = getattr(sizes, name)
        columns[name.column] = size
        lower, upper = scorer.bound_size(asset, name, SizeEstimate(size, sizes.spread, metering))
        columns |= {f"{name.column}_lower": lower, f"{name.column}_upper": upper}
    return columns


def weigh_size(present_probability: Floats, events_seen: Floats, spread: Floats) -> Floats:
    """Confidence in a size: that the asset is there, less what few episodes and a wide estimate take from it.

    Never above the probability that the asset is there, so that a size is in no higher tier than the asset itself.
    """
    evidence = np.minimum(1.0, events_seen / FULL_EVIDENCE_EVENTS)
    return np.asarray(present_probability * evidence * np.exp(-np.nan_to_num(spread, nan=UNKNOWN_SPREAD)))


def scale_to_kw(changes: Changes, rated_kw: Floats) -> tuple[Floats, Floats]:
    """Sizes before and after each change, kW, 0 while off: the size now, scaled by the level of a state over that of the last one on.

    Args:
        changes: ordered by meter then day.
        rated_kw: of every meter by direction, shape (meters, 2); the first that is known counts.
    """
    before, after = changes.level_before, changes.level_after
    size_kw = np.where(np.isnan(rated_kw[:, 0]), rated_kw[:, 1], rated_kw[:, 0])
    last_on = np.full(len(size_kw), np.nan)
    last_on[changes.meter[changes.is_last]] = np.where(after > 0, after, before)[changes.is_last]
    scale = (size_kw / last_on)[changes.meter]
    return np.where(before == 0, 0.0, before * scale), np.where(after == 0, 0.0, after * scale)
