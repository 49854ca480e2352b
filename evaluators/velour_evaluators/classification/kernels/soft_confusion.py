"""A confusion matrix where a datum may have many labels and be decided for many.

Each true label of a datum has a row to spend 1 in, so that rows sum to how often a label is true
and the matrix is the common one where each datum has one label and one decision. Of the four
definitions in the literature that we know, this is the one with that property.

======================================  ==========================================================
a datum's labels                        each true label counts
======================================  ==========================================================
all are decided, and maybe others       1 / |decided| for each of these others; the rest for itself
some are decided, and no others         itself 1 if decided, else 1 / |decided| for each decided
some or none are decided, and others    itself 1 if decided, else 1 / |others| for each other
nothing is decided                      1 as missing
======================================  ==========================================================

Source: Krstinić, Braović, Šerić, Božić-Štulić 2020, Multi-label Classifier Performance Evaluation
with Confusion Matrix, with what they call unknown for missing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels.class_counts import MISSING, ConfusionCells
from velour_evaluators.kernels.sorting import count_within, starts_of_runs
from velour_evaluators.kernels.sums import Weights, count_by, exact_sums


class LabelPairs(NamedTuple):
    """A datum and a label, ``(n,)`` each; every pair once."""

    datum: NDArray[np.integer]
    label: NDArray[np.integer]

    def where(self, kept: NDArray[np.bool_]) -> LabelPairs:
        """Return some of the pairs."""
        return LabelPairs(self.datum[kept], self.label[kept])


def soft_confusion_cells(
    true: LabelPairs,
    decided: LabelPairs,
    datums: int,
    labels: int,
    weights: Weights | None = None,
) -> ConfusionCells:
    """Share out each true label over labels that were decided; see the top of this file.

    Args:
        true: labels of the datums that are evaluated.
        decided: labels decided for them; of other datums they do not count.
        datums: number of datums.
        labels: number of labels.
        weights: ``(datums,)`` whole numbers, how often each counts; ``None`` for once.

    >>> true = LabelPairs(np.array([0, 0, 1]), np.array([0, 1, 1]))
    >>> decided = LabelPairs(np.array([0, 0, 0]), np.array([0, 1, 2]))
    >>> cells = soft_confusion_cells(true, decided, 2, 3)
    >>> [*zip(cells.truth.tolist(), cells.predicted.tolist(), cells.count.round(2).tolist())]
    [(0, 0, 0.67), (0, 2, 0.33), (1, -1, 1.0), (1, 1, 0.67), (1, 2, 0.33)]
    """
    found = np.isin(_codes(true, labels), _codes(decided, labels))
    right = np.isin(_codes(decided, labels), _codes(true, labels))
    truths, hits, decisions = (
        count_by(some, datums) for some in (true.datum, true.datum[found], decided.datum)
    )
    all_found, all_right = truths == hits, decisions == hits
    kept = np.where(all_found, truths / np.maximum(decisions, 1), 1.0)
    share = 1 / np.maximum(np.where(all_found | all_right, decisions, decisions - hits), 1)
    spent = true.where(~found | (all_found & ~all_right)[true.datum])
    given = decided.where(~right | (all_right & ~all_found)[decided.datum])
    missed = true.where((decisions == 0)[true.datum])
    row, column = _products(spent, given, datums)
    at_home = true.where(found)
    datum = np.concatenate((at_home.datum, spent.datum[row], missed.datum))
    return _summed(
        np.concatenate((at_home.label, spent.label[row], missed.label)),
        np.concatenate((at_home.label, given.label[column], np.full(len(missed.label), MISSING))),
        np.concatenate((kept[at_home.datum], share[spent.datum[row]], np.ones(len(missed.label)))),
        labels,
        None if weights is None else weights[datum],
    )


def _codes(pairs: LabelPairs, labels: int) -> NDArray[np.int64]:
    return pairs.datum.astype(np.int64) * labels + pairs.label


def _products(
    first: LabelPairs, second: LabelPairs, datums: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of both that are of one datum, each with each."""
    order = np.argsort(second.datum, kind="stable")
    count = count_by(second.datum, datums)
    begins = np.cumsum(count) - count
    many = count[first.datum]
    row = np.repeat(np.arange(len(many)), many)
    step = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
    return row, order[begins[first.datum[row]] + step]


def _summed(
    truth: NDArray[np.integer],
    predicted: NDArray[np.integer],
    share: NDArray[np.float64],
    labels: int,
    weights: Weights | None,
) -> ConfusionCells:
    code = truth.astype(np.int64) * (labels + 1) + predicted + 1
    if weights is not None:
        counted = np.flatnonzero(weights)
        code, share, weights = code[counted], share[counted], weights[counted]
    order = np.argsort(code, kind="stable")
    starts = starts_of_runs(code[order])
    cell = np.cumsum(count_within(starts, len(order)) == 0) - 1
    shares = exact_sums(
        share[order], cell, len(starts), None if weights is None else weights[order]
    )
    codes = code[order[starts]]
    none = np.empty(0, np.intp)
    return ConfusionCells(codes // (labels + 1), codes % (labels + 1) - 1, shares, none, none)
