"""Which ranks runs may have: confidence sets from all paired differences at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_plugin.ranking.uncertainty.differences import Differences


def surely_better(differences: Differences, confidence: float) -> NDArray[np.bool_]:
    """Tell which runs are better than which, ``(runs, runs)``: i than j.

    With probability ``confidence`` or more, all of it is true. Differences that are clear are
    found first; those that are left are fewer, and need not be as clear (step-down).

    Source: Romano and Wolf 2005, Exact and approximate stepdown methods for multiple hypothesis
    testing.
    """
    undecided = ~np.eye(len(differences.values), dtype=bool)
    better = np.zeros_like(undecided)
    while undecided.any():
        critical = differences.critical(undecided, confidence)
        clear = undecided & (differences.scores > critical)
        if not clear.any():
            break
        better |= clear
        undecided &= ~clear
    return better


def rank_sets(differences: Differences, confidence: float) -> NDArray[np.int64]:
    """Return the best and the worst rank that each run may have, ``(runs, 2)``; 1 is best.

    A run is below all that are surely better, and above all that are surely worse. With
    probability ``confidence`` or more, the true ranks of all runs lie in their sets at once.

    Source: Mogstad, Romano, Shaikh and Wilhelm 2023, Inference for ranks with applications to
    mobility across neighbourhoods and academic achievement across countries.
    """
    better = surely_better(differences, confidence)
    return np.column_stack([1 + better.sum(axis=0), len(better) - better.sum(axis=1)])
