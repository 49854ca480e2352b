"""Intersection over union of pairs of regions, by COCO's rules.

A crowd is a region that a detection may lie in: its union with a detection is
the detection's own area. Regions that do not overlap, and regions without area, have 0.

Source: ``bbIou`` and ``rleIou`` of the COCO API's ``common/maskApi.c``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.intp]
Floats = NDArray[np.float64]


def box_ious(
    truths: Floats, detections: Floats, crowd: NDArray[np.bool_], truth: Pairs, detection: Pairs
) -> Floats:
    """Compute the IoU of pairs of boxes; of a crowd, the share of the detection that it covers.

    Args:
        truths: ``(T, 4)`` as x, y, width, height in pixels, sizes >= 0.
        detections: ``(D, 4)``, the same layout.
        crowd: ``(T,)`` which truths are crowds.
        truth: ``(P,)`` positions in ``truths``.
        detection: ``(P,)`` positions in ``detections``.

    Returns:
        ``(P,)`` in [0, 1].

    >>> a, b = np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 1, 2, 2]])
    >>> zero = np.array([0])
    >>> box_ious(a, b, np.array([False]), zero, zero).round(3)  # 1 shared pixel of 7
    array([0.143])
    """
    left, top, wide, tall = (column[truth] for column in np.ascontiguousarray(truths.T))
    x, y, width, height = (column[detection] for column in np.ascontiguousarray(detections.T))
    across = np.minimum(left + wide, x + width) - np.maximum(left, x)
    down = np.minimum(top + tall, y + height) - np.maximum(top, y)
    shared = np.where((across > 0) & (down > 0), across * down, 0.0)
    return _ratio(shared, wide * tall, width * height, crowd[truth])


def raster_ious(
    truths: Sequence[Any],
    detections: Sequence[Any],
    crowd: NDArray[np.bool_],
    truth: Pairs,
    detection: Pairs,
) -> Floats:
    """Compute the IoU of pairs of masks, from their run edges alone; of crowds as of boxes.

    Args:
        truths: ``(T,)`` rasters (``edges``, ``height``, ``width``); those of a pair have one size.
        detections: ``(D,)`` rasters.
        crowd: ``(T,)`` which truths are crowds.
        truth: ``(P,)`` positions in ``truths``.
        detection: ``(P,)`` positions in ``detections``.

    Returns:
        ``(P,)`` in [0, 1].
    """
    ours, theirs = _Runs(truths), _Runs(detections)
    near = np.flatnonzero(_boxes_touch(ours.boxes[truth], theirs.boxes[detection]))
    shared = np.zeros(len(truth))
    shared[near] = _shared_pixels(ours, theirs, truth[near], detection[near])
    return _ratio(shared, ours.areas[truth], theirs.areas[detection], crowd[truth])


def polygon_ious(
    truths: Sequence[Any],
    detections: Sequence[Any],
    crowd: NDArray[np.bool_],
    truth: Pairs,
    detection: Pairs,
) -> Floats:
    """Compute the IoU of pairs of polygons, by exact areas; of crowds as of boxes.

    Args:
        truths: ``(T,)`` valid shapely geometries (see :func:`mended`).
        detections: ``(D,)`` valid shapely geometries.
        crowd: ``(T,)`` which truths are crowds.
        truth: ``(P,)`` positions in ``truths``.
        detection: ``(P,)`` positions in ``detections``.

    Returns:
        ``(P,)`` in [0, 1], to the last digits of a float64.
    """
    import shapely

    ours, theirs = np.asarray(truths, object), np.asarray(detections, object)
    bounds, others = shapely.bounds(ours), shapely.bounds(theirs)
    near = np.flatnonzero(_bounds_touch(bounds[truth], others[detection]))
    shared = np.zeros(len(truth))
    overlap = shapely.intersection(ours[truth[near]], theirs[detection[near]])
    shared[near] = shapely.area(overlap)
    return _ratio(shared, shapely.area(ours)[truth], shapely.area(theirs)[detection], crowd[truth])


def mended(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Make polygons valid by the even-odd rule: an outline that crosses itself counts once."""
    import shapely

    geometries = shapes.copy()
    broken = ~shapely.is_valid(geometries)
    geometries[broken] = shapely.make_valid(geometries[broken])
    return geometries


