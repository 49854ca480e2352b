"""Decisions from class scores: predicted label, confidence, rank of the true label, losses.

Class scores are rows of (row, label, score): ``row`` is the index of a datum among
``rows`` datums, ``label`` one of ``labels``. They are sorted by row and label, and name no
pair twice; a label that a row does not name has a score of 0 there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels.calibration import SUMS_TO_ONE, surprise
from velour_evaluators.classification.kernels.class_counts import MISSING
from velour_evaluators.kernels.sorting import starts_of_runs
from velour_evaluators.kernels.sums import bounds_of, count_by


@dataclass(frozen=True)
class ClassScores:
    """Scores of labels on datums, sorted by row, then label.

    Args:
        row, label, score: ``(n,)``.
        rows: number of datums.
        labels: number of labels.
    """

    row: NDArray[np.int32]
    label: NDArray[np.int32]
    score: NDArray[np.float64]
    rows: int
    labels: int

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Where the scores of each datum begin, and where the last ones end: ``(rows + 1,)``."""
        return bounds_of(self.row, self.rows)

    @property
    def is_matrix(self) -> bool:
        """Whether every datum has a score for every label."""
        return len(self.row) == self.rows * self.labels

    @cached_property
    def code(self) -> NDArray[np.int64]:
        """One rising number for each pair of row and label: ``(n,)``."""
        return self.row.astype(np.int64) * self.labels + self.label


def sorted_scores(
    row: NDArray[np.int32],
    label: NDArray[np.int32],
    score: NDArray[np.float64],
    rows: int,
    labels: int,
) -> ClassScores:
    """Sort class scores by row and label; of a pair named twice the highest score counts.

    Args:
        row: ``(n,)`` in any order; so are the next two.
        label: ``(n,)``.
        score: ``(n,)``.
        rows: number of datums.
        labels: number of labels.

    >>> zeros = np.zeros(2, np.int32)
    >>> sorted_scores(zeros, zeros, np.array([0.5, 0.25]), 1, 1).score
    array([0.5])
    """
    unsorted = ClassScores(row, label, score, rows, labels)
    if _names_every_pair(unsorted):
        return unsorted
    code = unsorted.code
    if (code[1:] > code[:-1]).all():
        return unsorted
    order = np.lexsort((-score, code))
    kept = order[starts_of_runs(code[order])]
    return ClassScores(row[kept], label[kept], score[kept], rows, labels)


