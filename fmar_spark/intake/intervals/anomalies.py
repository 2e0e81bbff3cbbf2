"""Finds what a user's own intervals may mean other than what they say; it warns and never changes a value."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from fmar_spark.intake.intervals.series import Rows
from fmar_spark.intake.intervals.stretches import STEPS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DAY_SECONDS: Final = 86_400
WHOLE_NUMBER_SHARE: Final = 0.99
WATT_HOUR_MEDIAN: Final = 20.0
"""Whole numbers with a median from here on are more like Wh of a home than kWh of a building."""
REGISTER_RISING_SHARE: Final = 0.999
MIN_RUNS: Final = 4

ANOMALIES: Final = {
    "local_clock": "an hour is missing where the local clock goes forward, or comes twice where it goes back: these look like local times, "
    "UTC is wanted",
    "period_end": "the first stamp is one step after midnight and the last is midnight: these look like period ends, starts are wanted",
    "watt_hours": "all energies are whole and large: they look like Wh, kWh is wanted",
    "register": "the energies never fall: they look like register readings, the energy of each interval is wanted",
    "swapped_dates": "the days make fewer breaks with day and month swapped wherever the day is 12 or lower: the dates look swapped",
    "mixed_steps": "the step changes: each stretch is read with a step of its own",
    "all_zero": "every energy is zero",
}
"""Every anomaly by name, with the sentence that the user reads."""


def find_anomalies(rows: Rows, repeats: Rows, time_zones: tuple[str, ...]) -> dict[str, Bools]:
    """Which series show each anomaly, one entry a series.

    Args:
        rows: kept rows, sorted.
        repeats: rows that repeat a series and time with another value; they count for the clock's return.
        time_zones: IANA names, one a series.
    """
    return {
        "local_clock": _has_local_clock(rows, repeats, time_zones),
        "period_end": _has_period_end(rows),
        "watt_hours": _has_watt_hours(rows),
        "register": _has_register(rows),
        "swapped_dates": _has_swapped_dates(rows),
        "mixed_steps": _has_mixed_steps(rows),
        "all_zero": _sum(rows, np.nan_to_num(rows.kwh_import) != 0) + _sum(rows, rows.kwh_export > 0) == 0,
    }


def clock_changes(first: date, last: date, time_zone: str) -> list[tuple[int, int]]:
    """For every change of the zone's clock: the wall-clock second at which the skipped or repeated hour starts, and the shift.

    Wall-clock seconds are counted as if they were UTC; the shift is positive in spring (skipped) and negative in autumn.
    """
    zone = ZoneInfo(time_zone)
    found = []
    before = _offset_at(zone, first)
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number + 1)
        after = _offset_at(zone, day)
        if after != before:
            found.append(_locate_change(zone, day, before, after))
        before = after
    return found


def _offset_at(zone: ZoneInfo, day: date) -> int:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int((zone.utcoffset(at.astimezone(zone)) or timedelta()).total_seconds())


def _locate_change(zone: ZoneInfo, day: date, before: int, after: int) -> tuple[int, int]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for minutes in range(0, 24 * 60 + 30, 30):
        at = midnight - timedelta(minutes=minutes)
        if int((zone.utcoffset(at.astimezone(zone)) or timedelta()).total_seconds()) == before:
            change = int(at.timestamp()) + 1800
            return (change + min(before, after), after - before)
    return int(midnight.timestamp()), after - before


def _has_local_clock(rows: Rows, repeats: Rows, time_zones: tuple[str, ...]) -> Bools:
    count = len(rows.names)
    for_it, against = np.zeros(count), np.zeros(count)
    if len(rows.second) == 0:
        return for_it > 0
    first, last = (_day_of(int(value)) for value in (rows.second.min(), rows.second.max()))
    for time_zone in sorted(set(time_zones)):
        inside = np.asarray([zone == time_zone for zone in time_zones])
        for start, shift in clock_changes(first, last, time_zone):
            within = _count_within(rows, start, start + abs(shift))
            is_full_around = (_count_within(rows, start - 3600, start) > 0) & (
                _count_within(rows, start + abs(shift), start + abs(shift) + 3600) > 0
            )
            odd = within == 0 if shift > 0 else _count_within(repeats, start, start + abs(shift)) > 0
            for_it += inside & is_full_around & odd
            against += inside & is_full_around & ~odd
    return (for_it > 0) & (for_it >= against)


def _count_within(rows: Rows, start: int, end: int) -> Ints:
    return _sum(rows, (rows.second >= start) & (rows.second < end)).astype(np.int64)


def _has_period_end(rows: Rows) -> Bools:
    first, last = _ends(rows)
    is_late_start = rows.second[first] % DAY_SECONDS == rows.minutes[first] * 60
    return np.asarray(is_late_start & (rows.second[last] % DAY_SECONDS == 0) & (last - first >= 48))


def _has_watt_hours(rows: Rows) -> Bools:
    is_positive = rows.kwh_import > 0
    is_whole = is_positive & (rows.kwh_import == np.round(rows.kwh_import))
    positive = np.maximum(_sum(rows, is_positive), 1)
    is_large = _sum(rows, rows.kwh_import >= WATT_HOUR_MEDIAN) / positive
    return (_sum(rows, is_positive) >= 48) & (_sum(rows, is_whole) / positive >= WHOLE_NUMBER_SHARE) & (is_large >= 0.5)


def _has_register(rows: Rows) -> Bools:
    is_same = np.diff(rows.series) == 0
    change = np.diff(rows.kwh_import)
    owner = rows.series[1:]
    count = len(rows.names)
    steps = np.bincount(owner[is_same], minlength=count)
    risen = np.bincount(owner[is_same & (change >= 0)], minlength=count)
    moved = np.bincount(owner[is_same & (change > 0)], minlength=count)
    return np.asarray((steps >= 96) & (risen >= REGISTER_RISING_SHARE * steps) & (moved > 0.2 * steps))


def _has_swapped_dates(rows: Rows) -> Bools:
    count = len(rows.names)
    if len(rows.second) == 0:
        return np.zeros(count, dtype=bool)
    days = rows.second // DAY_SECONDS
    in_file_order = np.lexsort((rows.line, rows.file, rows.series))
    shown, owner = days[in_file_order], rows.series[in_file_order]
    is_new = np.ones(len(shown), dtype=bool)
    is_new[1:] = (np.diff(shown) != 0) | (np.diff(owner) != 0)
    shown, owner = shown[is_new], owner[is_new]
    swapped = swap_day_and_month(shown)
    by_coverage = (
        _count_breaks(np.lexsort((shown, owner)), shown, owner, count),
        _count_breaks(np.lexsort((swapped, owner)), swapped, owner, count),
    )
    by_order = _count_descents(shown, owner, count), _count_descents(swapped, owner, count)
    is_corrected = [(before >= MIN_RUNS) & (after < 0.4 * before) for before, after in (by_coverage, by_order)]
    agrees_with_order = (by_order[0] == 0) | (by_order[1] <= by_order[0])
    return np.asarray((is_corrected[0] & agrees_with_order) | (is_corrected[1] & (by_coverage[1] <= by_coverage[0])))


def swap_day_and_month(days: Ints) -> Ints:
    """Days since 1970 with day and month swapped wherever the day is 12 or lower."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    day = (dates - months).astype(np.int64) + 1
    month = months.astype(np.int64) % 12 + 1
    january = months.astype("datetime64[Y]").astype("datetime64[M]")
    turned = (january + (day - 1)).astype("datetime64[D]").astype(np.int64) + month - 1
    return np.where(day <= 12, turned, days)


