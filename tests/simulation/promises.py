"""Promises of the statistics, and whether a simulation shows that they are kept.

An experiment is repeated with seeds of its own; each repetition counts some quantities by name:
1 or 0 for what holds or does not, a number for a bias, ``None`` where nothing was claimed (an
interval is greyed, no row has such a probability). A promise is about one of these names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Counts = Mapping[str, float | None]
Simulation = Callable[[int], Counts]
"""Counts once, from a seed; hashable and picklable."""

Kind = Literal["at least", "at most", "within"]

SLACK = 0.01
"""Between the target and the bound of the measurement that must reach it."""


@dataclass(frozen=True)
class Promise:
    """What should hold of one quantity.

    Args:
        of: the quantity's name among the counts of a repetition.
        kind: a share that is at least or at most the target; or a mean within it of 0.
        target: that is promised.
    """

    of: str
    kind: Kind
    target: float

    @property
    def must_be(self) -> str:
        """What is promised, in words."""
        return f"{'within ±' if self.kind == 'within' else f'{self.kind} '}{self.target:.2f}"

    def __str__(self) -> str:
        return f"{self.of}: {self.must_be}"


@dataclass(frozen=True)
class Experiment:
    """A simulation, and what it shall show.

    Args:
        family: of promises, such as ``coverage``.
        name: of the experiment: the world, how many datums and models.
        repeat: computes one repetition.
        promises: about what it counts.
        repetitions: when no other number is wished.
    """

    family: str
    name: str
    repeat: Simulation
    promises: Sequence[Promise]
    repetitions: int = 1000


@dataclass(frozen=True)
class Result:
    """A promise with what was measured.

    Args:
        experiment: its name.
        promise: that was checked.
        cases: repetitions that claimed something.
        repetitions: all of them.
        estimate: the share, or the mean; NaN without a case.
        low, high: 95 % bounds: exact ones of a share, Student's of a mean.
    """

    family: str
    experiment: str
    promise: Promise
    cases: int
    repetitions: int
    estimate: float
    low: float
    high: float

    @classmethod
    def of(cls, experiment: Experiment, promise: Promise, counts: Sequence[Counts]) -> Result:
        """Count a promise's quantity over all repetitions."""
        drawn = [count.get(promise.of) for count in counts]
        known = np.array([value for value in drawn if value is not None], float)
        bounds = _of_mean(known) if promise.kind == "within" else _of_share(known)
        return cls(experiment.family, experiment.name, promise, len(known), len(drawn), *bounds)

    @property
    def greyed(self) -> float:
        """Share of the repetitions in which nothing was claimed."""
        return 1 - self.cases / max(1, self.repetitions)

    @property
    def verdict(self) -> Literal["holds", "fails", "open"]:
        """Whether the bound reaches the target, both bounds miss it, or more cases must tell."""
        target, kind = self.promise.target, self.promise.kind
        if not self.cases:
            return "open"
        if kind == "at least":
            return _verdict(self.low >= target - SLACK, self.high < target)
        if kind == "at most":
            return _verdict(self.high <= target + SLACK, self.low > target)
        far = max(abs(self.low), abs(self.high))
        holds = abs(self.estimate) <= target and far <= target + SLACK
        return _verdict(holds, max(self.low, -self.high) > target)


def _verdict(holds: bool, fails: bool) -> Literal["holds", "fails", "open"]:
    return "holds" if holds else "fails" if fails else "open"


def _of_share(known: np.ndarray) -> tuple[float, float, float]:
    """Share and its bounds by Clopper and Pearson 1934."""
    right, count = int(known.sum()), len(known)
    if not count:
        return np.nan, 0.0, 1.0
    low, high = stats.binomtest(right, count).proportion_ci(0.95, method="exact")
    return right / count, float(low), float(high)


def _of_mean(known: np.ndarray) -> tuple[float, float, float]:
    """Mean and its bounds by Student's t."""
    if len(known) < 2:
        return np.nan, -np.inf, np.inf
    mean, error = known.mean(), known.std(ddof=1) / np.sqrt(len(known))
    half = stats.t.ppf(0.975, len(known) - 1) * error
    return float(mean), float(mean - half), float(mean + half)
