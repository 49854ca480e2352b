"""From a dataset to questions about whole datums: one for each label key.

What cannot be asked is refused here: regions, two truths where one is the rule, predictions
of which only some have scores.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels.class_scores import Answers, sorted_answers
from velour_evaluators.kernels.sorting import starts_of_runs
from velour_plugin import AnnotationTable, Dataset
from velour_plugin.errors import BadDataset, UnknownName
from velour_plugin.plugin import LabelName, Vocabulary, is_absent


@dataclass(frozen=True, slots=True)
class Question:
    """What is true under one label key, and what a model answered. Labels count from 0.

    Args:
        labels: ``(labels,)`` positions of the key's labels in the ledger, rising.
        datum: ``(rows,)`` rising positions of the datums that have a truth under this key.
        truth_row, truth_label: ``(truths,)`` true labels, sorted by row, then label.
        answers: what was said of these rows.
        scored: whether answers have scores; otherwise each scores 1.
    """

    labels: NDArray[np.int32]
    datum: NDArray[np.int32]
    truth_row: NDArray[np.int32]
    truth_label: NDArray[np.int32]
    answers: Answers
    scored: bool


def questions_of(
    task: str, dataset: Dataset, parameters: Mapping[str, Any]
) -> tuple[tuple[LabelName, ...], list[Question]]:
    """Read a dataset, key by key.

    Returns:
        All labels, those of the ground truth first; and a question for each of its keys.

    Raises:
        BadDataset: it has no predictions, no label, a region, or what the top of this file says.
        UnknownName: ``positive_label`` is no label of the dataset.
    """
    if dataset.predictions is None:
        raise BadDataset(f"dataset {dataset.name!r} has no predictions: use with_predictions.")
    if not dataset.truth.labels:
        raise BadDataset(f"dataset {dataset.name!r} has no ground truth: nothing can be judged.")
    for table in (dataset.truth, dataset.predictions):
        _refuse_regions(task, dataset, table)
    keys = {key for key, _ in dataset.truth.labels}
    under_keys = (name for name in dataset.predictions.labels if name[0] in keys)
    labels = Vocabulary(dataset.truth.labels, under_keys).names
    _check_positive(parameters["positive_label"], labels)
    _warn_of_other_keys({key for key, _ in labels}, dataset.predictions)
    reader = _Reader(dataset, dataset.predictions, labels, bool(parameters["multi_label"]))
    return labels, list(reader.questions())


def mixture_of_scores(key: str, scored: str, unscored: str) -> BadDataset:
    """What is said when only some predictions under a key have scores."""
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
            f"{task} judges labels of whole datums. Regions are for object-detection, "
            "instance-segmentation and semantic-segmentation."
        )


def _check_positive(positive: str | None, labels: Sequence[LabelName]) -> None:
    values = {value for _, value in labels}
    if positive is not None and positive not in values:
        raise UnknownName("positive_label", positive, values)


def _warn_of_other_keys(keys: set[str], said: AnnotationTable) -> None:
    if len(said) and said.labels[said.label[0]][0] in keys:
        return  # the first row's key is one of theirs: no need to count all
    times = np.bincount(said.label, minlength=len(said.labels))
    used = {said.labels[label][0] for label in np.flatnonzero(times)}
    if used and used.isdisjoint(keys):
        warnings.warn(
            f"predictions have label keys {sorted(used)}, the ground truth has "
            f"{sorted(keys)}: every prediction counts as missing. Use a label_map.",
            stacklevel=2,
        )


@dataclass(frozen=True)
class _Reader:
    """Columns of a dataset, and what may stand in them."""

    dataset: Dataset
    said: AnnotationTable
    labels: Sequence[LabelName]
    multi_label: bool

    def questions(self) -> Iterator[Question]:
        places: dict[str, list[int]] = {}
        for place, (key, _) in enumerate(self.labels):
            places.setdefault(key, []).append(place)
        return map(self._question, places.values())

    def _question(self, places: Sequence[int]) -> Question:
        names = [self.labels[place] for place in places]
        datum, label, _ = _of_labels(self.dataset.truth, names)
        datum, label = self._truths(datum, label, names)
        judged = datum[starts_of_runs(datum)]
        row_of = np.full(len(self.dataset), -1, np.int32)
        row_of[judged] = np.arange(len(judged), dtype=np.int32)
        answers, scored = self._answers(row_of, judged, names)
        labels = np.array(places, np.int32)
        return Question(labels, judged, row_of[datum], label, answers, scored)

    def _truths(
        self, datum: NDArray[np.int32], label: NDArray[np.int32], names: Sequence[LabelName]
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Each pair once, sorted; a second label is refused where one is the rule."""
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
                f"{pair[0][0]!r}: {pair[0][1]!r} and {pair[1][1]!r}. One is the rule; where a "
                "datum may have many, pass the parameter multi_label=True."
            )
        return datum, label

    def _answers(
        self, row_of: NDArray[np.int32], judged: NDArray[np.int32], names: Sequence[LabelName]
    ) -> tuple[Answers, bool]:
        datum, label, score = _of_labels(self.said, names)
        unscored = np.isnan(score)
        self._refuse_mixture(datum, unscored, names[0][0])
        scored, row = not unscored.any(), datum
        if len(judged) < len(row_of):
            row = row_of[datum]
            asked = row >= 0
            row, label, score = row[asked], label[asked], score[asked]
        score = score if scored else np.ones(len(score))
        answers = sorted_answers(row, label, score, len(judged), len(names))
        if not scored and not self.multi_label:
            self._refuse_rivals(answers, judged, names)
        return answers, scored

    def _refuse_mixture(
        self, datum: NDArray[np.int32], unscored: NDArray[np.bool_], key: str
    ) -> None:
        if unscored.any() and not unscored.all():
            pair = datum[[unscored.argmin(), unscored.argmax()]]
            raise mixture_of_scores(key, *(self.dataset.uids[place] for place in pair))

    def _refuse_rivals(
        self, answers: Answers, judged: NDArray[np.int32], names: Sequence[LabelName]
    ) -> None:
        again = np.flatnonzero(answers.row[1:] == answers.row[:-1])
        if again.size:
            uid = self.dataset.uids[judged[answers.row[again[0]]]]
            pair = [names[answers.label[again[0] + step]] for step in (0, 1)]
            raise BadDataset(
                f"datum {uid!r} is predicted as {pair[0][1]!r} and as {pair[1][1]!r} under key "
                f"{pair[0][0]!r}, without scores: name one label, or give each a score; where a "
                "datum may have many, pass the parameter multi_label=True."
            )


def _of_labels(
    table: AnnotationTable, names: Sequence[LabelName]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Datum, label and score of the rows with these labels, which count from 0."""
    if list(table.labels) == list(names):
        return table.datum, table.label, table.score
    position = {name: place for place, name in enumerate(names)}
    place = np.array([position.get(name, -1) for name in table.labels], np.int32)
    label = place[table.label] if len(place) else table.label
    if (label >= 0).all():
        return table.datum, label, table.score
    kept = label >= 0
    return table.datum[kept], label[kept], table.score[kept]
