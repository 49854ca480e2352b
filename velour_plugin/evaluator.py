"""What an evaluator is: it matches once, then measures any subset as often as asked.

An evaluator is pure arithmetic on a dataset in memory: no files, no store, no MLflow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.domain.table import LabelName
from velour_plugin.errors import UnknownName


class Evaluator(ABC):
    """Judge predictions of one kind.

    A subclass names its task, the version of its arithmetic (a change that moves any
    number needs a new one: it stands in every certificate) and its headline metrics,
    the one that people rank by first; ``of_label`` says which metric of each label belongs
    to a headline metric, as AP to mAP. Parameters that move no number of
    :meth:`measure`, such as how many examples are kept, are ``decorative``: evaluations that
    differ in them only are comparable.
    """

    task: ClassVar[str]
    version: ClassVar[str]
    headline: ClassVar[tuple[str, ...]]
    lower_is_better: ClassVar[frozenset[str]] = frozenset()
    of_label: ClassVar[Mapping[str, str]] = {}
    defaults: ClassVar[Mapping[str, Any]] = {}
    decorative: ClassVar[frozenset[str]] = frozenset()

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Complete and check parameters; the result is JSON.

        Raises:
            UnknownName: a parameter is not one of this task's; the nearest is named.
            InvalidInput: a value breaks its rule.
        """
        for name in given:
            if name not in self.defaults:
                raise UnknownName(f"parameter of {self.task}", name, self.defaults)
        return {**self.defaults, **given}

    def adds_scores(self, parameters: Mapping[str, Any]) -> bool:
        """Whether scores of labels that a label map makes one are added: they are shares of 1.

        Otherwise the highest stays.
        """
        return False

    @property
    def engine(self) -> str:
        """What computes, in a few words: ``velour plugins`` shows it."""
        return "numpy"

    @abstractmethod
    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Compare predictions with ground truth, datum by datum.

        Args:
            dataset: with predictions, labels already mapped.
            parameters: as :meth:`parameters` completed them.
        """

    @abstractmethod
    def measure(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Aggregate a ledger over some of its datums; the headline metrics come first.

        Args:
            ledger: as :meth:`match` made it.
            datums: ``(datums,)`` bool, those that count; ``None`` for all.
            weights: ``(datums,)`` whole numbers: how often each counts, as if it stood
                in the data that many times.
        """

    def resample(
        self, ledger: Ledger, metric: str, label: Label | None, weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Measure one metric under many weightings of the datums, as a bootstrap does.

        This measures all there is each time; an evaluator that can do with less should.

        Args:
            ledger: as :meth:`match` made it.
            metric: name of a metric.
            label: the class that it is about; ``None`` for a headline metric.
            weights: ``(resamples, datums)`` whole numbers >= 0.

        Returns:
            ``(resamples,)``; NaN where the metric is undefined.
        """
        values = np.full(len(weights), np.nan)
        for place, counts in enumerate(weights):
            value = self.value(ledger, metric, label, weights=counts)
            values[place] = np.nan if value is None else value
        return values

    def value(
        self,
        ledger: Ledger,
        metric: str,
        label: Label | None,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> float | None:
        """One metric over some of the datums; ``None`` where it is undefined or there is none.

        Args:
            ledger: as :meth:`match` made it.
            metric: of :meth:`measure`, or else of :meth:`details`.
            label: the class that it is about; ``None`` for a metric about all.
            datums: those that count, as for :meth:`measure`.
            weights: how often each counts, as for :meth:`measure`.
        """
        metrics = self.measure(ledger, datums, weights)
        if not any(one.name == metric for one in metrics):
            metrics = self.details(ledger, datums, weights)
        return value_of(metrics, metric, label)

    def prefers_lower(self, metric: str) -> bool:
        """Whether small values of a metric are good; ``color/log_loss`` is as ``log_loss``."""
        return metric.rpartition("/")[2] in self.lower_is_better

    def bounds(self, metric: str) -> tuple[float | None, float | None]:
        """The lowest and highest value that a metric can have; ``None`` where it has no bound."""
        return (0.0, 1.0)

    def outcomes(
        self, ledger: Ledger, metric: str, label: Label | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Which datums a metric is a share of, if it is one: right ones among those tried.

        Shares have intervals and tests of their own, which are exact where resamples are not.

        Args:
            ledger: as :meth:`match` made it.
            metric: name of a metric.
            label: the class that it is about; ``None`` for a headline metric.

        Returns:
            Both ``(datums,)``: those that count as right, and those that count at all, which the
            predictions do not change; ``None`` where a metric is no share of datums.
        """
        return None

    def errors(
        self, ledger: Ledger, datums: NDArray[np.bool_] | None = None
    ) -> dict[str, tuple[int, float | None]]:
        """Split what is wrong by kind: how many there are, and what the kind costs.

        Args:
            ledger: as :meth:`match` made it.
            datums: those that count; ``None`` for all.

        Returns:
            By kind; empty where errors have no kinds, or the ledger does not tell.
        """
        return {}

    def support(self, ledger: Ledger) -> dict[LabelName, NDArray[np.intp]]:
        """Datums that show each label, by position; empty when the ledger does not tell.

        This reads a table ``truths`` with the columns ``label`` and ``datum``.
        """
        truths = ledger.tables.get("truths", {})
        if not {"label", "datum"} <= set(truths):
            return {}
        return {
            name: np.unique(truths["datum"][truths["label"] == place])
            for place, name in enumerate(ledger.labels)
        }

    def concatenate(self, ledgers: Sequence[Ledger]) -> Ledger:
        """Make one ledger of those of partitions: equal to that of the whole.

        This puts rows one after another; an evaluator whose rows have an order of their
        own restores it.

        Args:
            ledgers: at least one, of different datums, matched with the same parameters.
        """
        return Ledger.joined(ledgers)

    def answers(self, ledger: Ledger, parameters: Mapping[str, Any]) -> bool:
        """Whether a ledger can answer other parameters exactly, without a new match.

        This says so where they do not differ.

        Args:
            ledger: as :meth:`match` made it.
            parameters: as :meth:`parameters` completed them.
        """
        return bool(ledger.parameters == parameters)

    def narrow(self, ledger: Ledger, parameters: Mapping[str, Any]) -> Ledger:
        """Make of a ledger that :meth:`answers` them the one that other parameters would make."""
        return ledger

    def reduce(
        self, ledger: Ledger, labels: NDArray[np.bool_], min_score: float | None
    ) -> Ledger | None:
        """Make the ledger of a match with fewer labels and without predictions of low scores.

        This cannot, but for all labels and scores; an evaluator that can saves a new match.

        Args:
            ledger: as :meth:`match` made it.
            labels: ``(labels,)`` bool, those that stay on both sides; at least one.
            min_score: of the predictions that stay; ``None`` for all.

        Returns:
            The ledger; ``None`` when only a new match can tell.
        """
        return ledger if labels.all() and min_score is None else None

    def details(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Curves, matrices and examples: what is looked at once, not a thousand times."""
        return []

    def by_datum(self, ledger: Ledger) -> dict[str, NDArray[Any]]:
        """How each datum went by itself, for tables of the worst and for maps; cheap.

        Args:
            ledger: as :meth:`match` made it.

        Returns:
            Columns with a row a datum: ``score`` in [0, 1], NaN where there is nothing to judge;
            ``errors``, how many; and what else there is to say. Empty when the task cannot tell.
        """
        return {}


def value_of(metrics: Sequence[Metric], name: str, label: Label | None) -> float | None:
    """Value of one metric among many; ``None`` where it is undefined or not there."""
    wanted = None if label is None else label.name
    for metric in metrics:
        if metric.name == name and (metric.label and metric.label.name) == wanted:
            value: float | None = metric.value
            return value
    return None
