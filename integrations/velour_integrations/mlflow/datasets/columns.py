"""Labels and scores of many rows as columns.

A hundred thousand labels are columns from the start: making an object of each costs more than
judging them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin import AnnotationTable, Label
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import DEFAULT_KEY, LabelName, Vocabulary

_ROUNDING = 1e-6  # float32 probabilities may come out this far above 1
_PLAIN = (str, bool, int, np.integer, np.bool_)


def label_text(value: Any) -> str:
    """Return a class as the name of a label: 1, 1.0 and "1" are one class, as in scikit-learn."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def is_plain(values: Sequence[Any] | NDArray[Any]) -> bool:
    """Whether these are classes, one for each row: texts, booleans or whole numbers."""
    kind = values.dtype.kind if isinstance(values, np.ndarray) else "O"
    if kind in "biu":
        return np.ndim(values) == 1
    if kind == "f":
        return np.ndim(values) == 1 and bool((np.mod(values, 1) == 0).all())
    return len(values) > 0 and all(
        isinstance(value, _PLAIN) and not _is_no_class(value) for value in values
    )


def labels_table(
    values: Sequence[Any] | NDArray[Any],
    places: NDArray[Any],
    labels: Sequence[LabelName] = (),
) -> AnnotationTable:
    """Make a table of one label for each row.

    Args:
        values: ``(rows,)`` classes, see :func:`is_plain`.
        places: ``(rows,)`` positions of the rows' datums.
        labels: classes that come first, in this order; others follow, sorted.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        kinds, kind = np.unique(values, return_inverse=True)
        text = [label_text(value) for value in kinds]
    else:
        text, kind = [label_text(value) for value in values], np.arange(len(values))
    vocabulary = Vocabulary(labels, {Label(DEFAULT_KEY, name).name for name in set(text)})
    label = vocabulary.indices((DEFAULT_KEY, name) for name in text)[kind]
    return AnnotationTable.from_columns(vocabulary.names, places, label)


def scores_table(
    scores: NDArray[Any], classes: Sequence[Any], places: NDArray[Any]
) -> AnnotationTable:
    """Make a table of the score of every class for each row.

    Args:
        scores: ``(rows, classes)`` in [0, 1].
        classes: what the columns are about.
        places: ``(rows,)`` positions of the rows' datums.

    Raises:
        BadDataset: the shape is another.
        BadAnnotation: a score is outside [0, 1].
    """
    scores = np.asarray(scores, np.float64)
    if scores.shape != (len(places), len(classes)):
        raise BadDataset(
            f"the model gave scores of shape {scores.shape}: expected {len(places)} rows and "
            f"{len(classes)} columns, one for each class."
        )
    if scores.min(initial=0) < 0 or scores.max(initial=1) > 1:
        inside = scores.clip(0, 1)
        scores = np.where(np.abs(scores - inside) < _ROUNDING, inside, scores)
    names = [Label(DEFAULT_KEY, label_text(name)).name for name in classes]
    return AnnotationTable.from_scores(names, scores, np.asarray(places, np.int32))


def _is_no_class(value: Any) -> bool:
    """Nothing, or a list or mapping in JSON, as frames out of CSV files hold them."""
    return isinstance(value, str) and (not value or value[0] in "[{")
