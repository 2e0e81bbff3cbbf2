"""Where Great Britain is: a coarse outline, to find coordinates that are swapped, of another grid, or in the sea."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

OUTLINES: Final = (
    (
        (49.85, -6.0),
        (49.8, -4.9),
        (50.05, -3.4),
        (50.45, -2.2),
        (50.5, -0.8),
        (50.65, 0.6),
        (50.95, 1.65),
        (51.45, 1.7),
        (52.0, 1.75),
        (52.7, 2.0),
        (53.1, 1.2),
        (53.15, 0.6),
        (53.75, 0.35),
        (54.2, 0.1),
        (54.8, -0.9),
        (55.3, -1.2),
        (55.9, -1.6),
        (56.1, -2.2),
        (56.6, -2.1),
        (57.2, -1.8),
        (57.8, -1.5),
        (57.95, -3.2),
        (58.3, -2.6),
        (59.5, -2.1),
        (59.6, -3.3),
        (58.8, -4.6),
        (59.3, -5.4),
        (59.3, -6.3),
        (58.45, -7.9),
        (58.0, -7.4),
        (57.6, -8.9),
        (56.5, -7.9),
        (55.4, -6.7),
        (55.1, -5.9),
        (54.45, -5.3),
        (54.3, -3.9),
        (53.7, -3.6),
        (53.6, -4.9),
        (52.6, -5.1),
        (51.9, -5.6),
        (51.4, -5.0),
        (51.3, -4.1),
        (51.2, -4.9),
        (50.5, -5.4),
        (50.2, -5.95),
    ),
    ((49.75, -6.6), (49.75, -6.1), (50.1, -6.1), (50.1, -6.6)),
    ((59.4, -2.4), (59.4, -0.9), (61.0, -0.5), (61.0, -1.9)),
    ((57.7, -8.8), (57.7, -8.4), (57.95, -8.4), (57.95, -8.8)),
)
"""Mainland with its near islands, Scilly, Shetland and St Kilda: (latitude, longitude), read off a map to a tenth of a degree and kept some
10 km outside the coast, so that no place on land is outside."""


def is_in_britain(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which places lie within the outline; a place that is NaN does not.

    Args:
        latitude: north positive, degrees, shape (places,).
        longitude: east positive, degrees, shape (places,).
    """
    inside = np.zeros(len(latitude), dtype=np.bool_)
    for outline in OUTLINES:
        corners = np.asarray(outline, dtype=np.float64)
        north, east = corners[:, 0], corners[:, 1]
        next_north, next_east = np.roll(north, -1), np.roll(east, -1)
        y, x = latitude[:, None], longitude[:, None]
        spans = (north > y) != (next_north > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = east + (y - north) / (next_north - north) * (next_east - east)
        inside |= (spans & (x < crossing)).sum(axis=1) % 2 == 1
    return inside
