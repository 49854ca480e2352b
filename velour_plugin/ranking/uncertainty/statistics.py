"""Statistics on arrays: intervals and tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ROUNDING = 1e-9
"""A permuted difference may be the observed one, summed in another order."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for being many, each in [0, 1], in the order given.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    many = len(p_values)
    adjusted = np.empty(many)
    adjusted[order] = np.minimum(
        1.0,
        np.maximum.accumulate(
            [(many - at) * p_values[index] for at, index in enumerate(order)] or [0.0]
        )[:many],
    )
    return [float(p) for p in adjusted]


def wilson_interval(right: float, total: float, confidence: float) -> tuple[float, float] | None:
    """Compute the confidence interval of a share such as accuracy; ``None`` where ``total`` is 0.

    Source: Wilson 1927, Probable inference, the law of succession.

    >>> tuple(round(end, 3) for end in wilson_interval(9, 10, 0.95))
    (0.596, 0.982)
    """
    if not total:
        return None
    return wilson(right / total, total, _normal_quantile((1 + confidence) / 2))


def wilson(share: float, total: float, z: float) -> tuple[float, float]:
    """Compute Wilson's interval of a share of ``total`` independent datums, by a quantile."""
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    spread = math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    half = z * spread / (1 + z * z / total)
    return (max(0.0, middle - half), min(1.0, middle + half))


def mcnemar(only_first: int, only_second: int) -> float:
    """Compute the two-sided mid-p value that two classifiers are right equally often.

    The exact p-value counts what was observed in full and rarely reaches its level; the mid-p
    counts half of it, and exceeds the level by little and seldom.

    Args:
        only_first: datums that only the first is right on.
        only_second: datums that only the second is right on.

    Source: McNemar 1947; Fagerland, Lydersen and Laake 2013, The McNemar test for binary
    matched-pairs data: mid-p and asymptotic are better than exact conditional.

    >>> mcnemar(8, 1)
    0.021484375
    """
    total, fewer = only_first + only_second, min(only_first, only_second)
    below = sum(math.comb(total, k) for k in range(fewer))
    return float(Fraction(2 * below + math.comb(total, fewer), 2**total))


def step_down(differences: Floats, permuted: Floats) -> Floats:
    """P-values of several differences, adjusted for being many, from the same permutations.

    Each difference is compared with the largest of those that are not clearer than it, all in
    units of their spread over the permutations. What goes together in the permutations is
    corrected for once, and nothing is multiplied: however many the differences are, the smallest
    p is 1 / (permutations + 1).

    Args:
        differences: ``(k,)`` as observed; NaN where undefined.
        permuted: ``(permutations, k)``, those of column i under the same permutations as all
            others; NaN, as where a label is lost, counts as no difference.

    Returns:
        ``(k,)`` in (0, 1]; NaN where the difference is undefined.

    Source: Westfall and Young 1993, Resampling-based Multiple Testing, algorithm 4.1.

    >>> step_down(np.array([3.0, 1.0]), np.array([[1.0, 1.0], [-1.0, 0.5], [0.5, -1.0]]))
    array([0.25, 0.75])
    """
    drawn = np.abs(np.nan_to_num(permuted))
    spread = np.sqrt(np.mean(drawn**2, axis=0))
    unit = np.where(spread > 0, spread, 1.0)
    observed = np.abs(np.nan_to_num(differences)) / unit
    order = np.argsort(-observed, kind="stable")
    largest = np.maximum.accumulate((drawn / unit)[:, order][:, ::-1], axis=1)[:, ::-1]
    as_large = 1 + (largest >= observed[order] * (1 - _ROUNDING)).sum(axis=0)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(as_large / (len(permuted) + 1))
    adjusted[np.isnan(differences)] = np.nan
    return adjusted


def _normal_quantile(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
