"""Permutation test: whether the difference of two runs is chance.

Where a metric is a share of datums, as accuracy is, McNemar's exact test says so. Of
every other metric it is a permutation test: if it did not matter whose predictions are whose,
exchanging them on a random half of the datums would often make as large a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from velour_plugin.answers import Difference
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label, label_text
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import UnknownName
from velour_plugin.evaluator import Evaluator, MetricKey
from velour_plugin.helpers.progress import track
from velour_plugin.ranking.candidates.run_lookup import EvaluatedLedger
from velour_plugin.ranking.uncertainty.statistics import mcnemar

_AT_ONCE = 1 << 21
"""Weights in memory at the same time: 16 MB."""


class Pair:
    """Both runs' ledgers concatenated; 0/1 weights choose whose predictions count, per datum.

    Args:
        first: the baseline.
        second: the candidate.
        metric: that is compared, of all labels or of one.
        permutations: how many to draw.
        seed: of the permutations.

    Raises:
        UnknownName: the baseline has no such metric.
    """

    def __init__(
        self,
        first: EvaluatedLedger,
        second: EvaluatedLedger,
        metric: MetricKey,
        permutations: int,
        seed: int,
    ) -> None:
        self.evaluator: Evaluator = first.evaluator
        self.ledgers = (first.ledger, second.ledger)
        self.count = len(first.ledger.datums)
        (self.metric, self.label), self.permutations, self.seed = metric, permutations, seed
        ours, theirs = _renamed(first.ledger, "a"), _renamed(second.ledger, "b")
        self.joined = self.evaluator.concatenate([ours, theirs])
        index_of = {uid: index for index, uid in enumerate(self.joined.datums)}
        self.ours = np.array([index_of[uid] for uid in ours.datums])
        self.theirs = np.array([index_of[uid] for uid in theirs.datums])
        self.measure, key = self._measure(), self.metric.rpartition("/")[0]
        self.key = key or (self.joined.labels[0][0] if self.joined.labels else "")

    @property
    def notes(self) -> list[str]:
        """A line where p is from an exact test; empty otherwise."""
        exact = self.permutations and self._outcomes(self.metric, self.label)
        return [f"p of {self.metric} is by McNemar's exact test."] if exact else []

    def differences(self, selected: NDArray[np.bool_], about: str) -> list[Difference]:
        """Compare the metric itself, first, then that of each label, largest change first."""
        sides = self._weights(selected, np.stack([~selected, selected]))
        keys = list(dict.fromkeys(key for weights in sides for key in self._keys(weights)))
        rows = self._differences(keys, sides, selected, about)
        return [*rows[:1], *sorted(rows[1:], key=lambda row: -abs(row.difference or 0.0))]

    def headline(self, selected: NDArray[np.bool_], about: str) -> Difference:
        """Compare the metric itself only."""
        sides = self._weights(selected, np.stack([~selected, selected]))
        return self._differences([(self.metric, self.label)], sides, selected, about)[0]

    def _differences(
        self,
        keys: Sequence[MetricKey],
        sides: NDArray[np.int64],
        selected: NDArray[np.bool_],
        about: str,
    ) -> list[Difference]:
        """One line a metric; ``sides`` are the weightings of the first and the second run."""
        first, second = self.evaluator.values(self.joined, keys, sides)
        chance = self._chances(keys, second - first, selected, about) if self.permutations else {}
        return [
            Difference(
                about if key[1] in (None, self.label) else label_text(key[1]),
                key[0],
                int(selected.sum()),
                ours,
                theirs,
                less(theirs, ours),
                chance.get(key),
            )
            for key, ours, theirs in zip(keys, _known(first), _known(second), strict=True)
        ]

    def _chances(
        self,
        keys: Sequence[MetricKey],
        real: NDArray[np.float64],
        selected: NDArray[np.bool_],
        about: str,
    ) -> dict[MetricKey, float]:
        """How likely chance makes such a difference, of each that is defined."""
        defined = [key for key, value in zip(keys, real, strict=True) if not np.isnan(value)]
        chances = self._exact(defined, selected)
        drawn = [key for key in defined if key not in chances]
        if not drawn:
            return chances
        least = np.abs(real[[keys.index(key) for key in drawn]]) * (1 - 1e-9)
        as_large = np.ones(len(drawn), np.int64)
        for swapped in self._permuted(drawn, selected, about):
            as_large += (np.abs(swapped) >= least).sum(axis=0)
        often = (as_large / (self.permutations + 1)).tolist()
        return chances | dict(zip(drawn, often, strict=True))

    def _exact(
        self, keys: Sequence[MetricKey], selected: NDArray[np.bool_]
    ) -> dict[MetricKey, float]:
        """McNemar's p of the metrics that are shares of datums."""
        chances = {}
        for key in keys:
            outcomes = self._outcomes(*key)
            if outcomes is not None:
                ours, theirs = (right & tried & selected for right, tried in outcomes)
                chances[key] = mcnemar(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))
        return chances

    def _permuted(
        self, keys: Sequence[MetricKey], selected: NDArray[np.bool_], about: str
    ) -> Iterator[NDArray[np.float64]]:
        """Differences when predictions are exchanged on a random half, some permutations a time.

        Yields:
            ``(some, keys)``; NaN where undefined.
        """
        random = np.random.default_rng(self.seed)
        step = max(1, _AT_ONCE // (2 * max(1, len(self.joined.datums))))
        starts = range(0, self.permutations, step)
        for start in track(starts, len(starts), f"permuting {about}"):
            some = min(step, self.permutations - start)
            swap = random.random((some, self.count)) < 0.5
            weights = self._weights(selected, np.concatenate([swap, ~swap]))
            first, second = np.split(self.evaluator.values(self.joined, keys, weights), 2)
            yield second - first

    def _outcomes(
        self, metric: str, label: Label | None
    ) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] | None:
        """Right and tried datums of both runs, where a metric is a share of datums."""
        sides = [self.evaluator.outcomes(ledger, metric, label) for ledger in self.ledgers]
        known = [side for side in sides if side is not None]
        return known if len(known) == 2 else None

    def _weights(self, selected: NDArray[np.bool_], second: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Weights of both runs' datums: the second run's predictions count where ``second`` is.

        Args:
            selected: ``(datums,)``, those that count.
            second: ``(n, datums)``.

        Returns:
            ``(n, datums of both)`` of 0 and 1.
        """
        weights = np.zeros((len(second), len(self.joined.datums)), np.int64)
        weights[:, self.ours] = selected & ~second
        weights[:, self.theirs] = selected & second
        return weights

    def _keys(self, weights: NDArray[np.int64]) -> list[MetricKey]:
        """The metric, and that of each label, as far as there are any under a weighting."""
        measured = self.measure(self.joined, None, weights)
        return [(item.name, item.label) for item in measured if self._is_compared(item)]

    def _is_compared(self, item: Metric) -> bool:
        if self.label is not None or item.label is None:
            return (item.name, item.label) == (self.metric, self.label)
        of_label = self.evaluator.of_label.get(self.metric.rpartition("/")[2])
        return item.name == of_label and item.label.key == self.key

    def _measure(self) -> Callable[..., list[Metric]]:
        """The evaluator's method that computes the metric: ``measure``, or else ``details``.

        Raises:
            UnknownName: neither does.
        """
        known: list[str] = []
        for measure in (self.evaluator.measure, self.evaluator.details):
            numbers = [
                item.name
                for item in measure(self.ledgers[0])
                if item.label == self.label
                and (item.value is None or isinstance(item.value, (int, float)))
            ]
            if self.metric in numbers:
                return measure
            known += numbers
        raise UnknownName("metric", self.metric, known)


def _renamed(ledger: Ledger, side: str) -> Ledger:
    """Names that keep their order, which breaks ties, and differ from the other side's."""
    return replace(ledger, datums=tuple(f"{side}{at:012}" for at in range(len(ledger.datums))))


def less(a: float | None, b: float | None) -> float | None:
    """Return the first number less the second; ``None`` where one is undefined."""
    return None if a is None or b is None else a - b


def _known(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]
