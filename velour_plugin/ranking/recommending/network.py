"""Models that met one another on some datasets only: put on one scale, with one set of resamples.

Every two models are compared over all datums of the datasets that both were evaluated on; their
differences are combined by least squares. Each dataset keeps its number of datums in every resample
(a stratified bootstrap), and all comparisons see the same resamples.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from velour_plugin.helpers.progress import track
from velour_plugin.queries.query import RecommendQuery
from velour_plugin.ranking.candidates.ledger_access import LedgerAccess
from velour_plugin.ranking.candidates.selection import Competitors, DatasetSelection
from velour_plugin.ranking.grouping import read_groups
from velour_plugin.ranking.recommending.connected import combined_scores, connected
from velour_plugin.ranking.uncertainty.bootstrap import measure
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.measurement import Measurement
from velour_plugin.ranking.uncertainty.units import Units
from velour_plugin.store.protocol import Snapshot

Datasets = frozenset[str]
Floats = NDArray[np.float64]
_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Scores:
    """Models that are connected by the datums on which two of them met, on one scale.

    Args:
        models: their names.
        measured: the score of each, in the metric's units, and its replicates.
        met: pairs of models that met on the same datums.
        datasets: on which they met.
    """

    models: Sequence[str]
    measured: Sequence[Measurement]
    met: Sequence[tuple[str, str]]
    datasets: Datasets


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Two models, what they do on the datums that both have, and how many units those are."""

    models: tuple[str, str]
    datasets: Datasets
    measured: tuple[Measurement, Measurement]
    units: int

    @property
    def rows(self) -> Floats:
        """``(2, 1 + resamples)``: value and replicates of each."""
        return np.array([[each.value, *each.replicates] for each in self.measured], np.float64)


class Network:
    """Reads what is needed to compare models on datasets of which none need have all.

    Args:
        reader: of the store.
        query: to answer, with a metric.
        selections: of each dataset, the evaluations and which datums count.

    Raises:
        NotComparable: the evaluations do not answer one question.
    """

    def __init__(
        self, reader: Snapshot, query: RecommendQuery, selections: Sequence[DatasetSelection]
    ) -> None:
        assert query.metric is not None
        self.query, self.metric, self.selections = query, query.metric, selections
        self.competitors = Competitors(selections, LedgerAccess(reader, query.where))
        self.datasets: dict[str, Datasets] = {
            competitor.name: frozenset(item.certificate.dataset for item in competitor.items)
            for competitor in self.competitors.all
        }
        parts = [(each.candidates[0].version, each.selected[0].uids) for each in selections]
        self.groups = read_groups(reader, query.groups, parts, query.resamples)
        shared = [a & b for a in self.datasets.values() for b in self.datasets.values() if a & b]
        self._subjects = {
            datasets: self.competitors.ledgers(self.competitors.over(datasets))
            for datasets in dict.fromkeys(shared)
        }

    @cached_property
    def measured(self) -> dict[tuple[str, Datasets], Measurement]:
        """Each model over all datums of the datasets that it shares with itself or another."""
        steps = track(self._subjects.items(), len(self._subjects), f"measuring {self.metric}")
        return {
            (competitor.name, datasets): measure(
                (competitor.evaluator, ledger, selected.mask(ledger.datums)),
                self.metric,
                None,
                weights=weights,
                units=self._units.among(self._chosen(datasets)),
            )
            for datasets, subjects in steps
            for weights in [self._weights(datasets)]
            for competitor, ledger, selected in subjects
        }

    def scores(self) -> list[Scores]:
        """Put models on one scale: a scale for each part that no datums connect to another."""
        meetings = list(self._meetings())
        parts = connected([each.models for each in meetings])
        return [_on_one_scale([meetings[index] for index in part]) for part in parts]

    @property
    def prefers_lower(self) -> bool:
        """Whether small values of the metric are better."""
        return self.competitors.all[0].evaluator.prefers_lower(self.metric)

    def count_datums(self, datasets: Collection[str]) -> int:
        """Return how many datums of some datasets count."""
        return sum(len(each.selected[0]) for each in self.selections if each.dataset in datasets)

    def total(self, datasets: Collection[str]) -> int:
        """Return how many datums some datasets have."""
        return sum(each.total for each in self.selections if each.dataset in datasets)

    def _meetings(self) -> Iterator[_Meeting]:
        """Every two models that met on enough datums to say how sure their difference is."""
        for first, second in combinations(self.datasets, 2):
            shared = self.datasets[first] & self.datasets[second]
            if shared and self._count(shared) >= FEW:
                pair = self.measured[first, shared], self.measured[second, shared]
                if all(each.value is not None and each.replicates.size for each in pair):
                    yield _Meeting((first, second), shared, pair, self._count(shared))

    @cached_property
    def _units(self) -> Units:
        sizes = [len(each.selected[0]) for each in self.selections]
        return self.groups.units or Units.of_datums(*sizes)

    @cached_property
    def _drawn(self) -> NDArray[np.int64]:
        return self._units.weights(self.query.resamples, self.query.seed)

    def _chosen(self, datasets: Datasets) -> NDArray[np.bool_]:
        """Which datums of all are of some datasets."""
        return np.repeat(
            [each.dataset in datasets for each in self.selections],
            [len(each.selected[0]) for each in self.selections],
        )

    def _count(self, datasets: Datasets) -> int:
        return self._units.among(self._chosen(datasets)).count

    def _weights(self, datasets: Datasets) -> list[NDArray[np.int64]] | None:
        """The resamples of some datasets: those of all, without the others."""
        chosen = self._chosen(datasets)
        return [self._drawn[:, chosen]] if self._count(datasets) >= FEW else None


def _on_one_scale(meetings: Sequence[_Meeting]) -> Scores:
    models = list(dict.fromkeys(name for each in meetings for name in each.models))
    rows = np.stack([each.rows for each in meetings])
    scores = combined_scores(
        [(models.index(first), models.index(second)) for first, second in
         (each.models for each in meetings)],
        np.array([each.units for each in meetings], np.float64),
        rows[:, 0] - rows[:, 1],
        len(models),
    )  # fmt: skip
    # at the level of the metric, and rounded: models that answer alike stay equal
    scores = np.round(scores + rows.mean(axis=(0, 1)), _DECIMALS)
    units = min(each.units for each in meetings)  # no more than the pair that has the fewest
    return Scores(
        models,
        [Measurement(float(row[0]), 0, row[1:], units=units) for row in scores],
        [each.models for each in meetings],
        frozenset().union(*(each.datasets for each in meetings)),
    )
