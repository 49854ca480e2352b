"""Match detections by the compiled kernel: from columns to the tables of a ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.matching import LaneGrid
from velour_evaluators.kernels.native import library
from velour_plugin.plugin import Masks, Texts, column, threads_for


@dataclass(frozen=True, slots=True)
class BoxColumns:
    """Boxes of one side, in columns.

    Args:
        datum: ``(n,)`` int32, index of the image.
        label: ``(n,)`` int32, index of the label.
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
    detections: BoxColumns,
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
        detections: D detections, in any order; equal scores keep their order.
        score: ``(D,)`` in [0, 1].
        grid: area ranges and IoU thresholds, at most 64 lanes and 8 ranges.
        most: detections of an image and label that are kept, 1 to 65,535.
        datums: how many images there are.
        labels: how many labels there are.
        masks: of the truths and of the detections, compared instead of the boxes.

    Returns:
        ``detections``, ``matches`` and ``truths`` as
        :func:`velour_evaluators.detection.ledger_writer.write_ledger` writes them.

    Raises:
        ValueError: columns of different lengths, an index or score out of bounds, too many lanes.
    """
    columns = {
        **_side("truth_", truth),
        **_side("", detections),
        "crowd": column("crowd", crowd, np.bool_),
        "score": column("score", score, np.float64),
    }
    matched = library.functions.match_boxes(
        **columns,
        **_masks(*masks or (None, None)),
        range=np.asarray(grid.areas, np.float64),
        threshold=np.minimum(grid.thresholds, 1 - 1e-10),
        most=most,
        datums=datums,
        labels=labels,
        threads=threads_for(len(detections.datum)),
    )
    return {
        "detections": {
            name: matched[name] for name in ("label", "datum", "score", "rank", "areas")
        },
        "matches": {
            "detection": matched["match"],
            "hit": matched["hit"],
            "ignored": matched["ignored"],
        },
        "truths": {
            "label": columns["truth_label"],
            "datum": columns["truth_datum"],
            "areas": matched["truth_areas"],
        },
    }


def _side(prefix: str, side: BoxColumns) -> dict[str, NDArray[Any]]:
    kinds = {"datum": np.int32, "label": np.int32, "box": np.float64, "area": np.float64}
    return {
        prefix + name: column(prefix + name, getattr(side, name), kind)
        for name, kind in kinds.items()
    }


def _masks(ours: Masks | None, theirs: Masks | Texts | None) -> dict[str, Masks | Texts | None]:
    is_text = isinstance(theirs, Texts)
    return {
        "truth_masks": ours,
        "masks": None if is_text else theirs,
        "texts": theirs if is_text else None,
    }
