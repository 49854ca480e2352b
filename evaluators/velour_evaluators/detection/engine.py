"""Run the compiled kernel where there is one, numpy otherwise; both give the same bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels import matching, sorted_runs
from velour_evaluators.detection.kernels.accumulate import (
    AverageQuery,
    Averages,
    RankedDetections,
    averages_of_curves,
    curves_of_area,
)
from velour_evaluators.detection.ledger import DetectionLedger, Selection
from velour_evaluators.detection.parameters import Settings
from velour_evaluators.kernels.native import averages as native_averages
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import match as native_match
from velour_evaluators.kernels.native import merge as native_merge
from velour_evaluators.kernels.native import pairs as native_pairs
from velour_evaluators.regions import RegionArray
from velour_plugin import AnnotationTable, Ledger
from velour_plugin.plugin import Columns, RegionColumn, decoded_masks, masks_or_texts

Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]

_CONTENT_AT_ONCE = 16_000_000
"""Characters of RLE that are decoded together; their edges take about five times the room."""


def matches_at_once(parameters: Mapping[str, Any]) -> bool:
    """Whether one call of the compiled kernel writes the whole ledger."""
    return (
        library.available()
        and parameters["iou_type"] != "polygon"
        and not parameters["details"]
        and not parameters["federated"]
    )


def match_at_once(
    truth: AnnotationTable,
    predictions: AnnotationTable,
    sides: tuple[Any, Any],
    *,
    settings: Settings,
    datums: int,
    labels: int,
) -> dict[str, Columns]:
    """Make the tables of a ledger without details, by the compiled kernel alone.

    Args:
        truth: in the vocabulary of ``labels`` labels.
        predictions: in the same vocabulary.
        sides: boxes of both, ``(n, 4)`` as x, y, width, height, or columns of masks.
        settings: of the match.
        datums: how many images there are.
        labels: how many labels there are.
    """
    masks, boxes = None, sides
    if isinstance(sides[0], RegionColumn):
        masks = (decoded_masks(sides[0]), masks_or_texts(sides[1]))
        boxes = (np.zeros((len(truth), 4)), np.zeros((len(predictions), 4)))  # are not read
    ours = native_match.BoxColumns(truth.datum, truth.label, boxes[0], truth.area)
    theirs = native_match.BoxColumns(
        predictions.datum, predictions.label, boxes[1], predictions.area
    )
    most = settings.max_detections[-1]
    tables = native_match.match_boxes(
        ours, truth.crowd, theirs, predictions.score,
        grid=settings.grid, most=most, datums=datums, labels=labels, masks=masks,
    )  # fmt: skip
    return {**tables, "truths": {**tables["truths"], "crowd": truth.crowd}}


def overlapping_pairs(
    cells: matching.TruthCells,
    rows: NDArray[np.intp],
    sides: tuple[RegionArray, RegionArray],
    crowd: NDArray[np.bool_],
    at_least: float,
) -> Pairs:
    """Find pairs of a detection and a truth of its cell: see :func:`matching.overlapping_pairs`."""
    targets, regions = sides
    if library.available() and targets.form == "box":
        boxes = (targets.values, regions.values)
        return native_pairs.overlapping_pairs(cells, rows, boxes, crowd, at_least)
    if library.available() and targets.form == "raster":
        return _overlapping_masks(cells, rows, (targets.values, regions.values), crowd, at_least)
    return matching.overlapping_pairs(
        cells,
        rows,
        lambda truth, detection: targets.ious(regions, crowd, truth, detection),
        at_least,
    )


def _overlapping_masks(
    cells: matching.TruthCells,
    rows: NDArray[np.intp],
    sides: tuple[RegionColumn, RegionColumn],
    crowd: NDArray[np.bool_],
    at_least: float,
) -> Pairs:
    """Pairs of masks; those of detections are decoded a bounded number at a time."""
    truths, rows = decoded_masks(sides[0]), rows[cells.count[rows] > 0]
    length = np.cumsum((sides[1].stop - sides[1].start)[rows])
    cuts = np.searchsorted(length, np.arange(_CONTENT_AT_ONCE, length[-1:].sum(), _CONTENT_AT_ONCE))
    pairs = [(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0))]
    for some in np.split(rows, np.unique(cuts)):
        part = matching.TruthCells(
            cells.truth, cells.first[some], cells.count[some], cells.rank[some]
        )
        masks = (truths, decoded_masks(sides[1].view(some)))
        every = np.arange(len(some))
        detection, truth, iou = native_pairs.overlapping_pairs(part, every, masks, crowd, at_least)
        pairs.append((some[detection], truth, iou))
    detections, truth_rows, ious = zip(*pairs, strict=True)
    return np.concatenate(detections), np.concatenate(truth_rows), np.concatenate(ious)


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


def merged_runs(
    runs: sorted_runs.Runs, score: NDArray[np.float64], datum: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Return the order of the rows of sorted runs: see :func:`merging.merged_runs`."""
    engine = native_merge.merged_runs if library.available() else sorted_runs.merged_runs
    return engine(runs, score, datum)