def _names_every_pair(predictions: ClassScores) -> bool:
    """Whether the columns are a full matrix, row by row; found without coding each pair."""
    if not predictions.is_matrix:
        return False
    shape = (predictions.rows, predictions.labels)
    rows, labels = (np.arange(size, dtype=np.int32) for size in shape)
    return bool(
        (predictions.label.reshape(shape) == labels).all()
        and (predictions.row.reshape(shape) == rows[:, None]).all()
    )


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decision, confidence and losses of each datum: all ``(rows,)``.

    Args:
        predicted, confidence: see :func:`choices`.
        rank: see :func:`ranks_of`.
        log_loss, brier: see :func:`losses_of_choices`.
    """

    predicted: NDArray[np.int32]
    confidence: NDArray[np.float64]
    rank: NDArray[np.int32]
    log_loss: NDArray[np.float64]
    brier: NDArray[np.float64]


def decisions(predictions: ClassScores, truth: NDArray[np.integer]) -> Decisions:
    """Decide for one label on each datum, and compare it with the true one.

    Args:
        predictions: of all rows.
        truth: ``(rows,)`` true label of each.
    """
    predicted, confidence = choices(predictions)
    rank = ranks_of(predictions, truth)
    return Decisions(predicted, confidence, rank, *losses_of_choices(predictions, truth))


def confidence_of_shares(predictions: ClassScores, made: Decisions) -> NDArray[np.float64]:
    """Return each datum's confidence; NaN where scores add up to more than 1, and are no shares.

    Scores without a confidence only rank: decision values, or independent sigmoids.

    Args:
        predictions: of all rows.
        made: their decisions.

    >>> zeros, labels = np.zeros(2, np.int32), np.arange(2, dtype=np.int32)
    >>> scores = ClassScores(zeros, labels, np.array([0.75, 0.875]), 1, 2)
    >>> confidence_of_shares(scores, decisions(scores, zeros[:1]))
    array([nan])
    """
    if not np.isnan(made.log_loss).any():  # all add up to 1
        return made.confidence
    total = np.bincount(predictions.row, predictions.score, predictions.rows)
    return np.where(total > 1 + SUMS_TO_ONE, np.nan, made.confidence)


def choices(predictions: ClassScores) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Decide for the label with the highest score; of equal ones, the first label.

    Returns:
        The label of each datum, :data:`MISSING` without a prediction, and its score, NaN
        without one: both ``(rows,)``.

    >>> rows, labels = np.array([0, 0, 2], np.int32), np.array([0, 1, 1], np.int32)
    >>> choices(ClassScores(rows, labels, np.array([0.5, 0.5, 0.25]), 3, 2))
    (array([ 0, -1,  1], dtype=int32), array([0.5 ,  nan, 0.25]))
    """
    label = np.full(predictions.rows, MISSING, np.int32)
    best = np.full(predictions.rows, np.nan)
    answered, starts, lengths = _segments(predictions)
    if len(answered):
        best[answered] = np.maximum.reduceat(predictions.score, starts)
        tops = np.flatnonzero(predictions.score == np.repeat(best[answered], lengths))
        tops = tops[starts_of_runs(predictions.row[tops])]
        label[answered] = predictions.label[tops]
    return label, best


def positions_of(
    predictions: ClassScores, row: NDArray[np.integer], label: NDArray[np.integer]
) -> NDArray[np.intp]:
    """Find each (row, label) among the class scores: ``(pairs,)`` indices, -1 where unnamed.

    >>> second = np.array([1], np.int32)
    >>> scores = ClassScores(second, second, np.array([0.5]), 2, 2)
    >>> positions_of(scores, np.array([0, 1]), np.array([1, 1]))
    array([-1,  0])
    """
    codes = row.astype(np.int64) * predictions.labels + label
    if predictions.is_matrix:
        return codes
    code = predictions.code
    position = np.minimum(np.searchsorted(code, codes), max(len(code) - 1, 0))
    return np.where(code[position] == codes, position, -1) if len(code) else np.full(len(row), -1)


def ranks_of(predictions: ClassScores, truth: NDArray[np.integer]) -> NDArray[np.int32]:
    """Rank the true label among a datum's scores: ``(rows,)``, 1 is highest, 0 for unnamed.

    Equal scores rank the last label first: so does ``sklearn.metrics.top_k_accuracy_score``.

    Args:
        predictions: of all rows.
        truth: ``(rows,)`` true label of each.

    >>> rows, labels = np.zeros(3, np.int32), np.arange(3, dtype=np.int32)
    >>> ranks_of(ClassScores(rows, labels, np.array([0.25, 0.5, 0.25]), 1, 3), np.array([0]))
    array([3], dtype=int32)
    """
    position = positions_of(predictions, np.arange(predictions.rows), truth)
    rank = np.zeros(predictions.rows, np.int32)
    answered, starts, lengths = _segments(predictions)
    if len(answered):
        score = np.repeat(predictions.score[position[answered]], lengths)
        label = np.repeat(truth[answered], lengths)
        beats = (predictions.score > score) | (
            (predictions.score == score) & (predictions.label > label)
        )
        rank[answered] = np.add.reduceat(beats, starts, dtype=np.int32) + 1
    return np.where(position >= 0, rank, np.int32(0))


