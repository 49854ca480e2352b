"""Detections matched by the compiled kernel: from columns to the tables of a ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.matching import LaneGrid
from velour_evaluators.kernels.native import library
from velour_plugin.plugin import Masks, Texts, address, addresses, column, threads_for


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Boxes of one side, in columns.

    Args:
        datum: ``(n,)`` int32, position of the image.
        label: ``(n,)`` int32, position of the label.
        box: ``(n, 4)`` float64 as x, y, width, height in pixels, sizes >= 0.
        area: ``(n,)`` float64 in square pixels; NaN for width times height.
    """

    datum: NDArray[np.int32]
    label: NDArray[np.int32]
    box: NDArray[np.float64]
    area: NDArray[np.float64]


def match_boxes(
    truth: BoxColumns,
    crowd: NDArray[np.bool_],
    said: BoxColumns,
    score: NDArray[np.float64],
    *,
    grid: LaneGrid,
    most: int,
    datums: int,
    labels: int,
    masks: tuple[Masks, Masks | Texts] | None = None,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Match detections with ground truths: from columns to the tables of a ledger.

    Args:
        truth: T ground truths.
        crowd: ``(T,)`` those that any number of detections may lie in.
        said: D detections, in any order; equal scores rank as they are given.
        score: ``(D,)`` in [0, 1].
        grid: area ranges and IoU thresholds, at most 64 lanes and 8 ranges.
        most: detections of an image and label that are kept, 1 to 65,535.
        datums: how many images there are.
        labels: how many labels there are.
        masks: of the truths and of the detections, compared instead of the boxes.

    Returns:
        ``detections``, ``matches`` and ``truths`` as
        :func:`velour_evaluators.detection.matching.write_ledger` writes them.

    Raises:
        ValueError: columns of different lengths, an index or score out of bounds, too many lanes.
    """
    ours, theirs = len(truth.datum), len(said.datum)
    thresholds = column("thresholds", np.minimum(grid.thresholds, 1 - 1e-10), np.float64)
    ranges = column("areas", np.asarray(grid.areas, np.float64), np.float64, (len(grid.areas), 2))
    given = [
        *_side("truth", truth, ours),
        column("crowd", crowd, np.uint8, (ours,)),
        *_side("detection", said, theirs, column("score", score, np.float64, (theirs,))),
    ]
    outlines = [0] * 22
    if masks is not None:
        outlines[:7] = masks[0].arguments()
        place = slice(7, 14) if isinstance(masks[1], Masks) else slice(14, 22)
        outlines[place] = masks[1].arguments()
    detections: dict[str, NDArray[Any]] = {
        "label": np.empty(theirs, np.int32),
        "datum": np.empty(theirs, np.int32),
        "score": np.empty(theirs),
        "rank": np.empty(theirs, np.uint16),
        "areas": np.empty(theirs, np.uint8),
    }
    matches: dict[str, NDArray[Any]] = {
        "detection": np.empty(theirs, np.int32),
        "hit": np.empty(theirs, np.uint64),
        "ignored": np.empty(theirs, np.uint64),
    }
    areas = np.empty(ours, np.uint8)
    kept, matched = library.functions.match_boxes(
        *(ours, theirs, datums, labels, most),
        *addresses(*given),
        *(len(grid.areas), len(thresholds), address(ranges), address(thresholds)),
        threads_for(theirs),
        *addresses(*detections.values(), *matches.values(), areas),
        *outlines,
    )
    return {
        "detections": {
            name: values if kept == theirs else values[:kept].copy()
            for name, values in detections.items()
        },
        "matches": {name: values[:matched].copy() for name, values in matches.items()},
        "truths": {"label": given[1], "datum": given[0], "areas": areas},
    }


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
    """Match by the overlap of masks; for the rest see :func:`match_boxes`.

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


def _side(
    name: str, side: BoxColumns, rows: int, *between: NDArray[Any]
) -> tuple[NDArray[Any], ...]:
    return (
        column(f"{name} datum", side.datum, np.int32, (rows,)),
        column(f"{name} label", side.label, np.int32, (rows,)),
        column(f"{name} box", side.box, np.float64, (rows, 4)),
        *between,
        column(f"{name} area", side.area, np.float64, (rows,)),
    )
