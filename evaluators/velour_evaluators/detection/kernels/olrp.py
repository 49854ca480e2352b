"""Optimal localisation recall precision error (oLRP): the lowest LRP error at any score.

At a score threshold, a false negative and a false positive count 1, and a true positive counts
its localisation error, from 0 for an IoU of 1 to 1 for an IoU at the threshold; the error is
the mean. The optimal threshold has the lowest error. 0 is perfect, 1 is useless.

Source: Oksuz et al. 2018, Localization Recall Precision (LRP), equation 7;
components as in Oksuz et al. 2021, One Metric to Measure them All.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.score_curves import ScoreSteps
from velour_evaluators.kernels.sorting import starts_of_runs

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OptimalErrors:
    """Optimal error of each label and its parts, all ``(labels,)``; NaN where undefined.

    Args:
        error: in [0, 1]; undefined without truths.
        localisation: mean of 1 - IoU over the true positives; undefined without any.
        false_positive: share of false positives among the detections; undefined without any.
        false_negative: share of false negatives among the truths.
        score: the optimal threshold; undefined where no detection is better than some.
    """

    error: Floats
    localisation: Floats
    false_positive: Floats
    false_negative: Floats
    score: Floats


def optimal_errors(steps: ScoreSteps, truths: NDArray[np.int64], threshold: float) -> OptimalErrors:
    """Find the lowest localisation-recall-precision error of each label over all scores.

    Args:
        steps: whose loss is 1 - IoU.
        truths: ``(labels,)``.
        threshold: IoU from which on a detection is a hit, below 1.
    """
    real = truths[steps.label]
    missed, wrong = real - steps.hits, steps.counted - steps.hits
    far = steps.loss / (1 - threshold) if threshold < 1 else np.zeros(len(real))
    error = (far + wrong + missed) / np.maximum(steps.counted + missed, 1)
    order = np.lexsort((error, steps.label))
    best = order[starts_of_runs(steps.label[order])]
    best = best[(error[best] < 1) & (real[best] > 0)]

    label, known = steps.label[best], truths > 0
    nothing = np.full(len(truths), np.nan)
    total, missing = np.where(known, 1.0, np.nan), np.where(known, 1.0, np.nan)
    localisation, mistaken, score = nothing.copy(), nothing.copy(), nothing.copy()
    total[label], score[label] = error[best], steps.score[best]
    localisation[label] = steps.loss[best] / steps.hits[best]
    mistaken[label] = wrong[best] / steps.counted[best]
    missing[label] = missed[best] / real[best]
    return OptimalErrors(total, localisation, mistaken, missing, score)
