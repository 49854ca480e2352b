"""Boxes, polygons and rasters in pixel space: x to the right, y down, origin at the top left.

Refused: sizes below zero, coordinates that are not finite, shapes without a point.
A box or polygon without area is allowed: it exists in real data, overlaps nothing, and counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns import rle
from velour_plugin.errors import BadGeometry
from velour_plugin.helpers.libraries import is_geometry, shapely

MOST_PIXELS = 2**31 - 1
"""Pixels of a mask: their positions are stored in 32 bits."""


@dataclass(frozen=True, slots=True)
class BoundingBox:
    """An axis-aligned box in pixels, corners half-open: ``BoundingBox(0, 0, 1, 1)`` is one pixel.

    Raises:
        BadGeometry: a corner is not finite, or lies left of or above its opposite.
    """

    xmin: float
    ymin: float
    xmax: float
    ymax: float
    # (x + w) - x is not always w: a box read as x, y, w, h keeps its size to the bit.
    _size: tuple[float, float] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("xmin", "ymin", "xmax", "ymax"):
            object.__setattr__(self, name, _pixels(name, getattr(self, name)))
        if not all(map(math.isfinite, (self.xmin, self.ymin, self.xmax, self.ymax))):
            raise BadGeometry(f"{self}: corners must be finite numbers, in pixels.")
        if self.xmin > self.xmax or self.ymin > self.ymax:
            raise BadGeometry(
                f"{self} is turned over: expected xmin <= xmax and ymin <= ymax. "
                "Read (x, y, width, height) with BoundingBox.from_xywh."
            )

    @classmethod
    def from_xywh(cls, x: float, y: float, width: float, height: float) -> BoundingBox:
        """Make a box from its top left corner and its size, as COCO files give it."""
        values = {"x": x, "y": y, "width": width, "height": height}
        x, y, width, height = (_pixels(name, value) for name, value in values.items())
        if width < 0 or height < 0:
            raise BadGeometry(
                f"box of width {width!r} and height {height!r}: a size is >= 0. "
                "Give corners to BoundingBox(xmin, ymin, xmax, ymax)."
            )
        return cls(x, y, x + width, y + height, (width, height))

    @property
    def xywh(self) -> tuple[float, float, float, float]:
        """Left and top edge, width and height, in pixels."""
        width, height = self._size or (self.xmax - self.xmin, self.ymax - self.ymin)
        return (self.xmin, self.ymin, width, height)

    @property
    def area(self) -> float:
        """Width times height, in square pixels."""
        _, _, width, height = self.xywh
        return width * height

    @property
    def shape(self) -> shapely.Polygon:
        """The box as a shapely polygon."""
        return shapely.box(self.xmin, self.ymin, self.xmax, self.ymax)


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon in pixels, maybe with holes; rotated boxes are polygons of four corners.

    Args:
        shape: a shapely polygon, or rings of (x, y) points: the outline, then its holes.
            One flat ring of points is an outline without holes.

    Raises:
        BadGeometry: a ring has fewer than three points or one that is not finite.
    """

    shape: shapely.Polygon

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _polygon(self.shape))

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return float(self.shape.area)


@dataclass(frozen=True, slots=True)
class MultiPolygon:
    """Several polygons that are one object, such as an object behind a fence.

    Args:
        shape: a shapely multipolygon or polygon, or a list of what :class:`Polygon` takes.
    """

    shape: shapely.MultiPolygon

    def __post_init__(self) -> None:
        shape: Any = self.shape
        parts = [shape] if isinstance(shape, shapely.Polygon) else getattr(shape, "geoms", shape)
        try:
            parts = list(parts)
        except TypeError:
            parts = []
        if not parts:
            raise BadGeometry(
                f"multipolygon {shape!r}: expected a shapely multipolygon or a list of polygons, "
                "at least one."
            )
        polygons = [_polygon(part.shape if isinstance(part, Polygon) else part) for part in parts]
        object.__setattr__(self, "shape", shapely.MultiPolygon(polygons))

    @property
    def area(self) -> float:
        """Area of the union in square pixels; parts that overlap count once."""
        return float(shapely.union_all(list(self.shape.geoms)).area)


