"""Classification datasets from arrays, and their metrics by name, for several test files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from velour_evaluators.classification.evaluator import ImageClassification

from velour_plugin.domain.annotations import Annotation, Datum, GroundTruth, Prediction
from velour_plugin.domain.columns.annotation_table import AnnotationTable
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger

EVALUATOR = ImageClassification()


def dataset_of(
    truths: dict[str, Any],
    predictions: dict[str, Any],
    key: str = "class",
    labels: Sequence[tuple[str, str]] = (),
) -> Dataset:
    """Make a dataset from what is true of each datum and what is predicted of it.

    Args:
        truths: by uid a label's value, a list of them, or ``{(key, value): None}``.
        predictions: by uid the same, or ``{value: score}``, or ``{(key, value): score}``.
        key: of labels that do not name one.
        labels: that belong to the dataset even where no datum shows them.
    """
    return Dataset.from_groundtruths(
        [GroundTruth(Datum(uid), _annotations(key, truth)) for uid, truth in truths.items()],
        name="pets",
        labels=labels,
    ).with_predictions(
        [Prediction(Datum(uid), _annotations(key, answer)) for uid, answer in predictions.items()],
        model="guesser",
    )


def dataset_of_arrays(
    truth: NDArray[Any], scores: NDArray[np.float64], predicted: NDArray[np.bool_] | None = None
) -> Dataset:
    """Make a dataset from arrays as scikit-learn takes them.

    Args:
        truth: ``(n,)`` true label of each datum, or ``(n, labels)`` bool for sets of labels.
        scores: ``(n, labels)`` in [0, 1].
        predicted: ``(n,)`` datums that have a prediction; ``None`` for all.
    """
    datums, labels = scores.shape
    names = [("class", f"{label:03d}") for label in range(labels)]
    rows, true = np.nonzero(truth) if truth.ndim == 2 else (np.arange(datums), truth)
    predictions = np.ones(datums, bool) if predicted is None else predicted
    datum = np.repeat(np.flatnonzero(predictions), labels)
    label = np.tile(np.arange(labels), int(predictions.sum()))
    return Dataset.from_table(
        "arrays",
        [Datum(str(index)) for index in range(datums)],
        AnnotationTable.from_columns(names, rows, true),
    ).with_predictions(
        AnnotationTable.from_columns(names, datum, label, score=scores[predictions].ravel()),
        model="m",
    )


def ledger_of(dataset: Dataset, **parameters: Any) -> Ledger:
    """Match a dataset with some parameters."""
    return EVALUATOR.match(dataset, EVALUATOR.parameters(parameters))


def headline(dataset: Dataset, **parameters: Any) -> dict[str, Any]:
    """Values of the metrics about all labels, by name."""
    metrics = EVALUATOR.measure(ledger_of(dataset, **parameters))
    return {metric.name: metric.value for metric in metrics if metric.label is None}


def by_label(dataset: Dataset, name: str, **parameters: Any) -> dict[str, Any]:
    """Values of one metric about each label, by the label's value."""
    metrics = EVALUATOR.measure(ledger_of(dataset, **parameters))
    return {item.label.value: item.value for item in metrics if item.label and item.name == name}


def detail(dataset: Dataset, name: str, label: str | None = None, **parameters: Any) -> Any:
    """Value of one curve or matrix."""
    for metric in EVALUATOR.details(ledger_of(dataset, **parameters)):
        if metric.name == name and (metric.label and metric.label.value) == label:
            return metric.value
    raise KeyError((name, label))


def spelled(metrics: list[Metric]) -> list[dict[str, Any]]:
    """Metrics in JSON, to compare them all at once and to the bit."""
    return [metric.to_dict() for metric in metrics]


def _annotations(key: str, values: Any) -> list[Annotation]:
    values = [values] if isinstance(values, str) else values or []
    scores = values if isinstance(values, dict) else dict.fromkeys(values)
    return [
        Annotation([Label(*(name if isinstance(name, tuple) else (key, name)), score)])
        for name, score in scores.items()
    ]
