"""Details of a label key: confusion matrix, reliability, and curves of its labels.

Sizes are bounded: at most 1000 cells of a matrix are listed, at most 1000 labels get curves,
and a curve has at most 101 (ROC) or 201 (precision-recall) points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.axis import Axis
from velour_evaluators.classification.decisions import chosen_labels, scored_decisions
from velour_evaluators.classification.kernels import calibration
from velour_evaluators.classification.kernels.calibration import Reliability
from velour_evaluators.classification.kernels.class_counts import (
    MISSING,
    ConfusionCells,
    confusion_cells,
)
from velour_evaluators.classification.kernels.decision_reasons import reasons
from velour_evaluators.classification.kernels.ranking_curves import (
    Curve,
    counts_at,
    precision_recall_curve,
    roc_curve,
    steps_of,
)
from velour_evaluators.classification.kernels.soft_confusion import LabelPairs, soft_confusion_cells
from velour_evaluators.classification.metrics import (
    KeyMetrics,
    further_metrics,
    known,
    reliability_of,
)
from velour_evaluators.kernels.sums import ratio
from velour_plugin import Label, Metric

DENSE = 200
"""Up to so many labels, a confusion matrix also has rows of counts."""

LISTED = 1_000
"""At most so many cells of a confusion matrix are listed, and so many labels get curves."""

CONFIDENCE = 0.95
"""Of the bands of a reliability diagram and of the interval of ``rms_ece``."""

THRESHOLDS = np.arange(1, 20) / 20
"""The scores at which decisions are counted: 0.05, 0.10, ... 0.95."""


def detail_metrics(axis: Axis) -> Iterator[Metric]:
    """Yield the matrices of a key, then the curves of its labels, of the most frequent ones."""
    prefix, parameters = axis.prefix, axis.parameters_of_key
    name = "soft_confusion_matrix" if axis.is_multi_label else "confusion_matrix"
    yield Metric(f"{prefix}{name}", _confusion_matrix(axis), parameters=parameters)
    yield from further_metrics(KeyMetrics(axis))
    bins = reliability_of(axis)
    if bins is not None:
        yield Metric(f"{prefix}reliability", _reliability(bins), parameters=parameters)
        yield Metric(f"{prefix}reliability_bands", _bands(bins), parameters=parameters)
        yield Metric(f"{prefix}rms_ece_interval", _interval(bins), parameters=parameters)
    shown = np.sort(np.argsort(-axis.counts.truths, kind="stable")[:LISTED]).tolist()
    yield from _decision_counts(axis, shown)
    if axis.is_scored:
        yield from _curves(axis, shown)


def _confusion_matrix(axis: Axis) -> dict[str, Any]:
    """Rows are true labels, columns predicted ones; the last column is "no prediction"."""
    labels, cells = len(axis.labels), _cells(axis)
    wrong = np.flatnonzero(cells.truth != cells.predicted)
    most = wrong[np.argsort(-cells.count[wrong], kind="stable")][:LISTED]
    values = [value for _, value in axis.labels]
    return {
        "labels": values,
        "columns": [*values, "missing"],
        "counts": _dense(cells, labels) if labels <= DENSE else None,
        "errors": [_cell(axis, values, cells, int(index)) for index in most],
        "errors_not_listed": len(wrong) - len(most),
    }


def _cells(axis: Axis) -> ConfusionCells:
    """Count pairs of true and decided label; of sets of labels, shares of datums."""
    labels = len(axis.labels)
    if not axis.is_multi_label:
        truth, predicted = axis.answers["truth"], axis.answers["predicted"]
        examples = axis.parameters["examples"]
        return confusion_cells(truth, predicted, labels, axis.answer_weights, examples)
    scores, truths = axis.scores, axis.truths
    decided = np.flatnonzero(scores["score"] >= axis.parameters["score_threshold"])
    pairs = (
        LabelPairs(truths["datum"], truths["label"]),
        LabelPairs(scores["datum"][decided], scores["label"][decided]),
    )
    return soft_confusion_cells(*pairs, len(axis.ledger.datums), labels, axis.weights)


def _dense(cells: ConfusionCells, labels: int) -> list[list[Any]]:
    counts = np.zeros((labels, labels + 1), cells.count.dtype)
    counts[cells.truth, cells.predicted] = cells.count  # MISSING is -1, the last column
    rows: list[list[Any]] = counts.tolist()
    return rows


def _cell(axis: Axis, values: list[str], cells: ConfusionCells, index: int) -> dict[str, Any]:
    first, last = np.searchsorted(cells.example_cell, [index, index + 1])
    datums = axis.answers["datum"][cells.example[first:last]]
    predicted = int(cells.predicted[index])
    return {
        "truth": values[cells.truth[index]],
        "predicted": None if predicted == MISSING else values[predicted],
        "count": cells.count[index].item(),
        "examples": [axis.ledger.datums[datum] for datum in datums],
    }


def _reliability(bins: Reliability) -> dict[str, Any]:
    return {
        "from": bins.edges[:-1].tolist(),
        "to": bins.edges[1:].tolist(),
        "count": bins.count.tolist(),
        "confidence": _listed(calibration.mean_confidence(bins)),
        "accuracy": _listed(calibration.accuracy(bins)),
    }


def _bands(bins: Reliability) -> dict[str, Any]:
    low, high = calibration.accuracy_bands(bins, CONFIDENCE)
    return {"low": _listed(low), "high": _listed(high), "confidence": CONFIDENCE}


def _interval(bins: Reliability) -> dict[str, Any] | None:
    span = calibration.rms_calibration_interval(bins, CONFIDENCE)
    return span and {"low": span[0], "high": span[1], "confidence": CONFIDENCE}


def _decision_counts(axis: Axis, shown: list[int]) -> Iterator[Metric]:
    """Decisions for each label against the rest, as the confusion matrix has them."""
    if axis.is_multi_label:
        scores, threshold = scored_decisions(axis), axis.parameters["score_threshold"]
    else:
        scores, threshold = chosen_labels(axis), 1.0
    split = reasons(scores, np.array([threshold]))
    for index in shown:
        counts = axis.counts
        right, decided = counts.hits[[index]], counts.decided[[index]]
        of_label = _decisions(axis, index, right, decided, split)
        numbers = {name: int(column[0]) for name, column in of_label.items()}
        yield Metric("decision_counts", numbers, Label(*axis.labels[index]))


def _curves(axis: Axis, shown: list[int]) -> Iterator[Metric]:
    right, decided = counts_at(axis.rankings, THRESHOLDS)
    split = reasons(scored_decisions(axis), THRESHOLDS)
    for index in shown:
        label = Label(*axis.labels[index])
        steps = steps_of(axis.rankings, index)
        roc = _curve(roc_curve(steps), "false_positive_rate", "true_positive_rate")
        yield Metric("roc_curve", roc, label)
        precision = _curve(precision_recall_curve(steps), "recall", "precision")
        yield Metric("precision_recall_curve", precision, label)
        of_label = _decisions(axis, index, right[:, index], decided[:, index], split)
        counts = _threshold_counts(axis, index, of_label)
        yield Metric("threshold_counts", counts, label)


def _curve(curve: Curve | None, x: str, y: str) -> dict[str, Any] | None:
    if curve is None:
        return None
    threshold = np.where(np.isinf(curve.threshold), np.nan, curve.threshold)
    return {x: curve.x.tolist(), y: curve.y.tolist(), "threshold": _listed(threshold)}


def _decisions(
    axis: Axis,
    index: int,
    right: NDArray[np.int64],
    decided: NDArray[np.int64],
    split: Mapping[str, NDArray[np.int64]],
) -> dict[str, NDArray[np.int64]]:
    """Numbers of decisions for one label against the rest, negatives by reason as well."""
    truths = axis.counts.truths[index]
    return {
        "tp": right,
        "fp": decided - right,
        "fn": truths - right,
        "tn": axis.total - truths - decided + right,
        **{name: columns[:, index] for name, columns in split.items()},
    }


def _threshold_counts(
    axis: Axis, index: int, counts: Mapping[str, NDArray[np.int64]]
) -> dict[str, Any]:
    """Decisions for one label against the rest, at each of :data:`THRESHOLDS`."""
    right, truths = counts["tp"], axis.counts.truths[index]
    decided = right + counts["fp"]
    return {
        "threshold": THRESHOLDS.tolist(),
        **{name: column.tolist() for name, column in counts.items()},
        "precision": _listed(ratio(right, decided)),
        "recall": _listed(ratio(right, truths)),
        "f1": _listed(ratio(2 * right, decided + truths)),
    }


def _listed(values: NDArray[Any]) -> list[float | None]:
    return [known(value) for value in values.tolist()]
