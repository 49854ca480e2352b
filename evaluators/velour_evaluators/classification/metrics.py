"""The numbers of one label key by name: about all its labels, and about each.

Arithmetic is in :mod:`velour_evaluators.kernels`. A number is computed when it is asked
for, since a bootstrap asks a thousand times for one. NaN here means undefined, and
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
from velour_evaluators.classification.kernels import calibration, ranking_curves
from velour_evaluators.classification.kernels import class_counts as decisions
from velour_evaluators.classification.kernels.calibration import Reliability
from velour_evaluators.classification.kernels.class_counts import Counts, macro, mean_of_known
from velour_evaluators.kernels.sums import exact_mean, weight_of
from velour_plugin import Label, Metric

Floats = NDArray[np.float64]


class Measured:
    """The numbers of one label key; those of each label are ``(labels,)``."""

    def __init__(self, axis: Axis) -> None:
        self.axis = axis

    @cached_property
    def precision(self) -> Floats:
        """Of each label."""
        return decisions.precision(self.axis.counts)

    @cached_property
    def recall(self) -> Floats:
        """Of each label."""
        return decisions.recall(self.axis.counts)

    @cached_property
    def f1(self) -> Floats:
        """Of each label."""
        return decisions.f1(self.axis.counts)

    @cached_property
    def roc_auc(self) -> Floats:
        """Of each label against the rest; NaN without scores."""
        return self._ranked(ranking_curves.roc_auc)

    @cached_property
    def average_precision(self) -> Floats:
        """Of each label against the rest; NaN without scores."""
        return self._ranked(ranking_curves.average_precision)

    @property
    def support(self) -> NDArray[np.int64]:
        """How many datums have each label."""
        return self.axis.counts.truths

    def accuracy(self) -> float:
        """Share of the datums that are right; of sets, as a whole."""
        return self._share(self.axis.answers["correct"])

    def top_k_accuracy(self) -> float:
        """Share of the datums whose true label is among the ``top_k`` that score highest.

        NaN where there are no more than ``top_k`` labels: all of them would be among the best.
        """
        most = self.axis.parameters["top_k"]
        if self.axis.is_multi_label or not self.axis.is_scored or len(self.axis.labels) <= most:
            return math.nan
        rank = self.axis.answers["rank"]
        return self._share((rank > 0) & (rank <= most))

    def macro(self, values: Floats) -> float:
        """Mean over the labels that occur."""
        return macro(values, self.axis.occurs)

    def loss(self, name: str) -> float:
        """Mean of a loss over datums, and over labels where a datum may have many."""
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
        """Mean squared error of scores; as in scikit-learn, half of it for two labels."""
        halved = len(self.axis.labels) < 3 and not self.axis.is_multi_label
        return self.loss("brier") * (0.5 if halved else 1.0)

    def calibration_error(self) -> float:
        """Mean distance of confidence and accuracy."""
        bins = reliability_of(self.axis)
        return math.nan if bins is None else calibration.expected_calibration_error(bins)

    def of_one_label(self, agreement: Callable[[Counts], float]) -> float:
        """What is only defined where a datum has one label."""
        return math.nan if self.axis.is_multi_label else agreement(self.axis.counts)

    def missing(self) -> float:
        """How many datums have no prediction."""
        return weight_of(~self.axis.answers["answered"], self.axis.answer_weights)

    def _share(self, right: NDArray[np.bool_]) -> float:
        total = self.axis.total
        return weight_of(right, self.axis.answer_weights) / total if total else math.nan

    def _ranked(self, metric: Callable[[ranking_curves.Rankings], Floats]) -> Floats:
        if not self.axis.is_scored:
            return np.full(len(self.axis.labels), np.nan)
        return metric(self.axis.rankings)


_ABOUT_ALL: Mapping[str, Callable[[Measured], float]] = {
    "accuracy": Measured.accuracy,
    "top_k_accuracy": Measured.top_k_accuracy,
    "precision_macro": lambda of: of.macro(of.precision),
    "recall_macro": lambda of: of.macro(of.recall),
    "f1_macro": lambda of: of.macro(of.f1),
    "f1_weighted": lambda of: decisions.weighted_by_truths(of.f1, of.axis.counts),
    "roc_auc": lambda of: mean_of_known(of.roc_auc),
    "average_precision_macro": lambda of: mean_of_known(of.average_precision),
    "log_loss": lambda of: of.loss("log_loss"),
    "ece": Measured.calibration_error,
    "balanced_accuracy": lambda of: of.of_one_label(lambda _: mean_of_known(of.recall)),
    "mcc": lambda of: of.of_one_label(decisions.matthews_correlation),
    "cohen_kappa": lambda of: of.of_one_label(decisions.cohen_kappa),
    "brier": Measured.brier,
    "missing_predictions": Measured.missing,
}

_ABOUT_EACH: Mapping[str, Callable[[Measured], NDArray[Any]]] = {
    "precision": lambda of: of.precision,
    "recall": lambda of: of.recall,
    "f1": lambda of: of.f1,
    "roc_auc": lambda of: of.roc_auc,
    "average_precision": lambda of: of.average_precision,
    "support": lambda of: of.support,
}

_OF_POSITIVE_LABEL = ("roc_auc", "precision", "recall", "f1", "average_precision")


def headline_metrics(measured: Measured) -> Iterator[Metric]:
    """Numbers about all labels of a key, those that everybody gets first."""
    for name, number in _headline(measured.axis).items():
        value = known(number(measured))
        yield Metric(measured.axis.prefix + name, value, parameters=measured.axis.said)


def label_metrics(measured: Measured) -> Iterator[Metric]:
    """Numbers about each label of a key, label by label."""
    columns = {name: numbers(measured).tolist() for name, numbers in _ABOUT_EACH.items()}
    for place, name in enumerate(measured.axis.labels):
        label = Label(*name)
        for metric, column in columns.items():
            yield Metric(metric, known(column[place]), label)


def number_named(
    axis: Axis, metric: str, label: Label | None
) -> Callable[[Measured], float] | None:
    """How one number of a key is computed; ``None`` where there is none of that name."""
    if label is None:
        return _headline(axis).get(metric.removeprefix(axis.prefix))
    if metric not in _ABOUT_EACH or label.name not in axis.labels:
        return lambda _: math.nan
    return _of_label(metric, axis.labels.index(label.name))


def _headline(axis: Axis) -> dict[str, Callable[[Measured], float]]:
    """How the headline numbers of a key are computed, in their order."""
    top_k = f"top_{axis.parameters['top_k']}_accuracy"
    numbers = {
        top_k if name == "top_k_accuracy" else name: number for name, number in _ABOUT_ALL.items()
    }
    positive = (axis.key, axis.parameters["positive_label"])
    if positive in axis.labels:
        place = axis.labels.index(positive)
        numbers.update({name: _of_label(name, place) for name in _OF_POSITIVE_LABEL})
    return numbers


def _of_label(name: str, place: int) -> Callable[[Measured], float]:
    return lambda measured: float(_ABOUT_EACH[name](measured)[place])


def reliability_of(axis: Axis) -> Reliability | None:
    """Confidence and correctness of the datums that have a scored prediction.

    ``None`` where the choice has no confidence: without scores, and for sets of labels.
    """
    if axis.is_multi_label or not axis.is_scored:
        return None
    table, weights, bins = axis.answers, axis.answer_weights, axis.parameters["calibration_bins"]
    confidence, correct, answered = table["confidence"], table["correct"], table["answered"]
    if answered.all():
        return calibration.reliability(confidence, correct, bins, weights)
    weights = None if weights is None else weights[answered]
    return calibration.reliability(confidence[answered], correct[answered], bins, weights)


def known(value: float) -> float | None:
    """Spell a number for people and JSON: ``None`` where it is undefined."""
    return None if math.isnan(value) else value
