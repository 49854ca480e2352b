"""How sure a ranking is: intervals, ranks and chances of each run, from paired resamples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from velour_plugin.ranking.uncertainty import statistics
from velour_plugin.ranking.uncertainty.best_set import best_set
from velour_plugin.ranking.uncertainty.differences import Differences
from velour_plugin.ranking.uncertainty.intervals import ConfidenceInterval
from velour_plugin.ranking.uncertainty.measurement import Measurement
from velour_plugin.ranking.uncertainty.rank_sets import rank_sets


class Uncertainty:
    """Intervals, ranks and chances of runs, which are rows; ``None`` where nothing was drawn.

    Args:
        measured: values and replicates of each run; replicate i of all runs is of one resample.
        bounds: the lowest and highest value that the metric can have.
        lower_is_better: whether small values come first.
        confidence: of intervals, and of all ranks and the set of the best at once, in (0, 1).
    """

    def __init__(
        self,
        measured: Sequence[Measurement],
        bounds: tuple[float | None, float | None],
        lower_is_better: bool,
        confidence: float,
    ) -> None:
        self.measured, self.confidence, self.bounds = measured, confidence, bounds
        self.known = [row for row, each in enumerate(measured) if _is_known(each)]
        drawn = {len(measured[row].replicates) for row in self.known}
        self.drawn = len(drawn) == 1
        if self.drawn:
            replicates = np.stack([measured[row].replicates for row in self.known])
            values = np.array([measured[row].value for row in self.known], np.float64)
            scores = statistics.recentred(values.tolist(), replicates)
            self.chances = statistics.best_probabilities(
                statistics.rank_replicates(scores, lower_is_better)
            )
            differences = Differences.of_replicates(
                -values if lower_is_better else values,
                replicates,
                min(*drawn, *(measured[row].units for row in self.known)),
            )
            self.ranks = rank_sets(differences, confidence)
            self.best = best_set(differences, confidence)

    def interval(self, row: int) -> ConfidenceInterval | None:
        """Return the confidence interval of a row; ``None`` without replicates."""
        if not self._is_drawn(row):
            return None
        return self.measured[row].interval(self.confidence, self.bounds)

    def rank_interval(self, row: int) -> tuple[int, int] | None:
        """Return the best and worst rank that a row may have; ``None`` without replicates.

        Rows with a value of which resamples tell too little may have any rank.
        """
        if not self._is_drawn(row):
            return None
        best, worst = self.ranks[self.known.index(row)]
        unclear = sum(each.value is not None for each in self.measured) - len(self.known)
        return int(best), int(worst) + unclear

    def p_best(self, row: int) -> float | None:
        """Return the share of resamples in which a row is best; ``None`` without replicates."""
        return float(self.chances[self.known.index(row)]) if self._is_drawn(row) else None

    def tied_with_best(self, row: int) -> bool | None:
        """Whether a row is in the model confidence set; ``None`` without replicates."""
        return bool(self.best[self.known.index(row)]) if self._is_drawn(row) else None

    def _is_drawn(self, row: int) -> bool:
        return self.drawn and row in self.known


def _is_known(each: Measurement) -> bool:
    """Whether a run has a value, and one under at least half of the resamples."""
    undefined = np.isnan(each.replicates).sum()
    return each.value is not None and 0 < len(each.replicates) >= 2 * undefined
