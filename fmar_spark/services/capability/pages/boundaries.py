"""The map of GSP groups from a boundary file: GeoJSON in, one SVG path for each settlement area out.

No map library and no tiles: nothing is fetched from elsewhere, and the paths are links like any others.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from fmar_spark.domain.coast import is_in_britain
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.gsp_groups import GSP_GROUPS
from fmar_spark.domain.network import DNO_OF_GSP_GROUP
from fmar_spark.errors import ConfigError, read_fault

MOST_BYTES: Final = 64 * 2**20
"""National licence areas at full detail take about 20 MB."""
SOUTH, NORTH, WEST, EAST = 49.0, 61.5, -9.5, 2.5
"""Great Britain and its coastal waters, degrees."""
WIDTH: Final = 420.0
"""Of the drawing; its height follows."""
LEAST_POINTS: Final = 4
_SMALLEST: Final = 1.0
"""A ring that covers less of the drawing, square units, is left out: islets."""
_STRETCH: Final = 1.0 / math.cos(math.radians((SOUTH + NORTH) / 2))
_SCALE: Final = WIDTH / (EAST - WEST)
HEIGHT: Final = round((NORTH - SOUTH) * _SCALE * _STRETCH)
_WORDS: Final = {
    word.casefold(): group.gsp_group_id
    for group in GSP_GROUPS
    for word in (group.gsp_group_id, group.name, str(DNO_OF_GSP_GROUP[group.gsp_group_id]))
}
"""What a feature may call a settlement area: its id, its name, or the licence area's code."""
Position = Annotated[list[float], Field(min_length=2, max_length=3)]
Ring = list[tuple[float, float]]


class _Polygon(BaseModel):
    type: Literal["Polygon"]
    coordinates: list[list[Position]]

    def polygons(self) -> list[list[list[list[float]]]]:
        """One."""
        return [self.coordinates]


class _MultiPolygon(BaseModel):
    type: Literal["MultiPolygon"]
    coordinates: list[list[list[Position]]]

    def polygons(self) -> list[list[list[list[float]]]]:
        """All."""
        return self.coordinates


class _Feature(BaseModel):
    type: Literal["Feature"]
    properties: dict[str, Any] | None
    geometry: Annotated[_Polygon | _MultiPolygon, Field(discriminator="type")]


class _Collection(BaseModel):
    type: Literal["FeatureCollection"]
    features: Annotated[list[_Feature], Field(min_length=1)]


class Shape(NamedTuple):
    """A settlement area as it is drawn."""

    path: str
    """SVG path data."""
    x: float
    """Where its name goes."""
    y: float


Shapes = Mapping[str, Shape]
"""By GSP group id."""


def read_boundaries(path: Path) -> Shapes:
    """The shapes of a GeoJSON file's features, each a settlement area by one of its properties.

    Raises:
        ConfigError: it cannot be read, is too large, is no GeoJSON of polygons in degrees, or names an unknown area.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ConfigError(f"{path}: {size / 2**20:.0f} MB, at most {MOST_BYTES // 2**20} MB wanted; simplify it first")
        found = _Collection.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {_describe(error)}; a GeoJSON FeatureCollection of Polygon or MultiPolygon wanted") from error
    rings: dict[str, list[Ring]] = {}
    for number, feature in enumerate(found.features, 1):
        group = _find_group(path, number, feature.properties or {})
        rings.setdefault(group, []).extend(_list_rings(path, number, feature))
    return {group: _draw(path, group, [ring for ring in own if _area(ring) >= _SMALLEST]) for group, own in rings.items()}


def _describe(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'][:4]) or 'content'}: {read_fault(first)}"
    return "not JSON"


def _find_group(path: Path, number: int, properties: Mapping[str, Any]) -> str:
    for value in properties.values():
        group = _WORDS.get(value.strip().casefold()) if isinstance(value, str) else None
        if group is not None:
            return group
    said = ", ".join(f"{name} {value!r}"[:60] for name, value in list(properties.items())[:3]) or "no property"
    wanted = "a property with a GSP group's id or name wanted, such as _C or London"
    raise ConfigError(f"{path}: feature {number}: unknown area ({said}); {wanted}")


def _list_rings(path: Path, number: int, feature: _Feature) -> Iterator[Ring]:
    """The outer rings of a feature in the drawing's units, without points that fall together."""
    for ring in (polygon[0] for polygon in feature.geometry.polygons() if polygon):
        if len(ring) < LEAST_POINTS:
            raise ConfigError(f"{path}: feature {number}: a ring of {write_count(len(ring), 'point')}, at least {LEAST_POINTS} wanted")
        outside = next((one for one in ring if not (WEST <= one[0] <= EAST and SOUTH <= one[1] <= NORTH)), None)
        if outside is not None:
            place = f"longitude {outside[0]:g}, latitude {outside[1]:g}"
            raise ConfigError(f"{path}: feature {number}: {place} is not in Great Britain; degrees of WGS 84 wanted")
        yield _thin(_place(position[0], position[1]) for position in ring)


def _place(longitude: float, latitude: float) -> tuple[float, float]:
    return round((longitude - WEST) * _SCALE, 1), round((NORTH - latitude) * _SCALE * _STRETCH, 1)


def _thin(points: Iterable[tuple[float, float]]) -> Ring:
    """Points at least one unit apart, the first and the last kept."""
    kept: Ring = []
    last = (0.0, 0.0)
    for last in points:
        if not kept or abs(last[0] - kept[-1][0]) + abs(last[1] - kept[-1][1]) >= 1.0:
            kept.append(last)
    if kept[-1] != last:
        kept.append(last)
    return kept


def _area(ring: Ring) -> float:
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))) / 2.0


def _draw(path: Path, group: str, rings: list[Ring]) -> Shape:
    if not rings:
        raise ConfigError(f"{path}: {group} is too small to be drawn: an area of Great Britain wanted")
    x, y = _find_middle(max(rings, key=_area))
    latitude, longitude = NORTH - y / (_SCALE * _STRETCH), WEST + x / _SCALE
    if not is_in_britain(np.array([latitude]), np.array([longitude]))[0]:
        raise ConfigError(f"{path}: {group} lies around latitude {latitude:.1f}, longitude {longitude:.1f}, in the sea or abroad")
    return Shape("".join("M" + "L".join(f"{a:g} {b:g}" for a, b in ring) + "Z" for ring in rings), round(x, 1), round(y, 1))


def _find_middle(ring: Ring) -> tuple[float, float]:
    """The centroid of the polygon."""
    crossed = [(a, b, a[0] * b[1] - b[0] * a[1]) for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)]
    whole = 3.0 * sum(cross for _, _, cross in crossed)
    x, y = (sum((a[axis] + b[axis]) * cross for a, b, cross in crossed) / whole for axis in (0, 1))
    return x, y
