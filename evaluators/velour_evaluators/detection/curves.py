"""Curves over score thresholds, the best threshold by F1, and calibration of scores."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels import calibration
from velour_evaluators.detection.kernels.accumulate import RECALLS, curves_of_area
from velour_evaluators.detection.kernels.score_curves import (
    best_f1,
    counts_from,
    scores_at_recalls,
    steps_of,
)
from velour_evaluators.detection.metrics import micro_metrics
from velour_evaluators.detection.view import DetectionView
from velour_evaluators.kernels.sums import ratio
from velour_plugin import Metric

CONFIDENCE = 0.95
"""Of the bands of a reliability diagram."""

THRESHOLDS = np.arange(1, 20) / 20
"""The scores at which detections are counted: 0.05, 0.10, ... 0.95."""


def curve_metrics(view: DetectionView) -> Iterator[Metric]:
    """Yield curves and best F1 of each label, and the calibration of each key."""
    yield from _precision_recall(view)
    yield from _best_f1(view)
    yield from _threshold_counts(view)
    yield from _calibration(view)
    yield from micro_metrics(view.ledger, view.settings, view.counts)


def _precision_recall(view: DetectionView) -> Iterator[Metric]:
    """Precision at COCO's 101 recalls, and the score that reaches each of them."""
    settings, chosen = view.settings, view.chosen
    kept = chosen.labels_to_accumulate
    rows, truths = chosen.of_labels(kept)
    levels = len(settings.thresholds)
    curves = curves_of_area(rows, 0, levels, truths[:, 0], settings.max_detections)
    scores = scores_at_recalls(chosen.rows.label, chosen.score, view.true, chosen.truths[:, 0])
    index = np.cumsum(kept) - 1  # of a label among those with curves
    for number, label in view.labels:
        if not chosen.truths[number, 0]:
            continue
        precision = curves.precision[:, :, index[number]]
        at = {"recall": RECALLS.tolist(), "precision": precision[view.lane].tolist()}
        at["threshold"] = listed(scores[number])
        mean = precision[settings.averaged].mean(axis=0)
        means = {"recall": RECALLS.tolist(), "precision": mean.tolist()}
        yield Metric("precision_recall_curve", at, label, {"iou": settings.iou_threshold})
        yield Metric("mean_precision_recall_curve", means, label)


def _best_f1(view: DetectionView) -> Iterator[Metric]:
    chosen = view.chosen
    steps = steps_of(chosen.rows.label, chosen.score, view.true, view.counted)
    value, score = best_f1(steps, chosen.truths[:, 0])
    parameters = {"iou": view.settings.iou_threshold}
    for number, label in view.labels:
        yield Metric("best_f1", known(value[number]), label, parameters)
        yield Metric("best_f1_score", known(score[number]), label, parameters)


def _threshold_counts(view: DetectionView) -> Iterator[Metric]:
    chosen, labels = view.chosen, len(view.ledger.labels)
    rows = (chosen.rows.label, chosen.score)
    hits = counts_from(THRESHOLDS, *rows, view.true, labels)
    counted = counts_from(THRESHOLDS, *rows, view.counted, labels)
    parameters = {"iou": view.settings.iou_threshold}
    for number, label in view.labels:
        columns = (hits[:, number], counted[:, number], chosen.truths[number, 0])
        yield Metric("threshold_counts", _counted(*columns), label, parameters)


def _counted(
    hits: NDArray[np.int64], counted: NDArray[np.int64], truths: NDArray[np.int64]
) -> dict[str, Any]:
    return {
        "threshold": THRESHOLDS.tolist(),
        "tp": hits.tolist(),
        "fp": (counted - hits).tolist(),
        "fn": (truths - hits).tolist(),
        "precision": listed(ratio(hits, counted)),
        "recall": listed(ratio(hits, np.broadcast_to(truths, hits.shape))),
        "f1": listed(ratio(2 * hits, (counted + truths) * (truths > 0))),
    }


def _calibration(view: DetectionView) -> Iterator[Metric]:
    """Calibration of each key: precision of detections by bins of their score."""
    bins = view.ledger.parameters["calibration_bins"]
    parameters = {"iou": view.settings.iou_threshold}
    for key in view.keys:
        rows = view.counted & key.labels[view.chosen.rows.label]
        reliability = calibration.reliability(view.chosen.score[rows], view.true[rows], bins)
        error = calibration.expected_calibration_error(reliability)
        yield Metric(f"{key.prefix}ece", known(error), parameters=parameters)
        yield Metric(f"{key.prefix}reliability", _reliability(reliability), parameters=parameters)
        yield Metric(f"{key.prefix}reliability_bands", _bands(reliability), parameters=parameters)


def _reliability(bins: calibration.Reliability) -> dict[str, Any]:
    return {
        "from": bins.edges[:-1].tolist(),
        "to": bins.edges[1:].tolist(),
        "count": bins.count.tolist(),
        "confidence": listed(calibration.mean_confidence(bins)),
        "accuracy": listed(calibration.accuracy(bins)),
    }


def _bands(bins: calibration.Reliability) -> dict[str, Any]:
    """Simultaneous intervals of the accuracy of all bins, as if detections were independent."""
    low, high = calibration.accuracy_bands(bins, CONFIDENCE)
    return {"low": listed(low), "high": listed(high), "confidence": CONFIDENCE}


def known(value: float) -> float | None:
    """Return a number for JSON: ``None`` where it is undefined (NaN)."""
    return None if math.isnan(value) else float(value)


def listed(values: NDArray[np.float64]) -> list[float | None]:
    """Return a column of numbers for JSON: ``None`` where one is undefined (NaN)."""
    return [known(value) for value in values.tolist()]
