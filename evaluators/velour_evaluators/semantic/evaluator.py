"""Semantic segmentation: one label for every pixel.

A label without true pixels has no IoU (``None``) and does not enter means. Pixels
without a label are background, which is no label and has no IoU; a label predicted
there is wrong, and a true label predicted as background is missed. Counts are summed
over datums before they are divided, so a large image weighs more than a small one.

==================  ===============================================================
``ignore_label``    ``None``; a label's value, or (key, value): pixels that truly
                    have it do not count at all, whatever is predicted there; where
                    it is predicted elsewhere, nothing is predicted
``boundary_width``  0.02; of the band along boundaries, and how far contours may lie
                    apart: below 1 a share of the image's diagonal, else whole
                    pixels; ``None`` leaves boundaries out, and is much faster
``examples``        5; datums named for each kind of confusion
==================  ===============================================================

Sources: Long et al. 2015 (accuracies, mean and frequency weighted IoU), Cheng et al.
2021 (boundary IoU), Csurka et al. 2013 (boundary F1).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from velour_evaluators import by_datum
from velour_evaluators.kernels.native import library
from velour_evaluators.semantic.ledger import concatenated, write_ledger
from velour_evaluators.semantic.scores import (
    Sums,
    confusion_matrices,
    headline_scores,
    label_scores,
)
from velour_plugin import Dataset, Evaluator, Label, Ledger, Metric
from velour_plugin.errors import BadAnnotation, BadDataset, InvalidInput, UnknownName
from velour_plugin.plugin import DEFAULT_KEY, IntervalMethod, LabelName, MetricKey


class SemanticSegmentation(Evaluator):
    """IoU, Dice, accuracy and boundary scores of labels on pixels.

    What its ledger holds is described in :mod:`velour_evaluators.semantic.ledger`.
    """

    task = "semantic-segmentation"
    version = "1"
    headline = (
        "mIoU", "mDice", "pixel_accuracy", "fwIoU", "mean_accuracy", "boundary_iou", "boundary_f1",
    )  # fmt: skip
    pooled = frozenset({"pixel_accuracy", "fwIoU"})
    of_label: ClassVar[Mapping[str, str]] = {"mIoU": "IoU", "mDice": "Dice"}
    defaults = {"ignore_label": None, "boundary_width": 0.02, "examples": 5}  # noqa: RUF012

    def parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, checked, with defaults; the head of this module says which."""
        complete = super().parameters(parameters)
        return {
            "ignore_label": _checked_label(complete["ignore_label"]),
            "boundary_width": _checked_width(complete["boundary_width"]),
            "examples": _checked_examples(complete["examples"]),
        }

    @property
    def engine(self) -> str:
        """Which engine computes: the compiled kernel, or numpy and why."""
        return library.describe()

    def bounds(self, metric: str) -> tuple[float | None, float | None]:
        """Return 0 and 1: every metric is a share."""
        return (0.0, 1.0)

    def interval_method(self, metric: str) -> IntervalMethod:
        """Return the jackknife: objects differ much in size, and few of them weigh most."""
        return "jackknife"

    def check_labels(self, parameters: Mapping[str, Any], labels: Collection[LabelName]) -> None:
        """Refuse a label to ignore that is none; without any label there is nothing to ignore.

        Raises:
            UnknownName: it is none of the labels; the nearest is named.
        """
        ignored = parameters["ignore_label"]
        if ignored is None or not labels or any(_is_ignored(name, ignored) for name in labels):
            return
        is_value = isinstance(ignored, str)
        known = [value if is_value else f"{key}={value}" for key, value in labels]
        text = ignored if is_value else "=".join(ignored)
        hint = "it is the name of a label, not the number of its pixels;"
        raise UnknownName("ignore_label", text, known, hint if text.isdigit() else None)

    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Count the pixels of each pair of labels, and their boundaries, datum by datum.

        Raises:
            BadDataset: there are no predictions, or regions break the rules of
                :func:`velour_evaluators.semantic.labelled_images.labelled_images`.
        """
        if dataset.predictions is None:
            raise BadDataset(f"dataset {dataset.name!r} has no predictions: use with_predictions.")
        names = dict.fromkeys((*dataset.truth.labels, *dataset.predictions.labels))
        ignored = {name for name in names if _is_ignored(name, parameters["ignore_label"])}
        labels = tuple(name for name in names if name not in ignored)
        return write_ledger(self.task, dataset, labels, ignored, parameters)

    def measure(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Return the headline metrics of each label key, then the metrics of each label."""
        sums = Sums.of(ledger, ledger.weights_of(datums, weights))
        scores = label_scores(sums)
        return [
            *_headlines(ledger.labels, sums, scores),
            *_label_metrics(ledger.labels, scores),
        ]

    def values(
        self, ledger: Ledger, keys: Sequence[MetricKey], weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Measure some metrics under many weightings, from sums of pixels."""
        values = np.full((len(weights), len(keys)), np.nan)
        label_keys = list(_keys(ledger.labels))
        index_of = {name: index for index, name in enumerate(ledger.labels)}
        for row, counts in enumerate(weights):
            sums = Sums.of(ledger, ledger.weights_of(None, counts))
            scores = label_scores(sums)
            about_all = {
                prefix + name: value
                for number, (prefix, _, of_key) in enumerate(label_keys)
                for name, value in headline_scores(sums, scores, number, of_key).items()
            }
            for column, (metric, label) in enumerate(keys):
                if label is None:
                    values[row, column] = about_all.get(metric, np.nan)
                elif metric in scores and label.name in index_of:
                    values[row, column] = scores[metric][index_of[label.name]]
        return values

    def support(self, ledger: Ledger) -> dict[LabelName, NDArray[np.intp]]:
        """Return the rising indices of the datums that have true pixels of each label."""
        rows = ledger.tables["labels"]
        shown = rows["truth"] > 0
        return {
            name: np.sort(rows["datum"][shown & (rows["label"] == number)]).astype(np.intp)
            for number, name in enumerate(ledger.labels)
        }

    def by_datum(self, ledger: Ledger) -> dict[str, NDArray[Any]]:
        """Return pixel accuracy and number of wrong pixels of each image."""
        return by_datum.of_segmentation(ledger)

    def concatenate(self, ledgers: Sequence[Ledger]) -> Ledger:
        """Concatenate ledgers of disjoint datums: the ledger of all their datums."""
        return concatenated(ledgers)

    def details(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Compute the confusion matrix of each label key, with examples.

        Its value has ``labels``, those that occur, the last one ``None`` for the background;
        ``matrix``, pixels by true label (row) and predicted label (column); and ``examples``:
        for each pair of different labels the datums where most pixels are confused.
        """
        counted = ledger.weights_of(datums, weights)
        matrices = confusion_matrices(ledger, counted, ledger.parameters["examples"])
        return [
            Metric(prefix + "confusion_matrix", matrix, parameters=parameters)
            for (prefix, parameters, _), matrix in zip(_keys(ledger.labels), matrices, strict=True)
        ]


def _headlines(
    labels: Sequence[LabelName], sums: Sums, scores: Mapping[str, NDArray[np.float64]]
) -> Iterator[Metric]:
    for key, (prefix, parameters, of_key) in enumerate(_keys(labels)):
        values = headline_scores(sums, scores, key, of_key)
        for name in SemanticSegmentation.headline:
            yield Metric(prefix + name, _known(values[name]), parameters=parameters)


def _label_metrics(
    labels: Sequence[LabelName], scores: Mapping[str, NDArray[np.float64]]
) -> Iterator[Metric]:
    columns = [(name, values.tolist()) for name, values in scores.items()]
    for index, name in enumerate(labels):
        label = Label(*name)
        for score, values in columns:
            yield Metric(score, _known(values[index]), label)


def _keys(labels: Sequence[LabelName]) -> Iterator[tuple[str, dict[str, Any], NDArray[np.bool_]]]:
    """Prefix and parameters of metrics, and labels (bool), of each key; the first has no prefix."""
    for index, key in enumerate(dict.fromkeys(key for key, _ in labels) or [""]):
        of_key = np.array([name[0] == key for name in labels], bool)
        yield (f"{key}/", {"key": key}, of_key) if index else ("", {}, of_key)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _is_ignored(name: LabelName, ignored: Any) -> bool:
    return name[1] == ignored if isinstance(ignored, str) else list(name) == ignored


def _checked_label(value: Any) -> Any:
    if value is None:
        return value
    pair = list(value) if isinstance(value, (list, tuple)) else None
    try:
        return Label(DEFAULT_KEY, value).value if pair is None else list(Label(*pair).name)
    except (BadAnnotation, TypeError) as error:
        raise InvalidInput(
            f"ignore_label {value!r}: expected a label's value, a (key, value) pair or None."
        ) from error


def _checked_width(value: Any) -> float | None:
    if value is None:
        return None
    number = math.nan if isinstance(value, (bool, str)) else _number(value)
    if 0 < number < 1:
        return number
    if number >= 1 and number.is_integer():
        return int(number)
    raise InvalidInput(
        f"boundary_width {value!r}: expected a share of the diagonal in (0, 1), whole pixels >= 1, "
        "or None to leave boundaries out."
    )


def _checked_examples(value: Any) -> int:
    number = math.nan if isinstance(value, (bool, str)) else _number(value)
    if number >= 0 and number.is_integer():
        return int(number)
    raise InvalidInput(f"examples {value!r}: expected a whole number of datums >= 0.")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return math.nan
