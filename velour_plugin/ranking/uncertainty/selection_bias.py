"""The value of the first of several runs, corrected for its having been chosen for that value."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from velour_plugin.ranking.uncertainty.differences import Differences
from velour_plugin.ranking.uncertainty.shrinkage import NEARLY_EQUAL, true_values

LEAST = 3
"""Of two runs, the first owes little to chance, and nothing tells how much runs differ."""


class Corrected(NamedTuple):
    """A value that is corrected for selection, with its confidence interval."""

    value: float
    low: float
    high: float


def after_selection(differences: Differences, row: int, confidence: float) -> Corrected:
    """Return what a run is worth, whatever it was chosen for; of its values, more is better.

    The mean and central quantiles of its posterior, which selection does not change. More than in
    probabilities of being best, runs are held to be nearly equal: those are about runs that
    differ, this must be true of equal ones.

    Measured for the first of 20 at 50 datums, 95 %, 250 boards: of equal models (accuracy) the
    bias is +0.013 and the coverage 0.92, where the value itself has +0.10 and 0.73; of models with
    a deviation of 0.065, -0.012 and 0.98.

    Source: Efron 2011, Tweedie's formula and selection bias; Dawid 1994, Selection paradoxes of
    Bayesian inference.
    """
    first = differences.alike.argmax(axis=1)
    distinct, model = np.unique(first, return_inverse=True)
    drawn = true_values(differences.among(distinct), NEARLY_EQUAL)[:, model[row]]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Corrected(float(drawn.mean()), float(low), float(high))
