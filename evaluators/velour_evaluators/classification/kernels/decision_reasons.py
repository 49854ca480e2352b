"""Why a label was not decided: negatives, true and false, by what was decided instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.sums import Weights, count_by

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

NEVER = -np.inf
"""Score of what no threshold decides for."""


class LabelScores(NamedTuple):
    """Labels of datums with scores, in columns of one length."""

    label: NDArray[Any]
    datum: NDArray[Any]
    score: NDArray[Any]

    def where(self, chosen: NDArray[Any]) -> LabelScores:
        """Return some of the rows, by mask or index."""
        return LabelScores(*(column[chosen] for column in self))

    def highest(self, datums: int) -> Floats:
        """Return the highest score of each datum, ``(datums,)``; :data:`NEVER` for none."""
        best = np.full(datums, NEVER)
        np.maximum.at(best, self.datum, self.score)
        return best


@dataclass(frozen=True)
class Decidable:
    """Scores that a threshold makes decisions of: those of true labels, and those of others.

    Args:
        labels: number of labels.
        weight: ``(datums,)`` how often each counts.
        truths: every true label of every datum.
        others: labels that are predicted and not true.
    """

    labels: int
    weight: Weights
    truths: LabelScores
    others: LabelScores

    @cached_property
    def right(self) -> Floats:
        """``(datums,)`` the highest score of a true label."""
        return self.truths.highest(len(self.weight))

    @cached_property
    def wrong(self) -> Floats:
        """``(datums,)`` the highest score of another label."""
        return self.others.highest(len(self.weight))

    def spans(
        self,
        rows: LabelScores,
        low: Floats,
        high: Floats,
        thresholds: Floats,
    ) -> Counts:
        """Sum the weight of each label's rows with low < threshold <= high: ``(k, labels)``."""
        steps = np.zeros((len(thresholds) + 1, self.labels), np.int64)
        first, last = (np.searchsorted(thresholds, side, "right") for side in (low, high))
        for sign, index in ((1, np.minimum(first, last)), (-1, last)):
            cells = index * self.labels + rows.label
            weights = count_by(cells, steps.size, self.weight[rows.datum])
            steps += sign * weights.reshape(steps.shape)
        return steps.cumsum(axis=0)[:-1]


def reasons(scores: Decidable, thresholds: Floats) -> dict[str, Counts]:
    """Count negatives of each label by what was decided for the datum instead.

    A false negative is ``fn_misclassified`` where a label that is not true was decided, else
    ``fn_missing``. A true negative is ``tn_correct`` where a true label was decided, else
    ``tn_misclassified`` where another was, else ``tn_missing``.

    Args:
        scores: of both sides.
        thresholds: ``(k,)`` rising; a label is decided that scores at least as high.

    Returns:
        Each ``(k, labels)``.

    >>> none = LabelScores(np.array([], int), np.array([], int), np.array([]))
    >>> cat = LabelScores(np.array([0]), np.array([0]), np.array([0.3]))
    >>> counts = reasons(Decidable(2, np.array([1]), cat, none), np.array([0.2, 0.4]))
    >>> counts["fn_missing"].tolist(), counts["tn_correct"].tolist()
    ([[0, 0], [1, 0]], [[0, 1], [0, 0]])
    """
    truths, wrong = scores.truths, scores.wrong[scores.truths.datum]
    missing = np.maximum(truths.score, wrong)
    counts = {
        "fn_misclassified": scores.spans(truths, truths.score, wrong, thresholds),
        "fn_missing": scores.spans(truths, missing, _endless(missing), thresholds),
    }
    return counts | dict(_true_negatives(scores, thresholds))


def _true_negatives(scores: Decidable, thresholds: Floats) -> Iterator[tuple[str, Counts]]:
    """By reason: all datums, without those that have the label, and those decided for it."""
    datums, truths, others = len(scores.weight), scores.truths, scores.others
    every = LabelScores(np.zeros(datums, int), np.arange(datums), np.full(datums, NEVER))
    best = np.maximum(scores.right, scores.wrong)
    for name, low, high in (
        ("tn_correct", every.score, scores.right),
        ("tn_misclassified", scores.right, scores.wrong),
        ("tn_missing", best, _endless(best)),
    ):
        whole = scores.spans(every, low, high, thresholds)[:, :1]
        own = scores.spans(truths, low[truths.datum], high[truths.datum], thresholds)
        reached = np.minimum(high[others.datum], others.score)
        yield name, whole - own - scores.spans(others, low[others.datum], reached, thresholds)


def _endless(like: Floats) -> Floats:
    return np.full(len(like), np.inf)
