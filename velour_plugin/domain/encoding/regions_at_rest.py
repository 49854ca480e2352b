"""Stored regions: polygons as WKB, masks as numbers; the same in columns and in store rows.

Also the bytes that are digested. Everything is written from a column, a bounded amount of
masks at a time, without an object for a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from struct import pack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.region_column import (
    EDGES,
    MULTIPOLYGON,
    POLYGON,
    Outlines,
    RegionColumn,
    outlines_of,
    ranges,
)
from velour_plugin.domain.columns.region_masks import decoded_in_pieces
from velour_plugin.domain.geometry import MultiPolygon, Polygon, Shape
from velour_plugin.errors import BadDataset

_LITTLE_ENDIAN, _POLYGON, _MULTIPOLYGON = 1, 3, 6


def region_bytes(column: RegionColumn) -> Iterator[bytes]:
    """Yield each region as bytes, equal for equal regions: WKB, or a mask's size and edges."""
    for _, part in decoded_in_pieces(column):
        where = zip(part.start.tolist(), part.stop.tolist(), part.size.tolist(), strict=True)
        for wkb, is_mask, (start, stop, size) in zip(
            polygons_to_wkb(part), part.is_mask.tolist(), where, strict=True
        ):
            if is_mask:
                yield b"R%d,%d;" % tuple(size) + part.edges[start:stop].astype("<i8").tobytes()
            else:
                yield b"\x00" if wkb is None else b"P" + wkb


def polygons_to_wkb(column: RegionColumn) -> list[bytes | None]:
    """Encode polygons and multipolygons as WKB, as shapely does; ``None`` for other rows."""
    chosen = column.is_polygon
    if not chosen.any():
        return [None] * len(column)
    counts = (column.stop - column.start).tolist()
    numbers, _ = ranges(column.start[chosen], column.stop[chosen])
    parts = _parts_to_wkb(column.outlines.take(numbers))
    return [
        next(parts) if kind == POLYGON
        else pack("<BII", _LITTLE_ENDIAN, _MULTIPOLYGON, count) + b"".join(islice(parts, count))
        if kind == MULTIPOLYGON
        else None
        for kind, count in zip(column.kind.tolist(), counts, strict=True)
    ]  # fmt: skip


def _parts_to_wkb(outlines: Outlines) -> Iterator[bytes]:
    points, rings = outlines.points.astype("<f8").tobytes(), outlines.ring_start.tolist()
    for first, last in pairwise(outlines.part_start.tolist()):
        bounds = pairwise(rings[first : last + 1])
        content = [pack("<I", high - low) + points[16 * low : 16 * high] for low, high in bounds]
        yield pack("<BII", _LITTLE_ENDIAN, _POLYGON, len(content)) + b"".join(content)


def masks_to_numbers(column: RegionColumn) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Encode masks as height, width and edges (:mod:`velour_plugin.domain.columns.rle`), ``<i4``.

    Returns:
        All numbers, and where those of each row begin: ``(n + 1,)``; none where there is no mask.
    """
    parts, lengths = [np.empty(0, "<i4")], [np.zeros(1, np.int64)]
    for _, part in decoded_in_pieces(column):
        edges, bounds = ranges(*(np.where(part.is_mask, at, 0) for at in (part.start, part.stop)))
        sizes = part.size[part.is_mask].ravel()
        before = np.repeat(bounds[:-1][part.is_mask], 2)
        parts.append(np.insert(part.edges[edges], before, sizes).astype("<i4"))
        lengths.append(np.diff(bounds) + 2 * part.is_mask)
    return np.concatenate(parts), np.cumsum(np.concatenate(lengths))


def column_at_rest(
    wkb: Sequence[bytes | None] | None,
    masks: tuple[NDArray[np.int32], NDArray[np.int64]] | None,
) -> RegionColumn | None:
    """Decode :func:`polygons_to_wkb` and :func:`masks_to_numbers`; ``None`` when both are ``None``.

    Raises:
        BadDataset: numbers are no mask.
        BadGeometry: WKB is no polygon.
    """
    polygons = None if wkb is None else _polygons_of(wkb)
    rasters = None if masks is None else _masks_of(*masks)
    if polygons is None or rasters is None:
        return rasters if polygons is None else polygons
    rows = np.arange(len(polygons))
    rows[~polygons.is_present] += len(polygons)
    return RegionColumn.joined([polygons, rasters])[rows]


def _polygons_of(wkb: Sequence[bytes | None]) -> RegionColumn:
    import shapely

    geometries = shapely.from_wkb(np.array([*wkb, None], object)[:-1])
    present = np.array([geometry is not None for geometry in geometries], bool)
    some = geometries[present]
    kinds = shapely.get_type_id(some)
    coordinates = shapely.get_coordinates(some)
    if (
        not np.isin(kinds, (_POLYGON, _MULTIPOLYGON)).all()
        or shapely.is_empty(some).any()
        or not np.isfinite(coordinates).all()
    ):
        return RegionColumn.of_shapes([_shape_of(geometry) for geometry in geometries])
    outlines, bounds = outlines_of(some)
    column = RegionColumn.empty(len(geometries))
    column.kind[present] = np.where(kinds == _POLYGON, POLYGON, MULTIPOLYGON)
    column.start[present], column.stop[present] = bounds[:-1], bounds[1:]
    return replace(column, outlines=outlines)


def _shape_of(geometry: Any) -> Shape | None:
    """A geometry as a region; other geometries are refused."""
    import shapely

    if geometry is None:
        return None
    return Polygon(geometry) if isinstance(geometry, shapely.Polygon) else MultiPolygon(geometry)


def _masks_of(numbers: NDArray[np.int32], bounds: NDArray[np.int64]) -> RegionColumn:
    check_rasters(numbers, bounds)
    column = RegionColumn.empty(len(bounds) - 1)
    rows = np.flatnonzero(np.diff(bounds))
    first = bounds[rows]
    column.kind[rows] = EDGES
    column.size[rows] = np.column_stack([numbers[first], numbers[first + 1]])
    column.start[rows], column.stop[rows] = first + 2, bounds[rows + 1]
    edges = numbers if numbers.dtype.kind == "i" else numbers.astype(np.int64)
    return replace(column, edges=edges)


def check_rasters(numbers: NDArray[Any], bounds: NDArray[np.int64]) -> None:
    """Refuse masks that break the rules of run edges; checks all rows at once.

    Raises:
        BadDataset: there is one, naming its row.
    """
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
            f"the mask in row {rows[wrong][0]} is invalid: expected its height and width, above 0, "
            "then increasing positions of pixels within it."
        )
