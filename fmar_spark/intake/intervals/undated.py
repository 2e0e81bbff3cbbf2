"""Finds the days that records without a readable date may be of, so that what is left of such a day is not taken for the whole."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import groupby
from typing import Any, TypeVar

Day = TypeVar("Day", bound=Any)


def find_days_of_undated(order: Sequence[Day | None], days: Sequence[Day]) -> set[Day]:
    """Days next to the neighbours of records without a date, as many as there are such records.

    Records follow each other by day, forwards or backwards; where that cannot be seen the days on both sides are meant. Where no record has
    a date every day is.

    Args:
        order: days of the records as they follow each other in a file, None where none can be read.
        days: all days of the same meter, sorted, each once.
    """
    dated = [day for day in order if day is not None]
    if not dated:
        return set(days) if order else set()
    is_forwards, is_backwards = dated[0] <= dated[-1], dated[0] >= dated[-1]
    found: set[Day] = set()
    first = 0
    for is_undated, run in groupby(order, lambda day: day is None):
        count = len(list(run))
        before, after = order[first - 1] if first else None, order[first + count] if first + count < len(order) else None
        first += count
        if is_undated and is_forwards:
            found |= _list_later(days, before, count) | _list_earlier(days, after, count)
        if is_undated and is_backwards:
            found |= _list_earlier(days, before, count) | _list_later(days, after, count)
    return found


def _list_later(days: Sequence[Day], than: Day | None, count: int) -> set[Day]:
    at = bisect_right(days, than) if than is not None else len(days)
    return set(days[at : at + count])


def _list_earlier(days: Sequence[Day], than: Day | None, count: int) -> set[Day]:
    at = bisect_left(days, than) if than is not None else 0
    return set(days[max(at - count, 0) : at])
