"""How far the difference of two runs may be off: intervals, and tests of margins.

A permutation test says whether runs differ at all. Whether they differ by more than a margin, it
cannot say: exchanging predictions makes equal runs. That is read from the spread of the difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Union

import numpy as np
from numpy.typing import NDArray

from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.student import student, student_quantile

_STEPS = 60
"""Halvings of an interval in which a root lies: to the last bits."""


@dataclass(frozen=True, slots=True)
class JackknifedDifference:
    """The difference of two values of any metric, by its change when datums are left out.

    Studentised by the jackknife, the level of one-sided tests at a margin was at most 0.065 in
    simulations of macro F1 and mAP with common and rare labels on 20, 50 and 200 datums; by
    percentiles, reflected percentiles and BCa intervals of paired resamples it was up to 0.17, 0.24
    and 0.16, as resamples lose rare labels, which datums left out one at a time do not.

    Args:
        difference: second less first.
        standard_error: of it.
        freedom: degrees of freedom of the standard error, at least 1.

    Source: Tukey 1958, Bias and confidence in not-quite large samples; Shao and Wu 1989, A general
    theory for jackknife variance estimation (of rank statistics and blocks).
    """

    difference: float
    standard_error: float
    freedom: int

    def p_above(self, value: float) -> float:
        """Return the one-sided p-value that the true difference is not above ``value``."""
        return 1 - student((self.difference - value) / self.standard_error, self.freedom)

    def low(self, confidence: float) -> float:
        """Return what the true difference is above with this confidence."""
        return self.difference - student_quantile(confidence, self.freedom) * self.standard_error

    def mirrored(self) -> JackknifedDifference:
        """Return the difference first less second."""
        return JackknifedDifference(-self.difference, self.standard_error, self.freedom)


@dataclass(frozen=True, slots=True)
class SharesDifference:
    """The difference of two shares of the same datums, such as accuracies, by a score test.

    The variance has the factor n / (n - 1), and the score Student's distribution: without both, the
    level of a test at 0.05 is up to 0.086 on 30 datums (all outcomes summed up), with them 0.065.

    Args:
        only_first: datums that only the first run is right on.
        only_second: datums that only the second is right on.
        datums: how many count, at least 2.

    Source: Tango 1998, Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design; Miettinen and Nurminen 1985, Comparative analysis of two rates
    (the factor).
    """

    only_first: int
    only_second: int
    datums: int

    @property
    def standard_error(self) -> float:
        """Of the difference, as observed."""
        apart, lead = self.only_first + self.only_second, self.only_second - self.only_first
        return math.sqrt(apart - lead * lead / self.datums) / self.datums

    def p_above(self, value: float) -> float:
        """Return the one-sided p-value that the true difference is not above ``value``."""
        return 1 - student(self._score(value), self.datums - 1)

    def low(self, confidence: float) -> float:
        """Return what the true difference is above with this confidence."""
        quantile = student_quantile(confidence, self.datums - 1)
        below, above = -1.0, (self.only_second - self.only_first) / self.datums
        for _ in range(_STEPS):
            middle = (below + above) / 2
            if self._score(middle) > quantile:
                below = middle
            else:
                above = middle
        return below

    def mirrored(self) -> SharesDifference:
        """Return the difference first less second."""
        return SharesDifference(self.only_second, self.only_first, self.datums)

    def _score(self, value: float) -> float:
        """How many standard errors, as they are if ``value`` is true, the difference is above it.

        The likeliest share of datums that only the first is right on, given that the difference
        is ``value``, is the larger root of a quadratic equation.
        """
        first, second, count = self.only_first, self.only_second, self.datums
        linear = first + second + value * (second - first) - 2 * count * value
        constant = first * value * (1 - value)
        root = math.sqrt(max(0.0, linear * linear + 8 * count * constant))
        share = (linear + root) / (4 * count)
        variance = count * (2 * share + value * (1 - value)) * count / (count - 1)
        distance = second - first - count * value
        if variance <= 0:
            return math.copysign(math.inf, distance) if distance else 0.0
        return distance / math.sqrt(variance)


PairedDifference = Union[JackknifedDifference, SharesDifference]
"""The difference of two runs on the same datums, second less first, and how sure it is."""


def interval_of(paired: PairedDifference, confidence: float) -> tuple[float, float]:
    """Return the confidence interval of a difference, low and high."""
    one_sided = (1 + confidence) / 2
    return paired.low(one_sided), -paired.mirrored().low(one_sided)


def jackknifed(
    difference: float | None, omitted: NDArray[np.float64]
) -> JackknifedDifference | None:
    """Return how sure a difference is, from the differences without each block of units.

    Args:
        difference: second less first, on all units; ``None`` where undefined.
        omitted: ``(blocks,)``; NaN where undefined.

    Returns:
        ``None`` where a difference is undefined, or fewer than :data:`FEW` blocks change it.
    """
    if difference is None or np.isnan(omitted).any():
        return None
    changing = int(np.count_nonzero(omitted != difference))
    if changing < FEW:
        return None
    blocks = len(omitted)
    spread = float(np.sum((omitted - omitted.mean()) ** 2)) * (blocks - 1) / blocks
    return JackknifedDifference(difference, math.sqrt(spread), changing - 1) if spread else None
