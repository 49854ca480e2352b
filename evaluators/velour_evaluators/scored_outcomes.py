"""Decisions of each class against the rest, with their scores: what thresholds are chosen from."""

from __future__ import annotations

import numpy as np

from velour_evaluators.classification.ledger import LabelKeys
from velour_evaluators.detection.view import DetectionView
from velour_plugin import Ledger
from velour_plugin.plugin import ScoredOutcomes


def of_detection(ledger: Ledger) -> ScoredOutcomes:
    """Detections that count at the IoU threshold: right where they match; crowds are no truths."""
    view = DetectionView(ledger, None)
    detections, truths = view.ledger_rows.detections, view.ledger_rows.truths
    counted = np.flatnonzero(view.counted & (detections["score"] > 0))
    return ScoredOutcomes(
        detections["label"][counted],
        detections["datum"][counted],
        detections["score"][counted],
        view.true[counted],
        truths["label"][view.real],
        truths["datum"][view.real],
    )


def of_classification(ledger: Ledger) -> ScoredOutcomes | None:
    """Every label that scores above 0, right where it is true; ``None`` without scores.

    A label key whose predictions have no scores is left out.
    """
    answers, scores, truths = (ledger.tables[name] for name in ("answers", "scores", "truths"))
    key = LabelKeys.of(ledger.labels).key
    has_scores = np.isin(key, key[answers["truth"][answers["scored"]]])
    if not has_scores.any():
        return None
    named = np.flatnonzero(has_scores[scores["label"]] & (scores["score"] > 0))
    real = np.flatnonzero(has_scores[truths["label"]])
    label, datum, score = (scores[name][named] for name in ("label", "datum", "score"))
    truth_label, truth_datum = (truths[name][real] for name in ("label", "datum"))
    datums = len(ledger.datums)
    pairs = label.astype(np.int64) * datums + datum
    right = np.isin(pairs, truth_label.astype(np.int64) * datums + truth_datum)
    return ScoredOutcomes(label, datum, score, right, truth_label, truth_datum)
