"""Pairs of a detection and a truth by the compiled kernel: which overlap, and which match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.matching import Cells, Lanes
from velour_evaluators.kernels.native import library
from velour_plugin.plugin import Masks, address, addresses, column, threads_for

_PAIRS_AT_ONCE = 20_000_000
"""How many pairs have room at the same time; only those that overlap take memory."""


def overlapping_pairs(
    cells: Cells,
    rows: NDArray[np.intp],
    regions: tuple[NDArray[np.float64], NDArray[np.float64]] | tuple[Masks, Masks],
    crowd: NDArray[np.bool_],
    at_least: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs of a detection and a truth of its cell that overlap enough to matter.

    The same as :func:`velour_evaluators.kernels.matching.overlapping_pairs` of boxes or masks.

    Args:
        cells: who may meet whom.
        rows: ``(n,)`` detections to look at.
        regions: of the T truths and of the D detections: boxes ``(T, 4)`` and ``(D, 4)`` as
            x, y, width, height, or masks.
        crowd: ``(T,)`` which truths are crowds.
        at_least: smaller overlaps are left out; above 0.

    Returns:
        Detection, truth and IoU of each pair.

    Raises:
        ValueError: columns of different lengths, an index out of bounds.
    """
    truths, detections = len(crowd), len(cells.first)
    given = (
        column("truth", cells.truth, np.int64),
        column("first", cells.first, np.int64, (detections,)),
        column("count", cells.count, np.int64, (detections,)),
    )
    rows = column("rows", rows, np.int64)
    if len(rows) and not 0 <= rows.min() <= rows.max() < detections:
        raise ValueError(f"rows {rows.min()} to {rows.max()}: there are {detections} detections.")
    listed, first, count = given
    if ((first < 0) | (count < 0) | (count > len(listed)) | (first > len(listed) - count)).any():
        raise ValueError(f"a cell reaches beyond the {len(listed)} truths that are listed.")
    rows = rows[count[rows] > 0]
    boxes, masks = [0, 0], [0] * 14
    keep: tuple[NDArray[Any], ...] = ()
    if isinstance(regions[0], Masks) and isinstance(regions[1], Masks):
        masks = [*regions[0].arguments(), *regions[1].arguments()]
    else:
        keep = (
            column("truth boxes", regions[0], np.float64, (truths, 4)),
            column("detection boxes", regions[1], np.float64, (detections, 4)),
        )
        boxes = addresses(*keep)
    marked = column("crowd", crowd, np.uint8, (truths,))
    found = []
    for some in _in_pieces(rows, count):
        room = int(count[some].sum())
        pairs = (np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room))
        number = library.functions.find_pairs(
            *(truths, detections, len(some), len(listed), *addresses(some, *given)),
            *(*boxes, address(marked), *masks, at_least, room, threads_for(room)),
            *addresses(*pairs),
        )
        found.append([values[:number].copy() for values in pairs])
    if not found:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    detection, truth, iou = (np.concatenate(values) for values in zip(*found, strict=True))
    return detection.astype(np.intp, copy=False), truth.astype(np.intp, copy=False), iou


def _in_pieces(rows: NDArray[np.int64], count: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """A bounded number of pairs at a time."""
    total = np.cumsum(count[rows])
    cuts = np.searchsorted(total, np.arange(_PAIRS_AT_ONCE, total[-1:].sum(), _PAIRS_AT_ONCE))
    yield from (part for part in np.split(rows, np.unique(cuts)) if part.size)


def match_lanes(
    cell_rank: NDArray[np.intp],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]],
    lanes: Lanes,
    ignored_in: Lanes,
    crowd: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], Lanes, Lanes]:
    """Match greedily, all lanes at once: :func:`velour_evaluators.kernels.matching.match_lanes`.

    Raises:
        ValueError: columns of different lengths, an index out of bounds, an IoU that is NaN.
    """
    detection, truth, iou = pairs
    found = library.functions.match_pairs(
        rank=column("cell_rank", cell_rank, np.int64),
        detection=column("detection", detection, np.int64),
        truth=column("truth", truth, np.int64),
        iou=column("iou", iou, np.float64),
        lanes=column("lanes", lanes, np.uint64),
        ignored_in=column("ignored_in", ignored_in, np.uint64),
        crowd=crowd,
    )
    return found["row"].astype(np.intp, copy=False), found["hit"], found["ignored"]
