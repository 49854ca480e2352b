"""Polygons and masks at rest: as WKB, and as numbers; alike in columns and in rows of the store."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from velour_plugin.domain.geometry import MultiPolygon, Polygon, Raster, Shape
from velour_plugin.errors import BadDataset


def shapes_to_wkb(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Polygons and multipolygons as WKB, ``(n,)``; ``None`` for a mask and for nothing."""
    geometries = [None if isinstance(shape, Raster) else shape and shape.shape for shape in shapes]
    spelled: NDArray[np.object_] = shapely.to_wkb(np.array(geometries, object))
    return spelled


def shape_of(geometry: BaseGeometry | None) -> Shape | None:
    """The region that a geometry is."""
    if geometry is None:
        return None
    return Polygon(geometry) if isinstance(geometry, shapely.Polygon) else MultiPolygon(geometry)


def raster_to_numbers(shape: Shape | None) -> NDArray[np.int32] | None:
    """A mask as height, width and edges (see :mod:`velour_plugin.domain.runs`)."""
    if not isinstance(shape, Raster):
        return None
    return np.concatenate([[shape.height, shape.width], shape.edges]).astype("<i4")


def raster_of(numbers: NDArray[np.int32]) -> Raster:
    """Undo :func:`raster_to_numbers`."""
    height, width = numbers[:2].tolist()
    return Raster.from_edges(numbers[2:].astype(np.int64), height, width)


def check_rasters(numbers: NDArray[Any], bounds: NDArray[np.int64]) -> None:
    """Refuse masks that break the rules of run edges, looking at all of them at once."""
    rows = np.flatnonzero(np.diff(bounds))
    first, count = bounds[rows], np.diff(bounds)[rows]
    wrong = count < 2
    if rows.size and not wrong.any():
        rises = np.diff(numbers, prepend=0) > 0
        rises[first], rises[first + 1] = numbers[first] > 0, numbers[first + 1] > 0
        begins = first[count > 2] + 2
        rises[begins] = numbers[begins] >= 0
        pixels = numbers[first].astype(np.int64) * numbers[first + 1]
        beyond = (count > 2) & (numbers[first + count - 1] >= pixels)
        wrong = beyond | ~np.logical_and.reduceat(rises, first)
    if wrong.any():
        raise BadDataset(
            f"the mask in row {rows[wrong][0]} is none: expected its height and width, above 0, "
            "then rising positions of pixels within it."
        )
