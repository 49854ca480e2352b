"""Regions finer than boxes in one column: polygons as points, masks as COCO's RLE or as run edges.

A quarter of a million masks are one text and two arrays; a :class:`Polygon`, :class:`MultiPolygon`
or :class:`Raster` is made when its row is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.geometry import MultiPolygon, Polygon, Raster, Shape

NO_REGION, POLYGON, MULTIPOLYGON, TEXT, EDGES = range(5)
"""How a row's region is stored: none, an outline with holes, several of them, COCO's
compressed RLE, as run edges (see :mod:`velour_plugin.domain.columns.rle`)."""


def _starts() -> NDArray[np.int64]:
    return np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """Polygons of many rows.

    Args:
        points: ``(p, 2)`` float64 as x, y in pixels; the first point of a ring is repeated as
            its last.
        ring_start: ``(rings + 1,)`` int64, where the points of each ring begin.
        part_start: ``(parts + 1,)`` int64, where the rings of each part begin: the outline,
            then its holes.
    """

    points: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    ring_start: NDArray[np.int64] = field(default_factory=_starts)
    part_start: NDArray[np.int64] = field(default_factory=_starts)

    @property
    def parts(self) -> int:
        """Number of parts."""
        return len(self.part_start) - 1

    def rings_of(self, part: int) -> list[NDArray[np.float64]]:
        """Return the rings of one part, each ``(points, 2)``."""
        first, last = self.part_start[part : part + 2].tolist()
        bounds = self.ring_start[first : last + 1].tolist()
        return [self.points[low:high] for low, high in pairwise(bounds)]

    def take(self, parts: NDArray[np.int64]) -> Outlines:
        """Return some parts, by index, in that order."""
        rings, part_start = ranges(self.part_start[:-1][parts], self.part_start[1:][parts])
        points, ring_start = ranges(self.ring_start[:-1][rings], self.ring_start[1:][rings])
        return Outlines(self.points[points], ring_start, part_start)

    @classmethod
    def joined(cls, several: Sequence[Outlines]) -> Outlines:
        """Concatenate outlines."""
        return cls(
            np.concatenate([outlines.points for outlines in several]),
            _joined_starts([outlines.ring_start for outlines in several]),
            _joined_starts([outlines.part_start for outlines in several]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class RegionColumn:
    """The region of each row of a table; rows may have none.

    Args:
        kind: ``(n,)`` uint8, see :data:`NO_REGION`.
        start: ``(n,)`` int64, where the row's region begins: among the parts of ``outlines``, in
            ``text`` or in ``edges``.
        stop: ``(n,)`` int64, where it ends.
        size: ``(n, 2)`` int64, height and width of a mask in pixels; 0 for others.
        outlines: of polygons and multipolygons.
        text: of masks in COCO's compressed RLE, among anything else.
        escaped: backslashes in ``text`` are doubled, as in JSON.
        edges: of masks as run edges, int32 or int64.
    """

    kind: NDArray[np.uint8]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    size: NDArray[np.int64]
    outlines: Outlines = field(default_factory=Outlines)
    text: bytes = b""
    escaped: bool = False
    edges: NDArray[Any] = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.kind)

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> Shape | None: ...
    @overload
    def __getitem__(self, rows: slice | NDArray[Any]) -> RegionColumn: ...
    def __getitem__(self, rows: Any) -> Shape | RegionColumn | None:
        """The region of one row as an object, or a column of some rows by position or mask."""
        if isinstance(rows, (int, np.integer)):
            return self._shape(int(rows))
        part = self.view(rows)
        # a small part shall not keep the whole of a large file in memory
        return part.compacted() if 4 * len(part) < 3 * len(self) else part

    def view(self, rows: slice | NDArray[Any]) -> RegionColumn:
        """Return some rows by position or mask, sharing the buffers of all."""
        return replace(
            self, kind=self.kind[rows], start=self.start[rows],
            stop=self.stop[rows], size=self.size[rows],
        )  # fmt: skip

    def __iter__(self) -> Iterator[Shape | None]:
        return map(self._shape, range(len(self)))

    @property
    def is_present(self) -> NDArray[np.bool_]:
        """``(n,)`` which rows have a region."""
        return np.asarray(self.kind != NO_REGION)

    @property
    def is_mask(self) -> NDArray[np.bool_]:
        """``(n,)`` which rows have a mask."""
        return np.asarray(self.kind >= TEXT)

    @property
    def is_text(self) -> NDArray[np.bool_]:
        """``(n,)`` which rows have a mask that is stored as compressed RLE."""
        return np.asarray(self.kind == TEXT)

    @property
    def is_polygon(self) -> NDArray[np.bool_]:
        """``(n,)`` which rows have a polygon or multipolygon."""
        return np.asarray((self.kind == POLYGON) | (self.kind == MULTIPOLYGON))

    @classmethod
    def empty(cls, rows: int) -> RegionColumn:
        """Make a column of so many rows without regions."""
        start, stop = np.zeros((2, rows), np.int64)
        return cls(np.zeros(rows, np.uint8), start, stop, np.zeros((rows, 2), np.int64))

    @classmethod
    def of_shapes(cls, shapes: Sequence[Shape | None]) -> RegionColumn:
        """Make a column of region objects; ``None`` is a row without a region."""
        kind = np.array(list(map(_kind_of, shapes)), np.uint8)
        masks = [shape for shape in shapes if isinstance(shape, Raster)]
        geometries = [shape.shape for shape in shapes if isinstance(shape, (Polygon, MultiPolygon))]
        outlines, part_bounds = outlines_of(geometries)
        lengths = [mask.edges.size for mask in masks]
        edge_bounds = np.cumsum([0, *lengths], dtype=np.int64)
        column = cls.empty(len(kind))
        column.kind[:] = kind
        for chosen, bounds in (((kind == POLYGON) | (kind == MULTIPOLYGON), part_bounds),
                               (kind == EDGES, edge_bounds)):  # fmt: skip
            column.start[chosen], column.stop[chosen] = bounds[:-1], bounds[1:]
        column.size[kind == EDGES] = np.reshape([(m.height, m.width) for m in masks], (-1, 2))
        edges = np.concatenate([np.empty(0, np.int64), *(mask.edges for mask in masks)])
        return replace(column, outlines=outlines, edges=edges)

    @classmethod
    def of_rings(
        cls,
        points: NDArray[np.float64],
        ring_start: NDArray[np.int64],
        row_start: NDArray[np.int64],
    ) -> RegionColumn:
        """Make a column of polygons without holes; several in one row are a multipolygon.

        Args:
            points: ``(p, 2)`` float64 as x, y in pixels; rings that are open are closed.
            ring_start: ``(rings + 1,)`` int64, where the points of each ring begin.
            row_start: ``(n + 1,)`` int64, where the rings of each row begin.
        """
        points, ring_start = _closed(points, ring_start)
        several = np.diff(row_start)
        kind = np.where(several > 1, MULTIPOLYGON, np.where(several == 1, POLYGON, NO_REGION))
        outlines = Outlines(points, ring_start, np.arange(len(ring_start), dtype=np.int64))
        return replace(
            cls.empty(len(several)), kind=kind.astype(np.uint8),
            start=row_start[:-1].copy(), stop=row_start[1:].copy(), outlines=outlines,
        )  # fmt: skip

    @classmethod
    def of_texts(
        cls,
        text: bytes,
        start: NDArray[np.int64],
        stop: NDArray[np.int64],
        size: NDArray[np.int64],
        *,
        escaped: bool,
    ) -> RegionColumn:
        """Make a column of masks in COCO's compressed RLE, each a slice of one text."""
        kind = np.full(len(start), TEXT, np.uint8)
        return cls(kind, start, stop, size, text=text, escaped=escaped)

    @classmethod
    def of_edges(
        cls, edges: NDArray[Any], edge_start: NDArray[np.int64], size: NDArray[np.int64]
    ) -> RegionColumn:
        """Make a column of masks as run edges, which begin at ``edge_start``, ``(n + 1,)``."""
        kind = np.full(len(size), EDGES, np.uint8)
        return cls(kind, edge_start[:-1].copy(), edge_start[1:].copy(), size, edges=edges)

    @classmethod
    def scattered(
        cls, rows: int, parts: Sequence[tuple[NDArray[np.intp], RegionColumn]]
    ) -> RegionColumn:
        """Make a column of parts that use different buffers: polygons, texts and run edges.

        Args:
            rows: of the column.
            parts: which rows each of them has.
        """
        column = cls.empty(rows)
        buffers: dict[str, Any] = {}
        for chosen, part in parts:
            for name in ("kind", "start", "stop", "size"):
                getattr(column, name)[chosen] = getattr(part, name)
            if part.is_polygon.any():
                buffers["outlines"] = part.outlines
            if part.is_text.any():
                buffers |= {"text": part.text, "escaped": part.escaped}
            if (part.kind == EDGES).any():
                buffers["edges"] = part.edges
        return replace(column, **buffers)

    @classmethod
    def joined(cls, columns: Sequence[RegionColumn]) -> RegionColumn:
        """Concatenate several columns."""
        texts = [column for column in columns if (column.is_text).any()]
        if any(column.escaped for column in texts):
            columns = [column.compacted() for column in columns]
        parts = np.cumsum([0, *(column.outlines.parts for column in columns)])
        letters = np.cumsum([0, *(len(column.text) for column in columns)])
        edges = np.cumsum([0, *(len(column.edges) for column in columns)])
        shifts = [
            np.array([0, parts[at], parts[at], letters[at], edges[at]])[column.kind]
            for at, column in enumerate(columns)
        ]
        pairs = list(zip(columns, shifts, strict=True))
        return cls(
            np.concatenate([column.kind for column in columns]),
            np.concatenate([column.start + shift for column, shift in pairs]),
            np.concatenate([column.stop + shift for column, shift in pairs]),
            np.concatenate([column.size for column in columns]),
            Outlines.joined([column.outlines for column in columns]),
            b"".join([column.text for column in columns]),
            False,
            np.concatenate([column.edges for column in columns]),
        )

    def compacted(self) -> RegionColumn:
        """Copy the regions into buffers that hold nothing else, in the order of the rows."""
        start, stop = self.start.copy(), self.stop.copy()
        parts, part_bounds = ranges(start[self.is_polygon], stop[self.is_polygon])
        pieces = [self.text_of(row) for row in np.flatnonzero(self.is_text).tolist()]
        letters = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
        edges, edge_bounds = ranges(start[self.kind == EDGES], stop[self.kind == EDGES])
        for chosen, bounds in ((self.is_polygon, part_bounds), (self.is_text, letters),
                               (self.kind == EDGES, edge_bounds)):  # fmt: skip
            start[chosen], stop[chosen] = bounds[:-1], bounds[1:]
        return replace(
            self, start=start, stop=stop, outlines=self.outlines.take(parts),
            text=b"".join(pieces), escaped=False, edges=self.edges[edges],
        )  # fmt: skip

    def text_of(self, row: int) -> bytes:
        """Return COCO's compressed run lengths of one row, which must be a mask stored as text."""
        text = self.text[self.start[row] : self.stop[row]]
        return text.replace(b"\\\\", b"\\") if self.escaped else text

    def _shape(self, row: int) -> Shape | None:
        kind = self.kind[row]
        if kind == NO_REGION:
            return None
        if kind in (POLYGON, MULTIPOLYGON):
            parts = map(self.outlines.rings_of, range(self.start[row], self.stop[row]))
            return Polygon(*parts) if kind == POLYGON else MultiPolygon(list(parts))
        height, width = self.size[row].tolist()
        if kind == TEXT:
            return Raster({"size": [height, width], "counts": self.text_of(row)})
        edges = self.edges[self.start[row] : self.stop[row]].astype(np.int64)
        return Raster.from_edges(edges, height, width)


