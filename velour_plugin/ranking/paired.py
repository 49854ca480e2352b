"""Whether the difference of two runs is chance.

Where a metric is a share of datums, as accuracy is, McNemar's exact test says so. Of
every other metric it is a permutation test: if it did not matter whose predictions are whose,
exchanging them on a random half of the datums would often make as large a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from velour_plugin.answers import Difference
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import UnknownName
from velour_plugin.evaluator import Evaluator
from velour_plugin.progress import track
from velour_plugin.ranking.run_lookup import EvaluatedLedger
from velour_plugin.ranking.statistics import mcnemar

_Key = tuple[str, Label | None]


class Pair:
    """Two ledgers in one, so that a weighting of its datums says whose predictions count where."""

    def __init__(
        self,
        first: EvaluatedLedger,
        second: EvaluatedLedger,
        metric: str,
        permutations: int,
        seed: int,
    ) -> None:
        self.evaluator: Evaluator = first.evaluator
        self.ledgers = (first.ledger, second.ledger)
        self.count = len(first.ledger.datums)
        self.metric, self.permutations, self.seed = metric, permutations, seed
        ours, theirs = _renamed(first.ledger, "a"), _renamed(second.ledger, "b")
        self.both = self.evaluator.concatenate([ours, theirs])
        place = {uid: at for at, uid in enumerate(self.both.datums)}
        self.ours = np.array([place[uid] for uid in ours.datums])
        self.theirs = np.array([place[uid] for uid in theirs.datums])
        self.measure, key = self._measure(), self.metric.rpartition("/")[0]
        self.key = key or (self.both.labels[0][0] if self.both.labels else "")

    @property
    def notes(self) -> list[str]:
        """How the headline's p came about, where it is not the usual way."""
        exact = self.permutations and self._outcomes(self.metric, None)
        return [f"p of {self.metric} is by McNemar's exact test."] if exact else []

    def differences(self, selected: NDArray[np.bool_], about: str) -> list[Difference]:
        """The headline first, then labels by how much they changed."""
        none = np.zeros(self.count, bool)
        first, second = self._values(selected, none), self._values(selected, ~none)
        chance = self._chances(selected, first, second, about) if self.permutations else {}
        rows = [
            Difference(
                about if label is None else f"{label.key}={label.value}",
                name,
                int(selected.sum()),
                first.get((name, label)),
                second.get((name, label)),
                less(second.get((name, label)), first.get((name, label))),
                chance.get((name, label)),
            )
            for name, label in dict.fromkeys((*first, *second))
        ]
        return [*rows[:1], *sorted(rows[1:], key=lambda row: -abs(row.difference or 0.0))]

    def _chances(
        self,
        selected: NDArray[np.bool_],
        first: Mapping[_Key, float | None],
        second: Mapping[_Key, float | None],
        about: str,
    ) -> dict[_Key, float]:
        """How likely chance makes such a difference, of each that is defined."""
        chances: dict[_Key, float] = {}
        asked = [key for key in first if less(second.get(key), first[key]) is not None]
        for key in asked:
            outcomes = self._outcomes(*key)
            if outcomes is not None:
                ours, theirs = (right & tried & selected for right, tried in outcomes)
                chances[key] = mcnemar(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))
        drawn = [key for key in asked if key not in chances]
        as_large = dict.fromkeys(drawn, 1)
        random, number = np.random.default_rng(self.seed), self.permutations if drawn else 0
        for _ in track(range(number), number, f"permuting {about}"):
            swap = random.random(self.count) < 0.5
            one, other = self._values(selected, swap), self._values(selected, ~swap)
            for key in drawn:
                as_large[key] += _as_large(one.get(key), other.get(key), first[key], second[key])
        return chances | {key: often / (self.permutations + 1) for key, often in as_large.items()}

    def _outcomes(
        self, metric: str, label: Label | None
    ) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] | None:
        """Right and tried datums of both runs, where a metric is a share of datums."""
        found = [self.evaluator.outcomes(ledger, metric, label) for ledger in self.ledgers]
        known = [one for one in found if one is not None]
        return known if len(known) == 2 else None

    def _values(
        self, selected: NDArray[np.bool_], second: NDArray[np.bool_]
    ) -> dict[_Key, float | None]:
        """The metric and that of each label, the second run's predictions on some datums."""
        weights = np.zeros(len(self.both.datums), np.int64)
        weights[self.ours] = selected & ~second
        weights[self.theirs] = selected & second
        measured = self.measure(self.both, None, weights)
        return {(one.name, one.label): one.value for one in measured if self._is_asked(one)}

    def _is_asked(self, one: Metric) -> bool:
        if one.label is None:
            return one.name == self.metric
        own = self.evaluator.of_label.get(self.metric.rpartition("/")[2])
        return one.name == own and one.label.key == self.key

    def _measure(self) -> Callable[..., list[Metric]]:
        """What gives the metric: what is measured often, or else the details.

        Raises:
            UnknownName: neither does.
        """
        known: list[str] = []
        for measure in (self.evaluator.measure, self.evaluator.details):
            numbers = [
                one.name
                for one in measure(self.ledgers[0])
                if one.label is None and (one.value is None or isinstance(one.value, (int, float)))
            ]
            if self.metric in numbers:
                return measure
            known += numbers
        raise UnknownName("metric", self.metric, known)


def _renamed(ledger: Ledger, side: str) -> Ledger:
    """Names that keep their order, which breaks ties, and differ from the other side's."""
    return replace(ledger, datums=tuple(f"{side}{at:012}" for at in range(len(ledger.datums))))


def less(a: float | None, b: float | None) -> float | None:
    """The first number less the second, where both are defined."""
    return None if a is None or b is None else a - b


def _as_large(
    one: float | None, other: float | None, first: float | None, second: float | None
) -> bool:
    swapped, real = less(other, one), less(second, first)
    if swapped is None or real is None:
        return False
    return abs(swapped) >= abs(real) * (1 - 1e-9)