class Raster:
    """A mask of an image, kept as run edges.

    Args:
        mask: a ``(height, width)`` boolean array, or a COCO RLE ``{"size": [height, width],
            "counts": ...}`` with compressed text or a list of run lengths.

    Raises:
        BadGeometry: the array is not two-dimensional, or the runs do not fill the size, or it has
            more than :data:`MOST_PIXELS`.
    """

    __slots__ = ("edges", "height", "width")

    def __init__(self, mask: NDArray[np.bool_] | Mapping[str, Any]) -> None:
        if isinstance(mask, Mapping):
            self.height, self.width, self.edges = _from_rle(mask)
            return
        array = np.asarray(mask)
        if array.ndim != 2 or not array.size:
            raise BadGeometry(
                f"mask of shape {array.shape}: expected (height, width), both above 0."
            )
        self.height, self.width = map(int, array.shape)
        self.edges = rle.edges_of_mask(array.astype(bool))

    @classmethod
    def from_edges(cls, edges: rle.Edges, height: int, width: int) -> Raster:
        """Make a raster from run edges (see :mod:`velour_plugin.domain.columns.rle`), unchecked."""
        raster = cls.__new__(cls)
        raster.edges, raster.height, raster.width = edges, height, width
        return raster

    @classmethod
    def from_geometry(cls, geometry: Region, height: int, width: int) -> Raster:
        """Rasterise a box, polygon or multipolygon by COCO's rule; what lies outside is cut off."""
        shape: Any = geometry if is_geometry(geometry) else geometry.shape
        parts = shape.geoms if isinstance(shape, shapely.MultiPolygon) else [shape]
        edges = [rle.edges_of_rings(_rings(part), height, width) for part in parts]
        return cls.from_edges(rle.union_of_edges(edges, height, width), height, width)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask as a ``(height, width)`` boolean array, made anew at each look."""
        return rle.mask_of_edges(self.edges, self.height, self.width)

    @property
    def area(self) -> float:
        """Number of pixels."""
        return float(rle.area_of_edges(self.edges, self.height, self.width))

    @property
    def bounding_box(self) -> BoundingBox:
        """Smallest box around the pixels; of size 0 at (0, 0) where there is none."""
        return BoundingBox.from_xywh(*rle.box_of_edges(self.edges, self.height, self.width))

    def to_rle(self) -> dict[str, Any]:
        """Convert to COCO's compressed RLE: ``{"size": [height, width], "counts": str}``."""
        counts = rle.counts_of_edges(self.edges, self.height, self.width)
        return {"size": [self.height, self.width], "counts": rle.text_of_counts(counts)}

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Raster)
            and (self.height, self.width) == (other.height, other.width)
            and np.array_equal(self.edges, other.edges)
        )

    def __hash__(self) -> int:
        return hash((self.height, self.width, self.edges.tobytes()))

    def __repr__(self) -> str:
        return f"Raster({self.height}x{self.width}, {self.area:.0f} pixels)"


Region = Union[BoundingBox, Polygon, MultiPolygon]
Shape = Union[Polygon, MultiPolygon, Raster]
"""Regions that an annotation may have beside its box."""


def _pixels(name: str, value: Any) -> float:
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        raise BadGeometry(f"{name} {value!r}: expected a number of pixels.") from None


def _polygon(shape: Any) -> shapely.Polygon:
    polygon = shape if isinstance(shape, shapely.Polygon) else _polygon_of_rings(shape)
    if polygon.is_empty or not np.isfinite(shapely.get_coordinates(polygon)).all():
        raise BadGeometry(f"polygon {shape!r}: expected at least three finite points.")
    return shapely.force_2d(polygon)


def _polygon_of_rings(shape: Any) -> shapely.Polygon:
    try:
        rings = list(shape)
        if rings and np.ndim(rings[0]) == 1:
            rings = [rings]
        arrays = [np.asarray(ring, dtype=np.float64).reshape(-1, 2) for ring in rings]
        if not all(np.isfinite(ring).all() for ring in arrays):
            raise ValueError("a point is not finite")
        return shapely.Polygon(arrays[0], arrays[1:])
    except (
        OverflowError,
        ValueError,
        TypeError,
        IndexError,
        shapely.errors.GEOSException,
    ) as error:
        raise BadGeometry(
            f"polygon {shape!r}: expected a shapely polygon, or rings of at least three finite "
            "points (x, y)."
        ) from error


def _rings(polygon: shapely.Polygon) -> Sequence[NDArray[np.float64]]:
    # shapely repeats the first point of a ring at its end; COCO's walk closes rings itself
    return [np.asarray(ring.coords)[:-1] for ring in (polygon.exterior, *polygon.interiors)]


def _from_rle(encoded: Mapping[str, Any]) -> tuple[int, int, rle.Edges]:
    try:
        height, width = (int(size) for size in encoded["size"])
        counts = encoded["counts"]
        if isinstance(counts, (str, bytes)):
            counts = rle.counts_of_text(counts)
        lengths = np.asarray(counts)
        if lengths.size and lengths.dtype.kind not in "iu":
            raise ValueError("counts are whole numbers")
        lengths = lengths.astype(np.int64)
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise BadGeometry(
            f"RLE {str(encoded)[:80]}: expected {{'size': [height, width], 'counts': ...}} "
            f"({error})."
        ) from error
    size = height * width
    if size > MOST_PIXELS:
        raise BadGeometry(
            f"RLE of size {height}x{width}: a mask has at most {MOST_PIXELS:,} pixels; give "
            "polygons, or cut the image into tiles."
        )
    outside = (lengths < 0) | (lengths > size)  # sums of enormous runs would overflow
    if height <= 0 or width <= 0 or outside.any() or lengths.sum() != size:
        raise BadGeometry(
            f"RLE of size {height}x{width} with runs for {sum(lengths.ravel().tolist())} pixels: "
            f"expected runs >= 0 that fill {size} pixels, and a size above 0."
        )
    return height, width, rle.edges_of_counts(lengths)
