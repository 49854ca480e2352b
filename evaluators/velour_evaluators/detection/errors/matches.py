"""Pairs of detections and ground truths, and what is left of either, one row each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.errors.error_kinds import errors_in
from velour_evaluators.detection.kernels import error_costs
from velour_evaluators.detection.kernels.assignment import Indices
from velour_evaluators.detection.ledger import BOX
from velour_evaluators.detection.ledger_narrowing import reduced
from velour_evaluators.detection.view import DetectionView
from velour_plugin import Ledger
from velour_plugin.errors import InvalidInput

NOBODY = -1
"""Stands for the truth of a detection in the background, and the detection of a missed truth."""

LOW_SCORE = "low score"
"""A missed truth that a detection below the score threshold matches."""


def matches_of(ledger: Ledger) -> dict[str, NDArray[Any]]:
    """List true and false positives, then false negatives, at the score and IoU threshold.

    They are those that precision and recall count, with the kinds of error of
    :mod:`velour_evaluators.detection.kernels.error_costs`. A false positive has the truth that it
    should have matched, or matches once more. Detections that do not count are left out: on
    crowds, or outside of the first area range.

    Args:
        ledger: of detection.

    Returns:
        Columns as :meth:`velour_plugin.plugin.Explaining.matches` has them, the highest scores
        first, then the largest missed truths.

    Raises:
        InvalidInput: the ledger keeps no overlaps.
    """
    whole = DetectionView(ledger, None)
    if not whole.has_pairs:
        raise InvalidInput(
            "the evaluation was made with details=False, which keeps no overlaps: add "
            "parameters={'details': True} (--parameters '{\"details\": true}')."
        )
    every_label = np.ones(len(ledger.labels), bool)
    view = DetectionView(reduced(ledger, every_label, whole.settings.score_threshold), None)
    return _Listing(view, _matched_truths(whole)).columns()


class _Listing:
    """Rows of true positives, false positives and missed truths of a ledger.

    Args:
        view: of the detections that reach the score threshold.
        is_matched: ``(T,)`` truths that a detection of any score matches.
    """

    def __init__(self, view: DetectionView, is_matched: NDArray[np.bool_]) -> None:
        self.view, self.errors, self.is_matched = view, errors_in(view), is_matched
        right, wrong = np.flatnonzero(view.true), np.flatnonzero(view.counted & ~view.true)
        missed = np.flatnonzero(self.errors.undetected)
        nobody = np.full(len(missed), NOBODY)
        self.detection = np.concatenate([right, wrong, nobody])
        self.truth = np.concatenate([view.matched[0][right], self._beside()[wrong], missed])
        self.outcome = np.repeat(
            ["true positive", "false positive", "false negative"],
            [len(right), len(wrong), len(missed)],
        )
        kinds = np.array([*error_costs.KINDS, ""])[self.errors.kind]  # no error is -1, the last
        self.kind = np.concatenate([kinds[right], kinds[wrong], self._missed_because()[missed]])

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return all columns, in order."""
        truths, detections = self.view.ledger_rows.truths, self.view.ledger_rows.detections
        of_truth = _looked_up(truths["datum"], self.truth, NOBODY)
        of_detection = _looked_up(detections["datum"], self.detection, NOBODY)
        columns = {
            "datum": np.maximum(of_truth, of_detection),  # equal where there are both
            "outcome": self.outcome,
            "kind": self.kind,
            "truth": _looked_up(truths["label"], self.truth, NOBODY),
            "prediction": _looked_up(detections["label"], self.detection, NOBODY),
            "score": _looked_up(detections["score"], self.detection, np.nan),
            "iou": self._ious(),
            "truth_box": self._boxes("truth_boxes", self.truth),
            "prediction_box": self._boxes("detection_boxes", self.detection),
        }
        x1, y1, x2, y2 = columns["truth_box"].T
        order = np.lexsort((columns["datum"], -(x2 - x1) * (y2 - y1), -columns["score"]))
        return {name: column[order] for name, column in columns.items()}

    def _beside(self) -> Indices:
        """The truth that each wrong detection lies on, of the label that its kind is about."""
        pairs, same = self.view.pairs, self.view.same_label
        real, number = self.view.real[pairs.truth], len(self.errors.kind)
        own, _ = pairs.where(real & same).best_of_each_detection(number)
        other, _ = pairs.where(real & ~same).best_of_each_detection(number)
        of_own = np.isin(self.errors.kind, [error_costs.LOCALISATION, error_costs.DUPLICATE])
        of_other = np.isin(self.errors.kind, [error_costs.CLASSIFICATION, error_costs.BOTH])
        return np.select([of_own, of_other], [own, other], NOBODY)

    def _missed_because(self) -> NDArray[np.str_]:
        """The kind of error that explains each undetected truth; ``missed`` where none does."""
        kind = np.where(self.is_matched, LOW_SCORE, "missed").astype("<U14")
        explained = np.flatnonzero(self.errors.corrected)
        kinds = np.array(error_costs.KINDS)[self.errors.kind[explained]]
        kind[self.errors.target[explained]] = kinds
        return kind

    def _ious(self) -> NDArray[np.float64]:
        """IoU of each pair; NaN where one side is alone."""
        pairs, truths = self.view.pairs, len(self.view.real)
        key = pairs.detection * truths + pairs.truth
        order = np.argsort(key)
        both = (self.truth != NOBODY) & (self.detection != NOBODY)
        iou = np.full(len(both), np.nan)
        wanted = self.detection[both] * truths + self.truth[both]
        iou[both] = pairs.iou[order][np.searchsorted(key[order], wanted)]
        return iou

    def _boxes(self, table: str, rows: Indices) -> NDArray[np.float64]:
        """Corners as xmin, ymin, xmax, ymax in pixels, ``(n, 4)``; NaN for nobody."""
        boxes = self.view.ledger.tables[table]
        if "detection" in boxes:
            known = np.searchsorted(boxes["detection"], rows)
            rows = np.where(rows == NOBODY, NOBODY, known)
        sides = [_looked_up(boxes[name].astype(float), rows, np.nan) for name in BOX]
        x, y, width, height = sides
        return np.stack([x, y, x + width, y + height], axis=-1).round(2)


def _matched_truths(view: DetectionView) -> NDArray[np.bool_]:
    """``(T,)`` truths that some detection matches, whatever its score."""
    is_matched = np.zeros(len(view.real), bool)
    is_matched[view.matched[0][view.true]] = True
    return is_matched


def _looked_up(column: NDArray[Any], rows: Indices, missing: float) -> NDArray[Any]:
    """Values of rows; another value for :data:`NOBODY`."""
    return np.append(column, column.dtype.type(missing))[rows]
