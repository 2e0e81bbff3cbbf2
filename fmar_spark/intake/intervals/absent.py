"""Names registers that a file leaves out altogether, though it says that their meter point has them."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple


class Absent(NamedTuple):
    """Registers of one meter point of which one file has no record."""

    file: str
    meter: str
    lacks: frozenset[str]
    read: frozenset[str]
    """Registers of which it has records."""
    days: frozenset[date]
    """Of the meter point in the file, on which they are absent."""
    is_late: bool = False
    """They have records on later days."""


def describe_absent(found: Sequence[Absent]) -> tuple[str, ...]:
    """A line for each meter point of each file, but for registers of a direction that other files have alone and on the same days.

    Of one direction the registers of two files are not summed: of them one file must have all.
    """
    by_meter: dict[str, list[Absent]] = {}
    for one in found:
        by_meter.setdefault(one.meter, []).append(one)
    left = [(one, one.lacks - _list_joined(one, by_meter[one.meter])) for one in found]
    return tuple(
        f"{one.file}: {one.meter}: no record of {', '.join(sorted(lacks))}{f' until {max(one.days):%Y%m%d}' if one.is_late else ''} found, "
        f"which its configuration (200) names: {', '.join(sorted(one.read))} alone {'are' if len(one.read) > 1 else 'is'} read; "
        "ask for a file of all registers of the meter point"
        for one, lacks in left
        if lacks
    )


def _list_joined(one: Absent, files: Sequence[Absent]) -> set[str]:
    """Registers that it lacks of a direction that it does not read, and that other files of the meter point have on all its days."""
    directions = {register[:1] for register in one.read}
    lacks = {register for register in one.lacks if register[:1] not in directions}
    return {register for register in lacks if one.days <= {day for other in files if register in other.read for day in other.days}}
