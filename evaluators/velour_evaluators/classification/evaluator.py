"""Classification of images and of rows of tables: the same metrics for two tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from velour_evaluators import by_datum, scored_outcomes
from velour_evaluators.classification.axis import Axis, axes_of
from velour_evaluators.classification.details import detail_metrics
from velour_evaluators.classification.ledger import concatenated, write_ledger
from velour_evaluators.classification.metrics import (
    KeyMetrics,
    headline_metrics,
    label_metrics,
    number_named,
)
from velour_evaluators.classification.outcomes import outcomes_of
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.sums import bounds_of
from velour_plugin import Dataset, Evaluator, Label, Ledger, Metric
from velour_plugin.errors import InvalidInput
from velour_plugin.plugin import (
    IntervalMethod,
    LabelName,
    MetricKey,
    ScoredOutcomes,
    class_text,
)

DEFAULTS: Mapping[str, Any] = {
    "top_k": 5,
    "calibration_bins": 15,
    "positive_label": None,
    "multi_label": False,
    "score_threshold": 0.5,
    "examples": 5,
}
"""Default values of the parameters."""


class ImageClassification(Evaluator):
    """Labels of whole images, key by key; equal to scikit-learn wherever it defines the metric.

    A datum takes part in a label key when it has a truth under that key. Undefined
    is ``None``: precision of a label that was never predicted, ROC AUC without scores.

    **Decisions.** A datum is decided for the label with the highest score, of equal ones the
    first in the dataset's order. Predictions without scores name one label each. A datum
    without a prediction is wrong, lowers recall, is one more decision that is never
    true for ``mcc`` and ``cohen_kappa``, and is counted in ``missing_predictions``.

    **Averages.** ``precision_macro``, ``recall_macro``, ``f1_macro`` are over the labels that
    are true or predicted somewhere, an undefined one being 0 there; ``roc_auc`` (one label
    against the rest) and ``average_precision_macro`` over the labels for which they are defined.

    **Scores.** A label that a prediction does not name scores 0, as do all labels of a
    datum without prediction. ``top_k_accuracy`` looks at named labels only, of equal scores the
    last label first; it is undefined where there are no more than ``top_k`` labels.
    ``log_loss`` and ``brier`` need scores that add up to 1 on every predicted datum, to 0.001;
    ``brier`` is the sum of squares over labels, halved for two labels. ``ece`` and
    ``reliability`` are about the datums that have a prediction, and undefined where scores of one
    add up to more than 1: decision values rank, and are no probabilities. A label named twice on
    one datum has the higher score.

    **Parameters.**

    - ``top_k`` (5), ``calibration_bins`` (15), ``examples`` (5 datums a cell of the matrix);
    - ``positive_label``: a label's value. Headline ``roc_auc`` becomes that of this label
      against the rest, and headline ``precision``, ``recall``, ``f1``, ``average_precision`` join;
    - ``multi_label``: a datum may have many labels. It is decided for every label that scores
      at least ``score_threshold`` (0.5); ``accuracy`` is the share of datums whose whole set is
      right; averages are over the labels that are true or named by a prediction; ``log_loss``
      (binary cross-entropy) and ``brier`` are means over labels; ``top_k_accuracy``, ``ece``,
      ``balanced_accuracy``, ``mcc`` and ``cohen_kappa`` are undefined.
    """

    task = "image-classification"
    version = "3"
    headline = (
        "accuracy", "top_5_accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_weighted",
        "roc_auc", "average_precision_macro", "log_loss", "ece", "balanced_accuracy", "mcc",
        "cohen_kappa", "brier", "missing_predictions",
    )  # fmt: skip
    lower_is_better = frozenset({"log_loss", "ece", "rms_ece", "brier", "missing_predictions"})
    pooled = frozenset({
        "f1_weighted", "log_loss", "ece", "rms_ece", "mcc", "cohen_kappa", "missing_predictions",
        "brier",
    })  # fmt: skip
    of_label: ClassVar[Mapping[str, str]] = {
        "accuracy": "recall", "balanced_accuracy": "recall", "precision_macro": "precision",
        "recall_macro": "recall", "f1_macro": "f1", "f1_weighted": "f1", "roc_auc": "roc_auc",
        "average_precision_macro": "average_precision", "precision_micro": "precision",
        "recall_micro": "recall", "f1_micro": "f1",
    }  # fmt: skip
    defaults = DEFAULTS

    def parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, checked, with defaults; see the class for what they mean."""
        complete = super().parameters(parameters)
        if complete["positive_label"] not in (None, ""):
            complete["positive_label"] = class_text(complete["positive_label"])
        for name, (rule, holds) in _RULES.items():
            if not holds(complete[name]):
                raise InvalidInput(
                    f"parameter {name} = {complete[name]!r}: expected {rule}, "
                    f"such as {_EXAMPLES[name]!r}."
                )
        return {**complete, "score_threshold": float(complete["score_threshold"])}

    @property
    def engine(self) -> str:
        """Which engine computes: the compiled kernel, or numpy and why."""
        return library.describe()

    def adds_scores(self, parameters: Mapping[str, Any]) -> bool:
        """Whether scores are probabilities: so for one label, not where there may be many."""
        return not parameters["multi_label"]

    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Evaluate every datum, and sort scores once for all metrics; regions are refused."""
        return write_ledger(self.task, dataset, parameters)

    def measure(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Return the headline metrics of each label key, then the metrics of each label."""
        counts = ledger.weights_of(datums, weights)
        keys = [KeyMetrics(axis.weighted(counts)) for axis in axes_of(ledger)]
        headline = [metric for key in keys for metric in headline_metrics(key)]
        return headline + [metric for key in keys for metric in label_metrics(key)]

    def values(
        self, ledger: Ledger, keys: Sequence[MetricKey], weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Measure some metrics under many weightings; nothing else is computed."""
        axes = axes_of(ledger)
        if not axes:
            return np.full((len(weights), len(keys)), np.nan)
        axis_of_key = [_axis_of(axes, *key) for key in keys]
        numbers = [number_named(axis, *key) for axis, key in zip(axis_of_key, keys, strict=True)]
        if None in numbers:  # the name of a detail, or unknown
            return super().values(ledger, keys, weights)
        values = np.empty((len(weights), len(keys)))
        for row, weighting in enumerate(weights):
            counts = ledger.weights_of(None, weighting)
            measured = {axis.key: KeyMetrics(axis.weighted(counts)) for axis in axes}
            values[row] = [
                number(measured[axis.key])
                for axis, number in zip(axis_of_key, numbers, strict=True)
                if number is not None
            ]
        return values

    def details(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Compute the confusion matrix and reliability of keys, decisions and curves of labels."""
        counts = ledger.weights_of(datums, weights)
        axes = [axis.weighted(counts) for axis in axes_of(ledger)]
        return [metric for axis in axes for metric in detail_metrics(axis)]

    def by_datum(self, ledger: Ledger) -> dict[str, NDArray[Any]]:
        """Return for each datum the share of its label keys that are right, and its log loss."""
        return by_datum.of_classification(ledger)

    def outcomes(
        self, ledger: Ledger, metric: str, label: Label | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Return which datums are right, and which count: of accuracies, and a label's recall."""
        axes = axes_of(ledger)
        name = None if label is None else label.name
        return outcomes_of(_axis_of(axes, metric, label), metric, name) if axes else None

    def scored_outcomes(self, ledger: Ledger) -> ScoredOutcomes | None:
        """Return every label that scores, each against the rest; ``None`` without scores."""
        return scored_outcomes.of_classification(ledger)

    def support(self, ledger: Ledger) -> dict[LabelName, NDArray[np.intp]]:
        """Return the rising indices of the datums that show each label."""
        truths = ledger.tables["truths"]
        order = np.lexsort((truths["datum"], truths["label"]))
        bounds = bounds_of(truths["label"][order], len(ledger.labels))
        datums = np.split(truths["datum"][order].astype(np.intp), bounds[1:-1])
        return dict(zip(ledger.labels, datums, strict=True))

    def bounds(self, metric: str) -> tuple[float | None, float | None]:
        """Return the lowest and highest value that a metric can have; ``None`` for no bound."""
        return _BOUNDS.get(metric.rpartition("/")[2], (0.0, 1.0))

    def interval_method(self, metric: str) -> IntervalMethod:
        """Return the jackknife of what ranks scores, none of ``ece``, which resamples raise."""
        return _INTERVALS.get(metric.rpartition("/")[2], "BCa")

    def concatenate(self, ledgers: Sequence[Ledger]) -> Ledger:
        """Concatenate ledgers of disjoint datums: the ledger of all their datums.

        Raises:
            BadDataset: under one key, some have predictions with scores and some without.
        """
        return concatenated(ledgers)


class TabularClassification(ImageClassification):
    """Labels of rows of a table: the same metrics as for images."""

    task = "tabular-classification"


_BOUNDS: Mapping[str, tuple[float | None, float | None]] = {
    "log_loss": (0.0, None),
    "brier": (0.0, 2.0),
    "mcc": (-1.0, 1.0),
    "cohen_kappa": (-1.0, 1.0),
    "missing_predictions": (0.0, None),
    "support": (0.0, None),
}

_INTERVALS: Mapping[str, IntervalMethod] = {
    "roc_auc": "jackknife",
    "average_precision": "jackknife",
    "average_precision_macro": "jackknife",
    "ece": "none",
}


def _axis_of(axes: Sequence[Axis], metric: str, label: Label | None) -> Axis:
    """The label key of a metric; metrics of the first key have no prefix."""
    for axis in sorted(axes, key=lambda axis: -len(axis.prefix)):  # a/b/ before a/
        if metric.startswith(axis.prefix) if label is None else label.key == axis.key:
            return axis
    return axes[0]


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1


_RULES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "top_k": ("a whole number of at least 1", lambda value: _is_whole(value, 1)),
    "calibration_bins": ("a whole number of at least 1", lambda value: _is_whole(value, 1)),
    "positive_label": (
        "the value of a label, or None",
        lambda value: value is None or (isinstance(value, str) and value != ""),
    ),
    "multi_label": ("True or False", lambda value: isinstance(value, bool)),
    "score_threshold": ("a number above 0 and up to 1", _is_share),
    "examples": ("a whole number of at least 0", lambda value: _is_whole(value, 0)),
}
_EXAMPLES = {**DEFAULTS, "positive_label": "fire"}