def polygon_areas(shapes: NDArray[np.object_]) -> Floats:
    """Exact areas of shapely polygons, ``(n,)``."""
    import shapely

    areas: Floats = shapely.area(shapes)
    return areas


def raster_areas(rasters: Sequence[Any]) -> Floats:
    """Pixels of each mask, ``(n,)``."""
    return _Runs(rasters).areas


class _Runs:
    """The runs of many masks in one sorted array: mask number x stride + position."""

    def __init__(self, rasters: Sequence[Any]) -> None:
        sizes = np.array([raster.height * raster.width for raster in rasters], np.int64)
        heights = np.array([raster.height for raster in rasters], np.int64)
        edges = [
            np.append(raster.edges, size) if raster.edges.size % 2 else raster.edges
            for raster, size in zip(rasters, sizes.tolist(), strict=True)
        ]
        self.runs = np.array([edge.size // 2 for edge in edges], np.int64)
        self.first = np.concatenate(([0], np.cumsum(self.runs)))
        flat = np.concatenate([*edges, np.empty(0, np.int64)])
        self.start, self.stop = flat[0::2], flat[1::2]
        owner = np.repeat(np.arange(len(edges)), self.runs)
        self.areas: Floats = np.bincount(owner, self.stop - self.start, len(edges)).astype(float)
        self.boxes = self._boxes(owner, heights)

    def _boxes(self, owner: Pairs, heights: NDArray[np.int64]) -> NDArray[np.int64]:
        """``(n, 4)`` first and last column, first and last row; nothing for an empty mask."""
        height = heights[owner]
        left, right = self.start // height, (self.stop - 1) // height
        whole = left != right  # a run into the next column touches the top and the bottom
        top = np.where(whole, 0, self.start % height)
        bottom = np.where(whole, height - 1, (self.stop - 1) % height)
        boxes = np.tile(np.array([1, 0, 1, 0]), (len(self.runs), 1))
        some = self.runs > 0
        begin = self.first[:-1][some]
        for column, values, reduce in (
            (0, left, np.minimum),
            (1, right, np.maximum),
            (2, top, np.minimum),
            (3, bottom, np.maximum),
        ):
            if begin.size:
                boxes[some, column] = reduce.reduceat(values, begin)
        return boxes


def _shared_pixels(ours: _Runs, theirs: _Runs, truth: Pairs, detection: Pairs) -> Floats:
    """Pixels that each pair shares.

    Those are the truth's pixels before the end of each run of the detection, less those before
    its start.
    """
    if not truth.size:
        return np.zeros(0)
    stride = max(int(part.max()) for part in (ours.stop, theirs.stop)) + 1
    owner = np.repeat(np.arange(len(ours.runs)), ours.runs)
    begin, end = owner * stride + ours.start, owner * stride + ours.stop
    before = np.concatenate(([0], np.cumsum(ours.stop - ours.start)))

    runs = theirs.runs[detection]
    pair = np.repeat(np.arange(len(truth)), runs)
    number = np.arange(pair.size) - np.repeat(np.cumsum(runs) - runs, runs)
    row = theirs.first[detection][pair] + number
    base = truth[pair] * stride

    def pixels_before(position: NDArray[np.int64]) -> NDArray[np.int64]:
        run = np.searchsorted(begin, position, side="right")
        over = np.where(run > 0, end[run - 1] - position, 0)
        return np.asarray(before[run] - np.maximum(over, 0))

    inside = pixels_before(base + theirs.stop[row]) - pixels_before(base + theirs.start[row])
    return np.bincount(pair, inside, len(truth)).astype(float)


def _ratio(
    shared: Floats, truth_area: Floats, detection_area: Floats, crowd: NDArray[np.bool_]
) -> Floats:
    union = np.where(crowd, detection_area, truth_area + detection_area - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def _boxes_touch(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(
        (a[:, 0] <= b[:, 1]) & (b[:, 0] <= a[:, 1]) & (a[:, 2] <= b[:, 3]) & (b[:, 2] <= a[:, 3])
        & (a[:, 0] <= a[:, 1]) & (b[:, 0] <= b[:, 1])
    )  # fmt: skip


def _bounds_touch(a: Floats, b: Floats) -> NDArray[np.bool_]:
    return np.asarray(
        (a[:, 0] < b[:, 2]) & (b[:, 0] < a[:, 2]) & (a[:, 1] < b[:, 3]) & (b[:, 1] < a[:, 3])
    )