def losses_of_choices(
    predictions: ClassScores, truth: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute log loss and Brier score of each datum, for scores that are probabilities.

    A datum without a prediction gave its true label a probability of 0. The Brier score is the
    sum of squares over labels.

    Returns:
        Both ``(rows,)``; NaN where the scores do not add up to 1.

    >>> zeros, labels = np.zeros(2, np.int32), np.arange(2, dtype=np.int32)
    >>> scores = ClassScores(zeros, labels, np.array([0.5, 0.5]), 1, 2)
    >>> log_loss, brier = losses_of_choices(scores, zeros[:1])
    >>> log_loss.round(3), brier
    (array([0.693]), array([0.5]))
    """
    position = positions_of(predictions, np.arange(predictions.rows), truth)
    true = np.zeros(predictions.rows)
    true[position >= 0] = predictions.score[position[position >= 0]]
    total, squares = np.ones(predictions.rows), np.zeros(predictions.rows)
    answered, starts, _ = _segments(predictions)
    if len(answered):
        total[answered] = np.add.reduceat(predictions.score, starts)
        squares[answered] = np.add.reduceat(predictions.score**2, starts)
    known = np.abs(total - 1) <= SUMS_TO_ONE
    brier = np.maximum(squares - 2 * true + 1, 0.0)
    return np.where(known, surprise(true), np.nan), np.where(known, brier, np.nan)


def losses_of_sets(
    predictions: ClassScores, truth_row: NDArray[np.integer], truth_label: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute log loss and Brier score of datums with many labels each, summed over labels.

    Args:
        predictions: of all rows.
        truth_row: ``(t,)`` datums of the pairs that are true.
        truth_label: ``(t,)`` labels of these.

    Returns:
        Sums of binary cross-entropy and of squared error: both ``(rows,)``.

    >>> zeros, labels = np.zeros(2, np.int32), np.arange(2, dtype=np.int32)
    >>> scores = ClassScores(zeros, labels, np.array([0.5, 0.5]), 1, 2)
    >>> losses_of_sets(scores, zeros[:1], labels[:1])[1]
    array([0.5])
    """
    position = positions_of(predictions, truth_row, truth_label)
    true = np.zeros(len(predictions.row), bool)
    true[position[position >= 0]] = True
    unnamed = np.bincount(truth_row[position < 0], minlength=predictions.rows)
    loss = unnamed * surprise(np.zeros(1))
    error = unnamed.astype(np.float64)
    answered, starts, _ = _segments(predictions)
    if len(answered):
        chance = np.where(true, predictions.score, 1 - predictions.score)
        loss[answered] += np.add.reduceat(surprise(chance), starts)
        error[answered] += np.add.reduceat((1 - chance) ** 2, starts)
    return loss, error


def exact_sets(
    predictions: ClassScores,
    truth_row: NDArray[np.integer],
    truth_label: NDArray[np.integer],
    threshold: float,
) -> NDArray[np.bool_]:
    """Whether the labels that reach a threshold are exactly the true ones: ``(rows,)``.

    >>> row, label = np.array([0, 1, 1], np.int32), np.array([0, 0, 1], np.int32)
    >>> scores = ClassScores(row, label, np.ones(3), 2, 2)
    >>> exact_sets(scores, np.array([0, 1]), np.array([0, 1]), 0.5)
    array([ True, False])
    """
    decided = predictions.score >= threshold
    position = positions_of(predictions, truth_row, truth_label)
    hit = (position >= 0) & np.append(decided, False)[position]
    true = count_by(truth_row, predictions.rows)
    hits = count_by(truth_row[hit], predictions.rows)
    decisions = count_by(predictions.row[decided], predictions.rows)
    return np.asarray((hits == true) & (decisions == true))


def _segments(
    predictions: ClassScores,
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Rows with predictions, where their class scores start, and how many each has."""
    bounds = predictions.bounds
    lengths = np.diff(bounds)
    answered = np.flatnonzero(lengths)
    return answered, bounds[answered], lengths[answered]
