"""Finds what a user's own intervals may mean other than what they say; it warns and never changes a value."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.clock import SLOTS_PER_DAY, LocalClock, trace_clock, wall_of_utc
from fmar_spark.intake.intervals.rows import STAMPED_AT_END
from fmar_spark.intake.intervals.series import Rows
from fmar_spark.intake.intervals.stretches import STEPS
from fmar_spark.intake.intervals.values import DOUBLE, TWENTY_FOUR, ZONED, swap_day_and_month
from fmar_spark.kernels.sufficiency import leaves_out_times
from fmar_spark.units import SLOT_MINUTES

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]

DAY_SECONDS: Final = 86_400
WHOLE_NUMBER_SHARE: Final = 0.99
WATT_HOUR_MEDIAN: Final = 20.0
"""Whole numbers with a median from here on are more like Wh of a home than kWh of a building."""
REGISTER_RISING_SHARE: Final = 0.999
MIN_RUNS: Final = 4
LEAST_ROWS: Final = 48
DAILY_FALL_SHARE: Final = 0.9
STANDSTILL_DAYS: Final = 14
"""An energy other than zero that stays the same for so long is none of a home: holidays leave a fridge that switches."""


class Anomaly(NamedTuple):
    """What readings may mean other than what they say."""

    sentence: str
    option: str
    """What puts it right; ``{zone}`` stands for the series' own clock, empty where nothing needs to be said."""


ANOMALIES: Final = {
    "local_clock": Anomaly(
        "an hour is missing where the local clock goes forward, or comes twice where it goes back: these look like local times",
        "--time-zone {zone}",
    ),
    "local_clock_with_offset": Anomaly(
        "an hour is missing where the local clock goes forward, or comes twice where it goes back: these look like local times, but they "
        "carry an offset, which stands; where it is wrong, export them without it and say --time-zone",
        "",
    ),
    "double_hour": Anomaly(
        "the hour that the clock shows twice when it goes back is there once, and the file does not say which of the two it is: taken for "
        "the second where readings go on from it and none come before it, else for the first; times with an offset would say it",
        "",
    ),
    "period_end": Anomaly(
        "days begin one step after midnight, or end at midnight or 24:00, on the clock of the series: these look like period ends",
        "--stamps end",
    ),
    "watt_hours": Anomaly("all energies are whole and large: they look like Wh", "--units wh"),
    "register": Anomaly("the energies never fall: they look like readings of a register", "--readings register"),
    "daily_total": Anomaly(
        "the energies fall once a day, always at the same time: they look like totals of the day", "--readings daily-total"
    ),
    "swapped_dates": Anomaly(
        "the days make fewer breaks with day and month swapped wherever the day is 12 or lower: the dates look swapped", "--dates swapped"
    ),
    "time_of_day": Anomaly("some times of day are mostly unread: the rest says nothing of a year's energy", ""),
    "mixed_steps": Anomaly("the step changes: each stretch is read with a step of its own", ""),
    "all_zero": Anomaly("every energy is zero", ""),
    "standstill": Anomaly(
        "the energy of an interval stays exactly the same for two weeks or longer: this looks like a meter that stands still, and nothing "
        "can be learnt from such weeks",
        "",
    ),
}
"""Every anomaly by name."""


class Repeats(NamedTuple):
    """Rows of a series and time that were there before; they count for the clock's return."""

    same: Rows
    """With the same values."""
    other: Rows
    """With another value."""


def find_anomalies(rows: Rows, repeats: Repeats, time_zones: tuple[str, ...], wall: Ints) -> dict[str, Bools]:
    """Which series show each anomaly, one entry a series.

    Args:
        rows: kept rows, sorted.
        repeats: of their series and times.
        time_zones: IANA names, one a series.
        wall: what the clock of its series showed at the start of each row.
    """
    is_register, is_local = _has_register(rows), _has_local_clock(rows, repeats, time_zones)
    is_zoned = 2 * _sum(rows, (rows.marks & ZONED) != 0) > np.bincount(rows.series, minlength=len(rows.names))
    return {
        "local_clock": is_local & ~is_zoned,
        "local_clock_with_offset": is_local & is_zoned,
        "double_hour": _sum(rows, (rows.marks & DOUBLE) != 0) > 0,
        "period_end": _has_period_end(rows, wall),
        "watt_hours": _has_watt_hours(rows),
        "register": is_register,
        "daily_total": _has_daily_total(rows) & ~is_register,
        "swapped_dates": _has_swapped_dates(rows),
        "time_of_day": find_coverage(rows, wall).leaves_out_times,
        "mixed_steps": np.sum([_sum(rows, rows.minutes == step) > 0 for step in STEPS], axis=0) > 1,
        "all_zero": _sum(rows, np.nan_to_num(rows.kwh_import) != 0) + _sum(rows, rows.kwh_export > 0) == 0,
        "standstill": _stands_still(rows, rows.kwh_import) | _stands_still(rows, rows.kwh_export),
    }


