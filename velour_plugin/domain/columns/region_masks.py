"""Masks of a column of regions: decoded from RLE, rasterised from polygons, measured.

By the compiled kernel where there is one, by :mod:`velour_plugin.domain.columns.rle` otherwise: the
same bits. Texts are decoded a bounded number at a time, as their edges take ten times their room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns import rle
from velour_plugin.domain.columns.region_column import EDGES, TEXT, RegionColumn, ranges
from velour_plugin.domain.geometry import Raster
from velour_plugin.errors import BadGeometry
from velour_plugin.helpers.limits import limit
from velour_plugin.native import masks
from velour_plugin.native.library import library
from velour_plugin.native.regions import RegionArrays, check

AT_ONCE = 4_000_000
"""Characters of RLE, or edges, that are processed together; an edge takes eight bytes."""


def decoded_in_pieces(column: RegionColumn) -> Iterator[tuple[slice, RegionColumn]]:
    """Yield slices of rows, in order, of bounded content, each with its :func:`decoded` rows."""
    content = np.cumsum(np.where(column.is_mask, column.stop - column.start, 1))
    cuts = np.searchsorted(content, np.arange(AT_ONCE, content[-1:].sum(), AT_ONCE))
    bounds = np.unique([0, *cuts.tolist(), len(column)]).tolist()
    for rows in map(slice, bounds[:-1], bounds[1:]):
        part = column.view(rows)
        # narrow edges become wide ones below: those of this piece, not all
        yield rows, decoded(part if part.edges.dtype == np.int64 else part.compacted())


def decoded(column: RegionColumn) -> RegionColumn:
    """Return the same regions, with all masks as run edges.

    Raises:
        ValueError: run lengths are malformed or do not fill their mask.
    """
    rows = np.flatnonzero(column.kind == TEXT)
    if not rows.size:
        return column
    if len(column.edges):  # maybe those of many other rows
        column = column.compacted()
    return _with_edges(column, rows, _decode(column, rows), column.size[rows])


def rasterised(column: RegionColumn, size: NDArray[np.int64]) -> RegionColumn:
    """Return the regions with polygons as masks by COCO's rule, cut off at their image.

    Args:
        column: regions.
        size: ``(n, 2)`` height and width of each row's image in pixels.

    Raises:
        BadGeometry: an image is larger than ``VELOUR_MAX_IMAGE_SIDE``, or a polygon reaches farther
            than masks can tell.
    """
    rows = np.flatnonzero(column.is_polygon)
    if not rows.size:
        return column
    _check_sides(size[rows])
    return _with_edges(column, rows, _draw(column, rows, size[rows]), size[rows])


def with_boxes(column: RegionColumn, box: NDArray[np.float64]) -> RegionColumn:
    """Return the regions; a row without one gets its box, where it has one, as a polygon.

    Args:
        column: regions.
        box: ``(n, 4)`` float64 as x, y, width, height in pixels; NaN where there is none.
    """
    rows = np.flatnonzero(~column.is_present & ~np.isnan(box[:, 0]))
    if not rows.size:
        return column
    boxes = _columns_of_boxes(box[rows])
    index = np.arange(len(column))
    index[rows] = len(column) + np.arange(len(rows))
    return RegionColumn.joined([column, boxes])[index]


def boxes_around(column: RegionColumn) -> NDArray[np.float64]:
    """Return the box around each region: ``(n, 4)`` x, y, width, height; NaN without a region."""
    boxes = np.full((len(column), 4), np.nan)
    for rows, part in decoded_in_pieces(column):
        boxes[rows][part.is_mask] = _measure(part.view(part.is_mask))[1]
    polygons = np.flatnonzero(column.is_polygon)
    if polygons.size:
        boxes[polygons] = _bounds(column.view(polygons).compacted())
    return boxes


def mask_areas(column: RegionColumn) -> NDArray[np.float64]:
    """Count the pixels of each mask, ``(n,)``; NaN for rows without a mask."""
    areas = np.full(len(column), np.nan)
    for rows, part in decoded_in_pieces(column):
        areas[rows][part.is_mask] = _measure(part.view(part.is_mask))[0]
    return areas


def check_texts(column: RegionColumn) -> None:
    """Refuse masks whose run lengths are malformed or do not fill them.

    Raises:
        ValueError: there is one.
    """
    if library.available():
        check(compiled_regions(column))
        return
    for _ in decoded_in_pieces(column):
        pass


def compiled_regions(column: RegionColumn) -> RegionArrays:
    """Return the column's arrays under the names that the compiled kernel reads."""
    outlines = column.outlines
    return RegionArrays(
        column.kind, column.start, column.stop, np.ascontiguousarray(column.size),
        np.ascontiguousarray(outlines.points), outlines.ring_start, outlines.part_start,
        column.text, int(column.escaped), column.edges.astype(np.int64, copy=False),
    )  # fmt: skip


def decoded_masks(column: RegionColumn) -> masks.Masks:
    """Return all masks as run edges for the compiled kernel; every row must be a mask."""
    column = decoded(column)
    height, width = column.size.T
    edges = column.edges.astype(np.int64, copy=False)
    return masks.Masks(edges, column.start, column.stop, height, width)


