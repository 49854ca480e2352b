"""How small a difference data can show, and how many datums a wanted one would need.

Everything follows from a standard error, which falls as one over the root of the number of units:
datums, or groups of them. Of a difference of two runs on the same datums it is the standard error
of the paired difference, in which cancels what the runs have in common.
"""

from __future__ import annotations

import math
from statistics import NormalDist

POWER = 0.8
"""Probability with which a true difference is to be found, by custom (Cohen 1988)."""

LEVEL = 0.05
"""Largest probability with which chance may pass for a difference, by custom."""


def detectable_difference(
    standard_error: float, level: float = LEVEL, power: float = POWER, sides: int = 2
) -> float:
    """Return the smallest true difference that a test finds with probability ``power``.

    Args:
        standard_error: of the difference, >= 0.
        level: of the test, in (0, 1).
        power: in (0, 1).
        sides: 2, or 1 for a test in one direction only.

    Source: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, 2.

    >>> round(detectable_difference(0.01), 4)
    0.028
    """
    normal = NormalDist()
    return (normal.inv_cdf(1 - level / sides) + normal.inv_cdf(power)) * standard_error


def units_for_difference(
    standard_error: float,
    units: int,
    difference: float,
    level: float = LEVEL,
    power: float = POWER,
    sides: int = 2,
) -> int:
    """Return how many units it takes to find a difference with probability ``power``.

    Args:
        standard_error: of the difference over ``units``.
        units: how many datums, or groups of them, it was measured on.
        difference: to be found, > 0.
        level: of the test, in (0, 1).
        power: in (0, 1).
        sides: 2, or 1 for a test in one direction only.

    >>> units_for_difference(0.02, 100, 0.02)
    785
    """
    return _units(units, detectable_difference(standard_error, level, power, sides) / difference)


def interval_width(standard_error: float, confidence: float) -> float:
    """Return how wide the interval of a value with this standard error is, low to high.

    >>> round(interval_width(0.01, 0.95), 4)
    0.0392
    """
    return 2 * NormalDist().inv_cdf((1 + confidence) / 2) * standard_error


def units_for_width(standard_error: float, units: int, width: float, confidence: float) -> int:
    """Return how many units it takes until an interval is at most this wide.

    Args:
        standard_error: of the value over ``units``.
        units: how many datums, or groups of them, it was measured on.
        width: of the interval, low to high, > 0.
        confidence: of the interval, in (0, 1).

    >>> units_for_width(0.02, 100, 0.04, 0.95)
    385
    """
    return _units(units, interval_width(standard_error, confidence) / width)


def error_over(standard_error: float, units: int, others: int) -> float:
    """Return the standard error over another number of units, > 0.

    >>> error_over(0.02, 100, 400)
    0.01
    """
    return standard_error * math.sqrt(units / others)


def _units(units: int, ratio: float) -> int:
    """How many units make the standard error ``ratio`` times as small; at least one."""
    return max(1, math.ceil(units * ratio**2))