def trace_clocks(rows: Rows, time_zone: str) -> LocalClock:
    """A zone's clock over the years of the rows."""
    first, last = (int(second.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64)) + 1970 for second in _span(rows))
    return trace_clock(first, last, time_zone)


def _span(rows: Rows) -> tuple[np.int64, np.int64]:
    return rows.second.min(), rows.second.max()


def read_walls(rows: Rows, time_zones: tuple[str, ...]) -> Ints:
    """What the clock of each row's series showed, counted in seconds as if it were UTC."""
    wall = rows.second.copy()
    zone_of = np.asarray(time_zones, dtype=object)[rows.series]
    for time_zone in sorted(set(time_zones)):
        own = zone_of == time_zone
        wall[own] = wall_of_utc(rows.second[own], trace_clocks(rows, time_zone))
    return wall


class Coverage(NamedTuple):
    """What is read of each series; arrays of shape (series,)."""

    days: Ints
    """Local days with at least half of their half-hours."""
    leaves_out_times: Bools
    """Some times of day are mostly unread."""


def find_coverage(rows: Rows, wall: Ints) -> Coverage:
    """How much of the days, and of each time of day, is read.

    Args:
        rows: kept rows, sorted.
        wall: what the clock of its series showed at the start of each row.
    """
    count = len(rows.names)
    share = rows.minutes / SLOT_MINUTES
    slot = wall // (SLOT_MINUTES * 60)
    slots = np.concatenate([slot, slot[share > 1] + 1])
    owner = np.concatenate([rows.series, rows.series[share > 1]])
    weight = np.concatenate([np.minimum(share, 1), np.ones(int((share > 1).sum()))])
    key = owner * SLOTS_PER_DAY + slots % SLOTS_PER_DAY
    by_time = np.bincount(key, weight, minlength=count * SLOTS_PER_DAY).reshape(count, SLOTS_PER_DAY).astype(np.float64)
    day = wall // DAY_SECONDS
    first = np.flatnonzero(np.concatenate([[True], (np.diff(day) != 0) | (np.diff(rows.series) != 0)]))
    by_day = np.add.reduceat(share, first)
    days = np.bincount(rows.series[first], by_day >= SLOTS_PER_DAY / 2, minlength=count).astype(np.int64)
    touched = np.bincount(rows.series[first], minlength=count)
    return Coverage(days, leaves_out_times(by_time, touched))


def _has_local_clock(rows: Rows, repeats: Repeats, time_zones: tuple[str, ...]) -> Bools:
    count = len(rows.names)
    for_it, against = np.zeros(count), np.zeros(count)
    first, last = _span(rows)
    for time_zone in sorted(set(time_zones)):
        inside = np.asarray([zone == time_zone for zone in time_zones])
        clock = trace_clocks(rows, time_zone)
        for at in np.flatnonzero((clock.since_second > first) & (clock.since_second < last + DAY_SECONDS)).tolist():
            before, after = clock.offset_seconds[at - 1], clock.offset_seconds[at]
            start, shift = int(clock.since_second[at] + min(before, after)), int(after - before)
            end = start + abs(shift)
            is_full_around = (_count_within(rows, start - 3600, start) > 0) & (_count_within(rows, end, end + 3600) > 0)
            odd = _count_within(rows, start, end) == 0 if shift > 0 else _comes_twice(repeats, start, end)
            for_it += inside & is_full_around & odd
            against += inside & is_full_around & ~odd
    return (for_it > 0) & (for_it >= against)


