"""Parses a model's output for some rows: labels, scores, or cells of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_integrations.mlflow.datasets.cell_rules import CellRules
from velour_integrations.mlflow.datasets.cells import table_of
from velour_integrations.mlflow.datasets.columns import is_plain, label_text
from velour_plugin import AnnotationTable
from velour_plugin.errors import BadDataset, UnknownName
from velour_plugin.plugin import LabelName


def classes_of(outputs: Any, labels: Sequence[LabelName]) -> list[Any] | None:
    """Return the classes that the columns of a matrix of scores are about.

    Args:
        outputs: of a model.
        labels: of the ground truth.

    Returns:
        What the columns are called, or their numbers; ``None`` when it is no matrix of fractions,
        or when a column is called unlike any label.
    """
    shape: tuple[int, ...] = getattr(outputs, "shape", ())
    if len(shape) != 2 or shape[1] < 2 or np.asarray(outputs).dtype.kind != "f":
        return None
    columns = list(getattr(outputs, "columns", range(shape[1])))
    known = {value for _, value in labels}
    return columns if known.issuperset(map(label_text, columns)) else None


def cells_table(
    cells: Any, uids: Sequence[str], places: NDArray[np.int32], rules: CellRules
) -> AnnotationTable:
    """Read the predictions of some datums.

    Raises:
        BadDataset: a cell cannot be read; the message names its datum.
    """
    return table_of(cells, uids, places, "prediction", rules=rules)


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
            "evaluate with predictions='column'."
        )
    if (column or names[0]) not in names:
        raise UnknownName("column of the model's output", column, names)
    return cells_of(outputs.iloc[:, names.index(column or names[0])], None)
