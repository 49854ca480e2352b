"""Annotation tables from arrays of classes and scores, as scikit-learn takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.labels import Label
from velour_plugin.errors import BadDataset


def class_text(value: Any) -> str:
    """A class as the value of a label: 1, 1.0 and "1" are one class.

    >>> class_text(1.0), class_text(True), class_text("fire")
    ('1', 'True', 'fire')
    """
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def class_names(classes: Iterable[Any], key: str) -> list[LabelName]:
    """Labels of classes, in their order.

    Raises:
        BadAnnotation: a class is an empty text, or the key is no text.
        BadDataset: two classes have the same text.
    """
    names = [Label(key, class_text(value)).name for value in classes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadDataset(f"class {twice[1]!r} is named twice: every column has a name of its own.")
    return names


def truth_names(truth: NDArray[Any], key: str) -> list[LabelName]:
    """Labels of the classes that occur, sorted as scikit-learn sorts them."""
    return class_names(_codes_of(truth)[0], key)


def labels_table(values: NDArray[Any], names: Sequence[LabelName], what: str) -> AnnotationTable:
    """One label a row, or the columns that are true.

    Args:
        values: ``(rows,)`` classes, or ``(rows, classes)`` bool.
        names: of the classes.
        what: the values are, for messages.

    Raises:
        BadDataset: a class is not among the names, or there are more or fewer columns than names.
    """
    if values.ndim == 2:
        _check_width(values, names, what)
        return AnnotationTable.from_columns(names, *np.nonzero(values))
    kinds, code = _codes_of(values)
    index_of = {value: index for index, (_, value) in enumerate(names)}
    indices = [index_of.get(class_text(kind), -1) for kind in kinds]
    if -1 in indices:
        raise BadDataset(
            f"{what} {kinds[indices.index(-1)]!r} is not among the labels "
            f"{[value for _, value in names[:5]]}: name all classes in labels=, in the order of "
            "the columns of scores."
        )
    label = np.array(indices, np.int32)[code]
    return AnnotationTable.from_columns(names, np.arange(len(label), dtype=np.int32), label)


def predictions_table(predictions: NDArray[Any], names: Sequence[LabelName]) -> AnnotationTable:
    """Predictions of rows: a score of every class, or one class each.

    Raises:
        BadDataset: the shape is another, or a class is not among the names.
        BadAnnotation: a score is outside [0, 1].
    """
    if predictions.ndim == 1:
        return labels_table(predictions, names, "prediction")
    _check_width(predictions, names, "predictions")
    return AnnotationTable.from_scores(names, predictions)


def as_rows(values: ArrayLike, what: str, rows: int | None = None) -> NDArray[Any]:
    """An array of one or two dimensions, with as many rows as there must be.

    Raises:
        BadDataset: it is something else.
    """
    array = np.asarray(values)
    if array.ndim > 2:
        raise BadDataset(
            f"{what} of shape {array.shape}: expected a class a row, or one column for each class. "
            "Label images are for Dataset.from_label_images(name, truth, predictions, labels=[…]), "
            "with the names of their numbers."
        )
    if array.ndim not in (1, 2) or (rows is not None and len(array) != rows):
        raise BadDataset(
            f"{what} of shape {array.shape}: expected "
            f"({'rows' if rows is None else rows},) classes, or one column for each class."
        )
    return array


def _check_width(values: NDArray[Any], names: Sequence[LabelName], what: str) -> None:
    if values.shape[1] != len(names):
        raise BadDataset(
            f"{what} of shape {values.shape}: expected {len(names)} columns, one for each of the "
            "labels; name them in labels=, in the order of the columns."
        )


def _codes_of(values: NDArray[Any]) -> tuple[list[Any], NDArray[np.intp]]:
    """The classes that occur, sorted, and the position of each row's among them."""
    if values.dtype.kind in "iu" and values.size:
        least, most = int(values.min()), int(values.max())
        if most - least <= 2 * values.size:  # counted: sorting a million rows takes longer
            shifted = (values - least).astype(np.intp)
            used = np.flatnonzero(np.bincount(shifted))
            code = np.zeros(most - least + 1, np.intp)
            code[used] = np.arange(len(used))
            return (used + least).tolist(), code[shifted]
    if values.dtype.kind == "O":
        values = np.array(list(map(class_text, values.tolist())))
    kinds, code = np.unique(values, return_inverse=True)
    return kinds.tolist(), code.reshape(-1)
