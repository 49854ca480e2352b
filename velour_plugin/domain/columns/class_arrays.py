"""Annotation tables from arrays of classes and scores, as scikit-learn takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.columns.class_codes import (
    as_numpy,
    class_codes,
    class_names,
    is_fractional,
)
from velour_plugin.domain.columns.class_scores import (
    ONE_SCORE_OF_MANY,
    checked_scores,
    columns_of_one,
)
from velour_plugin.domain.inputs.reading import note_skipped
from velour_plugin.errors import BadDataset

Places = NDArray[np.integer]
"""``(rows,)`` positions of the rows' datums."""


@dataclass(frozen=True, slots=True)
class ClassArrays:
    """Ground truth and predictions of rows.

    Args:
        truth: ``(rows,)`` classes, or ``(rows, classes)`` of 0 and 1.
        predictions: ``(rows,)`` classes, or scores of the second of two; ``(rows, classes)``
            scores; ``None`` for none.
        names: of the classes, in the order of the columns.
        is_closed: whether somebody named them all.
    """

    truth: NDArray[Any]
    predictions: NDArray[Any] | None
    names: Sequence[LabelName]
    is_closed: bool

    @classmethod
    def of(
        cls, truth: Any, predictions: Any, labels: Sequence[Any] | None, key: str
    ) -> ClassArrays:
        """Read what numpy, pandas, scipy, torch or a list holds.

        Args:
            truth: of rows.
            predictions: of the same rows; ``None`` for none.
            labels: the classes; ``None`` for the columns of a frame, else those of the truth.
            key: of the labels.

        Raises:
            BadDataset: the shapes differ, or something is no class.
        """
        named = _columns_named(truth, predictions) if labels is None else list(labels)
        count = len(named or ())
        true = _as_rows(truth, "truth", names=count)
        predicted = None
        if predictions is not None:
            predicted = _as_rows(predictions, "predictions", len(true), count)
        names = class_names(_classes_of(true, predicted, named), key)
        return cls(true, predicted, names, labels is not None)

    def truth_table(self, places: Places) -> AnnotationTable:
        """True labels of rows: one each, or the columns that are 1.

        Raises:
            BadDataset: a class is not among the names, a value is neither 0 nor 1, or there are
                more or fewer columns than names.
        """
        if self.truth.ndim == 1:
            return self._labels_table(self.truth, "truth", places)
        self._check_width(self.truth, "truth")
        rows, label = np.nonzero(multi_hot(self.truth))
        return AnnotationTable.from_columns(self.names, places[rows], label)

    def predictions_table(self, places: Places) -> AnnotationTable:
        """Predictions of rows: a class each, or a score of every class.

        Raises:
            BadDataset: the shape is another, a score is no finite number, or a class is not among
                the names.
        """
        predictions = self.predictions
        assert predictions is not None
        if predictions.ndim == 1 and not is_fractional(predictions):
            return self._labels_table(predictions, "prediction", places)
        if predictions.ndim == 1 and self.truth.ndim == 2:
            raise BadDataset(ONE_SCORE_OF_MANY)
        if predictions.ndim == 1:
            predictions = columns_of_one(predictions, [value for _, value in self.names])
        self._check_width(predictions, "predictions")
        self._refuse_decision_values(predictions)
        return AnnotationTable.from_scores(self.names, checked_scores(predictions), places)

    def _labels_table(self, values: NDArray[Any], what: str, places: Places) -> AnnotationTable:
        """One label a row; of names that are all, numbers which are none are positions."""
        kinds, code, are_numbers = class_codes(values)
        index_of = {value: index for index, (_, value) in enumerate(self.names)}
        if are_numbers and self.is_closed:
            index_of = {**_by_number(self.names), **index_of}
        unknown = [kind for kind in kinds if kind not in index_of]
        if unknown and self.is_closed:
            raise BadDataset(
                f"{what} {unknown[0]!r} is not among the labels "
                f"{[value for _, value in self.names[:5]]}: name all classes in labels=, in the "
                "order of the columns of scores."
            )
        index_of |= {kind: len(self.names) + number for number, kind in enumerate(unknown)}
        key = self.names[0][0] if self.names else ""
        label = np.array([index_of[kind] for kind in kinds], np.int32)[code]
        every = [*self.names, *((key, kind) for kind in unknown)]
        return AnnotationTable.from_columns(every, places, label)

    def _check_width(self, values: NDArray[Any], what: str) -> None:
        if values.shape[1] != len(self.names):
            known = ", ".join(value for _, value in self.names[:5])
            raise BadDataset(
                f"{what} of shape {values.shape}: expected {len(self.names)} columns, one for each "
                f"of the labels {known}{', …' if len(self.names) > 5 else ''}; name the classes of "
                "all columns in labels=, in their order."
            )

    def _refuse_decision_values(self, scores: NDArray[Any]) -> None:
        """Refuse scores outside [0, 1] where rows have many classes: they decide for no set."""
        if self.truth.ndim == 2 and scores.dtype.kind in "iuf" and (abs(scores - 0.5) > 0.51).any():
            raise BadDataset(
                "scores outside [0, 1] decide for no set of classes: pass decision values or "
                "logits through a sigmoid first."
            )


