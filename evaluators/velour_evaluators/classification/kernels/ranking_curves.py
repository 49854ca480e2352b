"""ROC and precision-recall of one label against the rest, at every threshold.

Ties are exact: a pair of equal scores is half right for ROC AUC, and equal scores enter
average precision together. All counts are whole numbers until the last division.
NaN stands for "undefined" inside arrays; it never leaves the evaluators.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.sorting import starts_of_runs
from velour_evaluators.kernels.sums import (
    Weights,
    bounds_of,
    exact_sums,
    narrowest,
    ratio,
    running_sum,
    segment_sums,
)


@dataclass(frozen=True)
class Rankings:
    """Scores of one label key, ready for any weights.

    Args:
        labels: number of labels.
        total: weight of all datums.
        label, score: ``(n,)`` by label, then from high to low score.
        weight: ``(n,)`` how often the row's datum counts; ``None`` for once.
        truth_label, truth_score, first, last: ``(t,)`` truths as in
            :class:`velour_evaluators.classification.kernels.ranking_order.RankedTruths`.
        truth_weight: ``(t,)`` how often the truth's datum counts.

    A label that a datum's prediction does not name has a score of 0 there.
    """

    labels: int
    total: int
    label: NDArray[np.int32]
    score: NDArray[np.float64]
    weight: Weights | None
    truth_label: NDArray[np.int32]
    truth_score: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    truth_weight: Weights

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Where the rows of each label begin, and where the last ones end: ``(labels + 1,)``."""
        return bounds_of(self.label, self.labels)

    @cached_property
    def truth_bounds(self) -> NDArray[np.int64]:
        """Where the truths of each label begin, and where the last ones end: ``(labels + 1,)``."""
        return bounds_of(self.truth_label, self.labels)

    @cached_property
    def running_truths(self) -> NDArray[np.int64]:
        """Weight of the truths before each position: ``(t + 1,)``."""
        return running_sum(self.truth_weight)

    @cached_property
    def _running(self) -> Weights:
        assert self.weight is not None
        most = len(self.weight) * int(self.weight.max(initial=0))
        sums = np.zeros(len(self.weight) + 1, narrowest(most))
        np.cumsum(self.weight, out=sums[1:], dtype=sums.dtype)
        return sums

    def before(self, position: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the weight of the rows before some positions, each in [0, n]."""
        if self.weight is None:
            return position
        return self._running[position].astype(np.int64)

    @cached_property
    def positives(self) -> NDArray[np.int64]:
        """Weight of the datums that have each label: ``(labels,)``."""
        return np.diff(self.running_truths[self.truth_bounds])

    @cached_property
    def named(self) -> NDArray[np.int64]:
        """Weight of the datums whose prediction names each label: ``(labels,)``."""
        return np.diff(self.before(self.bounds))

    @cached_property
    def above(self) -> NDArray[np.int64]:
        """Weight of the datums that score higher than each truth: ``(t,)``."""
        return self.before(self.first) - self.before(self.bounds)[self.truth_label]

    @cached_property
    def reached(self) -> NDArray[np.int64]:
        """Weight of the datums that score as high as each truth, or higher: ``(t,)``."""
        reached = self.before(self.last) - self.before(self.bounds)[self.truth_label]
        reached[self.truth_score == 0] = self.total
        return reached


def roc_auc(rankings: Rankings) -> NDArray[np.float64]:
    """Compute the probability that a datum with the label scores higher; ties count half.

    Returns:
        ``(labels,)`` in [0, 1]; NaN for a label that all datums have, or none.

    Source: Hanley and McNeil 1982; equal to ``sklearn.metrics.roc_auc_score``.
    """
    positives = rankings.positives
    # twice the weight below a truth, plus the weight tied with it, itself included
    beaten = 2 * rankings.total - rankings.above
    beaten -= rankings.reached
    beaten *= rankings.truth_weight
    pairs = segment_sums(beaten, rankings.truth_bounds) - positives**2
    return ratio(pairs, 2 * positives * (rankings.total - positives))


def average_precision(rankings: Rankings) -> NDArray[np.float64]:
    """Average the precision at the score of each truth, over the truths of a label.

    Returns:
        ``(labels,)`` in [0, 1]; NaN for a label without truths.

    Source: equal to ``sklearn.metrics.average_precision_score``.
    """
    label, weight = rankings.truth_label, rankings.truth_weight
    starts = starts_of_runs(label, rankings.first)
    ends = np.append(starts[1:], len(label))
    hits = np.repeat(rankings.running_truths[ends], ends - starts)  # of this score or higher
    hits -= rankings.running_truths[rankings.truth_bounds[label]]
    precision = np.nan_to_num(ratio(hits, rankings.reached))
    return ratio(exact_sums(precision, label, rankings.labels, weight), rankings.positives)


def counts_at(
    rankings: Rankings, thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count decisions, and right ones, of every label at each score threshold.

    Args:
        rankings: of one label key.
        thresholds: ``(thresholds,)``, each in (0, 1].

    Returns:
        How many decisions are right, and how many there are: both ``(thresholds, labels)``.
    """
    right = _reaching(rankings.truth_score, rankings.truth_bounds, thresholds)
    all_of = _reaching(rankings.score, rankings.bounds, thresholds)
    return (
        rankings.running_truths[right] - rankings.running_truths[rankings.truth_bounds[:-1]],
        rankings.before(all_of) - rankings.before(rankings.bounds[:-1]),
    )


@dataclass(frozen=True, slots=True)
class DecisionSteps:
    """Decisions for one label against the rest, from the highest threshold to the lowest.

    Args:
        right: ``(steps,)`` weight of the right decisions, from 0 to all truths.
        wrong: ``(steps,)`` weight of the wrong ones, from 0 to all other datums.
        threshold: ``(steps,)`` the score from which on decisions are made: infinity, then
            each score that occurs, down to 0.
    """

    right: NDArray[np.int64]
    wrong: NDArray[np.int64]
    threshold: NDArray[np.float64]


def steps_of(rankings: Rankings, label: int) -> DecisionSteps:
    """Count right and wrong decisions for one label at each score that occurs."""
    first, last = rankings.bounds[label], rankings.bounds[label + 1]
    begin, end = rankings.truth_bounds[label], rankings.truth_bounds[label + 1]
    score = rankings.score[first:last]
    # a score of 0 is that of every datum not named: these come last, all together
    ends = first + np.flatnonzero(score > np.append(score[1:], 0.0)) + 1
    truths = begin + np.searchsorted(rankings.first[begin:end], ends)
    right = rankings.running_truths[np.append(truths, end)] - rankings.running_truths[begin]
    decided = np.append(
        rankings.before(ends) - rankings.before(rankings.bounds)[label], rankings.total
    )
    right, wrong = np.append(0, right), np.append(0, decided - right)
    kept = starts_of_runs(right, wrong)  # datums of weight 0 leave repeated steps behind
    threshold = np.concatenate(([np.inf], rankings.score[ends - 1], [0.0]))
    return DecisionSteps(right[kept], wrong[kept], threshold[kept])


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, from the highest threshold to the lowest.

    Args:
        x, y: ``(points,)`` in [0, 1], x rising.
        threshold: ``(points,)`` the score from which on a datum counts as having the label.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    threshold: NDArray[np.float64]


def roc_curve(steps: DecisionSteps, points: int = 101) -> Curve | None:
    """Trace false positive rate (x) and true positive rate (y) of one label.

    Args:
        steps: of the label.
        points: at most so many; vertices nearest to even steps along the curve are kept.

    Returns:
        From (0, 0), whose threshold is infinite, to (1, 1); ``None`` for a label that all
        datums have, or none.
    """
    right, wrong = steps.right, steps.wrong
    if right[-1] == 0 or wrong[-1] == 0:
        return None
    x, y = wrong / wrong[-1], right / right[-1]
    kept = _spread(x + y, 2.0, points)
    return Curve(x[kept], y[kept], steps.threshold[kept])


def precision_recall_curve(steps: DecisionSteps, points: int = 201) -> Curve | None:
    """Trace recall (x) and precision (y) of one label, at the scores of its truths.

    Args:
        steps: of the label.
        points: at most so many; vertices nearest to even steps of recall are kept.

    Returns:
        ``None`` for a label without truths.
    """
    if steps.right[-1] == 0:
        return None
    gains = np.flatnonzero(np.diff(steps.right)) + 1
    gains = gains[_spread(steps.right[gains] / steps.right[-1], 1.0, points)]
    right = steps.right[gains]
    return Curve(
        right / steps.right[-1], right / (right + steps.wrong[gains]), steps.threshold[gains]
    )


def _spread(position: NDArray[np.float64], length: float, points: int) -> NDArray[np.intp]:
    """Choose the first vertex at or after each of some even steps, ends included."""
    if len(position) <= points:
        return np.arange(len(position))
    return np.unique(np.searchsorted(position, np.linspace(0.0, length, points)))


def _reaching(
    falling: NDArray[np.float64], bounds: NDArray[np.int64], thresholds: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Where each label's scores fall below each threshold: ``(thresholds, labels)`` positions.

    A binary search of all labels and thresholds at once: about 20 numpy steps for a million rows.
    """
    shape = (len(thresholds), len(bounds) - 1)
    low = np.broadcast_to(bounds[:-1], shape).copy()
    high = np.broadcast_to(bounds[1:], shape).copy()
    while (open_ := low < high).any():
        middle = (low + high) >> 1
        reaches = falling[np.where(open_, middle, 0)] >= thresholds[:, None]
        low = np.where(open_ & reaches, middle + 1, low)
        high = np.where(open_ & ~reaches, middle, high)
    return low
