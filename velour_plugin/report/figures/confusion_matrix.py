"""The confusion matrix, and the datums behind each of its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.report.figures.style import CELLS, COLOURS, Spec, distinct, spec_of, table
from velour_plugin.report.findings import Findings


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """The labels with most errors, and what was predicted for them.

    Args:
        rows: true labels, and the background where the task has one.
        columns: predicted labels, and at last those missed or not predicted.
        counts: ``(rows, columns)`` objects, datums or pixels; of sets of labels, shares of datums.
        shares: ``(rows, columns)`` each count divided by all of its row's.
        examples: uids of datums with such an error, by (row, column).
        labels: how many labels there are in all, shown or not.
        shown: how many of them are shown.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    counts: NDArray[np.float64]
    shares: NDArray[np.float64]
    examples: Mapping[tuple[int, int], Sequence[str]]
    labels: int
    shown: int


def confusion_matrix(findings: Findings) -> ConfusionMatrix | None:
    """Read the confusion matrix of the first label key; ``None`` where there is none."""
    names = ("confusion_matrix", "soft_confusion_matrix")
    metric = next(filter(None, map(findings.overall, names)), None)
    matrix = metric and metric.value.get("counts", metric.value.get("matrix"))
    counts = np.array(matrix or [], float)
    if metric is None or not counts.any():
        return None
    labels = ["background" if name is None else str(name) for name in metric.value["labels"]]
    rows = [str(name) for name in metric.value.get("rows", labels)]
    columns = [str(name) for name in metric.value.get("columns", labels)]
    kept = _most_confused(counts, len(labels))
    down = [*kept, *range(len(labels), len(rows))]
    across = [*kept, *range(len(labels), len(columns))]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    examples = {
        (down.index(row), across.index(column)): uids
        for (row, column), uids in _examples(metric.value).items()
        if row in down and column in across
    }
    return ConfusionMatrix(
        distinct([rows[index] for index in down]),
        distinct([columns[index] for index in across]),
        counts[np.ix_(down, across)],
        shares[np.ix_(down, across)],
        examples,
        len(labels),
        len(kept),
    )


def confusion(findings: Findings) -> Spec | None:
    """Draw the confusion matrix, coloured by the share of each true class; ``None`` without one."""
    matrix = confusion_matrix(findings)
    if matrix is None:
        return None
    counts = _shown(matrix.counts)
    heat = {
        "type": "heatmap", "z": table(matrix.shares), "customdata": counts,
        "x": list(matrix.columns), "y": list(matrix.rows),
        "colorscale": [[0, "#ffffff"], [1, COLOURS[0]]], "zmin": 0, "zmax": 1,
        "colorbar": {"thickness": 12, "tickformat": ".0%"}, "xgap": 1, "ygap": 1,
        "hovertemplate": "true %{y}, predicted %{x}: %{customdata} (%{z:.1%} of true %{y})"
        "<extra></extra>",
    }  # fmt: skip
    if len(matrix.rows) <= 12:
        heat |= {"text": counts, "texttemplate": "%{text}"}
    more = f", {matrix.shown} of {matrix.labels} labels" if matrix.shown < matrix.labels else ""
    title = f"Confusion matrix, share of each true class{more}"
    spec = spec_of(title, [heat], "predicted class", "true class")
    spec["layout"]["xaxis"] |= {"type": "category", "side": "bottom"}
    spec["layout"]["yaxis"] |= {"type": "category", "autorange": "reversed"}
    return spec


def _shown(counts: NDArray[np.float64]) -> list[list[float]]:
    """Whole numbers, or shares of datums to one decimal."""
    shown: list[list[float]] = (
        counts.astype(int) if (counts == counts.astype(int)).all() else counts.round(1)
    ).tolist()
    return shown


def _examples(value: Mapping[str, Any]) -> dict[tuple[int, int], list[str]]:
    """Uids by (row, column) of the whole matrix: evaluators list errors with their datums.

    A true label of ``None`` is the row after the labels, a predicted one the column after them.
    """
    labels = value["labels"]
    index = {name: number for number, name in enumerate(labels)}
    last = index.get(None, len(labels))
    listed: Iterable[Mapping[str, Any]] = value.get("errors", value.get("examples", ()))
    examples = {}
    for error in listed:
        cell = index.get(error["truth"], last), index.get(error["predicted"], last)
        datums = error.get("examples", error.get("datums", ()))
        uids = [item if isinstance(item, str) else item["datum"] for item in datums]
        if uids:
            examples[cell] = list(dict.fromkeys(uids))
    return examples


def _most_confused(counts: NDArray[np.float64], size: int) -> list[int]:
    """Positions of the labels with most errors, in their own order."""
    square = counts[:size, :size]
    wrong = counts[:size].sum(axis=1) + counts[:, :size].sum(axis=0) - 2 * np.diag(square)
    return sorted(np.argsort(-wrong, kind="stable")[:CELLS].tolist())