def _count_breaks(order: Ints, days: Ints, owner: Ints, count: int) -> Ints:
    ordered, whose = days[order], owner[order]
    is_break = (np.diff(whose) == 0) & (np.diff(ordered) > 1)
    return np.bincount(whose[1:][is_break], minlength=count)


def _count_descents(days: Ints, owner: Ints, count: int) -> Ints:
    is_descent = (np.diff(owner) == 0) & (np.diff(days) < 0)
    return np.bincount(owner[1:][is_descent], minlength=count)


def _has_mixed_steps(rows: Rows) -> Bools:
    kinds = [_sum(rows, rows.minutes == step) > 0 for step in STEPS]
    return np.asarray(np.sum(kinds, axis=0) > 1)


def _ends(rows: Rows) -> tuple[Ints, Ints]:
    series = np.arange(len(rows.names))
    first = np.searchsorted(rows.series, series, side="left")
    last = np.searchsorted(rows.series, series, side="right") - 1
    limit = max(len(rows.series) - 1, 0)
    return np.minimum(first, limit), np.clip(last, 0, limit)


def _sum(rows: Rows, marks: Bools) -> NDArray[np.float64]:
    return np.bincount(rows.series, marks, minlength=len(rows.names)).astype(np.float64)


def _day_of(second: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).date()
