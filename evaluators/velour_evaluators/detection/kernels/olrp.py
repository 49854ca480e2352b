"""Optimal localisation recall precision error: the least that can be lost at any score.

At a score threshold, every miss and every mistake weighs 1 and every hit weighs how far it
is from perfect, 0 for an IoU of 1 and 1 for an IoU at the threshold; the error is
the mean. The optimal threshold has the least. 0 is perfect, 1 is useless.

Source: Oksuz et al. 2018, Localization Recall Precision (LRP), equation 7;
components as in Oksuz et al. 2021, One Metric to Measure them All.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.score_curves import Steps
from velour_evaluators.kernels.sorting import starts_of_runs

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OptimalErrors:
    """Of each label, all ``(labels,)``; NaN where undefined.

    Args:
        error: in [0, 1]; undefined without truths.
        localisation: mean of 1 - IoU over the hits; undefined without any.
        false_positive: share of mistakes among the detections; undefined without any.
        false_negative: share of misses among the truths.
        score: the optimal threshold; undefined where no detection is better than some.
    """

    error: Floats
    localisation: Floats
    false_positive: Floats
    false_negative: Floats
    score: Floats


def optimal_errors(steps: Steps, truths: NDArray[np.int64], threshold: float) -> OptimalErrors:
    """Try every score of each label.

    Args:
        steps: whose loss is 1 - IoU.
        truths: ``(labels,)``.
        threshold: IoU from which on a detection is a hit, below 1.
    """
    real = truths[steps.label]
    missed, wrong = real - steps.found, steps.claimed - steps.found
    far = steps.loss / (1 - threshold) if threshold < 1 else np.zeros(len(real))
    error = (far + wrong + missed) / np.maximum(steps.claimed + missed, 1)
    order = np.lexsort((error, steps.label))
    best = order[starts_of_runs(steps.label[order])]
    best = best[(error[best] < 1) & (real[best] > 0)]

    label, known = steps.label[best], truths > 0
    nothing = np.full(len(truths), np.nan)
    total, missing = np.where(known, 1.0, np.nan), np.where(known, 1.0, np.nan)
    localisation, mistaken, score = nothing.copy(), nothing.copy(), nothing.copy()
    total[label], score[label] = error[best], steps.score[best]
    localisation[label] = steps.loss[best] / steps.found[best]
    mistaken[label] = wrong[best] / steps.claimed[best]
    missing[label] = missed[best] / real[best]
    return OptimalErrors(total, localisation, mistaken, missing, score)
