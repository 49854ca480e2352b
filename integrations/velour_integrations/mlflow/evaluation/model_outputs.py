"""What a model gave for some rows, in columns: labels, scores, or cells of any kind."""

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


def classes_of(said: Any, labels: Sequence[LabelName]) -> list[Any] | None:
    """The classes that the columns of a matrix of scores are about.

    Args:
        said: what a model gave.
        labels: of the ground truth.

    Returns:
        What the columns are called, or their numbers; ``None`` when it is no matrix of fractions,
        or when a column is called unlike any label.
    """
    shape: tuple[int, ...] = getattr(said, "shape", ())
    if len(shape) != 2 or shape[1] < 2 or np.asarray(said).dtype.kind != "f":
        return None
    columns = list(getattr(said, "columns", range(shape[1])))
    known = {value for _, value in labels}
    return columns if known.issuperset(map(label_text, columns)) else None


def cells_table(
    cells: Any, uids: Sequence[str], places: NDArray[np.int32], rules: CellRules
) -> AnnotationTable:
    """Read what was said of some datums.

    Raises:
        BadDataset: a cell cannot be read; the message names its datum.
    """
    return table_of(cells, uids, places, "prediction", rules=rules)


def cells_of(answers: Any, column: str | None) -> Sequence[Any] | NDArray[Any]:
    """A model's answers, one for each row; of several columns, that which is named.

    Raises:
        BadDataset: it is no list of answers, or nobody said which column.
        UnknownName: there is no such column.
    """
    if isinstance(answers, Mapping) and column is not None:
        if column not in answers:
            raise UnknownName("column of the model's output", column, map(str, answers))
        answers = answers[column]
    if not hasattr(answers, "columns"):
        if isinstance(answers, (str, Mapping)) or not hasattr(answers, "__iter__"):
            raise BadDataset(
                f"the model gave a {type(answers).__name__}: expected a list with an answer for "
                "each row, in order; [] where nothing was found."
            )
        plain = getattr(answers, "dtype", None) is not None and is_plain(np.asarray(answers))
        return np.asarray(answers) if plain else list(answers)
    names = list(map(str, answers.columns))
    if column is None and len(names) != 1:
        raise BadDataset(
            f"the model gave {len(names)} columns, {', '.join(names)}: name the one to judge with "
            "predictions='column'."
        )
    if (column or names[0]) not in names:
        raise UnknownName("column of the model's output", column, names)
    return cells_of(answers.iloc[:, names.index(column or names[0])], None)
