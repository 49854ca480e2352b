"""Metrics of one label key by name: headline metrics, and those of each label.

Arithmetic is in :mod:`velour_evaluators.kernels`. A metric is computed when it is read,
since a bootstrap reads one of them a thousand times. NaN here means undefined, and
becomes ``None`` in a metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.axis import Axis
from velour_evaluators.classification.kernels import calibration, class_counts, ranking_curves
from velour_evaluators.classification.kernels.calibration import Reliability
from velour_evaluators.classification.kernels.class_counts import (
    DecisionCounts,
    macro,
    mean_of_known,
)
from velour_evaluators.kernels.sums import exact_mean, weight_of
from velour_plugin import Label, Metric

Floats = NDArray[np.float64]


class KeyMetrics:
    """Metrics of one label key, computed when read; those of each label are ``(labels,)``."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    @cached_property
    def precision(self) -> Floats:
        """Precision of each label, ``(labels,)``; NaN where it is never decided for."""
        return class_counts.precision(self.axis.counts)

    @cached_property
    def recall(self) -> Floats:
        """Recall of each label, ``(labels,)``; NaN where it is never true."""
        return class_counts.recall(self.axis.counts)

    @cached_property
    def f1(self) -> Floats:
        """F1 of each label, ``(labels,)``; NaN where it is neither true nor decided for."""
        return class_counts.f1(self.axis.counts)

    @cached_property
    def roc_auc(self) -> Floats:
        """ROC AUC of each label against the rest, ``(labels,)``; NaN without scores."""
        return self._ranked(ranking_curves.roc_auc)

    @cached_property
    def average_precision(self) -> Floats:
        """Average precision of each label against the rest, ``(labels,)``; NaN without scores."""
        return self._ranked(ranking_curves.average_precision)

    @property
    def support(self) -> NDArray[np.int64]:
        """How many datums have each label, ``(labels,)``."""
        return self.axis.counts.truths

    def accuracy(self) -> float:
        """Return the share of the datums that are right; of sets of labels, right as a whole."""
        return self._share(self.axis.answers["correct"])

    def top_k_accuracy(self) -> float:
        """Return the share of the datums whose true label is among the ``top_k`` highest scores.

        NaN where there are no more than ``top_k`` labels: all of them would be among the best.
        """
        most = self.axis.parameters["top_k"]
        if self.axis.is_multi_label or not self.axis.is_scored or len(self.axis.labels) <= most:
            return math.nan
        rank = self.axis.answers["rank"]
        return self._share((rank > 0) & (rank <= most))

    def macro(self, values: Floats) -> float:
        """Average over the labels that occur; NaN counts as 0."""
        return macro(values, self.axis.occurs)

    def loss(self, name: str) -> float:
        """Average ``log_loss`` or ``brier`` over datums (and labels, if many), or NaN."""
        losses, weights, labels = self.axis.answers[name], self.axis.answer_weights, 1
        if not self.axis.is_scored:
            return math.nan
        if weights is not None:
            losses, weights = losses[weights > 0], weights[weights > 0]
        if self.axis.is_multi_label:
            labels = len(self.axis.labels)
        unit = 1 << labels.bit_length()  # brings sums over labels into the range of exact_mean
        return exact_mean(losses / unit, weights) * unit / labels

    def brier(self) -> float:
        """Return the mean squared error of scores; half of it for two labels, as scikit-learn."""
        halved = len(self.axis.labels) < 3 and not self.axis.is_multi_label
        return self.loss("brier") * (0.5 if halved else 1.0)

    def calibration_error(self) -> float:
        """Return the mean distance of confidence and accuracy; NaN where there is no confidence."""
        bins = reliability_of(self.axis)
        return math.nan if bins is None else calibration.expected_calibration_error(bins)

    def rms_calibration_error(self) -> float:
        """Return the debiased root mean square of that distance; NaN where there is none."""
        bins = reliability_of(self.axis)
        return math.nan if bins is None else calibration.rms_calibration_error(bins)

    @property
    def micro(self) -> DecisionCounts:
        """Counts over all labels together, as of one label."""
        counts = self.axis.counts
        columns = (counts.hits, counts.truths, counts.decided)
        hits, truths, decided = (np.array([column.sum()]) for column in columns)
        return DecisionCounts(hits, truths, decided, counts.total)

    def of_one_label(self, agreement: Callable[[DecisionCounts], float]) -> float:
        """Compute a metric of counts that is NaN where a datum may have many labels."""
        return math.nan if self.axis.is_multi_label else agreement(self.axis.counts)

    def missing(self) -> float:
        """Count the datums that have no prediction."""
        return weight_of(~self.axis.answers["answered"], self.axis.answer_weights)

    def _share(self, right: NDArray[np.bool_]) -> float:
        total = self.axis.total
        return weight_of(right, self.axis.answer_weights) / total if total else math.nan

    def _ranked(self, metric: Callable[[ranking_curves.Rankings], Floats]) -> Floats:
        if not self.axis.is_scored:
            return np.full(len(self.axis.labels), np.nan)
        return metric(self.axis.rankings)


