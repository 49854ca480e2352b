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
from velour_evaluators.detection.kernels.confusion_events import NOBODY, Events, events_of
from velour_evaluators.detection.ledger import BOX
from velour_evaluators.detection.view import LISTED, DetectionView, Key
from velour_plugin import Metric

DENSE = 200
"""Up to so many labels, the matrix is also spelled as rows of counts."""


def confusion_metrics(view: DetectionView) -> Iterator[Metric]:
    """The confusion matrix of each key.

    Its value has ``labels``; ``rows``, true labels and at last the background; ``columns``,
    predicted labels and at last those missed; ``counts``, rows of numbers, ``None`` beyond
    200 labels; and ``errors``, the most frequent first, with ``examples``: the datum's uid,
    boxes as xmin, ymin, xmax, ymax in pixels, score, IoU, and why.
    """
    settings, matrix = view.settings, _Matrix(view)
    said = {"score": settings.score_threshold, "iou": settings.iou_threshold}
    for key in view.keys:
        yield Metric(f"{key.prefix}confusion_matrix", matrix.of_key(key), parameters=said)


class _Matrix:
    """Events of a selection, counted by what was true and what was said."""

    def __init__(self, view: DetectionView) -> None:
        self.view = view
        score, settings = view.book.detections["score"], view.settings
        self.used = score >= settings.score_threshold
        enough = view.pairs.iou >= min(settings.iou_threshold, 1 - 1e-10)
        inside = (view.book.detections["areas"] & np.uint8(1)).astype(bool)
        events = events_of(
            view.pairs.where(enough), view.same_label[enough], score, self.used, inside, view.real
        )
        self.events = events.where(self._order(events))
        self.datum = self._datums(self.events)
        self.often = view.often[self.datum]
        self.row = _looked_up(view.book.truths["label"], self.events.truth)
        self.column = _looked_up(view.book.detections["label"], self.events.detection)

    def of_key(self, key: Key) -> dict[str, Any]:
        """The matrix of one key."""
        names = [self.view.ledger.labels[label][1] for label in np.flatnonzero(key.own)]
        cells = self._cells(key, len(names) + 1)
        return {
            "labels": names,
            "rows": [*names, "background"],
            "columns": [*names, "missed"],
            "counts": cells.dense() if len(names) <= DENSE else None,
            "errors": [self._error(cells, one, [*names, None]) for one in cells.errors[:LISTED]],
            "errors_not_listed": max(len(cells.errors) - LISTED, 0),
        }

    def _cells(self, key: Key, size: int) -> _Cells:
        label = np.where(self.row == NOBODY, self.column, self.row)
        mine = np.flatnonzero(key.own[label] & (self.often > 0))
        place = np.append(np.cumsum(key.own) - 1, size - 1)  # nobody is -1: the last
        return _Cells(place[self.row[mine]], place[self.column[mine]], mine, self.often[mine], size)

    def _error(self, cells: _Cells, cell: int, names: list[str | None]) -> dict[str, Any]:
        events = cells.events_in(cell)[: self.view.ledger.parameters["examples"]]
        return {
            "truth": names[cells.number[cell] // cells.size],
            "predicted": names[cells.number[cell] % cells.size],
            "count": int(cells.count[cell]),
            "examples": [self._example(event) for event in events.tolist()],
        }

    def _order(self, events: Events) -> NDArray[np.intp]:
        """The most confident first, the largest first; then as datums stand and boxes lie."""
        score = _looked_up(self.view.book.detections["score"], events.detection)
        boxes = self.view.ledger.tables["truth_boxes"]
        x, y, wide, high = (_looked_up(boxes[name], events.truth) for name in BOX)
        size = np.where(events.truth == NOBODY, 0.0, wide.astype(float) * high)
        return np.lexsort((y, x, self._datums(events), -size, -score))

    def _example(self, event: int) -> dict[str, Any]:
        truth, detection = int(self.events.truth[event]), int(self.events.detection[event])
        said, somebody = self.view.book.detections["score"], detection != NOBODY
        return {
            "datum": self.view.ledger.datums[self.datum[event]],
            "truth": None if truth == NOBODY else self._box("truth_boxes", truth),
            "predicted": self._box("detection_boxes", detection) if somebody else None,
            "score": float(said[detection]) if somebody else None,
            "iou": float(self.events.iou[event]) if somebody and truth != NOBODY else None,
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
        name, score = self._name("detections", detection), self.view.book.detections["score"]
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

    def _datums(self, events: Events) -> NDArray[np.int32]:
        by_truth = _looked_up(self.view.book.truths["datum"], events.truth)
        by_detection = _looked_up(self.view.book.detections["datum"], events.detection)
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
    """Cells of a matrix in which something happened."""

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
        """The cells off the diagonal, the fullest first."""
        wrong = np.flatnonzero(self.number // self.size != self.number % self.size)
        found: list[int] = wrong[np.argsort(-self.count[wrong], kind="stable")].tolist()
        return found

    def events_in(self, cell: int) -> NDArray[np.intp]:
        """What happened in a cell."""
        return self._events[self._bounds[cell] : self._bounds[cell + 1]]

    def dense(self) -> list[list[int]]:
        """Rows of counts."""
        counts = np.zeros(self.size * self.size, np.int64)
        counts[self.number] = self.count
        rows: list[list[int]] = counts.reshape(self.size, self.size).tolist()
        return rows


def _looked_up(column: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """Values of rows; -1 for nobody."""
    return np.append(column, column.dtype.type(-1))[rows]
