"""What a model answered about each datum: its choice, how sure it was, and what that cost.

Columns are rows of (row, label, score): ``row`` is the position of a datum among
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
class Answers:
    """Scores of labels on datums, sorted as the top of this file says.

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
        """Where the answers about each datum begin and end: ``(rows + 1,)``."""
        return bounds_of(self.row, self.rows)

    @property
    def is_matrix(self) -> bool:
        """Whether every datum has a score for every label."""
        return len(self.row) == self.rows * self.labels

    @cached_property
    def code(self) -> NDArray[np.int64]:
        """One rising number for each pair of row and label: ``(n,)``."""
        return self.row.astype(np.int64) * self.labels + self.label


def sorted_answers(
    row: NDArray[np.int32],
    label: NDArray[np.int32],
    score: NDArray[np.float64],
    rows: int,
    labels: int,
) -> Answers:
    """Sort answers; of those that name a pair twice, the highest score counts.

    Args:
        row: ``(n,)`` in any order; so are the next two.
        label: ``(n,)``.
        score: ``(n,)``.
        rows: number of datums.
        labels: number of labels.

    >>> zeros = np.zeros(2, np.int32)
    >>> sorted_answers(zeros, zeros, np.array([0.5, 0.25]), 1, 1).score
    array([0.5])
    """
    given = Answers(row, label, score, rows, labels)
    if _names_every_pair(given):
        return given
    code = given.code
    if (code[1:] > code[:-1]).all():
        return given
    order = np.lexsort((-score, code))
    kept = order[starts_of_runs(code[order])]
    return Answers(row[kept], label[kept], score[kept], rows, labels)


def _names_every_pair(answers: Answers) -> bool:
    """Whether columns are those of a matrix, row by row: without a number for each pair."""
    if not answers.is_matrix:
        return False
    shape = (answers.rows, answers.labels)
    rows, labels = (np.arange(size, dtype=np.int32) for size in shape)
    return bool(
        (answers.label.reshape(shape) == labels).all()
        and (answers.row.reshape(shape) == rows[:, None]).all()
    )


@dataclass(frozen=True, slots=True)
class Decisions:
    """What each datum was decided for, and what that cost: all ``(rows,)``.

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


def decisions(answers: Answers, truth: NDArray[np.integer]) -> Decisions:
    """Judge datums of one label each.

    Args:
        answers: of all rows.
        truth: ``(rows,)`` true label of each.
    """
    predicted, confidence = choices(answers)
    rank = ranks_of(answers, truth)
    return Decisions(predicted, confidence, rank, *losses_of_choices(answers, truth))


def choices(answers: Answers) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Decide for the label with the highest score; of equal ones, the first label.

    Returns:
        The label of each datum, :data:`MISSING` without an answer, and its score, NaN
        without: both ``(rows,)``.

    >>> rows, labels = np.array([0, 0, 2], np.int32), np.array([0, 1, 1], np.int32)
    >>> choices(Answers(rows, labels, np.array([0.5, 0.5, 0.25]), 3, 2))
    (array([ 0, -1,  1], dtype=int32), array([0.5 ,  nan, 0.25]))
    """
    label = np.full(answers.rows, MISSING, np.int32)
    best = np.full(answers.rows, np.nan)
    answered, starts, lengths = _segments(answers)
    if len(answered):
        best[answered] = np.maximum.reduceat(answers.score, starts)
        tops = np.flatnonzero(answers.score == np.repeat(best[answered], lengths))
        tops = tops[starts_of_runs(answers.row[tops])]
        label[answered] = answers.label[tops]
    return label, best


def places_of(
    answers: Answers, row: NDArray[np.integer], label: NDArray[np.integer]
) -> NDArray[np.intp]:
    """Where answers name a row and label: ``(pairs,)`` positions, -1 where they do not.

    >>> one = np.array([1], np.int32)
    >>> places_of(Answers(one, one, np.array([0.5]), 2, 2), np.array([0, 1]), np.array([1, 1]))
    array([-1,  0])
    """
    wanted = row.astype(np.int64) * answers.labels + label
    if answers.is_matrix:
        return wanted
    code = answers.code
    place = np.minimum(np.searchsorted(code, wanted), max(len(code) - 1, 0))
    return np.where(code[place] == wanted, place, -1) if len(code) else np.full(len(row), -1)


