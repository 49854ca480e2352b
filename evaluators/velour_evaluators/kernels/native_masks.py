"""Masks through the compiled kernel: many decoded, rasterised or compared in one call.

The same bits as :mod:`velour_plugin.domain.runs` and :mod:`velour_evaluators.kernels.overlap`.
Check :func:`velour_evaluators.kernels.native.available` first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.matching import LaneGrid
from velour_evaluators.kernels.native import (
    BoxColumns,
    Masks,
    Texts,
    addresses,
    column,
    library,
    match_boxes,
    threads_for,
)

Floats = NDArray[np.float64]


def masks_of(rasters: Sequence[Any]) -> Masks:
    """Put rasters (``edges``, ``height``, ``width``) one after the other."""
    edges = [raster.edges for raster in rasters]
    first = np.cumsum([0, *(edge.size for edge in edges)])
    return Masks(
        np.concatenate([*edges, np.empty(0, np.int64)]),
        first[:-1],
        first[1:],
        np.array([raster.height for raster in rasters], np.int64),
        np.array([raster.width for raster in rasters], np.int64),
    )


def texts_of(spelled: Sequence[bytes | str], sizes: NDArray[np.int64]) -> Texts:
    """Put COCO's compressed run lengths one after the other.

    Args:
        spelled: n of them.
        sizes: ``(n, 2)`` height and width in pixels.
    """
    letters = [one.encode() if isinstance(one, str) else one for one in spelled]
    first = np.cumsum([0, *map(len, letters)])
    sizes = column("sizes", sizes, np.int64, (len(letters), 2))
    return Texts(b"".join(letters), first[:-1], first[1:], sizes[:, 0], sizes[:, 1], False)


def decode(texts: Texts) -> Masks:
    """Decode COCO's compressed run lengths.

    Raises:
        ValueError: run lengths are malformed or do not fill their mask; the message names it.

    >>> decode(texts_of(["5221"], np.array([[3, 4]]))).edges.tolist()  # with a compiled kernel
    [5, 7, 9]
    """
    number = len(texts)
    room, first = np.empty(number, np.int64), np.empty(number + 1, np.int64)
    given = (*texts.arguments(), threads_for(100 * number), *addresses(room))
    library.decode_texts(*given, 0, 0)
    edges = np.empty(int(room.sum()) + 1, np.int64)
    library.decode_texts(*given, *addresses(edges, first))
    return Masks(edges[: first[-1]], first[:-1], first[1:], texts.height, texts.width)


def rasterise(
    points: Floats,
    ring_start: NDArray[np.int64],
    part_start: NDArray[np.int64],
    mask_start: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> Masks:
    """Rasterise polygons by COCO's rule.

    A mask is the union of its parts; a part is an outline and its holes, by the even-odd rule.
    Equal to :func:`velour_plugin.domain.runs.edges_of_rings` of each part, then
    :func:`velour_plugin.domain.runs.union_of_edges`.

    Args:
        points: ``(p, 2)`` as x, y in pixels, within ten million of the origin.
        ring_start: ``(rings + 1,)`` where the points of each ring begin.
        part_start: ``(parts + 1,)`` where the rings of each part begin.
        mask_start: ``(masks + 1,)`` where the parts of each mask begin.
        sizes: ``(masks, 2)`` height and width in pixels.

    Raises:
        ValueError: starts that fall or end elsewhere, a point out of bounds.
    """
    points = column("points", points, np.float64, (len(points), 2))
    starts = [
        column(name, start, np.int64)
        for name, start in (
            ("ring_start", ring_start),
            ("part_start", part_start),
            ("mask_start", mask_start),
        )
    ]
    if not all(start.ndim == 1 and start.size for start in starts):
        raise ValueError(
            "starts of rings, parts and masks: each has one entry more than there are."
        )
    rings, parts, masks = (len(start) - 1 for start in starts)
    sizes = column("sizes", sizes, np.int64, (masks, 2))
    height, width = np.ascontiguousarray(sizes[:, 0]), np.ascontiguousarray(sizes[:, 1])
    room, first = np.empty(masks, np.int64), np.empty(masks + 1, np.int64)
    given = (
        *(masks, parts, rings, len(points)),
        *addresses(points, *starts, height, width),
        *(threads_for(8 * len(points)), *addresses(room)),
    )
    library.draw_outlines(*given, 0, 0)
    edges = np.empty(int(room.sum()) + 1, np.int64)
    library.draw_outlines(*given, *addresses(edges, first))
    return Masks(edges[: first[-1]], first[:-1], first[1:], height, width)


def measure(masks: Masks) -> tuple[Floats, Floats]:
    """Areas ``(n,)`` in pixels, and boxes ``(n, 4)`` as x, y, width, height; 0 without pixels."""
    areas, spans = np.empty(len(masks)), np.empty((len(masks), 4), np.int64)
    library.measure_rasters(
        *masks.arguments(), threads_for(len(masks.edges)), *addresses(areas, spans)
    )
    left, right, top, bottom = spans.T
    boxes = np.column_stack([left, top, right - left + 1, bottom - top + 1]).astype(float)
    return areas, np.where(areas[:, None] > 0, boxes, 0.0)


def raster_ious(
    truths: Masks,
    detections: Masks,
    crowd: NDArray[np.bool_],
    truth: NDArray[np.intp],
    detection: NDArray[np.intp],
) -> Floats:
    """IoU of pairs of masks: :func:`velour_evaluators.kernels.overlap.raster_ious`.

    Args:
        truths: T masks; the masks of a pair have one size.
        detections: D masks.
        crowd: ``(T,)`` which truths are crowds.
        truth: ``(P,)`` positions in ``truths``.
        detection: ``(P,)`` positions in ``detections``.

    Raises:
        ValueError: columns of different lengths, an index out of bounds.
    """
    pairs = len(truth)
    columns = (
        column("crowd", crowd, np.uint8, (len(truths),)),
        column("truth", truth, np.int64, (pairs,)),
        column("detection", detection, np.int64, (pairs,)),
    )
    ious = np.empty(pairs)
    library.raster_ious(
        *(*truths.arguments(), *detections.arguments()),
        *(pairs, *addresses(*columns), threads_for(len(detections.edges)), *addresses(ious)),
    )
    return ious


def match_masks(
    truth: BoxColumns,
    truth_masks: Masks,
    crowd: NDArray[np.bool_],
    said: BoxColumns,
    said_masks: Masks | Texts,
    score: NDArray[np.float64],
    *,
    grid: LaneGrid,
    most: int,
    datums: int,
    labels: int,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Match by the overlap of masks; for the rest see :func:`.native.match_boxes`.

    Args:
        truth: T ground truths; their boxes are not looked at.
        truth_masks: T masks, of the size of their images.
        crowd: ``(T,)`` those that any number of detections may lie in.
        said: D detections; their boxes are not looked at.
        said_masks: D masks; texts are decoded one at a time, and none is kept.
        score: ``(D,)`` in [0, 1].
        grid: area ranges and IoU thresholds.
        most: detections of an image and label that are kept.
        datums: how many images there are.
        labels: how many labels there are.
    """
    return match_boxes(
        *(truth, crowd, said, score),
        grid=grid,
        most=most,
        datums=datums,
        labels=labels,
        masks=(truth_masks, said_masks),
    )
