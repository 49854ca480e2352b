"""Sort scores once, in the order that every ranking metric reads.

Rows are sorted by label, then from high to low score. Of a true label, only the positions
between which its score lies are needed: ROC AUC and average precision follow from that for
any weights, without another sort.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels.class_scores import ClassScores, positions_of
from velour_evaluators.kernels.sorting import stable_order
from velour_evaluators.kernels.sums import count_by, running_sum

_ONE = np.int64(0x3FF0_0000_0000_0000)
"""The bits of 1.0, the highest score."""

_LARGE = 100_000
"""From this many rows on, labels are sorted in threads: numpy lets go of the interpreter."""


def fall(score: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Order scores from high to low, equal ones as they came; return the order and the scores.

    One number holds the leading bits of a score and its position: plain numbers are what
    numpy sorts fastest, and ties come out in order. Scores that only differ in the bits left
    out (the last 19 of 52 for a million) are put right afterwards.

    Args:
        score: ``(n,)`` in [0, 1], where the bits of a float sort as the float does.

    >>> fall(np.array([0.5, 0.9, 0.5]))
    (array([1, 0, 2]), array([0.9, 0.5, 0.5]))
    """
    width = max(len(score) - 1, 1).bit_length()
    words = (score + 0.0).view(np.int64)  # + 0.0: no -0.0
    np.subtract(_ONE, words, out=words)
    words >>= width - 1
    words <<= width
    words |= np.arange(len(score))
    words.sort()
    order = words & ((1 << width) - 1)
    falling = score[order]
    if (falling[1:] > falling[:-1]).any():
        words >>= width
        _sort_neighbours(words, order, falling)
    return order, falling


def _sort_neighbours(
    leading: NDArray[np.int64], order: NDArray[np.int64], falling: NDArray[np.float64]
) -> None:
    """Put rows of equal leading bits into the order of all their bits, in place."""
    same = leading[1:] == leading[:-1]
    near = np.flatnonzero(np.append(same, False) | np.append(False, same))
    right = np.lexsort((order[near], -falling[near]))
    order[near], falling[near] = order[near][right], falling[near][right]


def sort_segments(
    bounds: NDArray[np.int64], score: NDArray[np.float64], *columns: NDArray[Any]
) -> None:
    """Sort each of some segments by falling score, as :func:`fall`, in place.

    Args:
        bounds: ``(segments + 1,)`` from 0 to n, never falling.
        score: ``(n,)``.
        columns: ``(n,)`` each, which are to follow.

    >>> score, column = np.array([0.5, 0.2, 0.8]), np.array([5, 2, 8])
    >>> sort_segments(np.array([0, 1, 3]), score, column)
    >>> column
    array([5, 8, 2])
    """

    def sort(first: int, last: int) -> None:
        order, score[first:last] = fall(score[first:last])
        for column in columns:
            column[first:last] = column[first:last][order]

    used = np.flatnonzero(np.diff(bounds) > 1)
    spans = bounds[used].tolist(), bounds[used + 1].tolist()
    if len(score) < _LARGE:
        list(map(sort, *spans))
    else:
        with ThreadPoolExecutor() as pool:
            list(pool.map(sort, *spans))


