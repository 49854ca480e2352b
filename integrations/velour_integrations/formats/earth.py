"""Shapes on Earth, in degrees: cut at the antimeridian, their centroid, images that lie across it.

Source: RFC 7946, 3.1.9: what crosses the antimeridian is cut there, into parts that do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from velour_plugin.errors import BadGeometry

Floats = NDArray[np.float64]

_NEARBY = 0.1
"""Degrees: the plain centroid of less is within metres of that on the sphere."""


def crosses_antimeridian(shape: Any) -> bool:
    """Whether a ring of a shape steps over the antimeridian: by more than half the globe."""
    west, _, east, _ = shape.bounds
    return bool(east - west > 180) and any(
        (_is_over(np.diff(shapely.get_coordinates(ring)[:, 0]))).any() for ring in _rings(shape)
    )


def cut_at_antimeridian(shape: Any) -> Any:
    """Cut a polygon or multipolygon into parts that do not cross the antimeridian.

    A ring that goes once round the Earth is taken for one round the nearer pole. What does not
    cross it is returned as it is.

    Raises:
        BadGeometry: a coordinate is no longitude or latitude.
    """
    if not crosses_antimeridian(shape):
        return shape
    _check_on_earth(shape)
    whole = shapely.make_valid(shapely.union_all([_unrolled(part) for part in _parts(shape)]))
    west, _, east, _ = whole.bounds
    turns = range(int((west + 180) // 360), int((east + 180) // 360) + 1)
    pieces = [
        shapely.transform(
            shapely.intersection(whole, shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)),
            _moved_by(-360 * turn),
        )
        for turn in turns
    ]
    areas = [part for part in shapely.get_parts(shapely.get_parts(pieces)) if part.area > 0]
    return shapely.MultiPolygon(areas) if areas else shape


def centroid(shapes: Sequence[Any]) -> shapely.Point | None:
    """Return the point that shapes lie around on the sphere, by area; ``None`` without any.

    It is the centroid in an equal-area projection about itself, so that neither the antimeridian
    nor a pole moves it.

    Args:
        shapes: polygons and multipolygons, longitude first, none across the antimeridian.

    Raises:
        BadGeometry: a coordinate is no longitude or latitude.
    """
    together = shapely.GeometryCollection(list(shapes))
    if together.is_empty:
        return None
    _check_on_earth(together)
    west, south, east, north = together.bounds
    if east - west < _NEARBY and max(north, -south) < 90 - _NEARBY:
        return together.centroid
    together = shapely.segmentize(together, 1.0)
    centre = _unit(_on_sphere(shapely.get_coordinates(together)).sum(axis=0))
    for _ in range(20):
        flat = shapely.transform(together, _azimuthal(centre)).centroid
        if flat.is_empty:  # GEOS finds none of some shapes without area
            return shapely.Point((west + east) / 2, (south + north) / 2)
        x, y = flat.x, flat.y
        east_axis, north_axis = _axes(centre)
        centre = _unit((1 - (x * x + y * y) / 2) * centre + x * east_axis + y * north_axis)
        if abs(x) + abs(y) < 1e-12:
            break
    longitude, latitude = np.degrees((np.arctan2(centre[1], centre[0]), np.arcsin(centre[2])))
    return shapely.Point(longitude, latitude)


def meridian_of(shapes: Sequence[Any], centre: Any) -> float:
    """Return the longitude about which shapes are laid out, so that none of them is torn.

    Args:
        shapes: of one image, none across the antimeridian.
        centre: of them.

    Returns:
        That of the centre; NaN where they reach round half the globe, and the map ends at the
        antimeridian as maps do.
    """
    west, _, east, _ = shapely.total_bounds(list(shapes)).tolist()
    if east - west < 180:
        return float(centre.x)
    west, _, east, _ = shapely.bounds(shapely.get_parts(list(shapes))).T
    about = shapely.get_coordinates(list(shapes))[:, 0] - centre.x
    about -= 360 * turns_from(about)
    return float(centre.x) if np.ptp(about) < 180 and (east - west < 180).all() else np.nan


def turns_from(difference: Floats) -> Floats:
    """Count how many times round the globe differences of longitude lead: 0 within -180 and 180."""
    turns: Floats = np.floor((difference + 180) / 360)
    return turns


def _check_on_earth(shape: Any) -> None:
    longitude, latitude = np.abs(shapely.get_coordinates(shape)).T
    if not ((longitude <= 360).all() and (latitude <= 90).all()):  # nor is NaN a coordinate
        raise BadGeometry(
            f"a shape reaches to longitude {longitude.max():g}, latitude {latitude.max():g}: "
            "expected degrees, the longitude first."
        )


def _is_over(step: Floats) -> NDArray[np.bool_]:
    # from -180 to 180 is no step at all, or all round the Earth: a ring that is cut has such
    return np.asarray((np.abs(step) > 180) & (np.abs(step) < 360))


def _parts(shape: Any) -> list[Any]:
    return list(shapely.get_parts(shape))


def _rings(shape: Any) -> list[Any]:
    return list(shapely.get_rings(_parts(shape)))


def _unrolled(polygon: Any) -> Any:
    """A polygon whose longitudes go on beyond 180 where its rings cross the antimeridian."""
    outer, *holes = (_unrolled_ring(ring) for ring in shapely.get_rings(polygon))
    area = shapely.make_valid(shapely.Polygon(outer))
    for hole in holes:  # beside the outline that it is in
        turn = np.round((area.centroid.x - hole[:, 0].mean()) / 360)
        area = shapely.difference(
            area, shapely.make_valid(shapely.Polygon(np.add(hole, (360 * turn, 0))))
        )
    return area


def _unrolled_ring(ring: Any) -> Floats:
    points: Floats = shapely.get_coordinates(ring)
    step = np.diff(points[:, 0])
    points[1:, 0] -= 360 * np.cumsum(np.where(_is_over(step), np.sign(step), 0))
    if abs(points[-1, 0] - points[0, 0]) < 180:
        return points
    pole = np.copysign(90.0, points[:, 1].mean())
    return np.concatenate([points, [(points[-1, 0], pole), (points[0, 0], pole)]])


def _moved_by(degrees: float) -> Callable[[Floats], Floats]:
    return lambda points: np.add(points, (degrees, 0))


def _on_sphere(points: Floats) -> Floats:
    """Unit vectors ``(n, 3)`` of longitudes and latitudes ``(n, 2)``."""
    longitude, latitude = np.radians(points.T)
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=1)


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    # of shapes all round the Earth no direction is the middle: any will do
    return vector / length if length > 1e-9 else np.array([1.0, 0.0, 0.0])


def _axes(centre: Floats) -> tuple[Floats, Floats]:
    """Unit vectors to the east and to the north."""
    longitude = np.arctan2(centre[1], centre[0])
    east = np.array([-np.sin(longitude), np.cos(longitude), 0.0])
    return east, np.cross(centre, east)


def _azimuthal(centre: Floats) -> Callable[[Floats], Floats]:
    """Lambert's azimuthal equal-area projection of the unit sphere, as shapely transforms."""
    axes = np.stack(_axes(centre), axis=1)

    def project(points: Floats) -> Floats:
        vectors = _on_sphere(points)
        stretch = np.sqrt(2 / np.maximum(1 + vectors @ centre, 1e-12))
        flat: Floats = (vectors @ axes) * stretch[:, None]
        return flat

    return project
