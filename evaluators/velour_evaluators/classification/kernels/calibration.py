"""Calibration of scores: log loss of a probability, and accuracy by bins of confidence.

NaN stands for "undefined" inside arrays; it never leaves the evaluators.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.sums import Weights, count_by, exact_sums, ratio

SUMS_TO_ONE = 1e-3
"""Tolerance: scores of a datum whose sum is this close to 1 are probabilities.

Wide enough for float16 and for scores written with four decimals.
"""

_SMALLEST = np.finfo(np.float64).eps


def surprise(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the negative logarithm of the probability of the true label, in nats.

    Args:
        probability: any shape, in [0, 1]; clipped to [2**-52, 1 - 2**-52] as scikit-learn does,
            so the worst is 36.04.

    >>> surprise(np.array([0.5, 0.0])).round(2)
    array([ 0.69, 36.04])
    """
    return -np.log(np.clip(probability, _SMALLEST, 1 - _SMALLEST))


@dataclass(frozen=True, slots=True)
class Reliability:
    """Number of datums, number right and sum of confidences, in bins of equal width.

    Args:
        edges: ``(bins + 1,)`` from 0 to 1; a bin holds its upper edge, the first holds 0 too.
        count: ``(bins,)`` how many datums fell in it.
        correct: ``(bins,)`` how many of these were right.
        confidence: ``(bins,)`` sum of their confidences.
    """

    edges: NDArray[np.float64]
    count: NDArray[np.int64]
    correct: NDArray[np.int64]
    confidence: NDArray[np.float64]


def reliability(
    confidence: NDArray[np.float64],
    correct: NDArray[np.bool_],
    bins: int,
    weights: Weights | None = None,
) -> Reliability:
    """Count datums, and those that are right, by bins of confidence.

    Args:
        confidence: ``(n,)`` in [0, 1], score of the label decided for.
        correct: ``(n,)`` whether it was right.
        bins: how many, of equal width.
        weights: ``(n,)`` whole numbers; ``None`` for 1 each.

    >>> reliability(np.array([0.5, 0.9, 1.0]), np.array([True, False, True]), 2).count
    array([1, 2])
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    bin_of = np.maximum(np.searchsorted(edges, confidence) - 1, 0)
    return Reliability(
        edges,
        count_by(bin_of, bins, weights),
        count_by(bin_of[correct], bins, None if weights is None else weights[correct]),
        exact_sums(confidence, bin_of, bins, weights),
    )


def expected_calibration_error(bins: Reliability) -> float:
    """Compute the mean distance of confidence and accuracy over bins, by weight; NaN if empty.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3.

    >>> bins = reliability(np.array([0.75, 0.75]), np.array([True, False]), 15)
    >>> expected_calibration_error(bins)
    0.25
    """
    total = int(bins.count.sum())
    return float(np.abs(bins.confidence - bins.correct).sum() / total) if total else np.nan


def mean_confidence(bins: Reliability) -> NDArray[np.float64]:
    """Mean confidence of each bin: ``(bins,)``; NaN where it is empty."""
    return ratio(bins.confidence, bins.count)


def accuracy(bins: Reliability) -> NDArray[np.float64]:
    """Share that is right in each bin: ``(bins,)``; NaN where it is empty."""
    return ratio(bins.correct, bins.count)