@dataclass(frozen=True, slots=True)
class RankedScores:
    """Class scores, label by label from high to low score.

    Args:
        bounds: ``(labels + 1,)`` rows of each label.
        datum: ``(n,)`` datum of the score, rising where scores are equal.
        score: ``(n,)``.
    """

    bounds: NDArray[np.int64]
    datum: NDArray[np.int32]
    score: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RankedTruths:
    """True labels, label by label from high to low score, with the rows of equal score.

    Args:
        label: ``(t,)`` never falling.
        datum: ``(t,)``.
        score: ``(t,)`` predicted for this label; 0 where the label is not named.
        first: ``(t,)`` position of the first ranked score of the label that equals it.
        last: ``(t,)`` position after the last one.
    """

    label: NDArray[np.int32]
    datum: NDArray[np.int32]
    score: NDArray[np.float64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def rank(
    predictions: ClassScores,
    datum: NDArray[np.int32],
    truth_row: NDArray[np.int32],
    truth_label: NDArray[np.int32],
) -> tuple[RankedScores, RankedTruths]:
    """Rank class scores label by label, and locate each true label among them.

    Args:
        predictions: of all rows.
        datum: ``(rows,)`` rising, datum of each row.
        truth_row: ``(t,)`` rows of the pairs that are true.
        truth_label: ``(t,)`` labels of these.

    >>> row, label = np.array([0, 1, 2], np.int32), np.zeros(3, np.int32)
    >>> predictions = ClassScores(row, label, np.array([0.25, 0.75, 0.25]), 3, 1)
    >>> scores, truths = rank(predictions, row, row[:1], label[:1])
    >>> scores.datum, truths.first, truths.last  # the truth is tied at positions 1 and 2
    (array([1, 0, 2], dtype=int32), array([1]), array([3]))
    """
    position = positions_of(predictions, truth_row, truth_label)
    by_label = _matrix_by_label if predictions.is_matrix else _rows_by_label
    scores, true = by_label(predictions, datum, position[position >= 0])
    sort_segments(scores.bounds, scores.score, scores.datum, true)
    unnamed = position < 0
    return scores, _ranked_truths(scores, true, truth_label[unnamed], datum[truth_row[unnamed]])


def _rows_by_label(
    predictions: ClassScores, datum: NDArray[np.int32], named: NDArray[np.intp]
) -> tuple[RankedScores, NDArray[np.bool_]]:
    """The columns copied label by label, unsorted; rows of true labels are marked."""
    true = np.zeros(len(predictions.row), bool)
    true[named] = True
    order = stable_order(predictions.label, predictions.labels)
    bounds = running_sum(count_by(predictions.label, predictions.labels))
    return RankedScores(bounds, datum[predictions.row][order], predictions.score[order]), true[
        order
    ]


def _matrix_by_label(
    predictions: ClassScores, datum: NDArray[np.int32], named: NDArray[np.intp]
) -> tuple[RankedScores, NDArray[np.bool_]]:
    """As :func:`_rows_by_label`, for a full matrix of scores: a transposition."""
    rows, labels = predictions.rows, predictions.labels
    true = np.zeros((labels, rows), bool)
    true[named % labels, named // labels] = True
    score = predictions.score.reshape(rows, labels).T.flatten()
    bounds = np.arange(labels + 1) * rows
    return RankedScores(bounds, np.tile(datum, labels), score), true.ravel()


def _ranked_truths(
    scores: RankedScores,
    true: NDArray[np.bool_],
    unnamed_label: NDArray[np.int32],
    unnamed_datum: NDArray[np.int32],
) -> RankedTruths:
    """Truths that scores name; then, for each label, those not named, whose score is 0."""
    labels = len(scores.bounds) - 1
    named = np.flatnonzero(true)
    label = (np.searchsorted(scores.bounds, named, side="right") - 1).astype(np.int32)
    first, last = _ties(scores, named)
    ends = scores.bounds[unnamed_label + 1]
    zeros = ends - _zeros(scores)[unnamed_label]
    label = np.concatenate((label, unnamed_label))
    order = stable_order(label, labels)
    return RankedTruths(
        label[order],
        np.concatenate((scores.datum[named], unnamed_datum))[order],
        np.concatenate((scores.score[named], np.zeros(len(ends))))[order],
        np.concatenate((first, zeros))[order],
        np.concatenate((last, ends))[order],
    )


def _ties(
    scores: RankedScores, position: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row, and row after the last, of the scores of one label that equal one of them."""
    new = np.append(_starts_of_ties(scores.score), True)
    new[scores.bounds] = True
    first, last = position.copy(), position + 1
    tied = np.flatnonzero(~(new[first] & new[last]))
    if tied.size:
        starts = np.flatnonzero(new)
        run = np.searchsorted(starts, position[tied], side="right")
        first[tied], last[tied] = starts[run - 1], starts[run]
    return first, last


def _zeros(scores: RankedScores) -> NDArray[np.int64]:
    """How many rows of each label have a score of 0: ``(labels,)``."""
    zeros = np.flatnonzero(scores.score == 0)
    label = np.searchsorted(scores.bounds, zeros, side="right") - 1
    return count_by(label, len(scores.bounds) - 1)


def _starts_of_ties(score: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each score differs from the one before."""
    new = np.ones(len(score), bool)
    new[1:] = score[1:] != score[:-1]
    return new
