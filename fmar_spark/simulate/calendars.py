"""The London calendar of a run of UTC half-hours: clock time, weekdays, public holidays and school holidays."""

from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

import holidays
import numpy as np

from fmar_spark.clock import LONDON, NO_SLOT, SLOTS_PER_DAY, local_slot_index
from fmar_spark.simulate.plan import Bools, FleetPlan, Floats, Ints

SCHOOL_BREAKS: Final = (
    ((12, 20), (12, 31)),
    ((1, 1), (1, 4)),
    ((2, 12), (2, 20)),
    ((4, 1), (4, 15)),
    ((5, 25), (6, 2)),
    ((7, 22), (9, 3)),
    ((10, 22), (10, 30)),
)
"""Usual English school holidays, month and day, both inclusive; real ones differ by county and year."""


class Calendar(NamedTuple):
    """Local time of each UTC slot (shape (slots,)) and facts of each local day (shape (days,))."""

    local_slot: Ints
    """Clock slot 0..47 of each UTC slot."""
    local_day: Ints
    """Row of the local day of each UTC slot; one day more than the UTC days, for the last summer hour."""
    utc_shift_slots: Ints
    """(days,) subtracted from a local slot of that day gives the UTC slot."""
    weekday: Ints
    """(days,) 0 = Monday."""
    is_holiday: Bools
    """(days,) English public holidays."""
    is_school_break: Bools
    """(days,)"""
    year_phase: Floats
    """(days,) 0 on 1 January .. 2 pi."""

    @property
    def days(self) -> int:
        """Local days, the last one partial."""
        return len(self.weekday)

    @property
    def is_rest_day(self) -> Bools:
        """(days,) Saturdays, Sundays and public holidays."""
        return np.asarray((self.weekday >= 5) | self.is_holiday)

    def spread_days(self, per_day: Any) -> Any:
        """Values of local days, an array (meters, days) of any kind, repeated over UTC slots (meters, slots)."""
        return per_day[:, self.local_day]


@lru_cache(maxsize=4)
def _build_calendar(first_date: date, days: int) -> Calendar:
    slots = days * SLOTS_PER_DAY
    index = local_slot_index(first_date, days + 1, LONDON, first_date)
    shift = np.arange(days + 1, dtype=np.int64) * SLOTS_PER_DAY + 24 - np.where(index[:, 24] == NO_SLOT, 0, index[:, 24])
    clock = np.arange(slots, dtype=np.int64)
    clock = clock + shift[clock // SLOTS_PER_DAY]
    dates = [first_date + timedelta(days=day) for day in range(days + 1)]
    public = holidays.country_holidays("GB", subdiv="ENG", years=range(first_date.year, dates[-1].year + 1))
    breaks = [any(start <= (day.month, day.day) <= end for start, end in SCHOOL_BREAKS) for day in dates]
    return Calendar(
        local_slot=clock % SLOTS_PER_DAY,
        local_day=np.minimum(clock // SLOTS_PER_DAY, days),
        utc_shift_slots=shift,
        weekday=np.array([day.weekday() for day in dates]),
        is_holiday=np.array([day in public for day in dates]),
        is_school_break=np.array(breaks),
        year_phase=np.array([2 * np.pi * day.timetuple().tm_yday / 365.25 for day in dates]),
    )


def build_calendar(plan: FleetPlan) -> Calendar:
    """The local calendar of the plan's days; a day of clock change has the offset of its noon."""
    return _build_calendar(plan.first_date, plan.days)
