"""Checks dispatch events of whole meters against their readings: rows of ``gold.delivery_checks``."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fmar_spark import clock
from fmar_spark.contracts.deliveries import DELIVERY_CHECKS
from fmar_spark.domain.deliveries import ESTIMATED, OPTED_OUT
from fmar_spark.engine.arrow_columns import Values, build_column, day_arrays, list_rows, number_keys
from fmar_spark.engine.arrow_schema import arrow_schema
from fmar_spark.kernels.delivery.dispatches import Dispatches
from fmar_spark.kernels.delivery.signals import measure_enrolment
from fmar_spark.kernels.delivery.verification import CheckedEvents, MeterDays, VerificationRules, check_dispatches
from fmar_spark.kernels.window import Bools, Floats, Ints, MeterWindow
from fmar_spark.profiling.delivery_verdicts import EventFacts, conclude_events
from fmar_spark.profiling.windows import MeterGroup, WeatherBook, group_meters
from fmar_spark.units import kwh_from_kw

WHOLE_HISTORY_MONTHS: Final = 1200
MICROSECONDS_A_SLOT: Final = 1_800_000_000
SLOTS_A_DAY: Final = clock.SLOTS_PER_DAY
NO_VALUE: Final = -1
DECIMALS: Final = {"_kwh": 3, "_z": 1}
"""Of columns by how they end."""
PROBABILITY_DECIMALS: Final = 6
SAME: Final = ("event_id", "amsid", "fsp_id", "market", "product", "start_at", "end_at", "dispatch_direction", "event_date")
"""Columns that a check takes over from its event."""


class _Slots(NamedTuple):
    """When the events of a group are, in slots of its window and of UTC."""

    start: Ints
    end: Ints
    notice: Ints
    utc_start: Ints
    """UTC half-hours since 1970."""
    half_hours: Ints
    is_partial: Bools


@dataclass(frozen=True)
class VerificationPass:
    """Turns the rows of whole meters, with all their events, into checks of the events that are wanted."""

    weather: WeatherBook
    rules: VerificationRules
    assumed_notice_minutes: int
    run_id: str
    as_of_date: date
    checked_at: datetime

    def __call__(self, chunk: pa.Table) -> Iterator[pa.RecordBatch]:
        """Record batches of checks for each group of meters that share a calendar.

        Args:
            chunk: rows as ``group_meters`` takes them, energies marked where they must not be looked at; a row with an
                ``event`` carries no reading.
        """
        events = pa.Table.from_struct_array(chunk["event"].combine_chunks().drop_null())
        events = events.append_column("mpan_id", chunk["mpan_id"].filter(pc.is_valid(chunk["event"])))
        kwh = day_arrays(chunk["kwh"], SLOTS_A_DAY)
        marks = _list_marks(chunk, kwh)
        readable = np.where(kwh < 0, np.float32(np.nan), kwh)
        readings = chunk.set_column(chunk.schema.get_field_index("kwh"), "kwh", list_rows(readable, pa.list_(pa.float32())))
        for group in group_meters(readings, self.weather, WHOLE_HISTORY_MONTHS):
            row = pc.index_in(events["mpan_id"], pa.array(group.mpan_ids)).fill_null(NO_VALUE).to_numpy().astype(np.int64)
            own = events.filter(pa.array(row != NO_VALUE))
            yield self._check_group(group, own, row[row != NO_VALUE], marks)

    def _check_group(self, group: MeterGroup, events: pa.Table, meter: Ints, marks: "_Marks") -> pa.RecordBatch:
        """The wanted events of a group, checked among all that are near."""
        slots = self._place_events(group, events)
        known = Dispatches(
            meter=meter,
            asset=_number_assets(events),
            start_slot=slots.start,
            end_slot=slots.end,
            notice_slot=slots.notice,
            is_down=np.asarray(pc.equal(events["dispatch_direction"], "down")),
            declared_kwh=_read_floats(events, "declared_kwh"),
        )
        overlaps = _find_overlaps(known, events)
        near = np.flatnonzero(np.asarray(events["is_near"]))
        checked = known.take(near)
        window = group.window
        meter_days = MeterDays(_net_kwh(window), window.temp_c, window.area, window.calendar)
        found = check_dispatches(meter_days, _hide_overlaps(checked, overlaps[near]), known, self.rules)
        facts = EventFacts(
            declared_slots=_read_floats(events, "declared_slots")[near],
            requested_kw=_read_floats(events, "requested_kw")[near],
            is_above_metered=np.asarray(events["is_above_metered"])[near],
            right=np.asarray(events["right"].to_pylist(), dtype=object)[near],
            half_hours=slots.half_hours[near],
            is_partial=slots.is_partial[near],
            is_hourly=_is_within_hour(window, checked),
            is_clock_change=(slots.end - slots.start != slots.half_hours)[near],
            is_overlapping=overlaps[near],
            estimated=marks.count_of(events, slots, near, ESTIMATED),
            opted_out=marks.count_of(events, slots, near, OPTED_OUT),
            limit_kw=_read_floats(events, "limit_kw")[near],
            range_kwh=_find_range(meter_days.net_kwh)[checked.meter],
        )
        wanted = np.flatnonzero(np.asarray(events["is_wanted"])[near])
        step = measure_enrolment(meter_days.net_kwh - found.predicted_kwh, found.is_dispatched, checked, known)
        rows = self._build_rows(events.take(pa.array(near)), checked, (found, step), facts)
        return rows.take(pa.array(wanted))

    def _place_events(self, group: MeterGroup, events: pa.Table) -> _Slots:
        """Where the events lie on the group's local clock."""
        day_before = clock.add_days(group.first_utc_date, -1)
        days = group.window.import_kw.shape[1] + 2
        local = clock.local_slot_of_utc(day_before, days, group.time_zone) - SLOTS_A_DAY
        origin = np.datetime64(day_before, "us").astype(np.int64) // MICROSECONDS_A_SLOT
        start_us, end_us, notice_us = (_read_moments(events, name) for name in ("start_at", "end_at", "notice_at"))
        assumed = start_us - self.assumed_notice_minutes * 60_000_000
        noticed = np.where(notice_us == np.iinfo(np.int64).min, assumed, np.minimum(notice_us, start_us))
        first, last, notice = start_us // MICROSECONDS_A_SLOT, (end_us - 1) // MICROSECONDS_A_SLOT, noticed // MICROSECONDS_A_SLOT

        def place(utc_slot: Ints) -> Ints:
            found: Ints = local[np.clip(utc_slot - origin, 0, len(local) - 1)]
            return np.maximum(found, 0)

        start = place(first)
        end = np.maximum(place(last), start) + 1
        is_partial = (start_us % MICROSECONDS_A_SLOT != 0) | (end_us % MICROSECONDS_A_SLOT != 0)
        return _Slots(start, end, np.minimum(place(notice), start), first, last - first + 1, is_partial)

    def _build_rows(
        self, events: pa.Table, checked: Dispatches, measured: tuple[CheckedEvents, Floats], facts: EventFacts
    ) -> pa.RecordBatch:
        """The rows of the events."""
        found, step = measured
        concluded = conclude_events(checked, found, facts)
        notices = [
            sorted({*given, *said, *noticed})
            for given, said, noticed in zip(
                events["notices"].to_pylist(), events["volume_notices"].to_pylist(), concluded.notices, strict=True
            )
        ]
        checks, baselines = found.checks, found.baselines
        columns: dict[str, Values] = {
            **{name: events[name].combine_chunks() for name in (*SAME, "mpan_id")},
            "half_hours": facts.half_hours.astype(np.int32),
            "declared_kwh": checked.declared_kwh,
            "declared_others_kwh": checks.others_kwh,
            "baseline_kwh": baselines.expected_kwh,
            "net_kwh": baselines.actual_kwh,
            "observed_kwh": checks.observed_kwh,
            "observed_lower_kwh": checks.lower80_kwh,
            "observed_upper_kwh": checks.upper80_kwh,
            "p_value": np.where(concluded.is_assessable, checks.p_value, np.nan),
            "spread_kwh": checks.spread_kwh,
            "meter_p_value": np.where(concluded.is_assessable, checks.meter_p_value, np.nan),
            "is_assessable": concluded.is_assessable,
            "is_shared": checks.is_shared,
            "raised_before_z": found.signals.raised_before_z,
            "rinse_z": found.signals.rinse_z,
            "rebound_z": found.signals.rebound_z,
            "enrolment_step_z": step,
            "verdict": concluded.verdict,
            "rule": concluded.rule,
            "reason": concluded.reason,
            "notices": notices,
            "checked_at": pa.repeat(pa.scalar(self.checked_at), len(notices)),
            "run_id": pa.repeat(self.run_id, len(notices)),
            "as_of_date": pa.repeat(pa.scalar(self.as_of_date), len(notices)),
        }
        schema = arrow_schema(DELIVERY_CHECKS)
        rows = pa.RecordBatch.from_arrays([build_column(columns[field.name], field.type) for field in schema], schema=schema)
        return _round(rows)