def ranks_of(answers: Answers, truth: NDArray[np.integer]) -> NDArray[np.int32]:
    """Rank of the true label among a datum's scores: ``(rows,)``, 1 for the highest, 0 for unnamed.

    Equal scores rank the last label first: so does ``sklearn.metrics.top_k_accuracy_score``.

    Args:
        answers: of all rows.
        truth: ``(rows,)`` true label of each.

    >>> rows, labels = np.zeros(3, np.int32), np.arange(3, dtype=np.int32)
    >>> ranks_of(Answers(rows, labels, np.array([0.25, 0.5, 0.25]), 1, 3), np.array([0]))
    array([3], dtype=int32)
    """
    place = places_of(answers, np.arange(answers.rows), truth)
    rank = np.zeros(answers.rows, np.int32)
    answered, starts, lengths = _segments(answers)
    if len(answered):
        score = np.repeat(answers.score[place[answered]], lengths)
        label = np.repeat(truth[answered], lengths)
        beats = (answers.score > score) | ((answers.score == score) & (answers.label > label))
        rank[answered] = np.add.reduceat(beats, starts, dtype=np.int32) + 1
    return np.where(place >= 0, rank, np.int32(0))


def losses_of_choices(
    answers: Answers, truth: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log loss and Brier score of each datum, for scores that are probabilities.

    A datum without an answer gave its true label a probability of 0. The Brier score is the
    sum of squares over labels.

    Returns:
        Both ``(rows,)``; NaN where the scores do not add up to 1.

    >>> one, two = np.zeros(2, np.int32), np.arange(2, dtype=np.int32)
    >>> log_loss, brier = losses_of_choices(Answers(one, two, np.array([0.5, 0.5]), 1, 2), one[:1])
    >>> log_loss.round(3), brier
    (array([0.693]), array([0.5]))
    """
    place = places_of(answers, np.arange(answers.rows), truth)
    true = np.zeros(answers.rows)
    true[place >= 0] = answers.score[place[place >= 0]]
    total, squares = np.ones(answers.rows), np.zeros(answers.rows)
    answered, starts, _ = _segments(answers)
    if len(answered):
        total[answered] = np.add.reduceat(answers.score, starts)
        squares[answered] = np.add.reduceat(answers.score**2, starts)
    known = np.abs(total - 1) <= SUMS_TO_ONE
    brier = np.maximum(squares - 2 * true + 1, 0.0)
    return np.where(known, surprise(true), np.nan), np.where(known, brier, np.nan)


def losses_of_sets(
    answers: Answers, truth_row: NDArray[np.integer], truth_label: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log loss and Brier score of each datum that may have many labels, summed over labels.

    Args:
        answers: of all rows.
        truth_row: ``(t,)`` datums of the pairs that are true.
        truth_label: ``(t,)`` labels of these.

    Returns:
        Sums of binary cross-entropy and of squared error: both ``(rows,)``.

    >>> one, two = np.zeros(2, np.int32), np.arange(2, dtype=np.int32)
    >>> said = Answers(one, two, np.array([0.5, 0.5]), 1, 2)
    >>> losses_of_sets(said, one[:1], two[:1])[1]
    array([0.5])
    """
    place = places_of(answers, truth_row, truth_label)
    true = np.zeros(len(answers.row), bool)
    true[place[place >= 0]] = True
    unnamed = np.bincount(truth_row[place < 0], minlength=answers.rows)
    loss = unnamed * surprise(np.zeros(1))
    error = unnamed.astype(np.float64)
    answered, starts, _ = _segments(answers)
    if len(answered):
        chance = np.where(true, answers.score, 1 - answers.score)
        loss[answered] += np.add.reduceat(surprise(chance), starts)
        error[answered] += np.add.reduceat((1 - chance) ** 2, starts)
    return loss, error


def exact_sets(
    answers: Answers,
    truth_row: NDArray[np.integer],
    truth_label: NDArray[np.integer],
    threshold: float,
) -> NDArray[np.bool_]:
    """Whether the labels that reach a threshold are just the true ones: ``(rows,)``.

    >>> row, label = np.array([0, 1, 1], np.int32), np.array([0, 0, 1], np.int32)
    >>> exact_sets(Answers(row, label, np.ones(3), 2, 2), np.array([0, 1]), np.array([0, 1]), 0.5)
    array([ True, False])
    """
    decided = answers.score >= threshold
    place = places_of(answers, truth_row, truth_label)
    hit = (place >= 0) & np.append(decided, False)[place]
    wanted = count_by(truth_row, answers.rows)
    hits = count_by(truth_row[hit], answers.rows)
    found = count_by(answers.row[decided], answers.rows)
    return np.asarray((hits == wanted) & (found == wanted))


def _segments(
    answers: Answers,
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Rows that have answers, where these start, and how many each has."""
    bounds = answers.bounds
    lengths = np.diff(bounds)
    answered = np.flatnonzero(lengths)
    return answered, bounds[answered], lengths[answered]
