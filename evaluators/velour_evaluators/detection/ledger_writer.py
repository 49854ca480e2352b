"""Write the ledger of a dataset: regions of both sides are compared only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection import engine
from velour_evaluators.detection.federated import known_detections, partial_detections
from velour_evaluators.detection.kernels import matching
from velour_evaluators.detection.ledger import BOX, DETAIL_TABLES
from velour_evaluators.detection.parameters import Settings
from velour_evaluators.kernels.sorting import descending_order, stable_order
from velour_evaluators.regions import (
    boxes_of,
    image_sizes,
    masks_of,
    regions_of,
    with_areas_of_shapes,
)
from velour_plugin import AnnotationTable, Dataset, Ledger
from velour_plugin.plugin import Columns, LabelName, LazyTables, Vocabulary

Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]
"""Detection, truth and IoU of each."""

PAIRED_FROM = 0.1
"""Smaller overlaps are background (Bolya et al. 2020) and leave no pair in the ledger."""

_ENDLESS = float(np.finfo(np.float32).max)


def write_ledger(
    task: str, dataset: Dataset, predictions: AnnotationTable, parameters: Mapping[str, Any]
) -> Ledger:
    """Match a dataset's predictions, and return a ledger of all that metrics are computed from.

    Args:
        task: the evaluator's.
        dataset: with both sides.
        predictions: its predictions, all with scores.
        parameters: checked ones.
    """
    if engine.matches_at_once({**parameters, "details": False}):
        ledger = _ledger_at_once(task, dataset, predictions, parameters)
        return _with_details(ledger, dataset, predictions) if parameters["details"] else ledger
    comparison = _Comparison(dataset, predictions, parameters)
    return Ledger(task, dataset.uids, comparison.labels, parameters, comparison.tables())


def _ledger_at_once(
    task: str, dataset: Dataset, predictions: AnnotationTable, parameters: Mapping[str, Any]
) -> Ledger:
    """Boxes or masks, from columns to a lean ledger in one call of the compiled kernel."""
    labels, truth, predictions = one_vocabulary(dataset.truth, predictions)
    if parameters["iou_type"] == "box":
        sides: tuple[Any, Any] = (boxes_of(truth, dataset), boxes_of(predictions, dataset))
        truth, predictions = map(with_areas_of_shapes, (truth, predictions))
    else:
        sizes = image_sizes(dataset, truth, predictions)
        sides = (masks_of(truth, dataset, sizes), masks_of(predictions, dataset, sizes))
    settings = Settings.of(parameters)
    tables = engine.match_at_once(
        truth, predictions, sides, settings=settings, datums=len(dataset), labels=len(labels)
    )
    return Ledger(task, dataset.uids, labels, parameters, tables)


def _with_details(ledger: Ledger, dataset: Dataset, predictions: AnnotationTable) -> Ledger:
    """A ledger whose tables of details are computed when they are first read."""

    def details() -> Mapping[str, Columns]:
        return _Comparison(dataset, predictions, ledger.parameters).details()

    return replace(ledger, tables=LazyTables(ledger.tables, DETAIL_TABLES, details))


def detection_order(predictions: AnnotationTable) -> NDArray[np.intp]:
    """Return the order of detections in a ledger: label, falling score, datum, then as given."""
    order = descending_order(predictions.score)
    return order[stable_order(predictions.label[order], len(predictions.labels))]


class _Comparison:
    """Both sides in one vocabulary and one form; detections in the order of the ledger."""

    def __init__(
        self, dataset: Dataset, predictions: AnnotationTable, parameters: Mapping[str, Any]
    ) -> None:
        self.dataset = dataset
        self.settings = Settings.of(parameters)
        self.with_details = parameters["details"]
        self.labels, self.truth, predictions = one_vocabulary(dataset.truth, predictions)
        self.federated = parameters["federated"]
        if self.federated:
            predictions = predictions.take(
                known_detections(dataset, self.labels, self.truth, predictions)
            )
        self.predictions = predictions.take(detection_order(predictions))
        form = parameters["iou_type"]
        sizes = image_sizes(dataset, self.truth, predictions) if form == "raster" else None
        self.targets = regions_of(self.truth, form, dataset, sizes)
        self.regions = regions_of(self.predictions, form, dataset, sizes)
        self.cells = self._cells(self.truth.label, self.predictions.label)
        self.kept = self.cells.rank < self.settings.max_detections[-1]
        self.new_index = (np.cumsum(self.kept) - 1).astype(np.int32)

    def tables(self) -> dict[str, Columns]:
        """Return all tables of the ledger, those of details among them."""
        if not self.with_details:
            return self._tables(self._pairs(self.cells, self._least))
        pairs = self._pairs_of_keys()
        return {**self._tables(self._of_equal_labels(pairs)), **self._detail_tables(pairs)}

    def details(self) -> dict[str, Columns]:
        """Return the tables of details alone."""
        return self._detail_tables(self._pairs_of_keys())

    def _tables(self, pairs: Pairs) -> dict[str, Columns]:
        predictions, truth, kept, grid = self.predictions, self.truth, self.kept, self.settings.grid
        counting_areas = np.where(truth.crowd, np.uint8(0), grid.bits_of_areas(self.targets.areas))
        row, hit, ignored = engine.match_lanes(
            self.cells.rank,
            pairs,
            grid.of_ious(pairs[2]),
            ~grid.of_areas(counting_areas),
            truth.crowd,
        )
        detections: Columns = {
            "label": predictions.label[kept],
            "datum": predictions.datum[kept],
            "score": predictions.score[kept],
            "rank": self.cells.rank[kept].astype(np.uint16),
            "areas": self._areas_that_count(),
        }
        truths: Columns = {
            "label": truth.label,
            "datum": truth.datum,
            "areas": counting_areas,
            "crowd": truth.crowd,
        }
        matches: Columns = {"detection": self.new_index[row], "hit": hit, "ignored": ignored}
        return {"detections": detections, "matches": matches, "truths": truths}

    def _areas_that_count(self) -> NDArray[np.uint8]:
        """Area ranges in which a detection without a match is a false positive."""
        inside = self.settings.grid.bits_of_areas(self.regions.areas)
        if self.federated:
            inside[partial_detections(self.dataset, self.labels, self.predictions)] = 0
        return inside[self.kept]

    def _detail_tables(self, pairs: Pairs) -> dict[str, Columns]:
        detection, truth, iou = pairs
        shown = np.flatnonzero(
            self.kept & (self.predictions.score >= self.settings.score_threshold)
        )
        return {
            "pairs": {
                "detection": self.new_index[detection],
                "truth": truth.astype(np.int32),
                "iou": iou,
            },
            "truth_boxes": self._boxes(self.truth),
            "detection_boxes": {
                "detection": self.new_index[shown],
                **self._boxes(self.predictions.take(shown)),
            },
        }

    def _boxes(self, table: AnnotationTable) -> Columns:
        boxes = np.clip(boxes_of(table, self.dataset), -_ENDLESS, _ENDLESS).astype(np.float32)
        return dict(zip(BOX, boxes.T, strict=True))

    @property
    def _least(self) -> float:
        """The lowest IoU threshold; 1 is taken as slightly less, as COCO does."""
        return min(self.settings.thresholds[0], 1 - 1e-10)

    def _pairs(self, cells: matching.TruthCells, at_least: float) -> Pairs:
        sides = (self.targets, self.regions)
        rows = np.flatnonzero(self.kept)
        return engine.overlapping_pairs(cells, rows, sides, self.truth.crowd, at_least)

    def _pairs_of_keys(self) -> Pairs:
        return self._pairs(self._cells_of_keys(), min(PAIRED_FROM, self._least))

    def _of_equal_labels(self, pairs: Pairs) -> Pairs:
        detection, truth, iou = pairs
        near = (self.predictions.label[detection] == self.truth.label[truth]) & (iou >= self._least)
        return detection[near], truth[near], iou[near]

    def _cells(
        self, truth: NDArray[np.int32], predictions: NDArray[np.int32]
    ) -> matching.TruthCells:
        return matching.cells_of(
            self.truth.datum, truth, self.predictions.datum, predictions, len(self.dataset)
        )

    def _cells_of_keys(self) -> matching.TruthCells:
        key = keys_of(self.labels)
        return self._cells(key[self.truth.label], key[self.predictions.label])


def keys_of(labels: tuple[LabelName, ...]) -> NDArray[np.int32]:
    """Return the index of each label's key, in order of occurrence: ``(labels,)``."""
    keys = {key: number for number, key in enumerate(dict.fromkeys(key for key, _ in labels))}
    return np.array([keys[key] for key, _ in labels], np.int32)


def one_vocabulary(
    truth: AnnotationTable, predictions: AnnotationTable
) -> tuple[tuple[LabelName, ...], AnnotationTable, AnnotationTable]:
    """Number the labels of both sides alike: the truth's first, then others, sorted."""
    vocabulary = Vocabulary(truth.labels, predictions.labels)
    return vocabulary.names, truth.in_vocabulary(vocabulary), predictions.in_vocabulary(vocabulary)
