"""The 14 settlement areas of Great Britain, with a point near the middle of where their people live.

The points are read off a map to a tenth of a degree: good enough for the sun's path and for choosing a weather area,
not for anything that needs a border.
"""

from typing import Final, NamedTuple

from fmar_spark.clock import LONDON


class GspGroup(NamedTuple):
    """One settlement area."""

    gsp_group_id: str
    name: str
    latitude: float
    """North positive, degrees."""
    longitude: float
    """East positive, degrees."""
    time_zone: str = LONDON


GSP_GROUPS: Final = (
    GspGroup("_A", "Eastern", 52.2, 0.5),
    GspGroup("_B", "East Midlands", 52.8, -1.0),
    GspGroup("_C", "London", 51.5, -0.1),
    GspGroup("_D", "Merseyside and North Wales", 53.2, -3.0),
    GspGroup("_E", "West Midlands", 52.5, -2.0),
    GspGroup("_F", "North East", 54.9, -1.6),
    GspGroup("_G", "North West", 53.7, -2.5),
    GspGroup("_H", "Southern", 51.2, -1.3),
    GspGroup("_J", "South Eastern", 51.2, 0.4),
    GspGroup("_K", "South Wales", 51.7, -3.6),
    GspGroup("_L", "South Western", 50.8, -3.7),
    GspGroup("_M", "Yorkshire", 53.8, -1.4),
    GspGroup("_N", "South Scotland", 55.8, -4.0),
    GspGroup("_P", "North Scotland", 57.2, -3.3),
)
GROUP_OF_ID: Final = {group.gsp_group_id: group for group in GSP_GROUPS}
MIDDLE: Final = GspGroup("", "Great Britain", 53.0, -1.5)
"""Stands in where the group is masked or was never stated."""
