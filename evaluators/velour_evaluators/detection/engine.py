"""Which arithmetic runs: the compiled kernel where there is one, numpy otherwise; the same bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.ledger import DetectionLedger
from velour_evaluators.detection.parameters import Settings
from velour_evaluators.kernels import matching, native, native_curves, native_masks
from velour_evaluators.kernels.accumulate import Curves, curves_of_area
from velour_evaluators.regions import Regions, finest_common_form
from velour_plugin import AnnotationTable, Ledger
from velour_plugin.plugin import Columns

Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]


def matches_boxes_at_once(
    truth: AnnotationTable, said: AnnotationTable, parameters: Mapping[str, Any]
) -> bool:
    """Whether one call of the compiled kernel does all that a ledger needs."""
    if not native.available() or parameters["details"] or parameters["federated"]:
        return False
    form = parameters["iou_type"]
    return form == "box" or (form == "auto" and finest_common_form(truth, said) == "box")


def match_boxes(
    truth: AnnotationTable,
    said: AnnotationTable,
    boxes: tuple[NDArray[np.float64], NDArray[np.float64]],
    settings: Settings,
    datums: int,
    labels: int,
) -> dict[str, Columns]:
    """The tables of a ledger without details, by the compiled kernel alone.

    Args:
        truth: in the vocabulary of ``labels`` labels.
        said: likewise.
        boxes: of both, ``(n, 4)`` as x, y, width, height.
        settings: of the match.
        datums: how many images there are.
        labels: how many labels there are.
    """
    ours = native.BoxColumns(truth.datum, truth.label, boxes[0], truth.area)
    theirs = native.BoxColumns(said.datum, said.label, boxes[1], said.area)
    most = settings.max_detections[-1]
    tables = native.match_boxes(
        ours, truth.crowd, theirs, said.score,
        grid=settings.grid, most=most, datums=datums, labels=labels,
    )  # fmt: skip
    return {**tables, "truths": {**tables["truths"], "crowd": truth.crowd}}


def overlapping_pairs(
    cells: matching.Cells,
    rows: NDArray[np.intp],
    sides: tuple[Regions, Regions],
    crowd: NDArray[np.bool_],
    at_least: float,
) -> Pairs:
    """Pairs of a detection and a truth of its cell: see :func:`matching.overlapping_pairs`."""
    targets, regions = sides
    if native.available() and targets.form == "box":
        boxes = (targets.values, regions.values)
        return native.overlapping_pairs(cells, rows, boxes, crowd, at_least)
    if native.available() and targets.form == "raster":
        masks = (native_masks.masks_of(targets.values), native_masks.masks_of(regions.values))
        return native.overlapping_pairs(cells, rows, masks, crowd, at_least)
    return matching.overlapping_pairs(
        cells, rows, lambda mine, their: targets.ious(regions, crowd, mine, their), at_least
    )


def match_lanes(
    cell_rank: NDArray[np.intp],
    pairs: Pairs,
    lanes: matching.Lanes,
    ignored_in: matching.Lanes,
    crowd: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], matching.Lanes, matching.Lanes]:
    """Match greedily, all lanes at once: see :func:`matching.match_lanes`."""
    engine = native.match_lanes if native.available() else matching.match_lanes
    return engine(cell_rank, pairs, lanes, ignored_in, crowd)


def curves_of(
    ledger: Ledger,
    settings: Settings,
    weights: NDArray[np.int64] | None,
    areas: Sequence[int],
) -> list[Curves]:
    """Curves of every label, in some area ranges, for one weighting of the datums."""
    if native.available():
        stored = _stored(ledger, settings)
        return native_curves.curves(stored, settings.max_detections, weights, list(areas)).curves
    return _curves(DetectionLedger(ledger), settings, weights, areas)


def resampled_curves(
    ledger: Ledger, settings: Settings, weights: NDArray[np.int64], area: int
) -> Iterator[Curves]:
    """Curves of every label in one area range, for many weightings of the datums."""
    if native.available():
        stored, limits = _stored(ledger, settings), settings.max_detections
        for answer in native_curves.resampled_curves(stored, limits, weights, [area]):
            yield answer.curves[0]
        return
    prepared = DetectionLedger(ledger)
    for counts in weights:
        yield _curves(prepared, settings, counts, [area])[0]


def _curves(
    ledger: DetectionLedger,
    settings: Settings,
    weights: NDArray[np.int64] | None,
    areas: Sequence[int],
) -> list[Curves]:
    chosen = ledger.select(weights)
    levels, limits = len(settings.thresholds), settings.max_detections
    return [
        curves_of_area(chosen.rows, area, levels, chosen.truths[:, area], limits) for area in areas
    ]


def _stored(ledger: Ledger, settings: Settings) -> native_curves.Stored:
    return native_curves.Stored(
        ledger.tables,
        len(ledger.datums),
        len(ledger.labels),
        len(settings.areas),
        len(settings.thresholds),
    )
