"""The contract of an evaluator: match once, measure any subset, values under many weightings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import LabelName
from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger
from velour_plugin.errors import UnknownName
from velour_plugin.evaluator.decisions import Deciding
from velour_plugin.evaluator.parts import Conventions, Explaining, Narrowing, SharesOfDatums

MetricKey = tuple[str, Label | None]
"""A metric's name and its class; ``None`` for a metric over all classes."""

_OMITTED_AT_ONCE = 50
"""Weightings in memory at the same time."""


class Evaluator(Explaining, Narrowing, SharesOfDatums, Deciding, Conventions, ABC):
    """Evaluate predictions of one kind.

    A subclass names its task, the version of its arithmetic (a change that moves any
    number needs a new one: it stands in every certificate) and its headline metrics,
    the main one first; ``of_label`` says which metric of each label belongs
    to a headline metric, as AP to mAP. Parameters that move no number of
    :meth:`measure`, such as how many examples are kept, are ``decorative``: evaluations that
    differ in them only are comparable.
    """

    task: ClassVar[str]
    version: ClassVar[str]
    headline: ClassVar[tuple[str, ...]]
    of_label: ClassVar[Mapping[str, str]] = {}
    defaults: ClassVar[Mapping[str, Any]] = {}
    decorative: ClassVar[frozenset[str]] = frozenset()

    def parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, checked, with defaults for those left out; the result is JSON.

        Raises:
            UnknownName: the task has no such parameter; the nearest is named.
            InvalidInput: a value breaks its rule.
        """
        for name in parameters:
            if name not in self.defaults:
                raise UnknownName(f"parameter of {self.task}", name, self.defaults)
        return {**self.defaults, **parameters}

    def check_labels(self, parameters: Mapping[str, Any], labels: Collection[LabelName]) -> None:
        """Refuse parameters that name a label which is not there; none does by default.

        Args:
            parameters: complete and checked.
            labels: of ground truth and predictions of the whole dataset, after the label map.

        Raises:
            UnknownName: there is no such label; the nearest is named.
        """

    @abstractmethod
    def match(self, dataset: Dataset, parameters: Mapping[str, Any]) -> Ledger:
        """Compare predictions with ground truth, datum by datum, and return the ledger.

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
        """Compute the metrics of some datums from a ledger; the headline metrics come first.

        Args:
            ledger: as :meth:`match` made it.
            datums: ``(datums,)`` bool, those that count; ``None`` for all.
            weights: ``(datums,)`` whole numbers: how often each counts, as if it were
                in the data that many times.
        """

    def values(
        self, ledger: Ledger, keys: Sequence[MetricKey], weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Measure some metrics under many weightings of the datums.

        Selections are weights of 0 and 1, bootstrap replicates are counts, and a permutation test
        exchanges datums of two runs. By default all metrics are measured each time; an evaluator
        may override this to be faster. The values are those of :meth:`measure`, to the last bit.

        Args:
            ledger: as :meth:`match` made it.
            keys: names of metrics of :meth:`measure`, or else of :meth:`details`, with the class
                that each is about.
            weights: ``(n, datums)`` whole numbers >= 0.

        Returns:
            ``(n, keys)``; NaN where a metric is undefined, or there is none of that name.
        """
        values = np.full((len(weights), len(keys)), np.nan)
        for row, counts in enumerate(weights):
            metrics = self.measure(ledger, None, counts)
            measured = {metric.name for metric in metrics}
            if any(name not in measured for name, _ in keys):
                details = self.details(ledger, None, counts)
                metrics += [metric for metric in details if metric.name not in measured]
            values[row] = _numbers(metrics, keys)
        return values

    def leave_one_out(
        self,
        ledger: Ledger,
        keys: Sequence[MetricKey],
        selected: NDArray[np.bool_],
        omitted: NDArray[np.intp],
    ) -> NDArray[np.float64]:
        """Measure some metrics over the selected datums, each datum left out in turn.

        By default these are weightings of 0 and 1; an evaluator that knows a datum's effect
        may be faster. The values are those of :meth:`measure`, to the last bit.

        Args:
            ledger: as :meth:`match` made it.
            keys: as for :meth:`values`.
            selected: ``(datums,)`` bool, those that count.
            omitted: ``(n,)`` indices of the datums that are left out, increasing.

        Returns:
            ``(n, keys)``; NaN as for :meth:`values`.
        """
        values = [np.empty((0, len(keys)))]
        for first in range(0, len(omitted), _OMITTED_AT_ONCE):
            omitted_now = omitted[first : first + _OMITTED_AT_ONCE]
            weights = np.repeat(selected[None].astype(np.int64), len(omitted_now), axis=0)
            weights[np.arange(len(omitted_now)), omitted_now] = 0
            values.append(self.values(ledger, keys, weights))
        return np.concatenate(values)

    def concatenate(self, ledgers: Sequence[Ledger]) -> Ledger:
        """Concatenate the ledgers of partitions; equal to the ledger of the whole dataset.

        By default rows follow one another; an evaluator whose rows have an order of their
        own restores it.

        Args:
            ledgers: at least one, of different datums, matched with the same parameters.
        """
        return Ledger.joined(ledgers)


def value_over(
    evaluator: Evaluator,
    ledger: Ledger,
    metric: str,
    label: Label | None,
    datums: NDArray[np.bool_],
) -> float | None:
    """Measure one metric over some of the datums; ``None`` where it is undefined or there is none.

    Args:
        evaluator: that wrote the ledger.
        ledger: of one run.
        metric: its name.
        label: the class that it is about; ``None`` for a metric about all.
        datums: ``(datums,)`` bool, those that count.
    """
    value = float(evaluator.values(ledger, [(metric, label)], datums[None].astype(np.int64))[0, 0])
    return None if np.isnan(value) else value


def _numbers(metrics: Sequence[Metric], keys: Sequence[MetricKey]) -> list[float]:
    """Values of some metrics among many, the first of a name; NaN where there is no number."""
    values: dict[tuple[str, Any], Any] = {}
    for metric in metrics:
        values.setdefault((metric.name, metric.label and metric.label.name), metric.value)
    numbers = [values.get((name, label and label.name)) for name, label in keys]
    return [float(value) if isinstance(value, (int, float)) else np.nan for value in numbers]
