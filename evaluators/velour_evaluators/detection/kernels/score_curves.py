"""True positives and detections of each label at every score threshold.

Rows are detections sorted by label and then by falling score, as in a ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.accumulate import hits_needed
from velour_evaluators.kernels.sorting import starts_of_runs

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ScoreSteps:
    """Counts at every score that occurs, label by label, falling.

    Args:
        label: ``(s,)`` never falling.
        score: ``(s,)``.
        hits: ``(s,)`` true positives of this score or more.
        counted: ``(s,)`` detections that count, of this score or more.
        loss: ``(s,)`` sum of the localisation losses, 1 - IoU, of these true positives.
    """

    label: NDArray[np.int32]
    score: Floats
    hits: NDArray[np.int64]
    counted: NDArray[np.int64]
    loss: Floats


def steps_of(
    label: NDArray[np.int32], score: Floats, true: Flags, counted: Flags, loss: Floats | None = None
) -> ScoreSteps:
    """Count from the highest score of each label down; equal scores are one step.

    Args:
        label: ``(n,)`` never falling.
        score: ``(n,)`` falling inside a label.
        true: ``(n,)`` true positives.
        counted: ``(n,)`` true or false positives; the others do not count.
        loss: ``(n,)`` of the true positives.
    """
    starts = starts_of_runs(label, (score + 0.0).view(np.int64))  # + 0.0: no -0.0
    last = np.append(starts[1:], len(label))[: len(starts)] - 1
    label_of_step = label[last]
    lost = np.zeros(len(label)) if loss is None else np.where(true, loss, 0.0)
    return ScoreSteps(
        label_of_step,
        score[last],
        _running(true, label, last).astype(np.int64),
        _running(counted, label, last).astype(np.int64),
        _running(lost, label, last),
    )


def _running(
    values: NDArray[np.generic], label: NDArray[np.int32], last: NDArray[np.intp]
) -> Floats:
    """Sums from the first row of each label to some rows, inclusive."""
    sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    return np.asarray(sums[last + 1] - sums[np.searchsorted(label, label[last])])


def best_f1(steps: ScoreSteps, truths: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Find the highest F1 that a score threshold can give each label, and the highest such score.

    Args:
        steps: the scores to try.
        truths: ``(labels,)``.

    Returns:
        ``(labels,)`` F1, NaN without truths; ``(labels,)`` scores, NaN without a true positive.
    """
    f1 = 2 * steps.hits / np.maximum(steps.counted + truths[steps.label], 1)
    best = _best_of_each_label(steps.label, f1)
    value = np.where(truths > 0, 0.0, np.nan)
    score = np.full(len(truths), np.nan)
    best = best[(f1[best] > 0) & (truths[steps.label[best]] > 0)]
    value[steps.label[best]], score[steps.label[best]] = f1[best], steps.score[best]
    return value, score


def _best_of_each_label(label: NDArray[np.int32], value: Floats) -> NDArray[np.intp]:
    """Row of the highest value of each label, of equals the first."""
    order = np.lexsort((-value, label))
    return order[starts_of_runs(label[order])]


def counts_from(
    thresholds: Floats, label: NDArray[np.int32], score: Floats, chosen: Flags, labels: int
) -> NDArray[np.int64]:
    """Count the chosen rows of each label that reach each threshold: ``(thresholds, labels)``."""
    label, score = label[chosen], score[chosen]
    return np.array(
        [np.bincount(label[score >= level], minlength=labels) for level in thresholds], np.int64
    )


def scores_at_recalls(
    label: NDArray[np.int32], score: Floats, true: Flags, truths: NDArray[np.int64]
) -> Floats:
    """Find the score at which each of COCO's 101 recalls is reached.

    Args:
        label: ``(n,)`` never falling.
        score: ``(n,)`` falling inside a label.
        true: ``(n,)`` true positives.
        truths: ``(labels,)``.

    Returns:
        ``(labels, 101)``; NaN where it is never reached.
    """
    hits = np.flatnonzero(true)
    bounds = np.searchsorted(label[hits], np.arange(len(truths) + 1))
    needed = hits_needed(np.maximum(truths, 1))
    reached = (needed <= np.diff(bounds)[:, None]) & (needed > 0)
    scores = np.full(needed.shape, np.nan)
    scores[reached] = score[hits[(bounds[:-1, None] + needed - 1)[reached]]]
    some = np.flatnonzero(np.bincount(label, minlength=len(truths)))
    scores[some, 0] = score[np.searchsorted(label, some)]  # nothing is needed for a recall of 0
    scores[truths == 0] = np.nan
    return scores
