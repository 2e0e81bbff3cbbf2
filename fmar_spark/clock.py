"""Settlement periods, UTC slots and local clocks: the only place that converts between them.

A UTC day has 48 slots, numbered 0..47 by their start. A local day is a civil day: when clocks go forward two of
its 48 clock slots never happen, when they go back two happen twice.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

SLOTS_PER_DAY: Final = 48
DAYS_PER_WEEK: Final = 7
LONDON: Final = "Europe/London"
FIRST_DAY: Final = date(2000, 1, 1)
"""No half-hour before this day can have been read: an earlier one is an error of its source."""
NO_SLOT: Final = np.iinfo(np.int32).min


def slot_of_period_end(label: str) -> int:
    """The UTC slot 0..47 of a period named by its end, ``"00:30"`` .. ``"00:00"``.

    Raises:
        ValueError: the label is not the end of a half-hour.
    """
    hours, minutes = label.split(":")
    end_minutes = int(hours) * 60 + int(minutes)
    if end_minutes % 30 or not 0 <= end_minutes < 24 * 60:
        raise ValueError(f"period end: {label!r} found, hh:00 or hh:30 wanted")
    return (end_minutes // 30 - 1) % SLOTS_PER_DAY


@lru_cache(maxsize=64)
def local_slot_index(first_local_date: date, local_days: int, time_zone: str, first_utc_date: date) -> NDArray[np.int32]:
    """Where each clock slot of a run of local days lies in a run of UTC slots.

    Args:
        first_local_date: first civil day wanted.
        local_days: how many civil days.
        time_zone: IANA name.
        first_utc_date: UTC day whose slot 0 has index 0.

    Returns:
        Indices, shape (local_days, 48), read-only. ``NO_SLOT`` where the clock skipped the slot. Where it ran
        twice, the first of the two; the index may lie outside the caller's range and is the caller's to check.
    """
    zone = ZoneInfo(time_zone)
    index = np.full((local_days, SLOTS_PER_DAY), NO_SLOT, dtype=np.int32)
    origin = datetime(first_utc_date.year, first_utc_date.month, first_utc_date.day, tzinfo=UTC)
    plain = np.arange(SLOTS_PER_DAY, dtype=np.int32)
    for day in range(local_days):
        midnight = datetime.combine(first_local_date + timedelta(days=day), datetime.min.time(), tzinfo=zone)
        next_midnight = datetime.combine(first_local_date + timedelta(days=day + 1), datetime.min.time(), tzinfo=zone)
        first = int((midnight.astimezone(UTC) - origin).total_seconds()) // 1800
        length = int((next_midnight.astimezone(UTC) - midnight.astimezone(UTC)).total_seconds()) // 1800
        if length == SLOTS_PER_DAY:
            index[day] = first + plain
            continue
        for position in range(length - 1, -1, -1):
            local = (midnight.astimezone(UTC) + timedelta(minutes=30 * position)).astimezone(zone)
            index[day, local.hour * 2 + local.minute // 30] = first + position
    index.flags.writeable = False
    return index


def utc_slot_starts(first_utc_date: date, slots: int) -> NDArray[np.datetime64]:
    """Start of each UTC slot, shape (slots,), ``datetime64[us]``."""
    return np.datetime64(first_utc_date, "us") + np.arange(slots) * np.timedelta64(30, "m")


def parse_day(text: str) -> date:
    """A civil day from ``YYYY-MM-DD``.

    Raises:
        ValueError: any other form.
    """
    return date.fromisoformat(text)


def add_days(day: date, days: int) -> date:
    """The civil day so many days later."""
    return day + timedelta(days=days)


def local_slot_of_utc(first_utc_date: date, days: int, time_zone: str) -> NDArray[np.int64]:
    """Which local slot each UTC slot falls in: the inverse of ``local_slot_index``, but whole.

    Args:
        first_utc_date: day of UTC slot 0, and local day 0.
        days: how many UTC days; the local days may reach one further.
        time_zone: IANA name.

    Returns:
        ``local day * 48 + clock slot``, shape (days * 48,), negative before local day 0. Both halves of an hour that
        happened twice fall in the same local slot.
    """
    slots = days * SLOTS_PER_DAY
    index = local_slot_index(first_utc_date - timedelta(days=1), days + 3, time_zone, first_utc_date).reshape(-1)
    local = np.full(slots, np.iinfo(np.int64).min, dtype=np.int64)
    inside = (index != NO_SLOT) & (index >= 0) & (index < slots)
    local[index[inside]] = np.flatnonzero(inside) - SLOTS_PER_DAY
    for slot in np.flatnonzero(local == np.iinfo(np.int64).min):
        local[slot] = local[slot - 2] if slot >= 2 else -1
    return local


class LocalClock(NamedTuple):
    """A zone's clock over some years: parallel arrays, one entry a stretch between two changes."""

    since_second: NDArray[np.int64]
    """UTC second from which the offset holds; the first entry holds from ever."""
    offset_seconds: NDArray[np.int64]


class WallTimes(NamedTuple):
    """What wall-clock times are in UTC."""

    second: NDArray[np.int64]
    """Seconds since 1970; of a time that the clock showed twice the first, of one that it skipped the one after the change."""
    is_double: NDArray[np.bool_]
    is_skipped: NDArray[np.bool_]


@lru_cache(maxsize=64)
def trace_clock(first_year: int, last_year: int, time_zone: str) -> LocalClock:
    """All changes of a zone's clock from one year to another, both included."""
    zone = ZoneInfo(time_zone)
    first = int(datetime(first_year, 1, 1, tzinfo=UTC).timestamp())
    hours = np.arange(first, int(datetime(last_year + 1, 1, 1, tzinfo=UTC).timestamp()) + 1, 6 * 3600)
    offsets = [_offset_at(int(second), zone) for second in hours]
    since, found = [np.iinfo(np.int64).min // 2], [offsets[0]]
    for at in np.flatnonzero(np.diff(offsets)).tolist():
        low, high = int(hours[at]), int(hours[at + 1])
        while high - low > 60:
            middle = (low + high) // 120 * 60
            low, high = (middle, high) if _offset_at(middle, zone) == offsets[at] else (low, middle)
        since.append(high)
        found.append(offsets[at + 1])
    return LocalClock(np.asarray(since, dtype=np.int64), np.asarray(found, dtype=np.int64))


def wall_of_utc(second: NDArray[np.int64], local: LocalClock) -> NDArray[np.int64]:
    """Wall-clock seconds, counted as if they were UTC."""
    return second + local.offset_seconds[np.searchsorted(local.since_second, second, side="right") - 1]


def utc_of_wall(wall: NDArray[np.int64], local: LocalClock) -> WallTimes:
    """UTC of wall-clock seconds, counted as if they were UTC."""
    starts = local.since_second + local.offset_seconds
    ends = np.append(local.since_second[1:] + local.offset_seconds[:-1], np.iinfo(np.int64).max)
    place = np.searchsorted(starts, wall, side="right") - 1
    before = np.maximum(place - 1, 0)
    fits, fits_before = wall < ends[place], (place > 0) & (wall < ends[before])
    return WallTimes(wall - local.offset_seconds[np.where(fits_before, before, place)], fits & fits_before, ~fits & ~fits_before)


def _offset_at(second: int, zone: ZoneInfo) -> int:
    return int((datetime.fromtimestamp(second, zone).utcoffset() or timedelta()).total_seconds())
