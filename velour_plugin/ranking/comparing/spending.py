"""Levels of a test that is made again and again while the data grow: alpha spending.

Who looks every day until p is small enough finds a lead of equal models sooner or later. So each
look spends a part of one probability of error, that equal models are taken for better. The first
spends half of it, as a single two-sided test does, whose other half is for the other side; the rest
is for later looks, each of which spends as much as the data have grown. What looks have in common
is counted once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_GROWTH, STEP = 1.001, 1.1
"""Of data that grew by less, what they have in common with the last look is not counted; where they
changed, and did not grow, as much is spent as if they had grown by a tenth."""

_POINTS, _REACH, _HALVINGS = 401, 7.0, 50
"""Points of a density, standard deviations that it reaches down to, and halvings to find a root."""

_MOST = 30
"""Looks that are looked back on: leaving out older ones lowers levels."""

_NORMAL = NormalDist()


class InterimLook(NamedTuple):
    """A test that was made.

    Args:
        units: how many datums, or groups of them, were compared.
        level: p, two-sided and of one comparison, was small enough up to this.
    """

    units: int
    level: float


@dataclass(frozen=True, slots=True)
class Spending:
    """What looks have spent so far.

    Args:
        count: how many looks there were.
        level: of the last one: p, two-sided and of one comparison, had to be at most this.
        left: the share of the later looks' half that is left, in [0, 1].
        looks: those that go together: each had the data of the one before, and more.
    """

    count: int = 0
    level: float = 0.0
    left: float = 1.0
    looks: Sequence[InterimLook] = ()

    def next(
        self, units: int, error: float, comparisons: int = 1, is_grown: bool = True
    ) -> Spending:
        """Make another look, and say at which level.

        The probability that equal models are ever taken for better is at most ``error``, whatever
        the number of looks, as long as their times do not depend on p.

        Args:
            units: how many datums, or groups, there are now.
            error: probability of an error in all looks together, in (0, 1).
            comparisons: how many models had the chance to lead; each has an equal share.
            is_grown: whether the data hold those of the last look.

        Source: Lan and DeMets 1983, Discrete sequential boundaries for clinical trials; Armitage,
        McPherson and Rowe 1969, Repeated significance tests on accumulating data.
        """
        if not self.looks:
            level = error / comparisons
            return Spending(1, level, 1.0, (InterimLook(units, level),))
        growth = units / self.looks[-1].units
        is_grown = is_grown and growth > 1
        left = self.left / (growth if is_grown else STEP)
        spent = error / 2 * (self.left - left) / comparisons
        if not is_grown:
            return Spending(self.count + 1, 2 * spent, left, (InterimLook(units, 2 * spent),))
        if growth < LEAST_GROWTH:
            return Spending(self.count + 1, 2 * spent, left, self.looks)
        level = 2 * _tail(self.looks, units, spent)
        looks = (*self.looks, InterimLook(units, level))[-_MOST:]
        return Spending(self.count + 1, level, left, looks)


def _tail(looks: Sequence[InterimLook], units: int, spent: float) -> float:
    """Return the one-sided level of a look that is passed for the first time with ``spent``."""
    points, density = _not_passed(looks)
    step = math.sqrt((units - looks[-1].units) / units)
    scaled = points * math.sqrt(looks[-1].units / units)
    low, high = 0.0, 10.0
    for _ in range(_HALVINGS):
        bound = (low + high) / 2
        if float(density @ _upper((bound - scaled) / step)) > spent:
            low = bound
        else:
            high = bound
    return 1 - _NORMAL.cdf(high)


def _not_passed(looks: Sequence[InterimLook]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distribution of z at the last look where no look was passed: points, masses."""
    points, masses, units = np.zeros(1), np.ones(1), 0
    for look in looks:
        bound = _NORMAL.inv_cdf(1 - look.level / 2)
        new = np.linspace(-_REACH, bound, _POINTS)
        step = math.sqrt((look.units - units) / look.units)
        scaled = points * math.sqrt(units / look.units)
        density = np.exp(-(((new[:, None] - scaled) / step) ** 2) / 2) @ masses
        width = (bound + _REACH) / (_POINTS - 1)
        masses = density * width / (step * math.sqrt(2 * math.pi))
        masses[[0, -1]] /= 2
        points, units = new, look.units
    return points, masses


def _upper(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that a normal number is above each of the values."""
    return np.array([math.erfc(value / math.sqrt(2)) / 2 for value in values.tolist()])