def masks_or_texts(column: RegionColumn) -> masks.Masks | masks.Texts:
    """Return masks as they are stored; the kernel decodes an RLE text when it needs it."""
    if not column.is_text.all():
        return decoded_masks(column)
    height, width = column.size.T
    return masks.Texts(column.text, column.start, column.stop, height, width, column.escaped)


Several = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Edges of several masks, and where those of each begin: ``(masks + 1,)``."""


def _with_edges(
    column: RegionColumn, rows: NDArray[np.intp], several: Several, size: NDArray[np.int64]
) -> RegionColumn:
    """The column with some rows as run edges; the column's own edges follow them."""
    edges, bounds = several
    kind, start, stop = column.kind.copy(), column.start.copy(), column.stop.copy()
    sizes = column.size.copy()
    kind[rows], sizes[rows] = EDGES, size
    behind = int(bounds[-1])
    start[column.kind == EDGES] += behind
    stop[column.kind == EDGES] += behind
    start[rows], stop[rows] = bounds[:-1], bounds[1:]
    if len(edges) == behind and len(column.edges):
        edges = np.concatenate([edges, column.edges])
    return replace(column, kind=kind, start=start, stop=stop, size=sizes, edges=edges)


def _decode(column: RegionColumn, rows: NDArray[np.intp]) -> Several:
    if not library.available():
        rasters: list[Raster] = list(column.view(rows))  # type: ignore[arg-type]
        return _joined_edges([raster.edges for raster in rasters])
    texts = masks_or_texts(column.view(rows))
    assert isinstance(texts, masks.Texts)
    decoded_edges = masks.decode(texts)
    return decoded_edges.edges, np.append(decoded_edges.start, len(decoded_edges.edges))


def _check_sides(size: NDArray[np.int64]) -> None:
    most = limit("VELOUR_MAX_IMAGE_SIDE")
    wrong = np.flatnonzero((size > most).any(axis=1))
    if wrong.size:
        height, width = size[wrong[0]].tolist()
        raise BadGeometry(
            f"an image of {height:,}x{width:,} pixels: expected sides of at most {most:,} where "
            "polygons become masks; VELOUR_MAX_IMAGE_SIDE raises the limit."
        )


def _draw(column: RegionColumn, rows: NDArray[np.intp], size: NDArray[np.int64]) -> Several:
    part = column.view(rows).compacted()
    outlines = part.outlines
    if library.available():
        starts = outlines.ring_start, outlines.part_start, np.append(part.start, outlines.parts)
        try:
            drawn = masks.rasterise(outlines.points, *starts, size, behind=column.edges)
        except ValueError:  # a point beyond all measure, an image without a pixel: for numpy to say
            pass
        else:
            return drawn.edges, np.append(drawn.start, drawn.stop[-1:])
    return _joined_edges([_draw_slowly(part, row, size[row]) for row in range(len(part))])


def _draw_slowly(part: RegionColumn, row: int, size: NDArray[np.int64]) -> rle.Edges:
    height, width = size.tolist()
    # the first point of a ring is repeated as its last; COCO's walk closes rings itself
    edges = [
        rle.edges_of_rings([ring[:-1] for ring in part.outlines.rings_of(at)], height, width)
        for at in range(part.start[row], part.stop[row])
    ]
    return rle.union_of_edges(edges, height, width)


def _joined_edges(edges: Sequence[rle.Edges]) -> Several:
    bounds = np.cumsum([0, *map(len, edges)], dtype=np.int64)
    return np.concatenate([np.empty(0, np.int64), *edges]), bounds


def _measure(column: RegionColumn) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas and boxes of masks that are run edges: ``(n,)`` and ``(n, 4)``."""
    if library.available():
        return masks.measure(decoded_masks(column))
    rasters: list[Raster] = list(column)  # type: ignore[arg-type]
    areas = np.array([raster.area for raster in rasters], np.float64)
    return areas, np.reshape([raster.bounding_box.xywh for raster in rasters], (-1, 4))


def _bounds(column: RegionColumn) -> NDArray[np.float64]:
    """Boxes around polygons, whose parts follow each other."""
    points, ring_start = column.outlines.points, column.outlines.ring_start
    outline = column.outlines.part_start[:-1]  # holes do not count, wherever they lie
    points_of, bounds = ranges(ring_start[outline], ring_start[outline + 1])
    low = np.minimum.reduceat(points[points_of], bounds[column.start])
    high = np.maximum.reduceat(points[points_of], bounds[column.start])
    return np.column_stack([low, high - low])


def _columns_of_boxes(box: NDArray[np.float64]) -> RegionColumn:
    """Boxes as polygons of four corners, in shapely's order."""
    x, y, width, height = box.T
    left, right, top, bottom = x, x + width, y, y + height
    corners = [(right, top), (right, bottom), (left, bottom), (left, top), (right, top)]
    points = np.stack([np.column_stack(corner) for corner in corners], axis=1).reshape(-1, 2)
    rows = np.arange(len(box) + 1)
    return RegionColumn.of_rings(points, 5 * rows, rows)
