"""Right datums, and datums that count, of the metrics that are shares of datums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.axis import Axis
from velour_plugin.plugin import Columns

Flags = NDArray[np.bool_]


def outcomes_of(
    axis: Axis, metric: str, label: tuple[str, str] | None
) -> tuple[Flags, Flags] | None:
    """Return which datums are right, and which count; ``None`` if a metric is no share of datums.

    Args:
        axis: of the key that the metric is about, every datum once.
        metric: its name.
        label: name of the label that it is about.

    Returns:
        Both ``(datums,)``.
    """
    name, answers = metric.removeprefix(axis.prefix), axis.answers
    if label is None and name == "recall":
        label = (axis.key, axis.parameters["positive_label"])
    right = _right(axis, name, answers)
    if right is None or (name == "recall") != (label in axis.labels):
        return None
    counted = np.ones(len(right), bool)
    if label is not None:
        counted = answers["truth"] == axis.labels.index(label)
    datums = len(axis.ledger.datums)
    return _of_datums(answers, right & counted, datums), _of_datums(answers, counted, datums)


def _right(axis: Axis, name: str, answers: Columns) -> Flags | None:
    if name == "accuracy":
        return np.asarray(answers["correct"], bool)
    if axis.is_multi_label:
        return None
    if name == "recall":
        return np.asarray(answers["correct"], bool)
    most = axis.parameters["top_k"]
    if name == f"top_{most}_accuracy" and axis.is_scored and len(axis.labels) > most:
        return np.asarray((answers["rank"] > 0) & (answers["rank"] <= most))
    return None


def _of_datums(answers: Columns, rows: Flags, datums: int) -> Flags:
    flags = np.zeros(datums, bool)
    flags[answers["datum"][rows]] = True
    return flags
