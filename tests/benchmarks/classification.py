"""Kernels of classification against scikit-learn, on a million rows.

Run ``python -m tests.benchmarks.classification``. Both sides get numpy arrays of labels and
scores, run in turn in one process at their default threads, and give the same numbers,
which is checked. Times are medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk
from velour_evaluators.classification.kernels.class_counts import count_decisions, f1, macro
from velour_evaluators.classification.kernels.class_scores import ClassScores
from velour_evaluators.classification.kernels.ranking_curves import Rankings, roc_auc
from velour_evaluators.classification.kernels.ranking_order import rank

ROWS, LABELS = 1_000_000, 10


class Row(NamedTuple):
    """One line of the table: seconds of either side, and how many times faster ours is."""

    work: str
    ours: float
    peer: float
    ratio: float


def classification_rows(runs: int = 9, datums: int = ROWS, labels: int = LABELS) -> Iterator[Row]:
    """Measure every work.

    Args:
        runs: how often each side runs.
        datums: how many there are.
        labels: how many there are.
    """
    truth, scores = workload(datums, labels)
    predicted = scores.argmax(axis=1)
    one_hot, is_first = np.eye(labels, dtype=bool)[truth], truth == 0
    first = np.ascontiguousarray(scores[:, 0])
    one, all_of = columns_of(is_first[:, None], first[:, None]), columns_of(one_hot, scores)

    yield timed(
        "macro F1, from labels",
        lambda: macro_f1(truth, predicted, labels),
        lambda: sk.f1_score(truth, predicted, average="macro"),
        runs,
    )
    yield timed(
        "ROC AUC of one label, from scores",
        lambda: mean_roc_auc(one),
        lambda: sk.roc_auc_score(is_first, first),
        runs,
    )
    yield timed(
        f"ROC AUC one-vs-rest, {labels} labels, from scores",
        lambda: mean_roc_auc(all_of),
        lambda: sk.roc_auc_score(truth, scores, multi_class="ovr"),
        runs,
    )


def workload(datums: int, labels: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """True labels, and probabilities that lean towards them."""
    random = np.random.default_rng(0)
    truth = random.integers(0, labels, datums)
    scores = random.dirichlet(np.ones(labels), datums)
    scores[np.arange(datums), truth] += 0.2
    return truth, scores / scores.sum(axis=1, keepdims=True)


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64], labels: int) -> float:
    """What the evaluator does for macro F1."""
    counts = count_decisions(truth, predicted, labels)
    return macro(f1(counts), (counts.truths > 0) | (counts.decided > 0))


class Columns(NamedTuple):
    """Scores and truths as a dataset's tables hold them."""

    row: NDArray[np.int32]
    label: NDArray[np.int32]
    score: NDArray[np.float64]
    truth_row: NDArray[np.int32]
    truth_label: NDArray[np.int32]
    datums: int
    labels: int


def columns_of(one_hot: NDArray[np.bool_], scores: NDArray[np.float64]) -> Columns:
    """From arrays as scikit-learn takes them."""
    row, label = (places.astype(np.int32) for places in np.divmod(*_counted(scores)))
    truth_row, truth_label = (places.astype(np.int32) for places in np.nonzero(one_hot))
    return Columns(row, label, scores.ravel(), truth_row, truth_label, *scores.shape)


def _counted(scores: NDArray[np.float64]) -> tuple[NDArray[np.int64], int]:
    return np.arange(scores.size), scores.shape[1]


def mean_roc_auc(columns: Columns) -> float:
    """What the evaluator does for ROC AUC: rank, then count pairs."""
    row, label, score, truth_row, truth_label, datums, labels = columns
    predictions = ClassScores(row, label, score, datums, labels)
    ranked, truths = rank(predictions, np.arange(datums, dtype=np.int32), truth_row, truth_label)
    rankings = Rankings(
        labels,
        datums,
        np.repeat(np.arange(labels, dtype=np.int32), np.diff(ranked.bounds)),
        ranked.score,
        None,
        truths.label,
        truths.score,
        truths.first,
        truths.last,
        np.ones(len(truths.label), np.int8),
    )
    return float(roc_auc(rankings).mean())


def timed(work: str, ours: Callable[[], float], peer: Callable[[], float], runs: int) -> Row:
    """Medians of interleaved runs, after one of each to check that both agree."""
    mine, theirs = ours(), peer()
    if abs(mine - theirs) > 1e-12:
        raise AssertionError(f"{work}: {mine!r} is not {theirs!r}")
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for side, column in zip((ours, peer), times, strict=True):
            start = time.perf_counter()
            side()
            column.append(time.perf_counter() - start)
    seconds = statistics.median(times[0]), statistics.median(times[1])
    return Row(work, *seconds, seconds[1] / seconds[0])


if __name__ == "__main__":
    print(f"{'work':60s} {'ours s':>9s} {'peer s':>9s} {'times':>6s}")
    for row in classification_rows():
        print(f"{row.work:60s} {row.ours:9.4f} {row.peer:9.4f} {row.ratio:6.1f}")