def _comes_twice(repeats: Repeats, start: int, end: int) -> Bools:
    """Whether a stretch has repeats of its own: with other values, or with the same ones where the hours around have none."""
    around = _count_within(repeats.same, start - 3600, start) + _count_within(repeats.same, end, end + 3600)
    own = (_count_within(repeats.same, start, end) > 0) & (around == 0)
    return np.asarray((_count_within(repeats.other, start, end) > 0) | own)


def _count_within(rows: Rows, start: int, end: int) -> Ints:
    return _sum(rows, (rows.second >= start) & (rows.second < end)).astype(np.int64)


def _has_period_end(rows: Rows, wall: Ints) -> Bools:
    """Whether most unbroken runs of rows begin one step after midnight or end at midnight, and few the other way about."""
    step = rows.minutes * 60
    is_joined = (np.diff(rows.series) == 0) & (np.diff(rows.second) == step[:-1])
    is_first, is_last = np.concatenate([[True], ~is_joined]), np.concatenate([~is_joined, [True]])
    edges = 2 * _sum(rows, is_first)
    likely, unlikely = np.zeros(len(rows.names), dtype=np.bool_), np.zeros(len(rows.names), dtype=np.bool_)
    for clock in (wall, rows.second):
        time = clock % DAY_SECONDS
        for_it = _sum(rows, is_first & (time == step)) + _sum(rows, is_last & (time == 0))
        against = _sum(rows, is_first & (time == 0)) + _sum(rows, is_last & (time == DAY_SECONDS - step))
        likely |= (for_it >= edges / 2) & (for_it > 2 * against)
        unlikely |= (against >= edges / 2) & (against > 2 * for_it)
    is_long = np.bincount(rows.series, minlength=len(rows.names)) >= LEAST_ROWS
    says_24 = _sum(rows, (rows.marks & TWENTY_FOUR) != 0) > 0
    is_known = _sum(rows, (rows.marks & STAMPED_AT_END) != 0) > 0
    return np.asarray(((likely & ~unlikely & is_long) | says_24) & ~is_known)


def _has_daily_total(rows: Rows) -> Bools:
    """Whether energies fall about once a day, nearly always at the same time, and rise in between."""
    count = len(rows.names)
    is_same = np.diff(rows.series) == 0
    owner, change, second = rows.series[1:][is_same], np.diff(rows.kwh_import)[is_same], rows.second[1:][is_same]
    is_fall = change < 0
    days = np.bincount(owner, rows.minutes[1:][is_same], minlength=count) / (24 * 60)
    falls = np.bincount(owner[is_fall], minlength=count)
    risen = np.bincount(owner[change > 0], minlength=count)
    slot = owner[is_fall] * 96 + second[is_fall] % DAY_SECONDS // (15 * 60)
    commonest = np.bincount(slot, minlength=count * 96).reshape(count, 96)
    pairs = commonest + np.roll(commonest, 4, axis=1)
    is_fixed = pairs.max(axis=1) >= DAILY_FALL_SHARE * np.maximum(falls, 1)
    return np.asarray((days >= 3) & (falls >= 0.6 * days) & (falls <= 1.1 * days + 1) & is_fixed & (risen > 5 * falls))


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


def _stands_still(rows: Rows, kwh: Floats) -> Bools:
    """Whether one energy, not zero, is read again and again; what was not read between two of them does not count."""
    if not len(kwh):
        return np.zeros(len(rows.names), dtype=np.bool_)
    first = np.flatnonzero(np.concatenate([[True], (np.diff(kwh) != 0) | (np.diff(rows.series) != 0)]))
    is_long = (np.add.reduceat(rows.minutes, first) >= STANDSTILL_DAYS * 24 * 60) & (kwh[first] > 0)
    return np.bincount(rows.series[first], is_long, minlength=len(rows.names)) > 0


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


def _count_breaks(order: Ints, days: Ints, owner: Ints, count: int) -> Ints:
    ordered, whose = days[order], owner[order]
    is_break = (np.diff(whose) == 0) & (np.diff(ordered) > 1)
    return np.bincount(whose[1:][is_break], minlength=count)


def _count_descents(days: Ints, owner: Ints, count: int) -> Ints:
    is_descent = (np.diff(owner) == 0) & (np.diff(days) < 0)
    return np.bincount(owner[1:][is_descent], minlength=count)


def _sum(rows: Rows, marks: Bools) -> NDArray[np.float64]:
    return np.bincount(rows.series[marks], minlength=len(rows.names)).astype(np.float64)
