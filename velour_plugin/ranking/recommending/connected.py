"""Runs that met one another on some datums only, on one scale: least squares of their differences.

Every two runs are compared over the datums that both have. A run that never met another is compared
through those that met both, which assumes that what one is better by is alike on all datums.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def combined_scores(
    pairs: Sequence[tuple[int, int]], weights: Floats, differences: Floats, runs: int
) -> Floats:
    """Find the scores whose differences are nearest to those observed, by weighted least squares.

    Where every two runs met on the same datums, their differences agree and the scores differ
    exactly by them. It is linear, so that resamples of differences give resamples of scores.

    Args:
        pairs: runs that were compared, each two once; all runs are connected by them.
        weights: ``(pairs,)`` > 0, such as how many datums the pair has.
        differences: ``(pairs, …)`` the first run of a pair less the second, in the metric's units.
        runs: how many there are.

    Returns:
        ``(runs, …)``, in sum 0; NaN in a column where a difference is NaN.

    Source: Rücker 2012, Network meta-analysis, electrical networks and graph theory. Measured on
    models of equal and of different truth that met on one to three of three datasets (accuracy): a
    true best was wrongly excluded as often as where all met. Strengths of Bradley and Terry 1952
    from the shares of resamples that each wins were measured too, and lost: they have neither the
    metric's units nor a standard error.
    """
    design = np.zeros((len(pairs), runs))
    for row, (first, second) in enumerate(pairs):
        design[row, first], design[row, second] = 1.0, -1.0
    weighted = design.T * weights
    solved: Floats = np.tensordot(np.linalg.pinv(weighted @ design) @ weighted, differences, 1)
    return solved


def connected(met: Iterable[Iterable[str]]) -> list[list[int]]:
    """Group sets that share an item, directly or through other sets; indices in rising order.

    >>> connected([["a", "b"], ["c"], ["b", "d"], ["d"]])
    [[0, 2, 3], [1]]
    """
    parts: list[tuple[list[int], set[str]]] = []
    for index, items in enumerate(met):
        together, known = [index], set(items)
        apart = []
        for indices, others in parts:
            if known.isdisjoint(others):
                apart.append((indices, others))
            else:
                together, known = [*indices, *together], known | others
        parts = [*apart, (together, known)]
    return sorted(sorted(indices) for indices, _ in parts)
