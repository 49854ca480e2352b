"""Permutation test: whether the difference of two runs is chance.

Where a metric is a share of datums, as accuracy is, McNemar's test says so. Of
every other metric it is a permutation test: if it did not matter whose predictions are whose,
exchanging them on a random half of the datums would often make as large a difference. All
differences of a comparison are drawn under the same permutations, as many as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from velour_plugin.answers import Difference
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import MetricKey
from velour_plugin.ranking.comparing.paired_difference import PairedDifference
from velour_plugin.ranking.uncertainty.statistics import holm, step_down

Mask = NDArray[np.bool_]

_FIRST = 200
"""Permutations after which it is first asked whether p is clear."""

CLEAR = 20
"""As many permutations with as large a difference make p clear: more would move it little
(Besag and Clifford 1991 propose 10 to 20)."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Both runs' ledgers concatenated; 0/1 weights choose whose predictions count, per datum.

    Args:
        ledger: of the datums that count, or of more.
        selected: ``(datums,)`` of one run, those that count.
        indices: of those.
        ours: ``(indices,)``, where they are in the ledger with the first run's predictions.
        theirs: the same of the second run.
    """

    ledger: Ledger
    selected: Mask
    indices: NDArray[np.intp]
    ours: NDArray[np.intp]
    theirs: NDArray[np.intp]

    @property
    def sides(self) -> NDArray[np.int64]:
        """Two weightings: of the first run's predictions, and of the second's."""
        return self.weights(np.arange(2)[:, None] == np.ones(len(self.indices)))

    def weights(self, second: Mask) -> NDArray[np.int64]:
        """Weight the ledger's datums: the second run's predictions count where ``second`` is.

        Args:
            second: ``(n, indices)``.

        Returns:
            ``(n, datums of the ledger)`` of 0 and 1.
        """
        weights = np.zeros((len(second), len(self.ledger.datums)), np.int64)
        weights[:, self.ours] = ~second
        weights[:, self.theirs] = second
        return weights


@dataclass(frozen=True, slots=True)
class Tested:
    """A difference, and how sure it is.

    Args:
        row: with McNemar's p where the metric is a share of datums.
        key: the metric, and its class.
        part: the ledgers over the datums that count.
        paired: its spread; ``None`` where it is unknown.
    """

    row: Difference
    key: MetricKey
    part: Part
    paired: PairedDifference | None = None


class Family:
    """Differences whose p-values are adjusted for being several, from the same permutations.

    Permuted ones by Westfall and Young's step-down, McNemar's by Holm's method; where a family
    has both, each p is doubled, as each method then answers for its half of the error.

    A p-value is final when :data:`CLEAR` permutations have made as large a difference, or when all
    were drawn. Such p-values are valid: p is at most any level only where at least as few of the
    permutations would have been as large when the number of them made that level possible.

    Source: Besag and Clifford 1991, Sequential Monte Carlo p-values.
    """

    def __init__(self, tested: Sequence[Tested]) -> None:
        self.tested = tested
        self.drawn = [
            each for each in tested if each.row.p is None and each.row.difference is not None
        ]
        self._differences = np.array([each.row.difference for each in self.drawn], float)
        self._permuted = np.empty((0, len(self.drawn)))
        self._p = np.full(len(self.drawn), np.nan)

    @property
    def is_clear(self) -> bool:
        """Whether no further permutation is of use."""
        return bool(self._is_final().all())

    @property
    def permutations(self) -> int:
        """How many were drawn."""
        return len(self._permuted)

    def add(self, permuted: NDArray[np.float64]) -> None:
        """Take further permuted differences, ``(n, drawn)``; NaN where undefined."""
        is_open = ~self._is_final()
        self._permuted = np.concatenate([self._permuted, permuted])
        self._p[is_open] = step_down(self._differences, self._permuted)[is_open]

    def rows(self) -> list[Difference]:
        """Return the differences with their p-values."""
        paired = [each for each in self.tested if each.row.p is not None]
        factor = 2 if paired and self.permutations else 1
        adjusted = holm([each.row.p or 0.0 for each in paired])
        chances = dict(zip(map(id, paired), adjusted, strict=True))
        if self.permutations:
            chances |= zip(map(id, self.drawn), self._p.tolist(), strict=True)
        return [
            replace(each.row, p=min(1.0, factor * chances[id(each)]))
            if id(each) in chances
            else each.row
            for each in self.tested
        ]

    def _is_final(self) -> NDArray[np.bool_]:
        as_large = self._p * (len(self._permuted) + 1) - 1
        return as_large >= CLEAR - 0.5


def stages(count: int) -> Iterator[int]:
    """Divide permutations into stages, each of which doubles them, after which p may be clear.

    >>> list(stages(1000))
    [200, 200, 400, 200]
    """
    begin = 0
    while begin < count:
        end = min(count, max(_FIRST, 2 * begin))
        yield end - begin
        begin = end
