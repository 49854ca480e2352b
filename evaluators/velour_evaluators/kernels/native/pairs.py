"""Pairs of a detection and a truth by the compiled kernel: which overlap, and which match."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.matching import Lanes, TruthCells
from velour_evaluators.kernels.native import library
from velour_plugin.plugin import Masks, column, threads_for

_PAIRS_AT_ONCE = 20_000_000
"""How many pairs have room at the same time; only those that overlap take memory."""


def overlapping_pairs(
    cells: TruthCells,
    rows: NDArray[np.intp],
    regions: tuple[NDArray[np.float64], NDArray[np.float64]] | tuple[Masks, Masks],
    crowd: NDArray[np.bool_],
    at_least: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Find the pairs of a detection and a truth of its cell that overlap enough to matter.

    The same as ``overlapping_pairs`` of ``detection/kernels/matching.py``, of boxes or masks.

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
    cell = {
        "cell_truth": column("truth", cells.truth, np.int64),
        "first": column("first", cells.first, np.int64),
        "count": column("count", cells.count, np.int64),
    }
    compared = _regions(*regions) | {"crowd": column("crowd", crowd, np.bool_)}
    rows = column("rows", rows, np.int64)
    room = cell["count"].take(rows, mode="clip").clip(0, len(cells.truth)) if len(rows) else rows
    threads = threads_for(int(room.sum()))
    pieces = [
        library.functions.find_pairs(**cell, **compared, row=some, least=at_least, threads=threads)
        for some in _in_pieces(rows, room)
    ]
    detection, truth, iou = (
        pieces[0][name] if len(pieces) == 1 else np.concatenate([piece[name] for piece in pieces])
        for name in ("detection", "truth", "iou")
    )
    return detection.astype(np.intp, copy=False), truth.astype(np.intp, copy=False), iou


def _regions(truths: Any, detections: Any) -> dict[str, Any]:
    masks = isinstance(truths, Masks)
    boxes = [None if masks else column("boxes", side, np.float64) for side in (truths, detections)]
    return {
        "truth_box": boxes[0],
        "box": boxes[1],
        "truth_masks": truths if masks else None,
        "masks": detections if masks else None,
    }


def _in_pieces(rows: NDArray[np.int64], room: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """A bounded number of pairs at a time; at least one piece."""
    total = np.cumsum(room)
    cuts = np.searchsorted(total, np.arange(_PAIRS_AT_ONCE, total[-1:].sum(), _PAIRS_AT_ONCE))
    return np.split(rows, np.unique(cuts))


def match_lanes(
    cell_rank: NDArray[np.intp],
    pairs: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]],
    lanes: Lanes,
    ignored_in: Lanes,
    crowd: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], Lanes, Lanes]:
    """Match greedily, all lanes at once: ``match_lanes`` of ``detection/kernels/matching.py``.

    Raises:
        ValueError: columns of different lengths, an index out of bounds, an IoU that is NaN.
    """
    detection, truth, iou = pairs
    matched = library.functions.match_pairs(
        rank=column("cell_rank", cell_rank, np.int64),
        detection=column("detection", detection, np.int64),
        truth=column("truth", truth, np.int64),
        iou=column("iou", iou, np.float64),
        lanes=column("lanes", lanes, np.uint64),
        ignored_in=column("ignored_in", ignored_in, np.uint64),
        crowd=column("crowd", crowd, np.bool_),
    )
    return matched["row"].astype(np.intp, copy=False), matched["hit"], matched["ignored"]