_ABOUT_ALL: Mapping[str, Callable[[KeyMetrics], float]] = {
    "accuracy": KeyMetrics.accuracy,
    "top_k_accuracy": KeyMetrics.top_k_accuracy,
    "precision_macro": lambda of: of.macro(of.precision),
    "recall_macro": lambda of: of.macro(of.recall),
    "f1_macro": lambda of: of.macro(of.f1),
    "f1_weighted": lambda of: class_counts.weighted_by_truths(of.f1, of.axis.counts),
    "roc_auc": lambda of: mean_of_known(of.roc_auc),
    "average_precision_macro": lambda of: mean_of_known(of.average_precision),
    "log_loss": lambda of: of.loss("log_loss"),
    "ece": KeyMetrics.calibration_error,
    "balanced_accuracy": lambda of: of.of_one_label(lambda _: mean_of_known(of.recall)),
    "mcc": lambda of: of.of_one_label(class_counts.matthews_correlation),
    "cohen_kappa": lambda of: of.of_one_label(class_counts.cohen_kappa),
    "brier": KeyMetrics.brier,
    "missing_predictions": KeyMetrics.missing,
}

_ABOUT_ALL_IN_DETAILS: Mapping[str, Callable[[KeyMetrics], float]] = {
    "precision_micro": lambda of: float(class_counts.precision(of.micro)[0]),
    "recall_micro": lambda of: float(class_counts.recall(of.micro)[0]),
    "f1_micro": lambda of: float(class_counts.f1(of.micro)[0]),
    "rms_ece": KeyMetrics.rms_calibration_error,
}
"""Numbers that are not measured, and computed when somebody wants them."""

_ABOUT_EACH: Mapping[str, Callable[[KeyMetrics], NDArray[Any]]] = {
    "precision": lambda of: of.precision,
    "recall": lambda of: of.recall,
    "f1": lambda of: of.f1,
    "roc_auc": lambda of: of.roc_auc,
    "average_precision": lambda of: of.average_precision,
    "support": lambda of: of.support,
}

_OF_POSITIVE_LABEL = ("roc_auc", "precision", "recall", "f1", "average_precision")


def headline_metrics(metrics: KeyMetrics) -> Iterator[Metric]:
    """Yield the headline metrics of a key, in their order."""
    for name, number in _headline(metrics.axis).items():
        value = known(number(metrics))
        yield Metric(metrics.axis.prefix + name, value, parameters=metrics.axis.parameters_of_key)


def further_metrics(metrics: KeyMetrics) -> Iterator[Metric]:
    """Yield the numbers of a key that are details."""
    for name, number in _ABOUT_ALL_IN_DETAILS.items():
        value = known(number(metrics))
        yield Metric(metrics.axis.prefix + name, value, parameters=metrics.axis.parameters_of_key)


def label_metrics(metrics: KeyMetrics) -> Iterator[Metric]:
    """Yield the metrics of each label of a key, label by label."""
    columns = {name: numbers(metrics).tolist() for name, numbers in _ABOUT_EACH.items()}
    for index, name in enumerate(metrics.axis.labels):
        label = Label(*name)
        for metric, column in columns.items():
            yield Metric(metric, known(column[index]), label)


def number_named(
    axis: Axis, metric: str, label: Label | None
) -> Callable[[KeyMetrics], float] | None:
    """Return the function that computes one metric of a key; ``None`` for an unknown name."""
    if label is None:
        name = metric.removeprefix(axis.prefix)
        return _headline(axis).get(name) or _ABOUT_ALL_IN_DETAILS.get(name)
    if metric not in _ABOUT_EACH or label.name not in axis.labels:
        return lambda _: math.nan
    return _of_label(metric, axis.labels.index(label.name))


def _headline(axis: Axis) -> dict[str, Callable[[KeyMetrics], float]]:
    """The functions that compute the headline metrics of a key, by name, in their order."""
    top_k = f"top_{axis.parameters['top_k']}_accuracy"
    numbers = {
        top_k if name == "top_k_accuracy" else name: number for name, number in _ABOUT_ALL.items()
    }
    positive = (axis.key, axis.parameters["positive_label"])
    if positive in axis.labels:
        index = axis.labels.index(positive)
        numbers.update({name: _of_label(name, index) for name in _OF_POSITIVE_LABEL})
    return numbers


def _of_label(name: str, index: int) -> Callable[[KeyMetrics], float]:
    return lambda metrics: float(_ABOUT_EACH[name](metrics)[index])


def reliability_of(axis: Axis) -> Reliability | None:
    """Count confidence and correctness of the datums that have a scored prediction.

    ``None`` where the choice has no confidence: without scores, for sets of labels, and where
    scores of a datum add up to more than 1.
    """
    if axis.is_multi_label or not axis.is_scored:
        return None
    table, weights, bins = axis.answers, axis.answer_weights, axis.parameters["calibration_bins"]
    confidence, correct, answered = table["confidence"], table["correct"], table["answered"]
    unknown = np.isnan(confidence)
    if weight_of(answered & unknown, weights):
        return None
    counted = answered & ~unknown  # what is unknown has no weight
    if counted.all():
        return calibration.reliability(confidence, correct, bins, weights)
    weights = None if weights is None else weights[counted]
    return calibration.reliability(confidence[counted], correct[counted], bins, weights)


def known(value: float) -> float | None:
    """Return a number for JSON: ``None`` where it is undefined (NaN)."""
    return None if math.isnan(value) else value
