"""Permutation test: whether the difference of two runs is chance.

Where a metric is a share of datums, as accuracy is, McNemar's test says so. Of
every other metric it is a permutation test: if it did not matter whose predictions are whose,
exchanging them on a random half of the datums would often make as large a difference. All
differences of a comparison are drawn under the same permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

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
from velour_plugin.ranking.uncertainty.statistics import holm, mcnemar, step_down
from velour_plugin.ranking.uncertainty.units import Exchanges, Units

LEVEL = 0.05
"""A p-value above it is not taken for a difference, as is the custom."""

_AT_ONCE = 1 << 21
"""Weights in memory at the same time: 16 MB."""


@dataclass(frozen=True, slots=True)
class Tested:
    """A difference and what decides its p-value.

    Args:
        row: with McNemar's p where the metric is a share of datums.
        permuted: ``(permutations,)`` differences under the pair's permutations; empty where p is
            known, or none were drawn.
    """

    row: Difference
    permuted: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def with_p(family: Sequence[Tested]) -> list[Difference]:
    """Give each difference its p-value, adjusted for being one of several.

    Permuted ones by Westfall and Young's step-down, McNemar's by Holm's method; where a family
    has both, each p is doubled, as each method then answers for its half of the error.
    """
    drawn = [each for each in family if each.permuted.size and each.row.difference is not None]
    paired = [each for each in family if each.row.p is not None]
    factor = 2 if drawn and paired else 1
    chances: dict[int, float] = {}
    if drawn:
        differences = np.array([each.row.difference for each in drawn], float)
        adjusted = step_down(differences, np.stack([each.permuted for each in drawn], axis=1))
        chances |= zip(map(id, drawn), adjusted.tolist(), strict=True)
    chances |= zip(map(id, paired), holm([each.row.p or 0.0 for each in paired]), strict=True)
    return [
        replace(each.row, p=min(1.0, factor * chances[id(each)]))
        if id(each) in chances
        else each.row
        for each in family
    ]


class Pair:
    """Both runs' ledgers concatenated; 0/1 weights choose whose predictions count, per datum.

    Args:
        first: the baseline.
        second: the candidate.
        metric: that is compared, of all labels or of one.
        permutations: how many to draw.
        seed: of the permutations.
        units: groups of the baseline's selected datums, which are exchanged whole; ``None`` for
            each datum by itself.

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
        units: Units | None = None,
    ) -> None:
        self.selected, self.units = first.selected, units
        self.is_grouped = units is not None and not units.are_datums
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
        """Lines where p is not from permutations, or where these are few; empty otherwise."""
        if not self.permutations:
            return []
        if self._outcomes(self.metric, self.label):
            return [f"p of {self.metric} is by McNemar's mid-p test."]
        exchanges = self._exchanges()
        if not exchanges.are_all or exchanges.least_p <= LEVEL:
            return []
        return [
            f"{exchanges.units.count} groups have {exchanges.count + 1} ways to exchange them: no "
            f"p is below {exchanges.least_p:.4g}, however large the difference."
        ]

    def differences(self, selected: NDArray[np.bool_], about: str) -> list[Tested]:
        """Compare the metric itself, first, then that of each label, in the order of labels."""
        sides = self._weights(selected, np.stack([~selected, selected]))
        keys = list(dict.fromkeys(key for weights in sides for key in self._keys(weights)))
        return self._tested(keys, sides, selected, about)

    def headline(self, selected: NDArray[np.bool_], about: str) -> Tested:
        """Compare the metric itself only."""
        sides = self._weights(selected, np.stack([~selected, selected]))
        return self._tested([(self.metric, self.label)], sides, selected, about)[0]

    def _tested(
        self,
        keys: Sequence[MetricKey],
        sides: NDArray[np.int64],
        selected: NDArray[np.bool_],
        about: str,
    ) -> list[Tested]:
        """One difference a metric; ``sides`` are the weightings of the first and second run."""
        first, second = self.evaluator.values(self.joined, keys, sides)
        rows = [
            Difference(
                about if key[1] in (None, self.label) else label_text(key[1]),
                key[0],
                int(selected.sum()),
                ours,
                theirs,
                less(theirs, ours),
                None,
            )
            for key, ours, theirs in zip(keys, _known(first), _known(second), strict=True)
        ]
        if not self.permutations:
            return [Tested(row) for row in rows]
        paired = [self._mcnemar(key, selected) for key in keys]
        drawn = [key for key, p in zip(keys, paired, strict=True) if p is None]
        permuted = iter(self._permuted(drawn, selected, about).T)
        return [
            Tested(replace(row, p=p)) if p is not None else Tested(row, next(permuted))
            for row, p in zip(rows, paired, strict=True)
        ]

    def _mcnemar(self, key: MetricKey, selected: NDArray[np.bool_]) -> float | None:
        """McNemar's p of a metric that is a share of datums; ``None`` of any other."""
        outcomes = self._outcomes(*key)
        if outcomes is None:
            return None
        ours, theirs = (right & tried & selected for right, tried in outcomes)
        return mcnemar(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))

    def _permuted(
        self, keys: Sequence[MetricKey], selected: NDArray[np.bool_], about: str
    ) -> NDArray[np.float64]:
        """Differences when predictions are exchanged on random halves of the datums or groups.

        Returns:
            ``(exchanges, keys)``; NaN where undefined.
        """
        exchanges = self._exchanges()
        permuted = np.empty((exchanges.count, len(keys)))
        step = max(1, _AT_ONCE // (2 * max(1, len(self.joined.datums))))
        starts = range(0, exchanges.count if keys else 0, step)
        for start in track(starts, len(starts), f"permuting {about}"):
            some = min(step, exchanges.count - start)
            swap = exchanges.draw(some)
            weights = self._weights(selected, np.concatenate([swap, ~swap]))
            first, second = np.split(self.evaluator.values(self.joined, keys, weights), 2)
            permuted[start : start + some] = second - first
        return permuted

    def _exchanges(self) -> Exchanges:
        """Exchanges of the selected datums, of whole groups where there are any."""
        if self.units is None:
            return Exchanges(Units.of_datums(self.count), self.permutations, self.seed)
        return Exchanges(self.units, self.permutations, self.seed, self.selected)

    def _outcomes(
        self, metric: str, label: Label | None
    ) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] | None:
        """Right and tried datums of both runs, where a metric is a share of independent datums."""
        if self.is_grouped:
            return None
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
