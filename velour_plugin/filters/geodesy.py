"""Geodesic distances on the Earth, where PostGIS does not compute them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.helpers.libraries import shapely

_QUARTER = 10_001_966.0  # metres from the equator to a pole, along the ellipsoid


def distances(
    places: Sequence[shapely.Geometry], longitude: float, latitude: float
) -> NDArray[Any]:
    """Measure the geodesic distance of each geometry from a point, on the WGS84 ellipsoid.

    Args:
        places: geometries in WGS84, x = longitude in degrees.
        longitude: of the point, in degrees.
        latitude: of the point, in degrees.

    Returns:
        ``(n,)`` metres >= 0; that of a line or area is to its nearest point, 0 inside.

    Source: Karney 2013, Algorithms for geodesics, through ``pyproj.Geod``. Lines and areas
    are drawn in an azimuthal equidistant projection about the point, in which distances
    from the point are true.
    """
    geometries = np.asarray(places, dtype=object)
    result = np.empty(len(geometries))
    points = shapely.get_type_id(geometries) == 0
    if points.any():
        x, y = shapely.get_x(geometries[points]), shapely.get_y(geometries[points])
        result[points] = _of_points(x, y, longitude, latitude)
    if (~points).any():
        result[~points] = _of_areas(geometries[~points], longitude, latitude)
    return result


def is_on_earth(geometry: shapely.Geometry) -> bool:
    """Whether all coordinates are within latitude ±90 and longitude ±180; false if empty."""
    west, south, east, north = geometry.bounds
    return bool(west >= -180 and east <= 180 and south >= -90 and north <= 90)


def box_around(
    longitude: float, latitude: float, metres: float
) -> tuple[float, float, float, float]:
    """Return west, south, east and north, in degrees, of a box that holds all within a distance.

    The box is a little too large rather than too small, and takes in all longitudes
    where it would reach over a pole or the antimeridian.
    """
    tall = metres / 110_500  # a degree of latitude is at least 110,574 m
    south, north = max(-90.0, latitude - tall), min(90.0, latitude + tall)
    shrink = np.cos(np.radians(max(abs(south), abs(north))))
    wide = 360.0 if south <= -90 or north >= 90 else metres / (110_500 * shrink)
    west, east = longitude - wide, longitude + wide
    if west <= -180 or east >= 180:  # 180 and -180 are one meridian
        west, east = -180.0, 180.0
    return (west, south, east, north)


def _of_areas(areas: NDArray[np.object_], longitude: float, latitude: float) -> NDArray[np.float64]:
    """Distances of lines and areas; those of which no corner is on this half of the Earth apart."""
    flat = shapely.transform(areas, _projection(longitude, latitude), interleaved=False)
    origin = shapely.Point(0, 0)
    result: NDArray[np.float64] = shapely.distance(flat, origin)
    corners = shapely.distance(shapely.extract_unique_points(flat), origin)
    for row in np.flatnonzero(corners > _QUARTER):
        result[row] = _of_outline(areas[row], longitude, latitude)
    return result


def _of_outline(area: shapely.Geometry, longitude: float, latitude: float) -> float:
    """Distance to the outline of a far area, which the projection could draw as a ring.

    A tenth of a degree between points of its outline is below 1e-7 of such a distance.
    """
    x, y = shapely.get_coordinates(shapely.segmentize(area, 0.1)).T
    return float(np.min(_of_points(x, y, longitude, latitude)))


def _of_points(
    x: NDArray[np.float64], y: NDArray[np.float64], longitude: float, latitude: float
) -> NDArray[np.float64]:
    """Distances ``(n,)`` in metres of points given in degrees.

    A single one goes as two numbers: pyproj makes numbers of arrays of one, of which numpy 1.25 to
    2.3 warns.
    """
    if len(x) == 1:
        return np.array([_ellipsoid().inv(longitude, latitude, float(x[0]), float(y[0]))[2]])
    here = np.full(len(x), longitude), np.full(len(x), latitude)
    return np.asarray(_ellipsoid().inv(*here, x, y)[2], np.float64)


@lru_cache(maxsize=1)
def _ellipsoid() -> Any:
    from pyproj import Geod

    return Geod(ellps="WGS84")


@lru_cache(maxsize=16)
def _projection(longitude: float, latitude: float) -> Any:
    from pyproj import Transformer

    plane = f"+proj=aeqd +lat_0={latitude} +lon_0={longitude} +ellps=WGS84"
    return Transformer.from_crs("EPSG:4326", plane, always_xy=True).transform