def _round(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows rounded: what lies below hangs on which meters are checked together."""
    columns = [
        pc.round(column, next((decimals for ending, decimals in DECIMALS.items() if field.name.endswith(ending)), PROBABILITY_DECIMALS))
        if pa.types.is_floating(field.type)
        else column
        for field, column in zip(rows.schema, rows.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


class _Marks(NamedTuple):
    """Half-hours whose energies must not be looked at: parallel arrays, sorted by key."""

    mpan_ids: list[str]
    key: Ints
    """Place of the meter, and the UTC half-hour since 1970."""
    mark: Floats

    def count_of(self, events: pa.Table, slots: _Slots, rows: Ints, mark: float) -> Ints:
        """How many half-hours of each of the events bear the mark, shape (rows,)."""
        counted = np.zeros(len(rows), dtype=np.int64)
        keys = self.key[self.mark == mark]
        if not len(keys) or not len(rows):
            return counted
        meter = pc.index_in(events["mpan_id"], pa.array(self.mpan_ids)).to_numpy().astype(np.int64)[rows]
        first = _key(meter, slots.utc_start[rows])
        return np.searchsorted(keys, first + slots.half_hours[rows], "left") - np.searchsorted(keys, first, "left")


def _key(meter: Ints, utc_slot: Ints) -> Ints:
    return meter * np.int64(2**32) + utc_slot


def _list_marks(chunk: pa.Table, kwh: Floats) -> _Marks:
    """The marked half-hours of import and export, each once."""
    mpan_ids, meter = number_keys(chunk["mpan_id"])
    row, slot = np.nonzero(kwh < 0)
    day = chunk["utc_date"].combine_chunks().cast(pa.int32()).to_numpy(zero_copy_only=False).astype(np.int64)
    key, first = np.unique(_key(meter[row], day[row] * SLOTS_A_DAY + slot), return_index=True)
    return _Marks(mpan_ids, key, kwh[row, slot][first])


def _net_kwh(window: MeterWindow) -> Floats:
    """Import less export; unread where the import is, or the export on a day between the first and the last that it was read on."""
    is_read = np.isfinite(window.export_kw).max(axis=2)
    spans = np.logical_or.accumulate(is_read, axis=1) & np.logical_or.accumulate(is_read[:, ::-1], axis=1)[:, ::-1]
    is_unread = spans[:, :, None] & np.isnan(window.export_kw) & window.has_export[:, None, None]
    return kwh_from_kw(np.where(is_unread, np.float32(np.nan), window.net_kw))


def _find_range(net_kwh: Floats) -> Floats:
    """How far apart a meter's half-hours are at most, kWh, shape (meters,); NaN where it has none."""
    is_read = np.isfinite(net_kwh)
    high = np.where(is_read, net_kwh, -np.inf).max(axis=(1, 2))
    low = np.where(is_read, net_kwh, np.inf).min(axis=(1, 2))
    found: Floats = np.where(high >= low, np.maximum(high, 0.0) - np.minimum(low, 0.0), np.nan)
    return found


def _number_assets(events: pa.Table) -> Ints:
    """A number for each pair of asset and FSP at a meter."""
    if not events.num_rows:
        return np.zeros(0, dtype=np.int64)
    named = pc.binary_join_element_wise(events["mpan_id"], events["amsid"], events["fsp_id"], "\x1f")
    return number_keys(named if isinstance(named, pa.ChunkedArray) else pa.chunked_array([named]))[1]


def _find_overlaps(known: Dispatches, events: pa.Table) -> Bools:
    """Events of which an earlier one of the same asset covers a half-hour; of two that begin together the first by id stands."""
    overlaps = np.zeros(len(known.asset), dtype=np.bool_)
    if not len(overlaps):
        return overlaps
    ids: NDArray[np.str_] = np.asarray(events["event_id"].to_pylist())
    order = np.lexsort((ids, known.start_slot, known.asset))
    far = int(known.end_slot.max()) + 1
    reached = np.maximum.accumulate(known.end_slot[order] + known.asset[order] * far)
    begins = known.start_slot[order] + known.asset[order] * far
    overlaps[order[1:]] = (begins[1:] < reached[:-1]) & (known.asset[order][1:] == known.asset[order][:-1])
    return overlaps


def _hide_overlaps(checked: Dispatches, is_overlapping: Bools) -> Dispatches:
    """The events with what they declare counted once: an overlapping one declares nothing beside the earlier one."""
    return checked._replace(declared_kwh=np.where(is_overlapping, np.nan, checked.declared_kwh))


def _is_within_hour(window: MeterWindow, checked: Dispatches) -> Bools:
    """Events that begin or end within an hour on a meter that is read by the hour."""
    found: Bools = (window.interval_minutes[checked.meter] == 60) & ((checked.start_slot % 2 != 0) | (checked.end_slot % 2 != 0))
    return found


def _read_floats(events: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(events[name].cast(pa.float64()).fill_null(float("nan")), dtype=np.float64)


def _read_moments(events: pa.Table, name: str) -> Ints:
    """Microseconds since 1970; the least number where there is none."""
    column = events[name].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.asarray(column.fill_null(np.iinfo(np.int64).min), dtype=np.int64)
