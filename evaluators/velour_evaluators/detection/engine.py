"""Which arithmetic runs: the compiled kernel where there is one, numpy otherwise; the same bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.ledger import DetectionLedger, Selection
from velour_evaluators.detection.parameters import Settings
from velour_evaluators.kernels import matching
from velour_evaluators.kernels.accumulate import (
    Average,
    Averages,
    averages_of_curves,
    curves_of_area,
)
from velour_evaluators.kernels.native import averages as native_averages
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import match as native_match
from velour_evaluators.kernels.native import pairs as native_pairs
from velour_evaluators.regions import Regions, finest_common_form
from velour_plugin import AnnotationTable, Ledger
from velour_plugin.plugin import Columns, masks_of

Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]


def matches_boxes_at_once(
    truth: AnnotationTable, said: AnnotationTable, parameters: Mapping[str, Any]
) -> bool:
    """Whether one call of the compiled kernel does all that a ledger needs."""
    if not library.available() or parameters["details"] or parameters["federated"]:
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
    ours = native_match.BoxColumns(truth.datum, truth.label, boxes[0], truth.area)
    theirs = native_match.BoxColumns(said.datum, said.label, boxes[1], said.area)
    most = settings.max_detections[-1]
    tables = native_match.match_boxes(
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
    if library.available() and targets.form == "box":
        boxes = (targets.values, regions.values)
        return native_pairs.overlapping_pairs(cells, rows, boxes, crowd, at_least)
    if library.available() and targets.form == "raster":
        masks = (masks_of(targets.values), masks_of(regions.values))
        return native_pairs.overlapping_pairs(cells, rows, masks, crowd, at_least)
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
    engine = native_pairs.match_lanes if library.available() else matching.match_lanes
    return engine(cell_rank, pairs, lanes, ignored_in, crowd)


def averages(
    ledger: Ledger,
    settings: Settings,
    kinds: Sequence[Average],
    group: NDArray[np.int32],
    groups: int,
    weights: NDArray[np.int64] | None = None,
) -> Averages:
    """Averages of each label and group under many weightings of the datums.

    See :func:`native_averages.averages`; a few weightings at a time, for they take memory.
    """
    if library.available():
        stored, limits = _stored(ledger, settings), settings.max_detections
        return native_averages.averages(stored, limits, kinds, group, groups, weights)
    prepared = DetectionLedger(ledger)
    alone = [
        _averages(prepared.select(counts), settings, kinds, group, groups)
        for counts in ([None] if weights is None else weights)
    ]
    labels, means, truths = zip(*alone, strict=True) if alone else ((), (), ())
    return Averages(
        np.reshape(labels, (len(alone), len(kinds), len(group))),
        np.reshape(means, (len(alone), len(kinds), groups)),
        np.reshape(truths, (len(alone), len(group), len(settings.areas))).astype(np.int64),
    )


def counts_at(
    ledger: Ledger, settings: Settings, weights: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per label, true positives and detections that count, at the score and IoU threshold."""
    lane = int(settings.lane_of(settings.iou_threshold)[0])
    if library.available():
        stored = _stored(ledger, settings)
        return native_averages.counts_at(stored, lane, settings.score_threshold, weights)
    return DetectionLedger(ledger).select(weights).counts_at(lane, settings.score_threshold)


def _averages(
    chosen: Selection,
    settings: Settings,
    kinds: Sequence[Average],
    group: NDArray[np.int32],
    groups: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """One weighting by numpy; labels without ground truth, or in no group, take no work."""
    kept = chosen.truths.any(axis=1) & (group >= 0)
    rows, truths = chosen.of_labels(kept)
    of_labels = np.full((len(kinds), len(group)), np.nan)
    of_groups = np.full((len(kinds), groups), np.nan)
    levels, limits = len(settings.thresholds), settings.max_detections
    for area in {average.area for average in kinds}:
        own = np.array([row for row, average in enumerate(kinds) if average.area == area])
        curves = curves_of_area(rows, area, levels, truths[:, area], limits)
        of_labels[np.ix_(own, kept)], of_groups[own] = averages_of_curves(
            curves, [kinds[row] for row in own], group[kept], groups
        )
    return of_labels, of_groups, chosen.truths


def _stored(ledger: Ledger, settings: Settings) -> native_averages.Stored:
    return native_averages.Stored(
        ledger.tables,
        len(ledger.datums),
        len(ledger.labels),
        len(settings.areas),
        len(settings.thresholds),
    )
