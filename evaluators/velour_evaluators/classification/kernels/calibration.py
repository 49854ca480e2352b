"""How far scores can be believed: losses of each datum, and reliability by confidence.

NaN stands for "undefined" inside arrays; it never leaves the evaluators.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.kernels.sums import Weights, count_by, exact_sums, ratio

SUMS_TO_ONE = 1e-3
"""How far the scores of a datum may be from a sum of 1 and still be probabilities.

Wide enough for float16 and for scores written with four decimals.
"""

_SMALLEST = np.finfo(np.float64).eps


def surprise(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Negative logarithm of the probability given to what happened, in nats.

    Args:
        probability: any shape, in [0, 1]; clipped to [2**-52, 1 - 2**-52] as scikit-learn does,
            so the worst is 36.04.

    >>> surprise(np.array([0.5, 0.0])).round(2)
    array([ 0.69, 36.04])
    """
    return -np.log(np.clip(probability, _SMALLEST, 1 - _SMALLEST))


@dataclass(frozen=True, slots=True)
class Reliability:
    """Datums by confidence, in bins of equal width.

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
    """Sort datums into bins of confidence.

    Args:
        confidence: ``(n,)`` in [0, 1], score of the label decided for.
        correct: ``(n,)`` whether it was right.
        bins: how many, of equal width.
        weights: ``(n,)`` whole numbers; ``None`` for 1 each.

    >>> reliability(np.array([0.5, 0.9, 1.0]), np.array([True, False, True]), 2).count
    array([1, 2])
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.maximum(np.searchsorted(edges, confidence) - 1, 0)
    return Reliability(
        edges,
        count_by(place, bins, weights),
        count_by(place[correct], bins, None if weights is None else weights[correct]),
        exact_sums(confidence, place, bins, weights),
    )


def expected_calibration_error(bins: Reliability) -> float:
    """Mean distance of confidence and accuracy over bins, by weight; NaN for no datum.

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
