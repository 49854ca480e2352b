"""The confusion matrix of detection, with an example of everything that went wrong.

How detections and truths are paired: ``kernels/confusion_events.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.assignment import Overlaps
from velour_evaluators.detection.kernels.confusion_events import NOBODY, ConfusionEvents, events_of
from velour_evaluators.detection.ledger import BOX
from velour_evaluators.detection.view import LISTED, DetectionView, Key
from velour_plugin import Metric

DENSE = 200
"""Up to so many labels, the matrix also has rows of counts."""


def confusion_metrics(view: DetectionView) -> Iterator[Metric]:
    """Yield the confusion matrix of each key.

    Its value has ``labels``; ``rows``, true labels and at last the background; ``columns``,
    predicted labels and at last those missed; ``counts``, rows of numbers, ``None`` beyond
    200 labels; and ``errors``, the most frequent first, with ``examples``: the datum's uid,
    boxes as xmin, ymin, xmax, ymax in pixels, score, IoU, and why.
    """
    settings, matrix = view.settings, _Matrix(view)
    parameters = {"score": settings.score_threshold, "iou": settings.iou_threshold}
    for key in view.keys:
        yield Metric(f"{key.prefix}confusion_matrix", matrix.of_key(key), parameters=parameters)


class _Matrix:
    """Events of a selection, counted by true and predicted label."""

    def __init__(self, view: DetectionView) -> None:
        self.view = view
        score, settings = view.ledger_rows.detections["score"], view.settings
        self.used = score >= settings.score_threshold
        enough = view.pairs.iou >= min(settings.iou_threshold, 1 - 1e-10)
        inside = (view.ledger_rows.detections["areas"] & np.uint8(1)).astype(bool)
        events = events_of(
            view.pairs.where(enough),
            view.same_label[enough],
            score,
            used=self.used,
            inside=inside,
            real=view.real,
        )
        self.events = events.where(self._order(events))
        self.datum = self._datums(self.events)
        self.often = view.often[self.datum]
        self.row = _looked_up(view.ledger_rows.truths["label"], self.events.truth)
        self.column = _looked_up(view.ledger_rows.detections["label"], self.events.detection)

    def of_key(self, key: Key) -> dict[str, Any]:
        """Return the matrix of one key, as JSON."""
        names = [self.view.ledger.labels[label][1] for label in np.flatnonzero(key.labels)]
        cells = self._cells(key, len(names) + 1)
        return {
            "labels": names,
            "rows": [*names, "background"],
            "columns": [*names, "missed"],
            "counts": cells.dense() if len(names) <= DENSE else None,
            "errors": [self._error(cells, cell, [*names, None]) for cell in cells.errors[:LISTED]],
            "errors_not_listed": max(len(cells.errors) - LISTED, 0),
        }

    def _cells(self, key: Key, size: int) -> _Cells:
        label = np.where(self.row == NOBODY, self.column, self.row)
        events = np.flatnonzero(key.labels[label] & (self.often > 0))
        index = np.append(np.cumsum(key.labels) - 1, size - 1)  # NOBODY is -1: the last
        return _Cells(
            index[self.row[events]], index[self.column[events]], events, self.often[events], size
        )

    def _error(self, cells: _Cells, cell: int, names: list[str | None]) -> dict[str, Any]:
        events = cells.events_in(cell)[: self.view.ledger.parameters["examples"]]
        return {
            "truth": names[cells.number[cell] // cells.size],
            "predicted": names[cells.number[cell] % cells.size],
            "count": int(cells.count[cell]),
            "examples": [self._example(event) for event in events.tolist()],
        }

    def _order(self, events: ConfusionEvents) -> NDArray[np.intp]:
        """Highest scores first, then the largest truths, then by datum and coordinates."""
        score = _looked_up(self.view.ledger_rows.detections["score"], events.detection)
        boxes = self.view.ledger.tables["truth_boxes"]
        x, y, wide, high = (_looked_up(boxes[name], events.truth) for name in BOX)
        size = np.where(events.truth == NOBODY, 0.0, wide.astype(float) * high)
        return np.lexsort((y, x, self._datums(events), -size, -score))

    def _example(self, event: int) -> dict[str, Any]:
        truth, detection = int(self.events.truth[event]), int(self.events.detection[event])
        score, is_detected = self.view.ledger_rows.detections["score"], detection != NOBODY
        return {
            "datum": self.view.ledger.datums[self.datum[event]],
            "truth": None if truth == NOBODY else self._box("truth_boxes", truth),
            "predicted": self._box("detection_boxes", detection) if is_detected else None,
            "score": float(score[detection]) if is_detected else None,
            "iou": float(self.events.iou[event]) if is_detected and truth != NOBODY else None,
            "why": self._why(truth, detection),
        }

    def _why(self, truth: int, detection: int) -> str:
        if truth == NOBODY:
            return self._why_background(detection)
        return self._why_missed(truth) if detection == NOBODY else "it has another label"

    def _why_background(self, detection: int) -> str:
        truth, iou = (column[detection] for column in self._nearest_truth)
        if truth == NOBODY:
            return "no truth overlaps by 0.1"
        name = self._name("truths", truth)
        if iou < self.view.settings.iou_threshold:
            return f"the nearest truth, {name}, overlaps by {iou:.2f} only"
        return f"the truth {name}, overlapping by {iou:.2f}, has a detection that lies better"

    def _why_missed(self, truth: int) -> str:
        detection, iou = (column[truth] for column in self._nearest_detection)
        if detection == NOBODY:
            return "no detection overlaps by 0.1"
        name, score = self._name("detections", detection), self.view.ledger_rows.detections["score"]
        if iou < self.view.settings.iou_threshold:
            return f"the nearest detection, {name}, overlaps by {iou:.2f} only"
        if not self.used[detection]:
            return f"the detection {name}, overlapping by {iou:.2f}, scores {score[detection]:.2f}"
        return f"the detection {name}, overlapping by {iou:.2f}, lies better on another truth"

    def _name(self, table: str, row: int) -> str:
        label = self.view.ledger.tables[table]["label"][row]
        return repr(self.view.ledger.labels[label][1])

    def _box(self, table: str, row: int) -> list[float]:
        boxes = self.view.ledger.tables[table]
        if "detection" in boxes:
            row = int(np.searchsorted(boxes["detection"], row))
        x, y, width, height = (float(boxes[name][row]) for name in BOX)
        return [round(side, 2) for side in (x, y, x + width, y + height)]

    def _datums(self, events: ConfusionEvents) -> NDArray[np.int32]:
        by_truth = _looked_up(self.view.ledger_rows.truths["datum"], events.truth)
        by_detection = _looked_up(self.view.ledger_rows.detections["datum"], events.detection)
        return np.where(events.truth == NOBODY, by_detection, by_truth)

    @cached_property
    def _nearest_truth(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        pairs = self.view.pairs.where(self.view.real[self.view.pairs.truth])
        return pairs.best_of_each_detection(len(self.used))

    @cached_property
    def _nearest_detection(self) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        pairs = self.view.pairs
        turned = Overlaps(pairs.truth, pairs.detection, pairs.iou)
        return turned.best_of_each_detection(len(self.view.real))


class _Cells:
    """Non-empty cells of a confusion matrix, and the events in each."""

    def __init__(
        self,
        row: NDArray[np.intp],
        column: NDArray[np.intp],
        events: NDArray[np.intp],
        often: NDArray[np.int64],
        size: int,
    ) -> None:
        self.size = size
        self.number, cell = np.unique(row * size + column, return_inverse=True)
        self.count = np.bincount(cell, often, len(self.number)).astype(np.int64)
        self._events = events[np.argsort(cell, kind="stable")]
        self._bounds = np.searchsorted(np.sort(cell), np.arange(len(self.number) + 1))

    @property
    def errors(self) -> list[int]:
        """Indices of the cells off the diagonal, the fullest first."""
        wrong = np.flatnonzero(self.number // self.size != self.number % self.size)
        cells: list[int] = wrong[np.argsort(-self.count[wrong], kind="stable")].tolist()
        return cells

    def events_in(self, cell: int) -> NDArray[np.intp]:
        """Return the events of a cell."""
        return self._events[self._bounds[cell] : self._bounds[cell + 1]]

    def dense(self) -> list[list[int]]:
        """Return the counts as a square list of rows."""
        counts = np.zeros(self.size * self.size, np.int64)
        counts[self.number] = self.count
        rows: list[list[int]] = counts.reshape(self.size, self.size).tolist()
        return rows


def _looked_up(column: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Values of rows; -1 for :data:`NOBODY`."""
    return np.append(column, column.dtype.type(-1))[rows]
