"""Labels and scores of many rows as columns.

A hundred thousand labels are columns from the start: making an object of each costs more than
evaluating them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin import AnnotationTable, Label
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import (
    DEFAULT_KEY,
    LabelName,
    Vocabulary,
    checked_scores,
    class_codes,
    class_names,
    class_text,
    is_missing,
)

_SCALARS = (str, bytes, Number, np.generic, Enum)


def is_scalar(value: Any) -> bool:
    """Whether a value may be a class or a number, and is no list, mapping or array of them."""
    return isinstance(value, _SCALARS) or getattr(value, "shape", None) == ()


def is_plain(values: Sequence[Any] | NDArray[Any]) -> bool:
    """Whether these are scalars, one for each row: none is missing, and none is a list in JSON."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuUSf":
        if values.dtype.kind == "f" and np.isnan(values).any():
            return False
        texts = values.tolist() if values.dtype.kind == "U" and values.ndim == 1 else ()
        return values.ndim == 1 and not any(map(_is_json, texts))
    if set(map(type, values)) <= {str, int, bool}:
        return len(values) > 0 and not any(map(_is_json, values))
    return len(values) > 0 and all(
        is_scalar(value) and not is_missing(value) and not _is_json(value) for value in values
    )


def labels_table(
    values: NDArray[Any],
    places: NDArray[Any],
    labels: Sequence[LabelName] = (),
    named: Callable[[Any], str] = class_text,
) -> AnnotationTable:
    """Make a table of one label for each row.

    Args:
        values: ``(rows,)`` classes.
        places: ``(rows,)`` positions of the rows' datums.
        labels: classes that come first, in this order; others follow, sorted.
        named: the text of a class, or of a number.

    Raises:
        BadDataset: a value is no class, naming its row.
        BadAnnotation: a class is an empty text.
    """
    kinds, code, are_numbers = class_codes(values)
    texts = [named(int(kind) if are_numbers else kind) for kind in kinds]
    names = [Label(DEFAULT_KEY, text).name for text in texts]
    vocabulary = Vocabulary(labels, names)
    return AnnotationTable.from_columns(vocabulary.names, places, vocabulary.indices(names)[code])


def scores_table(
    scores: NDArray[Any], classes: Sequence[Any], places: NDArray[Any]
) -> AnnotationTable:
    """Make a table of the score of every class for each row.

    Args:
        scores: ``(rows, classes)`` finite numbers; decision values only rank.
        classes: what the columns are about.
        places: ``(rows,)`` positions of the rows' datums.

    Raises:
        BadDataset: the shape is another, a score is no finite number, or two columns are of one
            class.
    """
    if scores.shape != (len(places), len(classes)):
        raise BadDataset(
            f"the model gave scores of shape {scores.shape}: expected {len(places)} rows and "
            f"{len(classes)} columns, one for each class."
        )
    names = class_names(classes, DEFAULT_KEY)
    return AnnotationTable.from_scores(names, checked_scores(scores), np.asarray(places, np.int32))


def index_table(
    classes: Sequence[str], places: NDArray[Any], rows: NDArray[Any], indices: NDArray[Any]
) -> AnnotationTable:
    """Make a table of many labels for each row, which are one annotation.

    Args:
        classes: that ``indices`` are of.
        places: ``(all rows,)`` positions of the rows' datums.
        rows: ``(n,)`` of which row a label is.
        indices: ``(n,)`` the class of each.
    """
    names = class_names(classes, DEFAULT_KEY)
    return AnnotationTable.from_columns(names, places[rows], indices, annotation=rows)


def _is_json(value: Any) -> bool:
    """Nothing, or a list or mapping in JSON, as frames out of CSV files hold them."""
    return isinstance(value, str) and (not value or value[0] in "[{")
