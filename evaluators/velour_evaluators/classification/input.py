"""True labels and class scores of a dataset, in columns for each label key.

Refused here: regions, two true labels where a datum may have one, predictions of which only
some have scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels.class_scores import ClassScores, sorted_scores
from velour_evaluators.kernels.sorting import starts_of_runs
from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset, UnknownName
from velour_plugin.plugin import LabelName, Vocabulary, is_absent


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """True labels and predictions under one label key, whose labels count from 0.

    Args:
        labels: ``(labels,)`` indices of the key's labels in the ledger, rising.
        datum: ``(rows,)`` rising indices of the datums that have a true label under this key.
        truth_row, truth_label: ``(truths,)`` true labels, sorted by row, then label.
        predictions: class scores of these rows.
        scored: whether predictions have scores; otherwise each has a score of 1.
    """

    labels: NDArray[np.int32]
    datum: NDArray[np.int32]
    truth_row: NDArray[np.int32]
    truth_label: NDArray[np.int32]
    predictions: ClassScores
    scored: bool


def columns_by_key(
    task: str, dataset: Dataset, parameters: Mapping[str, Any]
) -> tuple[tuple[LabelName, ...], list[KeyColumns]]:
    """Divide a dataset into columns by label key.

    Returns:
        All labels, those of the ground truth first; and the columns of each of its keys.

    Raises:
        BadDataset: it has no predictions, no label, a region, two true labels of one key, or
            scores on some predictions only.
        UnknownName: ``positive_label`` is no label of the dataset.
    """
    if dataset.predictions is None:
        raise BadDataset(f"dataset {dataset.name!r} has no predictions: use with_predictions.")
    if not dataset.truth.labels:
        raise BadDataset(f"dataset {dataset.name!r} has no ground truth: nothing can be evaluated.")
    for table in (dataset.truth, dataset.predictions):
        _refuse_regions(task, dataset, table)
    keys = {key for key, _ in dataset.truth.labels}
    under_keys = (name for name in dataset.predictions.labels if name[0] in keys)
    labels = Vocabulary(dataset.truth.labels, under_keys).names
    _check_positive(parameters["positive_label"], labels)
    reader = _Reader(dataset, dataset.predictions, labels, bool(parameters["multi_label"]))
    return labels, list(reader.columns())


def mixture_of_scores(key: str, scored: str, unscored: str) -> BadDataset:
    """Make the error for a key under which only some predictions have scores."""
    return BadDataset(
        f"predictions under key {key!r} have a score on datum {scored!r} and none on datum "
        f"{unscored!r}: give every predicted label a score, or none."
    )


def _refuse_regions(task: str, dataset: Dataset, table: AnnotationTable) -> None:
    if table.shape is None and is_absent(table.box):
        return
    has_region = ~np.isnan(table.box[:, 0])
    if table.shape is not None:
        has_region |= np.array([shape is not None for shape in table.shape], bool)
    rows = np.flatnonzero(has_region)
    if rows.size:
        raise BadDataset(
            f"an annotation of datum {dataset.uids[table.datum[rows[0]]]!r} has a region: "
            f"{task} evaluates labels of whole datums. Regions are for object-detection, "
            "instance-segmentation and semantic-segmentation."
        )


def _check_positive(positive: str | None, labels: Sequence[LabelName]) -> None:
    values = {value for _, value in labels}
    if positive is not None and positive not in values:
        raise UnknownName("positive_label", positive, values)


@dataclass(frozen=True)
class _Reader:
    """Reads the columns of each label key of a dataset, and checks them."""

    dataset: Dataset
    predictions: AnnotationTable
    labels: Sequence[LabelName]
    multi_label: bool

    def columns(self) -> Iterator[KeyColumns]:
        positions: dict[str, list[int]] = {}
        for position, (key, _) in enumerate(self.labels):
            positions.setdefault(key, []).append(position)
        return map(self._columns_of, positions.values())

    def _columns_of(self, positions: Sequence[int]) -> KeyColumns:
        names = [self.labels[position] for position in positions]
        datum, label, _ = _of_labels(self.dataset.truth, names)
        datum, label = self._truths(datum, label, names)
        evaluated = datum[starts_of_runs(datum)]
        row_of = np.full(len(self.dataset), -1, np.int32)
        row_of[evaluated] = np.arange(len(evaluated), dtype=np.int32)
        predictions, scored = self._scores_of(row_of, evaluated, names)
        labels = np.array(positions, np.int32)
        return KeyColumns(labels, evaluated, row_of[datum], label, predictions, scored)

    def _truths(
        self, datum: NDArray[np.int32], label: NDArray[np.int32], names: Sequence[LabelName]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Each (datum, label) once, sorted; a second label is refused unless ``multi_label``."""
        if (datum[1:] > datum[:-1]).all():
            return datum, label
        order = np.lexsort((label, datum))
        order = order[starts_of_runs(datum[order], label[order])]
        datum, label = datum[order], label[order]
        again = np.flatnonzero(datum[1:] == datum[:-1])
        if again.size and not self.multi_label:
            pair = [names[label[again[0] + step]] for step in (0, 1)]
            raise BadDataset(
                f"datum {self.dataset.uids[datum[again[0]]]!r} has two true labels under key "
                f"{pair[0][0]!r}: {pair[0][1]!r} and {pair[1][1]!r}. A datum has one label per "
                "key; where it may have many, pass the parameter multi_label=True."
            )
        return datum, label

    def _scores_of(
        self, row_of: NDArray[np.int32], evaluated: NDArray[np.int32], names: Sequence[LabelName]
    ) -> tuple[ClassScores, bool]:
        datum, label, score = _of_labels(self.predictions, names)
        unscored = np.isnan(score)
        self._refuse_mixture(datum, unscored, names[0][0])
        scored, row = not unscored.any(), datum
        if len(evaluated) < len(row_of):
            row = row_of[datum]
            evaluated_row = row >= 0
            row, label, score = row[evaluated_row], label[evaluated_row], score[evaluated_row]
        score = score if scored else np.ones(len(score))
        predictions = sorted_scores(row, label, score, len(evaluated), len(names))
        if not scored and not self.multi_label:
            self._refuse_rivals(predictions, evaluated, names)
        return predictions, scored

    def _refuse_mixture(
        self, datum: NDArray[np.int32], unscored: NDArray[np.bool_], key: str
    ) -> None:
        if unscored.any() and not unscored.all():
            pair = datum[[unscored.argmin(), unscored.argmax()]]
            raise mixture_of_scores(key, *(self.dataset.uids[position] for position in pair))

    def _refuse_rivals(
        self, predictions: ClassScores, evaluated: NDArray[np.int32], names: Sequence[LabelName]
    ) -> None:
        again = np.flatnonzero(predictions.row[1:] == predictions.row[:-1])
        if again.size:
            uid = self.dataset.uids[evaluated[predictions.row[again[0]]]]
            pair = [names[predictions.label[again[0] + step]] for step in (0, 1)]
            raise BadDataset(
                f"datum {uid!r} is predicted as {pair[0][1]!r} and as {pair[1][1]!r} under key "
                f"{pair[0][0]!r}, without scores: name one label, or give each a score; where a "
                "datum may have many, pass the parameter multi_label=True."
            )


def _of_labels(
    table: AnnotationTable, names: Sequence[LabelName]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Datum, label and score of the rows with these labels, numbered from 0."""
    if list(table.labels) == list(names):
        return table.datum, table.label, table.score
    index_of = {name: index for index, name in enumerate(names)}
    renumbered = np.array([index_of.get(name, -1) for name in table.labels], np.int32)
    label = renumbered[table.label] if len(renumbered) else table.label
    if (label >= 0).all():
        return table.datum, label, table.score
    kept = label >= 0
    return table.datum[kept], label[kept], table.score[kept]
