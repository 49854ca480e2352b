"""Annotation tables from arrays of classes and scores, as scikit-learn takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import AnnotationTable, LabelName
from velour_plugin.domain.columns.class_scores import checked_scores, columns_of_one
from velour_plugin.domain.inputs.reading import note_skipped
from velour_plugin.domain.labels import Label, class_text
from velour_plugin.errors import BadAnnotation, BadDataset


def class_names(classes: Iterable[Any], key: str) -> list[LabelName]:
    """Labels of classes, in their order.

    Raises:
        BadAnnotation: a class is none or an empty text, or the key is no text.
        BadDataset: two classes have the same text.
    """
    names = [Label(key, value).name for value in classes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadDataset(f"class {twice[1]!r} is named twice: every column has a name of its own.")
    return names


def columns_named(truth: Any, predictions: Any) -> list[Any] | None:
    """The classes that the columns of a frame are named after; ``None`` where they are not.

    Numbers from 0 are no names: a frame has them when nobody named its columns.
    """
    for values in (predictions, truth):
        columns = list(getattr(values, "columns", ()))
        if len(columns) > 1 and columns != list(range(len(columns))):
            return columns
    return None


def classes_of_arrays(
    truth: NDArray[Any], predictions: NDArray[Any] | None, named: Sequence[Any] | None
) -> list[Any]:
    """The classes of arrays, in the order of the columns, as they are written.

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


def is_fractional(values: NDArray[Any]) -> bool:
    """Whether these are numbers of which one is a fraction: scores, and no classes."""
    return values.dtype.kind == "f" and bool((np.isfinite(values) & (values % 1 != 0)).any())


def truth_table(
    values: NDArray[Any], names: Sequence[LabelName], is_closed: bool
) -> AnnotationTable:
    """True labels of rows: one each, or the columns that are 1.

    Args:
        values: ``(rows,)`` classes, or ``(rows, classes)`` of 0 and 1.
        names: of the classes.
        is_closed: whether somebody named them all.

    Raises:
        BadDataset: a class is not among the names, a value is neither 0 nor 1, or there are more
            or fewer columns than names.
    """
    if values.ndim == 1:
        return _labels_table(values, names, "truth", is_closed)
    _check_width(values, names, "truth")
    return AnnotationTable.from_columns(names, *np.nonzero(multi_hot(values)))


