"""The network that a simulated fleet stands on: made of the meters' own numbers, so that it changes nothing that is drawn for them."""

import csv
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from fmar_spark.domain.gsp_groups import GROUP_OF_ID
from fmar_spark.domain.network import DNO_OF_GSP_GROUP, LEVELS, Level

NETWORK_FOLDER: Final = "_network"
BRANCHES: Final = {Level.GSP: (6, 4), Level.BSP: (6, 4), Level.PRIMARY: (5, 3, 2)}
"""Share of an area's meters at each node below one, in tenths: no two areas are alike in size."""
EVEN: Final = {Level.HV_FEEDER: 2, Level.SECONDARY: 2, Level.LV_FEEDER: 2}
SPREAD_DEGREES: Final = {
    Level.GSP: 0.25,
    Level.BSP: 0.1,
    Level.PRIMARY: 0.04,
    Level.HV_FEEDER: 0.02,
    Level.SECONDARY: 0.01,
    Level.LV_FEEDER: 0,
}
TENTHS: Final = 10
CODES: Final = {
    Level.GSP: "G",
    Level.BSP: "B",
    Level.PRIMARY: "P",
    Level.HV_FEEDER: "H",
    Level.SECONDARY: "S",
    Level.LV_FEEDER: "L",
}


class _Node(NamedTuple):
    node_id: str
    level: str
    name: str
    dno_code: str
    parent_id: str
    latitude: float
    longitude: float


def write_network(meters: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The contents of nodes.csv, members.csv and, where any meter stands in a constraint zone, zones.csv.

    Args:
        meters: MPAN and GSP group of each import meter.
    """
    groups = sorted({group for _, group in meters})
    nodes = [node for group in groups for node in _grow_area(group)]
    members = [(mpan, find_feeder(mpan, group)) for mpan, group in sorted(meters)]
    zones = [row for group in groups for row in _list_zone(group, [node_id for _, node_id in members])]
    files = {"nodes.csv": _write(_Node._fields, nodes), "members.csv": _write(("mpan_id", "node_id"), members)}
    return files | ({"zones.csv": _write(("zone_id", "name", "node_id"), zones)} if zones else {})


def find_feeder(mpan: str, group: str) -> str:
    """The low-voltage feeder of a meter: as its number falls."""
    number = zlib.crc32(mpan.encode())
    name = f"SIM{group}"
    for level in LEVELS:
        if level in BRANCHES:
            number, tenth = divmod(number, TENTHS)
            place = _find_share(BRANCHES[level], tenth)
        else:
            number, place = divmod(number, EVEN[level])
        name += f"-{CODES[level]}{place + 1}"
    return name


def _find_share(shares: Sequence[int], tenth: int) -> int:
    upto = 0
    for place, share in enumerate(shares):
        upto += share
        if tenth < upto:
            return place
    return len(shares) - 1


def _grow_area(group: str) -> Iterator[_Node]:
    area = GROUP_OF_ID[group]
    above = [(f"SIM{group}", "", area.name, area.latitude, area.longitude)]
    for level in LEVELS:
        grown = []
        for stem, parent, name, north, east in above:
            count = len(BRANCHES[level]) if level in BRANCHES else EVEN[level]
            for place in range(count):
                turn = (place - (count - 1) / 2) * SPREAD_DEGREES[level]
                node = _Node(
                    f"{stem}-{CODES[level]}{place + 1}",
                    level.value,
                    f"{name} {CODES[level]}{place + 1}",
                    DNO_OF_GSP_GROUP[group].value,
                    parent,
                    round(north + turn / 2, 4),
                    round(east + turn, 4),
                )
                yield node
                grown.append((node.node_id, node.node_id, node.name, node.latitude, node.longitude))
        above = grown


def _list_zone(group: str, feeders: Sequence[str]) -> list[tuple[str, str, str]]:
    """One constraint zone an area: two primaries of its largest bulk supply point, as far as meters are connected below them."""
    stem = f"SIM{group}-G1-B1"
    zone = f"Z{group}"
    name = f"{GROUP_OF_ID[group].name} constraint"
    primaries = [f"{stem}-P{place}" for place in (1, 2)]
    return [(zone, name, primary) for primary in primaries if any(feeder.startswith(f"{primary}-") for feeder in feeders)]


def _write(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
