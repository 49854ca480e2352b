"""How sure a ranking is: intervals, ranks and chances of each run, from paired resamples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from velour_plugin.ranking.uncertainty import statistics
from velour_plugin.ranking.uncertainty.bootstrap import Measurement
from velour_plugin.ranking.uncertainty.intervals import ConfidenceInterval


class Uncertainty:
    """Intervals, ranks and chances of runs, which are rows; ``None`` where nothing was drawn.

    Args:
        measured: values and replicates of each run; replicate i of all runs is of one resample.
        bounds: the lowest and highest value that the metric can have.
        lower_is_better: whether small values come first.
        confidence: of intervals, in (0, 1).
    """

    def __init__(
        self,
        measured: Sequence[Measurement],
        bounds: tuple[float | None, float | None],
        lower_is_better: bool,
        confidence: float,
    ) -> None:
        self.measured, self.confidence = measured, confidence
        self.bounds, self.lower_is_better = bounds, lower_is_better
        self.known = [row for row, each in enumerate(measured) if each.value is not None]
        drawn = {len(measured[row].replicates) for row in self.known}
        self.drawn = len(drawn) == 1 and drawn != {0}
        if self.drawn:
            replicates = np.stack([measured[row].replicates for row in self.known])
            values = [measured[row].value for row in self.known]
            scores = statistics.recentred(values, replicates)
            self.ranks = statistics.rank_replicates(scores, lower_is_better)
            self.chances = statistics.best_probabilities(self.ranks)

    def interval(self, row: int) -> ConfidenceInterval | None:
        """Return the confidence interval of a row; ``None`` without replicates."""
        if not self._is_drawn(row):
            return None
        return self.measured[row].interval(self.confidence, self.bounds)

    def rank_interval(self, row: int) -> tuple[int, int] | None:
        """Return the interval (best, worst) of a row's rank; ``None`` without replicates."""
        if not self._is_drawn(row):
            return None
        return statistics.rank_interval(self.ranks[self.known.index(row)], self.confidence)

    def p_best(self, row: int) -> float | None:
        """Return the share of resamples in which a row is best; ``None`` without replicates."""
        return float(self.chances[self.known.index(row)]) if self._is_drawn(row) else None

    def tied_with_best(self, row: int) -> bool | None:
        """Whether the interval of the paired difference to the best includes 0, or ``None``."""
        if not self._is_drawn(row):
            return None
        sign = -1 if self.lower_is_better else 1
        best = max(self.known, key=lambda index: sign * (self.measured[index].value or 0.0))
        this, leader = self.measured[row], self.measured[best]
        assert this.value is not None
        assert leader.value is not None
        interval = statistics.basic_interval(
            leader.value - this.value, leader.replicates - this.replicates, self.confidence
        )
        return interval is None or interval[0] <= 0 <= interval[1]

    def _is_drawn(self, row: int) -> bool:
        return self.drawn and row in self.known
