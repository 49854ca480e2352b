"""Columns of classes: a class, a list of classes, 0 and 1, or scores in each row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.mlflow.datasets.cell_rules import CellRules
from velour_integrations.mlflow.datasets.columns import (
    index_table,
    is_scalar,
    labels_table,
    scores_table,
)
from velour_plugin import AnnotationTable
from velour_plugin.errors import BadDataset
from velour_plugin.plugin import (
    ONE_SCORE_OF_MANY,
    LabelName,
    columns_of_one,
    is_fractional,
    multi_hot,
)

TRUTH = "ground truth"


def parsed(cells: Any) -> Any:
    """Return cells; JSON texts of lists or mappings, as frames out of CSV files have, are read."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind not in "OU":
        return cells
    if not any(_may_be_json(cell) for cell in cells):
        return cells
    try:
        return [from_json(cell) for cell in cells]
    except (ValueError, RecursionError):  # that cell is refused by name, when each is read
        return cells


def from_json(cell: Any) -> Any:
    """Return what a text in JSON holds; anything else as it is.

    Raises:
        ValueError, RecursionError: it begins as a mapping or a list of these, and is no JSON.
    """
    if not _may_be_json(cell):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        if cell.startswith(("[{", '{"')):
            raise
        return cell  # a class that begins with a bracket


def class_array(cells: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    """Convert ``(rows,)`` scalars to an array that keeps what each one is."""
    if isinstance(cells, np.ndarray):
        return cells
    array = np.empty(len(cells), object)
    array[:] = cells
    if all(type(cell) is float for cell in cells):
        return array.astype(np.float64)
    return array


def rows_of_scalars(cells: Sequence[Any] | NDArray[Any]) -> list[list[Any]] | None:
    """Return cells as lists of scalars; ``None`` when one is anything else, or all are empty."""
    rows = []
    for cell in cells:
        if not isinstance(cell, (list, tuple)):
            if len(getattr(cell, "shape", ())) != 1:
                return None
            cell = cell.tolist()
        if not all(map(is_scalar, cell)):
            return None
        rows.append(list(cell))
    return rows if any(rows) else None


def lists_table(
    rows: Sequence[list[Any]],
    places: NDArray[Any],
    side: str,
    known: Sequence[LabelName],
    rules: CellRules,
) -> AnnotationTable:
    """Make a table of rows of 0 and 1, of scores, of one class, or of the classes that are true.

    Raises:
        BadDataset: they are none of these.
    """
    widths = set(map(len, rows))
    numbers = len(widths) == 1 and not any(
        isinstance(value, (str, bytes)) for row in rows for value in row
    )
    if not numbers:
        return _sets_table(rows, places, known, rules)
    array = np.array(rows)
    is_set = array.shape[1] > 1 and not is_fractional(array) and not np.isin(array, (0, 1)).all()
    if is_set:
        return _sets_table(rows, places, known, rules)
    return class_table(array, None, places, side, known, rules)


def class_table(
    values: NDArray[Any],
    columns: Sequence[Any] | None,
    places: NDArray[Any],
    side: str,
    known: Sequence[LabelName],
    rules: CellRules,
) -> AnnotationTable:
    """Make a table of the classes or scores of rows.

    Args:
        values: ``(rows,)`` classes, ``(rows,)`` probabilities of the second of two classes, or
            ``(rows, classes)`` scores, or 0 and 1.
        columns: what the columns are called; ``None`` where they have no names.
        places: ``(rows,)`` positions of the rows' datums.
        side: ``ground truth`` or ``prediction``.
        known: labels of the ground truth, which come first; empty when it is read itself.
        rules: how they are read.

    Raises:
        BadDataset: they cannot be read; the message names the row.
    """
    classes = [value for _, value in known]
    if values.ndim == 2 and values.shape[1] == 1:
        values, columns = values[:, 0], None
    if values.ndim == 1 and not (side != TRUTH and is_fractional(values)):
        return labels_table(values, places, known, rules.named)
    if values.ndim == 1 and rules.is_multi_label:
        raise BadDataset(ONE_SCORE_OF_MANY)
    if values.ndim == 1:
        columns = rules.two_classes(classes)
        return _scored(columns_of_one(values, columns), columns, places, rules)
    columns = rules.columns(columns, values.shape[1], classes)
    if side == TRUTH or (values.dtype.kind in "biu" and np.isin(values, (0, 1)).all()):
        rows, indices = np.nonzero(multi_hot(values))
        return index_table(columns, places, rows, indices)
    return _scored(values, columns, places, rules)


def _scored(
    scores: NDArray[Any], columns: Sequence[str], places: NDArray[Any], rules: CellRules
) -> AnnotationTable:
    if rules.is_multi_label and np.abs(np.asarray(scores, float) - 0.5).max(initial=0) > 0.500001:
        raise BadDataset(
            "scores outside [0, 1] decide for no set of classes: pass decision values or logits "
            "through a sigmoid first."
        )
    return scores_table(scores, columns, places)


def _sets_table(
    rows: Iterable[list[Any]],
    places: NDArray[Any],
    known: Sequence[LabelName],
    rules: CellRules,
) -> AnnotationTable:
    """The classes that each row lists."""
    names = [[rules.named(value) for value in row] for row in rows]
    for number, row in enumerate(names):
        if len(set(row)) < len(row):
            raise BadDataset(
                f"row {number} names a class twice, {row}: expected each class once, or 0 and 1 "
                "for each of the classes."
            )
    classes = list(dict.fromkeys([*(value for _, value in known), *sorted(set().union(*names))]))
    index_of = {name: index for index, name in enumerate(classes)}
    lengths = list(map(len, names))
    indices = np.array([index_of[name] for row in names for name in row], np.int32)
    return index_table(classes, places, np.repeat(np.arange(len(lengths)), lengths), indices)


def _may_be_json(cell: Any) -> bool:
    return isinstance(cell, str) and cell[:1] in ("[", "{")
