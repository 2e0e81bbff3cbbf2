"""Boundary files: what is drawn, and which are rejected with one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from fmar_spark.errors import ConfigError
from fmar_spark.services.capability.pages import boundaries
from fmar_spark.services.capability.pages.boundaries import read_boundaries

SQUARE = [[-0.5, 51.3], [0.3, 51.3], [0.3, 51.7], [-0.5, 51.7], [-0.5, 51.3]]


def feature(properties: Any, ring: Any = SQUARE, kind: str = "Polygon") -> dict[str, Any]:
    coordinates = [ring] if kind == "Polygon" else [[ring]]
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def write(folder: Path, *features: Any) -> Path:
    path = folder / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["_C", "London", "london ", "UKPN_LPN"])
@pytest.mark.parametrize("kind", ["Polygon", "MultiPolygon"])
def test_an_area_is_known_by_id_name_or_licence_area(tmp_path: Path, name: str, kind: str) -> None:
    shapes = read_boundaries(write(tmp_path, feature({"ID": 4, "Name": name}, kind=kind)))
    assert list(shapes) == ["_C"]
    shape = shapes["_C"]
    assert (shape.path[0], shape.path[-1]) == ("M", "Z")
    assert 0 < shape.x < boundaries.WIDTH
    assert 0 < shape.y < boundaries.HEIGHT


def move(east: float, north: float) -> list[list[float]]:
    return [[x + east, y + north] for x, y in SQUARE]


REJECTED = {
    "an unknown area": ([feature({"name": "Atlantis"})], r"feature 1: unknown area \(name 'Atlantis'\); a property with a GSP group's id"),
    "a feature without properties": ([feature(None)], r"feature 1: unknown area \(no property\)"),
    "national grid instead of degrees": (
        [feature({"name": "_C"}, [[530000, 180000]] * 4)],
        r"feature 1: longitude 530000, latitude 180000 is not in Great Britain; degrees of WGS 84 wanted",
    ),
    "latitude first": ([feature({"name": "_C"}, [[y, x] for x, y in SQUARE])], "longitude 51.3, latitude -0.5 is not in Great Britain"),
    "an area in the sea": ([feature({"name": "_C"}, move(2, 3.5))], r"_C lies around latitude 55.0, longitude 1.9, in the sea or abroad"),
    "a second area that is wrong": ([feature({"name": "_C"}), feature({"name": "_D"}, SQUARE[:2])], "feature 2: a ring of 2 points"),
    "a point": (
        [{**feature({"name": "_C"}), "geometry": {"type": "Point", "coordinates": [0, 51]}}],
        "features.0.geometry: Input tag 'Point'",
    ),
    "words for numbers": ([feature({"name": "_C"}, [["a", "b"]] * 4)], "features.0.geometry.Polygon: Input should be a valid number"),
    "a dot": ([feature({"name": "_C"}, [[-0.1, 51.5]] * 5)], "_C is too small to be drawn"),
    "no feature": ([], "features: List should have at least 1 item"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_a_file_that_cannot_be_drawn_is_one_line(tmp_path: Path, case: str) -> None:
    features, said = REJECTED[case]
    with pytest.raises(ConfigError, match=said) as error:
        read_boundaries(write(tmp_path, *features))
    assert "\n" not in str(error.value)


def test_what_is_no_geojson_or_too_large_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "areas.geojson"
    for content in ("", "[" * 100_000, '{"type": "Topology"}', "\xff"):
        path.write_text(content, encoding="latin-1")
        with pytest.raises(ConfigError, match="a GeoJSON FeatureCollection of Polygon or MultiPolygon wanted"):
            read_boundaries(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_boundaries(tmp_path)
    monkeypatch.setattr(boundaries, "MOST_BYTES", 10)
    with pytest.raises(ConfigError, match="at most 0 MB wanted; simplify it first"):
        read_boundaries(write(tmp_path, feature({"name": "_C"})))


def test_islets_and_points_that_fall_together_are_left_out(tmp_path: Path) -> None:
    islet = [[-0.01, 51.5], [0.0, 51.5], [0.0, 51.51], [-0.01, 51.5]]
    dense = [[-0.5 + step / 1000, 51.3] for step in range(800)] + SQUARE[1:]
    shape = read_boundaries(write(tmp_path, feature({"name": "_C"}, islet), feature({"name": "_C"}, dense)))["_C"]
    assert shape.path.count("M") == 1
    assert shape.path.count("L") < 80
