"""Two runs side by side: values of both, how sure their differences are, and permutations."""

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
from velour_plugin.ranking.comparing.paired_difference import (
    JackknifedDifference,
    SharesDifference,
    interval_of,
    jackknifed,
)
from velour_plugin.ranking.comparing.permutation_test import Family, Mask, Part, Tested, stages
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.statistics import mcnemar
from velour_plugin.ranking.uncertainty.units import Exchanges, Units

_AT_ONCE = 1 << 21
"""Weights in memory at the same time: 16 MB."""


class Pair:
    """Two runs on the same datums, to be compared.

    Args:
        first: the baseline.
        second: the candidate.
        metric: that is compared, of all labels or of one.
        permutations: how many to draw at most.
        seed: of the permutations.
        confidence: of intervals, in (0, 1).
        units: groups of the baseline's selected datums, which are exchanged and left out whole;
            ``None`` for each datum by itself.

    Raises:
        UnknownName: the baseline has no such metric.
    """

    def __init__(
        self,
        first: EvaluatedLedger,
        second: EvaluatedLedger,
        metric: MetricKey,
        *,
        permutations: int,
        seed: int,
        confidence: float,
        units: Units | None = None,
    ) -> None:
        self.evaluator: Evaluator = first.evaluator
        self.ledgers = (first.ledger, second.ledger)
        (self.metric, self.label), self.confidence = metric, confidence
        self.permutations, self.seed = permutations, seed
        self.selected, self.groups = first.selected, units
        self.units = units or Units.of_datums(int(first.selected.sum()))
        ours, theirs = _renamed(first.ledger, "a"), _renamed(second.ledger, "b")
        self.joined = self.evaluator.concatenate([ours, theirs])
        index_of = {uid: index for index, uid in enumerate(self.joined.datums)}
        self.ours = np.array([index_of[uid] for uid in ours.datums])
        self.theirs = np.array([index_of[uid] for uid in theirs.datums])
        self.measure, key = self._measure(), self.metric.rpartition("/")[0]
        self.key = key or (self.joined.labels[0][0] if self.joined.labels else "")

    @property
    def span(self) -> float | None:
        """How far two values of the metric can be apart; ``None`` where it has no bounds."""
        lowest, highest = self.evaluator.bounds(self.metric)
        return None if lowest is None or highest is None else highest - lowest

    @property
    def unit(self) -> str:
        """What is exchanged and left out, in the plural."""
        return "datums" if self.units.are_datums else "groups"

    def count(self, part: Part) -> int:
        """How many units count."""
        return self._units_of(part.selected).count

    def differences(self, selected: Mask, about: str, spread: bool) -> list[Tested]:
        """Compare the metric itself, first, then that of each label, in the order of labels.

        Args:
            selected: ``(datums,)``, those that count.
            about: what they are called.
            spread: whether it matters how sure the differences are.
        """
        part = self._part(selected)
        keys = dict.fromkeys(key for weights in part.sides for key in self._keys(part, weights))
        return self._tested(list(keys), part, about, spread)

    def headline(self, selected: Mask, about: str, spread: bool) -> Tested:
        """Compare the metric itself only; arguments as for :meth:`differences`."""
        part = self._part(selected)
        return self._tested([(self.metric, self.label)], part, about, spread)[0]

    def permute(self, families: Sequence[Family]) -> None:
        """Draw permutations for families of differences, the same for each, until all are clear."""
        exchanges = self.exchanges
        for count in [exchanges.count] if exchanges.are_all else stages(exchanges.count):
            waiting = [family for family in families if not family.is_clear]
            if not waiting or not count:
                return
            tested = [each for family in waiting for each in family.drawn]
            swaps = self._swaps(exchanges, count)
            permuted = np.concatenate([self._exchanged(tested, swap) for swap in swaps])
            ends = np.cumsum([len(family.drawn) for family in waiting])[:-1]
            for family, block in zip(waiting, np.split(permuted, ends, axis=1), strict=True):
                family.add(block)

    @property
    def exchanges(self) -> Exchanges:
        """Exchanges of the selected datums, of whole groups where there are any."""
        if self.groups is None:
            count = len(self.selected)
            return Exchanges(Units.of_datums(count), self.permutations, self.seed)
        return Exchanges(self.groups, self.permutations, self.seed, self.selected)

    def _units_of(self, selected: Mask) -> Units:
        """The units of some of the datums that count."""
        return self.units.among(selected[self.selected])

    def _part(self, selected: Mask) -> Part:
        """Both runs' ledgers over the datums that count."""
        indices = np.flatnonzero(selected)
        ours, theirs = self.ours[indices], self.theirs[indices]
        kept = np.zeros(len(self.joined.datums), bool)
        kept[ours] = kept[theirs] = True
        metrics = [self.metric, *filter(None, [self._of_label])]
        ledger = self.evaluator.restrict(self.joined, kept, metrics)
        if ledger is None:
            return Part(self.joined, selected, indices, ours, theirs)
        index = np.cumsum(kept) - 1
        return Part(ledger, selected, indices, index[ours], index[theirs])

    def _tested(
        self, keys: Sequence[MetricKey], part: Part, about: str, spread: bool
    ) -> list[Tested]:
        """One difference a metric, McNemar's p of those that are shares of datums."""
        first, second = self.evaluator.values(part.ledger, keys, part.sides)
        rows = [
            Difference(
                about if key[1] in (None, self.label) else label_text(key[1]),
                key[0],
                len(part.indices),
                ours,
                theirs,
                less(theirs, ours),
                None,
            )
            for key, ours, theirs in zip(keys, _known(first), _known(second), strict=True)
        ]
        if not spread:
            return [Tested(row, key, part) for row, key in zip(rows, keys, strict=True)]
        shares = [self._shares(key, part.selected) for key in keys]
        rough = [key for key, share in zip(keys, shares, strict=True) if share is None]
        spreads = iter(self._jackknifed(rough, part.selected))
        return [
            self._sure(Tested(row, key, part, share or next(spreads)))
            for row, key, share in zip(rows, keys, shares, strict=True)
        ]

    def _sure(self, tested: Tested) -> Tested:
        """Add the interval, and of shares of datums McNemar's p."""
        paired, p = tested.paired, None
        if isinstance(paired, SharesDifference):
            p = mcnemar(paired.only_first, paired.only_second)
            paired = paired if paired.datums >= FEW else None
        interval = None if paired is None else self._within(interval_of(paired, self.confidence))
        return replace(tested, row=replace(tested.row, p=p, interval=interval), paired=paired)

    def _within(self, interval: tuple[float, float]) -> tuple[float, float]:
        """Cut an interval where no difference can lie."""
        most = float("inf") if self.span is None else self.span
        return max(interval[0], -most), min(interval[1], most)

    def _shares(self, key: MetricKey, selected: Mask) -> SharesDifference | None:
        """Counts of a metric that is a share of datums, each a unit; ``None`` of any other."""
        outcomes = self._outcomes(*key) if self.units.are_datums else None
        if outcomes is None:
            return None
        (ours, tried), (theirs, also_tried) = outcomes
        counts = tried & also_tried & selected
        return SharesDifference(
            int((ours & ~theirs & counts).sum()),
            int((theirs & ~ours & counts).sum()),
            int(counts.sum()),
        )

    def _jackknifed(
        self, keys: Sequence[MetricKey], selected: Mask
    ) -> list[JackknifedDifference | None]:
        """How sure differences are, from what they are without each block of units."""
        units = self._units_of(selected)
        if units.count < FEW or not keys:
            return [None] * len(keys)
        omitted = units.left_out()
        weights = np.zeros((1 + len(omitted), len(selected)), np.int64)
        weights[0, selected], weights[1:, selected] = 1, omitted
        first, second = (self.evaluator.values(ledger, keys, weights) for ledger in self.ledgers)
        return [jackknifed(column[0], column[1:]) for column in (second - first).T]

    def _swaps(self, exchanges: Exchanges, count: int) -> Iterator[Mask]:
        """On which datums predictions are exchanged, ``(n, datums)``, ``count`` in all."""
        step = max(1, _AT_ONCE // (2 * max(1, len(self.joined.datums))))
        starts = range(0, count, step)
        for start in track(starts, len(starts), f"permuting {self.metric}"):
            yield exchanges.draw(min(step, count - start))

    def _exchanged(self, tested: Sequence[Tested], swap: Mask) -> NDArray[np.float64]:
        """Differences when predictions are exchanged.

        Returns:
            ``(n, tested)``; NaN where undefined.
        """
        permuted = np.empty((len(swap), len(tested)))
        for part in {id(each.part): each.part for each in tested}.values():
            columns = [at for at, each in enumerate(tested) if each.part is part]
            weights = part.weights(np.concatenate([swap, ~swap])[:, part.indices])
            keys = [tested[at].key for at in columns]
            first, second = np.split(self.evaluator.values(part.ledger, keys, weights), 2)
            permuted[:, columns] = second - first
        return permuted

    def _outcomes(self, metric: str, label: Label | None) -> list[tuple[Mask, Mask]] | None:
        """Right and tried datums of both runs, where a metric is a share of datums."""
        sides = [self.evaluator.outcomes(ledger, metric, label) for ledger in self.ledgers]
        known = [side for side in sides if side is not None]
        return known if len(known) == 2 else None

    @property
    def _of_label(self) -> str | None:
        """The metric of labels that belongs to the metric."""
        return self.evaluator.of_label.get(self.metric.rpartition("/")[2])

    def _keys(self, part: Part, weights: NDArray[np.int64]) -> list[MetricKey]:
        """The metric, and that of each label, as far as there are any under a weighting."""
        measured = self.measure(part.ledger, None, weights)
        return [(item.name, item.label) for item in measured if self._is_compared(item)]

    def _is_compared(self, item: Metric) -> bool:
        if self.label is not None or item.label is None:
            return (item.name, item.label) == (self.metric, self.label)
        return item.name == self._of_label and item.label.key == self.key

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
