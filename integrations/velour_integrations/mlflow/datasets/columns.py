"""Labels and scores of many rows as columns, and columns that came batch by batch put together.

A hundred thousand labels are columns from the start: making an object of each costs more than
judging them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin import AnnotationTable, Label
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import DEFAULT_KEY, LabelName

_COLUMNS = ("datum", "annotation", "label", "score", "box", "area", "crowd")
_OBJECTS = ("shape", "metadata", "embedding")
_ROUNDING = 1e-6  # float32 probabilities may come out this far above 1
_PLAIN = (str, bool, int, np.integer, np.bool_)


def label_text(value: Any) -> str:
    """Spell a class as the name of a label: 1, 1.0 and "1" are one class, as in scikit-learn."""
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
    """One label for each row.

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
    others = {Label(DEFAULT_KEY, name).name for name in set(text)} - set(labels)
    names = (*labels, *sorted(others))
    place = {name: position for position, name in enumerate(names)}
    label = np.array([place[DEFAULT_KEY, name] for name in text], np.int32)[kind]
    return AnnotationTable.from_columns(names, places, label)


def scores_table(
    scores: NDArray[Any], classes: Sequence[Any], places: NDArray[Any]
) -> AnnotationTable:
    """The score of every class for each row.

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
    near = np.where(np.abs(scores - scores.clip(0, 1)) < _ROUNDING, scores.clip(0, 1), scores)
    rows, count = np.arange(len(places), dtype=np.int32), len(classes)
    return AnnotationTable.from_columns(
        [Label(DEFAULT_KEY, label_text(name)).name for name in classes],
        np.repeat(places, count),
        np.tile(np.arange(count, dtype=np.int32), len(places)),
        score=near.ravel(),
        annotation=np.repeat(rows, count),
    )


def joined(parts: Sequence[AnnotationTable], labels: Sequence[LabelName]) -> AnnotationTable:
    """Put tables about different datums of one dataset together.

    Args:
        parts: in the order of the rows that they are about, which need not be that of datums.
        labels: classes that come first, in this order; others follow, sorted.
    """
    others = {name for part in parts for name in part.labels} - set(labels)
    names = (*labels, *sorted(others))
    place = {name: position for position, name in enumerate(names)}
    tables = [
        part.relabelled(names, np.array([place[name] for name in part.labels], np.int32))
        for part in parts
    ]
    if not tables:
        return AnnotationTable.from_annotations((), names)
    before = np.cumsum([0, *(int(table.annotation.max(initial=-1)) + 1 for table in tables)])
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(table, name) for table in tables]) for name in _COLUMNS
    }
    columns["annotation"] += np.repeat(before[:-1], list(map(len, tables))).astype(np.int32)
    whole = replace(tables[0], **columns, **{name: _objects(tables, name) for name in _OBJECTS})
    return whole.take(np.argsort(whole.datum, kind="stable"))


def _objects(tables: Sequence[AnnotationTable], name: str) -> Any:
    columns = [getattr(table, name) for table in tables]
    if all(column is None for column in columns):
        return None
    nothing: Any = {} if name == "metadata" else None
    return np.concatenate(
        [
            np.full(len(table), nothing, object) if column is None else column
            for table, column in zip(tables, columns, strict=True)
        ]
    )


def _is_no_class(value: Any) -> bool:
    """Nothing, or a list or mapping in JSON, as frames out of CSV files hold them."""
    return isinstance(value, str) and (not value or value[0] in "[{")