def multi_hot(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of ``(rows, classes)`` are true; rows of none are counted as skipped.

    Raises:
        BadDataset: a value is neither 0 nor 1, naming its row.
    """
    wrong = np.argwhere((values != 0) & (values != 1))
    if len(wrong):
        value = values[tuple(wrong[0])]
        value = value.item() if hasattr(value, "item") else value
        raise BadDataset(
            f"truth of row {wrong[0][0]} is {value!r} in column {wrong[0][1]}: expected 0 or 1, "
            "whether the class is true of the row; ground truth has no scores."
        )
    true = values.astype(bool)
    without = np.flatnonzero(~true.any(axis=1))
    if without.size:
        note_skipped(
            "rows without a true class, which count in no metric", f"row {without[0]}", len(without)
        )
    return true


def _columns_named(truth: Any, predictions: Any) -> list[Any] | None:
    """The classes that the columns of a frame are named after; ``None`` where they are not.

    Numbers from 0 are no names: a frame has them when nobody named its columns.
    """
    for values in (predictions, truth):
        columns = list(getattr(values, "columns", ()))
        if len(columns) > 1 and columns != list(range(len(columns))):
            return columns
    return None


def _classes_of(
    truth: NDArray[Any], predictions: NDArray[Any] | None, named: Sequence[Any] | None
) -> list[Any]:
    """Return the classes of arrays, in the order of the columns, as they are written.

    Args:
        truth: ``(rows,)`` classes, or ``(rows, classes)`` of 0 and 1.
        predictions: ``(rows,)`` or ``(rows, classes)``; ``None`` for none.
        named: by the caller, or by the columns of a frame; ``None`` for none.

    Returns:
        Those that are named; else those of the truth, sorted as scikit-learn sorts them. Where
        predictions have more columns and all classes are numbers of columns, these numbers.
    """
    if named is not None:
        return list(named)
    if truth.ndim == 2:
        return list(range(truth.shape[1]))
    classes, _, _ = class_codes(truth)
    columns = 0 if predictions is None else _columns_of(predictions)
    numbers = list(map(str, range(columns)))
    return numbers if len(classes) < columns and set(classes) <= set(numbers) else list(classes)


def _columns_of(predictions: NDArray[Any]) -> int:
    """How many classes the predictions have scores of; 0 where they are classes."""
    if predictions.ndim == 2:
        return int(predictions.shape[1])
    return 2 if is_fractional(predictions) else 0


def _as_rows(values: Any, what: str, rows: int | None = None, names: int = 0) -> NDArray[Any]:
    """An array of one or two dimensions, with as many rows as there must be.

    Args:
        values: of rows: an array, tensor, frame, sparse matrix or list.
        what: they are, for messages.
        rows: how many; ``None`` for any number.
        names: how many classes are named; a single column is one of classes unless it is 1.

    Raises:
        BadDataset: it is something else.
    """
    array = _as_array(values, what)
    if array.ndim > 2:
        raise BadDataset(
            f"{what} of shape {array.shape}: expected a class a row, or one column for each class. "
            "Label images are for Dataset.from_label_images(name, truth, predictions, labels=[…]), "
            "with the names of their numbers."
        )
    if array.ndim == 2 and array.shape[1] == 1 and names != 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or (rows is not None and len(array) != rows):
        raise BadDataset(
            f"{what} of shape {array.shape}: expected "
            f"({'rows' if rows is None else rows},) classes, or one column for each class."
        )
    return array


def _as_array(values: Any, what: str) -> NDArray[Any]:
    try:
        array = as_numpy(values.toarray() if hasattr(values, "toarray") else values)
    except ValueError as error:  # rows of different lengths
        raise BadDataset(
            f"{what}: rows of different lengths: expected one class a row, or one column for each "
            "class, 1 where it is true."
        ) from error
    is_text = array.dtype.kind in "US" and not hasattr(values, "dtype")
    if is_text and not all(isinstance(value, str) for value in values):
        return np.array(values, object)  # numpy would write numbers among texts in its own way
    return array


def _by_number(names: Sequence[LabelName]) -> dict[str, int]:
    """Positions of names by their number as text, where no name is a number itself."""
    if any(value.lstrip("-").isdigit() for _, value in names):
        return {}
    return {str(number): number for number in range(len(names))}