def averages(
    ledger: Ledger,
    settings: Settings,
    query: AverageQuery,
    weights: NDArray[np.int64] | None = None,
) -> Averages:
    """Average precision and recall of labels and groups under many weightings of the datums.

    See :func:`velour_evaluators.kernels.native.averages.averages`.
    """
    if library.available():
        return native_averages.averages(_stored(ledger, settings), query, weights)
    prepared = DetectionLedger(ledger)
    alone = [
        _averages(prepared.select(counts), settings, query)
        for counts in ([None] if weights is None else weights)
    ]
    return _stacked(alone, query)


def omissions(
    ledger: Ledger,
    settings: Settings,
    query: AverageQuery,
    weight: NDArray[np.int64],
    omitted: NDArray[np.intp],
) -> Averages:
    """Average precision and recall of labels and groups without each of some datums, in turn.

    Args:
        ledger: of detections.
        settings: of the ledger.
        query: which averages.
        weight: ``(datums,)`` how often the others count.
        omitted: ``(replicates,)`` the datum that does not count in each, rising.
    """
    if library.available():
        stored = _stored(ledger, settings)
        return native_averages.omissions(stored, query, omitted.astype(np.int32), weight)
    prepared, indices = DetectionLedger(ledger), np.arange(len(weight))
    alone = [
        _averages(prepared.select(np.where(indices == datum, 0, weight)), settings, query)
        for datum in omitted
    ]
    return _stacked(alone, query)


def counts_at(
    ledger: Ledger, settings: Settings, weights: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count, by label, true positives, detections and truths at the score and IoU threshold.

    Only those count that are in the first area range.
    """
    lane = int(settings.lane_of(settings.iou_threshold)[0])
    prepared = DetectionLedger(ledger)
    if library.available():
        stored = _stored(ledger, settings)
        hits, counted = native_averages.counts_at(stored, lane, settings.score_threshold, weights)
    else:
        hits, counted = prepared.select(weights).counts_at(lane, settings.score_threshold)
    return hits, counted, prepared.count_truths(weights, 1)[:, 0]


def average_precision(
    label: NDArray[np.int32],
    true: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    truths: NDArray[np.int64],
) -> float | None:
    """Compute COCO's AP at one IoU threshold, over labels with truths; ``None`` without any.

    Args:
        label: ``(n,)`` of each detection, rising; the best of a label first.
        true: ``(n,)`` true positives.
        counted: ``(n,)`` which detections count at all; all true positives do.
        truths: ``(labels,)`` how many truths each label has.
    """
    known = truths > 0
    if not known.any():
        return None
    if library.available():
        return native_averages.average_precision(label, true, counted, truths)
    stay = counted & known[label]
    label, true = (np.cumsum(known) - 1).astype(np.int32)[label[stay]], true[stay]
    hits = np.flatnonzero(true)
    first_lane, no_lane = np.ones(len(hits), np.uint64), np.zeros(len(hits), np.uint64)
    inside = np.ones(len(label), np.uint8)
    rows = RankedDetections(
        label, np.zeros(len(label), np.uint16), inside, hits, first_lane, no_lane
    )
    return float(curves_of_area(rows, 0, 1, truths[known], (1,)).precision.mean())


def _averages(
    chosen: Selection, settings: Settings, query: AverageQuery
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Averages of one weighting by numpy; labels without truths, or in no group, are skipped."""
    averages, group = query.averages, query.group
    kept = chosen.truths.any(axis=1) & (group >= 0)
    rows, truths = chosen.of_labels(kept)
    of_labels = np.full((len(averages), len(group)), np.nan)
    of_groups = np.full((len(averages), query.groups), np.nan)
    levels, limits = len(settings.thresholds), settings.max_detections
    for area in {average.area for average in averages}:
        of_area = np.array([row for row, average in enumerate(averages) if average.area == area])
        curves = curves_of_area(rows, area, levels, truths[:, area], limits)
        of_labels[np.ix_(of_area, kept)], of_groups[of_area] = averages_of_curves(
            curves, [averages[row] for row in of_area], group[kept], query.groups
        )
    return of_labels[: query.detailed], of_groups


def _stacked(
    alone: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], query: AverageQuery
) -> Averages:
    """Averages of replicates that were computed one by one."""
    labels, means = zip(*alone, strict=True) if alone else ((), ())
    return Averages(
        np.reshape(labels, (len(alone), query.detailed, len(query.group))),
        np.reshape(means, (len(alone), len(query.averages), query.groups)),
    )


def _stored(ledger: Ledger, settings: Settings) -> native_averages.StoredLedger:
    return native_averages.StoredLedger(
        ledger.tables,
        len(ledger.datums),
        len(ledger.labels),
        len(settings.areas),
        len(settings.thresholds),
    )