def multi_hot(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of ``(rows, classes)`` are true; rows of none are counted as skipped.

    Raises:
        BadDataset: a value is neither 0 nor 1, naming its row.
    """
    wrong = np.argwhere((values != 0) & (values != 1))
    if len(wrong):
        value = values[tuple(wrong[0])].tolist()
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


def predictions_table(
    predictions: NDArray[Any], names: Sequence[LabelName], is_closed: bool
) -> AnnotationTable:
    """Predictions of rows: a score of every class, one class each, or scores of the second class.

    Args:
        predictions: ``(rows,)`` or ``(rows, classes)``.
        names: of the classes.
        is_closed: whether somebody named them all.

    Raises:
        BadDataset: the shape is another, a score is NaN, or a class is not among the names.
    """
    if predictions.ndim == 1 and not is_fractional(predictions):
        return _labels_table(predictions, names, "prediction", is_closed)
    if predictions.ndim == 1:
        predictions = columns_of_one(predictions, [value for _, value in names])
    _check_width(predictions, names, "predictions")
    return AnnotationTable.from_scores(names, checked_scores(predictions))


def as_rows(values: Any, what: str, rows: int | None = None, names: int = 0) -> NDArray[Any]:
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
    if hasattr(values, "toarray"):  # a sparse matrix of scipy's
        values = values.toarray()
    values = values.detach().cpu() if hasattr(values, "detach") else values
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise BadDataset(
            f"{what}: rows of different lengths: expected one class a row, or one column for each "
            "class, 1 where it is true."
        ) from error
    is_text = array.dtype.kind in "US" and not hasattr(values, "dtype")
    if is_text and not all(isinstance(value, str) for value in values):
        return np.array(values, object)  # numpy would write numbers among texts in its own way
    return array


def _labels_table(
    values: NDArray[Any], names: Sequence[LabelName], what: str, is_closed: bool
) -> AnnotationTable:
    """One label a row; of names that are all, numbers which are none are positions.

    Raises:
        BadDataset: a class is not among the names, and these are all.
    """
    kinds, code, are_numbers = class_codes(values)
    index_of = {value: index for index, (_, value) in enumerate(names)}
    if are_numbers and is_closed:
        index_of = {**_by_number(names), **index_of}
    unknown = [kind for kind in kinds if kind not in index_of]
    if unknown and is_closed:
        raise BadDataset(
            f"{what} {unknown[0]!r} is not among the labels "
            f"{[value for _, value in names[:5]]}: name all classes in labels=, in the order of "
            "the columns of scores."
        )
    index_of |= {kind: len(names) + number for number, kind in enumerate(unknown)}
    key = names[0][0] if names else ""
    label = np.array([index_of[kind] for kind in kinds], np.int32)[code]
    every = [*names, *((key, kind) for kind in unknown)]
    return AnnotationTable.from_columns(every, np.arange(len(label), dtype=np.int32), label)


def _by_number(names: Sequence[LabelName]) -> dict[str, int]:
    """Positions of names by their number as text, where no name is a number itself."""
    if any(value.lstrip("-").isdigit() for _, value in names):
        return {}
    return {str(number): number for number in range(len(names))}


def _check_width(values: NDArray[Any], names: Sequence[LabelName], what: str) -> None:
    if values.shape[1] != len(names):
        known = ", ".join(value for _, value in names[:5]) + (", …" if len(names) > 5 else "")
        raise BadDataset(
            f"{what} of shape {values.shape}: expected {len(names)} columns, one for each of the "
            f"labels {known}; name the classes of all columns in labels=, in their order."
        )


def class_codes(values: NDArray[Any]) -> tuple[list[str], NDArray[np.intp], bool]:
    """The classes that occur, and which of them each row has.

    Args:
        values: ``(rows,)`` of one type, or of objects.

    Returns:
        The classes as :func:`class_text` writes them, sorted, numbers by size; ``(rows,)`` the
        position of each row's; and whether all are numbers.

    Raises:
        BadDataset: a value is no class, naming its row.
    """
    if values.dtype.kind in "iu" and values.size:
        least, most = int(values.min()), int(values.max())
        if most - least <= 2 * values.size:  # counted: sorting a million rows takes longer
            shifted = (values - least).astype(np.intp)
            used = np.flatnonzero(np.bincount(shifted))
            code = np.zeros(most - least + 1, np.intp)
            code[used] = np.arange(len(used))
            return list(map(str, (used + least).tolist())), code[shifted], True
    if values.dtype.kind in "biufUS":
        kinds, code = np.unique(values, return_inverse=True)
        try:
            texts = list(map(class_text, kinds.tolist()))
        except BadAnnotation:
            raise _no_class(values) from None
        return texts, code.reshape(-1), values.dtype.kind not in "US"
    return _codes_of_objects(values)


def _codes_of_objects(values: NDArray[Any]) -> tuple[list[str], NDArray[np.intp], bool]:
    try:
        texts = list(map(class_text, values.tolist() if values.dtype.kind == "O" else values))
    except BadAnnotation:
        raise _no_class(values) from None
    are_numbers = not any(isinstance(value, (str, bytes)) for value in values)
    are_numbers = are_numbers and all(text.lstrip("-").isdigit() for text in set(texts))
    kinds = sorted(set(texts), key=int if are_numbers else None)
    index_of = {kind: index for index, kind in enumerate(kinds)}
    return kinds, np.array([index_of[text] for text in texts], np.intp), are_numbers


def _no_class(values: NDArray[Any]) -> BadDataset:
    """The error for the first value that is no class."""
    for row, value in enumerate(values if values.dtype.kind in "mMcV" else values.tolist()):
        try:
            class_text(value)
        except BadAnnotation as error:
            return BadDataset(f"row {row}: {error}")
    raise AssertionError("every value is a class")
