"""Parses a model's output for some rows: classes and scores as arrays, or cells of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.mlflow.datasets.cell_rules import CellRules
from velour_integrations.mlflow.datasets.cells import table_of
from velour_integrations.mlflow.datasets.class_cells import class_array, class_table
from velour_integrations.mlflow.datasets.columns import is_plain
from velour_plugin import AnnotationTable
from velour_plugin.errors import BadDataset, InvalidInput, UnknownName
from velour_plugin.plugin import LabelName, as_numpy

_NUMBERS = "biuf"


@dataclass(frozen=True, slots=True)
class ClassOutputs:
    """A classifier's outputs for some rows.

    Args:
        values: ``(rows,)`` classes or scores of one class, or ``(rows, classes)`` scores.
        classes: what the columns are about; ``None`` where nobody says.
    """

    values: NDArray[Any]
    classes: tuple[Any, ...] | None = None


def class_outputs(outputs: Any, column: str | None) -> ClassOutputs | None:
    """Return outputs that are arrays of classes or scores; ``None`` where they are cells.

    Args:
        outputs: of a model.
        column: of several, the one that is named.
    """
    if isinstance(outputs, Mapping) or (column is not None and hasattr(outputs, "columns")):
        return None if column is None else _as_array(cells_of(outputs, column))
    columns = list(getattr(outputs, "columns", ()))
    if len(columns) > 1:
        values = outputs.to_numpy()
        is_named = columns != list(range(len(columns)))
        fits = _is_matrix(values)
        return ClassOutputs(values, tuple(columns) if is_named else None) if fits else None
    return _as_array(outputs.iloc[:, 0] if columns else outputs)


def _as_array(outputs: Any) -> ClassOutputs | None:
    if isinstance(outputs, (str, bytes)) or not hasattr(outputs, "__len__"):
        return None
    if isinstance(outputs, (list, tuple)):
        return ClassOutputs(class_array(outputs)) if is_plain(outputs) else None
    values = as_numpy(outputs)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    fits = _is_matrix(values) or (values.ndim == 1 and is_plain(values))
    return ClassOutputs(values) if fits else None


def _is_matrix(values: NDArray[Any]) -> bool:
    return values.ndim == 2 and values.dtype.kind in _NUMBERS


def joined_outputs(
    parts: Sequence[ClassOutputs],
    places: NDArray[Any],
    known: Sequence[LabelName],
    rules: CellRules,
) -> AnnotationTable:
    """Read the outputs of all batches together: what they are is seen in all of them.

    Args:
        parts: one of each batch, in order.
        places: ``(rows,)`` positions of the rows' datums.
        known: labels of the ground truth.
        rules: how they are read.

    Raises:
        BadDataset: they cannot be read, or batches differ.
    """
    kinds = {(part.values.shape[1:], part.classes) for part in parts}
    if len(kinds) > 1:
        raise BadDataset(
            "the model's batches have different columns: expected the same classes for all rows."
        )
    ((_, classes),) = kinds
    try:
        return class_table(_joined(parts), classes, places, "prediction", known, rules)
    except InvalidInput as error:
        raise BadDataset(f"prediction: {str(error).rstrip('.')}. {rules.expected}") from error


def _joined(parts: Sequence[ClassOutputs]) -> NDArray[Any]:
    arrays = [part.values for part in parts]
    if not all(array.dtype.kind in _NUMBERS for array in arrays):
        arrays = [array.astype(object) for array in arrays]  # numpy would write numbers as texts
    return np.concatenate(arrays)


def cells_table(
    cells: Any,
    uids: Sequence[str],
    places: NDArray[np.int32],
    known: Sequence[LabelName],
    rules: CellRules,
) -> AnnotationTable:
    """Read the predictions of some datums.

    Raises:
        BadDataset: a cell cannot be read; the message names its datum.
    """
    return table_of(cells, uids, places, "prediction", known, rules=rules)


def cells_of(outputs: Any, column: str | None) -> Sequence[Any] | NDArray[Any]:
    """Return a model's outputs, one for each row; of several columns, the one that is named.

    Raises:
        BadDataset: it is no list, or has several columns and none is named.
        UnknownName: there is no such column.
    """
    if isinstance(outputs, Mapping) and column is not None:
        if column not in outputs:
            raise UnknownName("column of the model's output", column, map(str, outputs))
        outputs = outputs[column]
    if not hasattr(outputs, "columns"):
        if isinstance(outputs, (str, Mapping)) or not hasattr(outputs, "__iter__"):
            raise BadDataset(
                f"the model returned a {type(outputs).__name__}: expected a list with one output "
                "for each row, in order; [] for no detections."
            )
        plain = getattr(outputs, "dtype", None) is not None and is_plain(np.asarray(outputs))
        return np.asarray(outputs) if plain else list(outputs)
    names = list(map(str, outputs.columns))
    if column is None and len(names) != 1:
        raise BadDataset(
            f"the model returned {len(names)} columns, {', '.join(names)}: name the one to "
            "evaluate with predictions='column'; or return one of probabilities for each class."
        )
    if (column or names[0]) not in names:
        raise UnknownName("column of the model's output", column, names)
    return cells_of(outputs.iloc[:, names.index(column or names[0])], None)
