"""Counts of decisions per label, and precision, recall and agreement computed from them.

NaN stands for "undefined" inside arrays; it never leaves the evaluators.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.sorting import count_within, starts_of_runs
from velour_evaluators.kernels.sums import Weights, count_by, ratio

MISSING = -1
"""Predicted label of a datum that has no prediction."""


@dataclass(frozen=True, slots=True)
class DecisionCounts:
    """Number of decisions, true labels and right decisions of each label.

    Args:
        hits: ``(labels,)`` how often a label was decided and true.
        truths: ``(labels,)`` how often it was true.
        decided: ``(labels,)`` how often it was decided.
        total: how many datums were evaluated.
    """

    hits: NDArray[np.int64]
    truths: NDArray[np.int64]
    decided: NDArray[np.int64]
    total: int


def count_decisions(
    truth: NDArray[np.integer],
    predicted: NDArray[np.integer],
    labels: int,
    weights: Weights | None = None,
) -> DecisionCounts:
    """Count decisions for one label each.

    Args:
        truth: ``(n,)`` true label of each datum, in [0, labels).
        predicted: ``(n,)`` label decided for; :data:`MISSING` where there is none.
        labels: number of labels.
        weights: ``(n,)`` whole numbers, how often each datum counts; ``None`` for once.

    >>> counts = count_decisions(np.array([0, 0, 1]), np.array([0, 1, -1]), 2)
    >>> counts.hits, counts.truths, counts.decided
    (array([1, 0]), array([2, 1]), array([1, 1]))
    """
    decided = count_by(predicted + 1, labels + 1, weights)[1:]
    right = np.where(truth == predicted, truth, labels)
    hits = count_by(right, labels + 1, weights)[:-1]
    total = len(truth) if weights is None else int(weights.sum(dtype=np.int64))
    return DecisionCounts(hits, count_by(truth, labels, weights), decided, total)


def precision(counts: DecisionCounts) -> NDArray[np.float64]:
    """Share of decisions for a label that are right: ``(labels,)``; NaN where none was made."""
    return ratio(counts.hits, counts.decided)


def recall(counts: DecisionCounts) -> NDArray[np.float64]:
    """Share of a label's truths that were decided right: ``(labels,)``; NaN where there is none."""
    return ratio(counts.hits, counts.truths)


def f1(counts: DecisionCounts) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall: ``(labels,)``; NaN if neither true nor decided."""
    return ratio(2 * counts.hits, counts.decided + counts.truths)


def macro(values: NDArray[np.float64], occurs: NDArray[np.bool_]) -> float:
    """Mean over the labels that occur; an undefined value counts as 0, as in scikit-learn.

    Args:
        values: ``(labels,)``, NaN where undefined.
        occurs: ``(labels,)``, those that are true or decided somewhere.

    Returns:
        NaN when no label occurs.

    Source: scikit-learn, ``average="macro", zero_division=0``.

    >>> macro(np.array([1.0, np.nan, np.nan]), np.array([True, True, False]))
    0.5
    """
    return float(np.nan_to_num(values[occurs]).mean()) if occurs.any() else np.nan


def mean_of_known(values: NDArray[np.float64]) -> float:
    """Mean of the values that are defined; NaN when none is.

    >>> mean_of_known(np.array([np.nan, 0.25, 0.75]))
    0.5
    """
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan


def weighted_by_truths(values: NDArray[np.float64], counts: DecisionCounts) -> float:
    """Mean over labels, weighted by their number of truths; NaN without truths.

    Source: scikit-learn, ``average="weighted", zero_division=0``.
    """
    if not counts.truths.any():
        return np.nan
    return float(np.average(np.nan_to_num(values), weights=counts.truths))


def matthews_correlation(counts: DecisionCounts) -> float:
    """Compute the correlation of true and decided labels in [-1, 1]; 0 when either is constant.

    NaN without datums. Datums without a decision count as decided for one more label, which is
    never true.

    Source: Gorodkin 2004, the multi-class form of Matthews' coefficient.

    >>> labels = np.array([0, 0, 1, 1])
    >>> matthews_correlation(count_decisions(labels, labels, 2))
    1.0
    """
    missing = counts.total - int(counts.decided.sum())
    squares = counts.total**2
    spread_truths = squares - int(counts.truths @ counts.truths)
    spread_decided = squares - int(counts.decided @ counts.decided) - missing**2
    if spread_truths == 0 or spread_decided == 0:
        return 0.0 if counts.total else np.nan
    together = counts.total * int(counts.hits.sum()) - int(counts.truths @ counts.decided)
    return together / float(np.sqrt(float(spread_truths) * float(spread_decided)))


def cohen_kappa(counts: DecisionCounts) -> float:
    """Agreement beyond chance, at most 1; NaN when agreement by chance is certain.

    Source: Cohen 1960; datums without a decision as in :func:`matthews_correlation`.

    >>> kappa = cohen_kappa(count_decisions(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), 2))
    >>> kappa  # 3 of 4 agree, chance agrees on 2 of 4
    0.5
    """
    chance = int(counts.truths @ counts.decided)
    most = counts.total**2 - chance
    return (counts.total * int(counts.hits.sum()) - chance) / most if most else np.nan


@dataclass(frozen=True, slots=True)
class ConfusionCells:
    """Non-empty cells of a confusion matrix, and example datums of each.

    Args:
        truth: ``(cells,)`` true label.
        predicted: ``(cells,)`` label decided for, or :data:`MISSING`.
        count: ``(cells,)`` weight of the datums in it, or of their shares, > 0.
        example_cell: ``(examples,)`` index of a cell, never falling.
        example: ``(examples,)`` index of a datum in it, rising within a cell.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    count: NDArray[np.int64] | NDArray[np.float64]
    example_cell: NDArray[np.intp]
    example: NDArray[np.intp]


def confusion_cells(
    truth: NDArray[np.integer],
    predicted: NDArray[np.integer],
    labels: int,
    weights: Weights | None = None,
    examples: int = 0,
) -> ConfusionCells:
    """Count pairs of true and decided label, and keep the first few datums of each.

    Args:
        truth: ``(n,)``; this and the next three as for :func:`count_decisions`.
        predicted: ``(n,)``.
        labels: number of labels.
        weights: ``(n,)`` or ``None``.
        examples: how many datums to keep for each cell.

    >>> cells = confusion_cells(np.array([0, 1, 0, 0]), np.array([1, 1, -1, 1]), 2, examples=1)
    >>> [int(n) for n in cells.count], [int(n) for n in cells.example]
    ([1, 2, 1], [2, 0, 1])
    """
    counted = np.arange(len(truth)) if weights is None else np.flatnonzero(weights)
    code = truth[counted].astype(np.int64) * (labels + 1) + (predicted[counted] + 1)
    order = np.argsort(code, kind="stable")
    starts = starts_of_runs(code[order])
    rank = count_within(starts, len(order))  # of a datum in its cell
    cell = np.cumsum(rank == 0) - 1
    count = count_by(cell, len(starts), None if weights is None else weights[counted[order]])
    kept = rank < examples
    codes = code[order[starts]]
    return ConfusionCells(
        codes // (labels + 1),
        codes % (labels + 1) - 1,
        count,
        cell[kept],
        counted[order[kept]],
    )
