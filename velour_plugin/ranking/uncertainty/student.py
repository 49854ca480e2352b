"""Student's distribution, of any degrees of freedom."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_NODES = 60
_BEYOND, _NEARLY_NORMAL = 15.0, 100.0
"""With more degrees of freedom than the second, nothing lies beyond the first."""

_HALVINGS = 60
"""Of a range in which a root lies: to the last bits."""


def student(t: float, freedom: float) -> float:
    """Return the probability that Student's t is at most ``t``, to nine digits.

    Args:
        t: any number.
        freedom: degrees, at least 1; need not be whole.

    >>> round(student(2.228139, 10), 6)
    0.975
    """
    far = min(abs(t), _BEYOND) if freedom > _NEARLY_NORMAL else abs(t)
    above = _tail(math.atan2(math.sqrt(freedom), far), freedom)
    return above if t < 0 else 1 - above


@lru_cache(maxsize=4096)
def student_quantile(share: float, freedom: float) -> float:
    """Return what Student's t is at most with probability ``share``.

    Args:
        share: in [0.5, 1).
        freedom: degrees, at least 1; need not be whole.

    >>> round(student_quantile(0.975, 10), 4)
    2.2281
    """
    far = _BEYOND if freedom > _NEARLY_NORMAL else math.inf
    low, high = math.atan2(math.sqrt(freedom), far), math.pi / 2
    for _ in range(_HALVINGS):
        angle = (low + high) / 2
        is_beyond = _tail(angle, freedom) < 1 - share
        low, high = (angle, high) if is_beyond else (low, angle)
    return math.sqrt(freedom) / math.tan(high)


def _tail(angle: float, freedom: float) -> float:
    """The probability of t above ``sqrt(freedom) / tan(angle)``: of angles from 0 to this one.

    Their density is ``sin(angle) ** (freedom - 1)``, from 0 to pi. Near 0 it is no polynomial where
    degrees are not whole: nodes lie at fourth powers there.
    """
    nodes, weights = _legendre()
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    if angle > math.pi / 4:  # what is left of the half above the median
        rest = math.pi / 2 - angle
        density = np.cos(rest * nodes) ** (freedom - 1)
        return 0.5 - scale * rest * float(weights @ density)
    density = 4 * nodes**3 * np.sin(angle * nodes**4) ** (freedom - 1)
    return scale * angle * float(weights @ density)


@lru_cache(maxsize=1)
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes in (0, 1) and their weights."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2
