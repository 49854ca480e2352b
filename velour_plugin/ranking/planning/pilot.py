"""What a pilot says of a metric's spread, and how many units a promise about it needs.

A unit is what resamples draw: a datum, or a group of them. The standard error over a pilot falls as
one over the root of the number of units; how well the pilot knows it decides the range of the plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from velour_plugin.ranking.uncertainty import power
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.statistics import wilson_interval

Floats = NDArray[np.float64]
_ROUNDING = 1e-12
"""Resamples of a number that does not vary may do so by this much, summed in another order."""


class Needed(NamedTuple):
    """A number of units, and the least and most that it may be, as far as the pilot tells."""

    units: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Pilot:
    """The spread of one number over a pilot: a metric, or the difference of two runs in it.

    Args:
        units: how many there are, at least :data:`FEW`.
        error: standard error over them, >= 0.
        least_error, most_error: the interval of the standard error.
        share: how many datums are right and how many tried, where the number is such a share.
    """

    units: int
    error: float
    least_error: float
    most_error: float
    share: tuple[int, int] | None = None

    @classmethod
    def of(
        cls,
        replicates: Floats,
        influences: Floats,
        units: int,
        confidence: float,
        share: tuple[int, int] | None = None,
    ) -> Pilot:
        """Read the spread from resamples, and how sure it is from what single units change.

        Args:
            replicates: ``(resamples,)`` of the number; NaN where undefined.
            influences: ``(blocks,)`` what each unit, or block of units, adds to the number.
            units: how many there are.
            confidence: of the interval of the standard error, in (0, 1).
            share: as for the class.
        """
        known = replicates[~np.isnan(replicates)]
        spread = float(known.std())
        # resamples vary (n - 1) / n times as much as samples do
        error = spread * math.sqrt(units / (units - 1)) if spread > _ROUNDING else 0.0
        low, high = deviation_factors(influences, units, len(known), confidence)
        return cls(units, error, low * error, high * error, share)

    def scaled(self, factor: float) -> Pilot:
        """Return the spread of a number that varies so many times as much."""
        least, most = factor * self.least_error, factor * self.most_error
        return Pilot(self.units, factor * self.error, least, most)

    def difference(self, level: float, chance: float) -> float:
        """Return the smallest difference that is found over the pilot with this ``chance``."""
        return power.detectable_difference(self.error, level, chance)

    def width(self, confidence: float) -> float:
        """Return how wide the interval over the pilot is."""
        if self.share is None:
            return power.interval_width(self.error, confidence)
        low, high = wilson_interval(*self.share, confidence) or (0.0, 1.0)
        return high - low

    def for_width(self, width: float, confidence: float) -> Needed:
        """Return how many units make the interval at most this wide, > 0."""
        if self.share is not None:
            return _for_share(self.share, self.units, width, confidence)
        return self._needed(
            lambda error: power.units_for_width(error, self.units, width, confidence)
        )

    def for_difference(self, difference: float, level: float, chance: float) -> Needed:
        """Return how many units find a difference > 0, tested at ``level``, with ``chance``."""
        return self._needed(
            lambda error: power.units_for_difference(error, self.units, difference, level, chance)
        )

    def _needed(self, units_for: Callable[[float], int]) -> Needed:
        numbers = map(units_for, (self.error, self.least_error, self.most_error))
        return Needed(*(max(FEW, number) for number in numbers))


def deviation_factors(
    influences: Floats, units: int, resamples: int, confidence: float
) -> tuple[float, float]:
    """How many times smaller and larger a standard deviation may be than it is measured.

    Heavy tails make a standard deviation less sure, so that the fourth moment of the influences
    counts; so does that it is read from a limited number of resamples.

    Args:
        influences: ``(blocks,)`` what each unit adds, but for a factor; or blocks of as many units.
        units: how many there are, at least 5.
        resamples: that it is read from.
        confidence: of the interval, in (0, 1).

    Returns:
        Factors below and above 1; both 1 where the influences do not vary.

    Source: Bonett 2006, Approximate confidence interval for standard deviation of nonnormal
    distributions.
    """
    known = influences[~np.isnan(influences)]
    squares = float(((known - known.mean()) ** 2).sum()) if known.size >= FEW else 0.0
    if not squares:
        return 1.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = _trimmed_mean(known, 0.5 / math.sqrt(len(known) - 4))
    kurtosis = len(known) * float(((known - middle) ** 4).sum()) / squares**2
    # a sum of m units is nearer to normal: its kurtosis exceeds 3 by an m-th as much
    kurtosis = max(1.0, 3 + (kurtosis - 3) * max(units / len(known), 1.0))
    scale = units / max(units - z, 1.0)
    of_units = scale**2 * max(kurtosis - (units - 3) / units, 0.0) / (units - 1)
    spread = z * math.sqrt(of_units + 2 / max(resamples - 1, 1))
    return math.sqrt(scale * math.exp(-spread)), math.sqrt(scale * math.exp(spread))


def _trimmed_mean(values: Floats, share: float) -> float:
    """The mean without ``share`` of the values at each end; the median where nothing is left."""
    cut = min(int(share * len(values)), (len(values) - 1) // 2)
    return float(np.sort(values)[cut : len(values) - cut].mean())


def _for_share(share: tuple[int, int], datums: int, width: float, confidence: float) -> Needed:
    """How many datums make Wilson's interval so narrow: at the share, and over its interval."""
    right, tried = share
    low, high = wilson_interval(right, tried, confidence) or (0.0, 1.0)
    widest = min(max(low, 0.5), high)
    needed, at_low, at_high, most = (
        max(FEW, math.ceil(_tries_of_share(p, width, confidence) * datums / tried))
        for p in (right / tried, low, high, widest)
    )
    return Needed(needed, min(needed, at_low, at_high), most)


def _tries_of_share(share: float, width: float, confidence: float) -> float:
    """Solve Wilson's interval for the number of tries at which it is so wide.

    >>> round(_tries_of_share(1.0, 0.05, 0.95), 1)
    73.0
    """
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    half = z2 * (width**2 - 2 * share * (1 - share))
    root = math.sqrt(max(half**2 - width**2 * z2**2 * (width**2 - 1), 0.0))
    return (root - half) / width**2