def outlines_of(geometries: Sequence[Any]) -> tuple[Outlines, NDArray[np.int64]]:
    """Convert shapely polygons and multipolygons to points.

    Returns:
        All their parts, and where the parts of each begin: ``(geometries + 1,)``.
    """
    if not len(geometries):
        return Outlines(), _starts()
    import shapely

    _, points, offsets = shapely.to_ragged_array(np.array(geometries, object), include_z=False)
    rings, parts, *bounds = (offset.astype(np.int64) for offset in offsets)
    outlines = Outlines(points, rings, parts)
    return outlines, bounds[0] if bounds else np.arange(len(parts), dtype=np.int64)


def geometries_of(column: RegionColumn) -> NDArray[np.object_]:
    """Convert to shapely: ``(n,)`` polygons and multipolygons, ``None`` for other rows."""
    import shapely

    outlines = column.outlines
    parts = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, outlines.points, (outlines.ring_start, outlines.part_start)
    )
    geometries = np.full(len(column), None, object)
    alone = column.kind == POLYGON
    geometries[alone] = parts[column.start[alone]]
    for row in np.flatnonzero(column.kind == MULTIPOLYGON):
        geometries[row] = shapely.MultiPolygon(parts[column.start[row] : column.stop[row]])
    return geometries


def ranges(
    start: NDArray[np.int64], stop: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all positions of several ranges, concatenated, and where each begins: ``(n + 1,)``."""
    length = stop - start
    bounds = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    positions = np.arange(bounds[-1]) + np.repeat(start - bounds[:-1], length)
    return positions, bounds


def _closed(
    points: NDArray[np.float64], ring_start: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Repeat a ring's first point as its last, unless it is; a closed ring has at least four."""
    first, end = ring_start[:-1], ring_start[1:]
    is_open = (points[first] != points[end - 1]).any(axis=1) | (end - first == 3)
    if not is_open.any():
        return points, ring_start
    closed = np.insert(points, end[is_open], points[first[is_open]], axis=0)
    shifts = np.concatenate([[0], np.cumsum(is_open)])
    return closed, ring_start + shifts


def _joined_starts(starts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    ends = np.cumsum([0, *(int(start[-1]) for start in starts)])
    shifted = [start[:-1] + end for start, end in zip(starts, ends[:-1], strict=True)]
    return np.concatenate([*shifted, ends[-1:]]).astype(np.int64)


def _kind_of(shape: Shape | None) -> int:
    if shape is None:
        return NO_REGION
    if isinstance(shape, Raster):
        return EDGES
    return POLYGON if isinstance(shape, Polygon) else MULTIPOLYGON
