"""The optional parts of an evaluator; every default is correct for every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.columns.annotation_table import LabelName
from velour_plugin.domain.evaluation import Metric
from velour_plugin.domain.labels import Label
from velour_plugin.domain.ledger import Ledger

IntervalMethod = Literal["BCa", "jackknife", "half-samples", "none"]
"""How a metric that is no share of datums has its confidence interval."""


class Conventions:
    """How metrics of a task are read: direction, bounds, intervals, and merged scores.

    Parameters that are ``stated`` are said wherever the numbers are: a reader would take these
    for something else without them. Metrics that are ``pooled`` are no means over labels.
    """

    lower_is_better: ClassVar[frozenset[str]] = frozenset()
    pooled: ClassVar[frozenset[str]] = frozenset()
    stated: ClassVar[tuple[str, ...]] = ()
    compares_classes: ClassVar[bool] = True
    """Whether predicted classes are compared with true ones, and must be of the same names."""

    @property
    def engine(self) -> str:
        """Which engine computes, in a few words, for ``velour plugins``."""
        return "numpy"

    def prefers_lower(self, metric: str) -> bool:
        """Whether small values of a metric are good; ``color/log_loss`` is as ``log_loss``."""
        return metric.rpartition("/")[2] in self.lower_is_better

    def bounds(self, metric: str) -> tuple[float | None, float | None]:
        """Return the lowest and highest value that a metric can have; intervals are clipped there.

        ``None`` where it has no bound, or none is known.
        """
        return (None, None)

    def interval_method(self, metric: str) -> IntervalMethod:
        """Return the method of a metric's confidence interval, where it is no share of datums.

        - ``BCa`` by default: right for all that a small change of the data changes by little,
          such as means, ratios and means of ratios;
        - ``jackknife`` for such metrics where a datum that counts twice misleads, as where copies
          are each other's neighbours, and where few datums weigh much;
        - ``half-samples`` for what small samples raise or lower, as interpolated precision: a
          metric in [0, 1], of a label or a mean over labels;
        - ``none`` for what has no interval, as distances that are never below 0.
        """
        return "BCa"

    def is_pooled(self, metric: str) -> bool:
        """Whether a metric is over all datums alike, so that a rare label weighs as little as it.

        Intervals of all others are rough where a label is shown by few datums.
        """
        return metric.rpartition("/")[2] in self.pooled

    def stated_parameters(self, ledger: Ledger) -> dict[str, Any]:
        """Return the stated parameters that a ledger was matched with, by name."""
        return {name: ledger.parameters[name] for name in self.stated}

    def defaults_for(self, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the defaults of parameters that depend on a dataset's metadata, and no others."""
        return {}

    def adds_scores(self, parameters: Mapping[str, Any]) -> bool:
        """Whether the scores of merged labels are added (they are shares of 1).

        Otherwise the highest is kept.
        """
        return False


class Explaining:
    """Details that are shown, not ranked by: curves, kinds of error, single datums.

    ``detail_tables`` names the tables of a ledger that :meth:`measure`, :meth:`by_datum` and
    :meth:`support` never read: stores keep them apart, and rankings do not read them.
    """

    detail_tables: ClassVar[frozenset[str]] = frozenset()

    def details(
        self,
        ledger: Ledger,
        datums: NDArray[np.bool_] | None = None,
        weights: NDArray[np.int64] | None = None,
    ) -> list[Metric]:
        """Compute curves, matrices and examples; arguments as for :meth:`Evaluator.measure`."""
        return []

    def errors(
        self, ledger: Ledger, datums: NDArray[np.bool_] | None = None
    ) -> dict[str, tuple[int, float | None]]:
        """Count the errors of each kind, and measure its cost: what the metric gains if corrected.

        Args:
            ledger: as :meth:`Evaluator.match` made it.
            datums: ``(datums,)`` bool, those that count; ``None`` for all.

        Returns:
            By kind; empty where errors have no kinds, or the ledger does not have them.
        """
        return {}

    def matches(self, ledger: Ledger) -> dict[str, NDArray[Any]]:
        """Return the pairs of truths and predictions, and what is left of either.

        Args:
            ledger: as :meth:`Evaluator.match` made it.

        Returns:
            Columns with a row a pair or what is left over, in the order in which they are shown:
            ``datum``, an index; ``outcome``, ``true positive``, ``false positive`` or ``false
            negative``; ``kind`` of error, a text, empty for true positives; ``truth`` and
            ``prediction``, indices of labels, -1 for none; ``score`` and ``iou``, NaN for none;
            ``truth_box`` and ``prediction_box``, ``(n, 4)`` as xmin, ymin, xmax, ymax in pixels,
            NaN for none. Empty if the task has no pairs.
        """
        return {}

    def by_datum(self, ledger: Ledger) -> dict[str, NDArray[Any]]:
        """Return score and errors of each datum by itself, for tables of the worst and for maps.

        Args:
            ledger: as :meth:`Evaluator.match` made it.

        Returns:
            Columns with a row a datum: ``score`` in [0, 1], NaN where there is nothing to measure;
            ``errors``, their number; and any further columns. Empty if the task has none.
        """
        return {}

    def support(self, ledger: Ledger) -> dict[LabelName, NDArray[np.intp]]:
        """Return the indices of the datums that have each label; empty without a table of truths.

        This reads a table ``truths`` with the columns ``label`` and ``datum``.
        """
        truths = ledger.tables.get("truths", {})
        if not {"label", "datum"} <= set(truths):
            return {}
        count = len(ledger.datums)
        pairs = _each_once(truths["label"].astype(np.int64) * count + truths["datum"])
        starts = np.searchsorted(pairs, np.arange(len(ledger.labels) + 1) * count)
        return {
            name: (pairs[first:last] - number * count).astype(np.intp)
            for number, (name, (first, last)) in enumerate(
                zip(ledger.labels, pairwise(starts.tolist()), strict=True)
            )
        }


class Narrowing:
    """Exact answers from a ledger for narrower parameters than it was matched with."""

    def supports(self, ledger: Ledger, parameters: Mapping[str, Any]) -> bool:
        """Whether a ledger can answer other parameters exactly, without a new match.

        By default, where they do not differ.

        Args:
            ledger: as :meth:`Evaluator.match` made it.
            parameters: as :meth:`Evaluator.parameters` completed them.
        """
        return bool(ledger.parameters == parameters)

    def narrow(self, ledger: Ledger, parameters: Mapping[str, Any]) -> Ledger:
        """Return the ledger that a match with parameters that it :meth:`supports` would give."""
        return ledger

    def restrict(
        self, ledger: Ledger, datums: NDArray[np.bool_], metrics: Sequence[str]
    ) -> Ledger | None:
        """Return the ledger of some of its datums, sufficient for some metrics.

        By default ``None``; an evaluator that overrides it makes every resample faster.

        Args:
            ledger: as :meth:`Evaluator.match` made it.
            datums: ``(datums,)`` bool, the datums to keep, in their order.
            metrics: names of the metrics that will be measured.

        Returns:
            The ledger; ``None`` when the whole ledger is needed.
        """
        return None

    def reduce(
        self, ledger: Ledger, labels: NDArray[np.bool_], min_score: float | None
    ) -> Ledger | None:
        """Return the ledger of a match with fewer labels and without predictions of low scores.

        By default ``None`` if anything is left out; an evaluator that overrides it saves a match.

        Args:
            ledger: as :meth:`Evaluator.match` made it.
            labels: ``(labels,)`` bool, the labels to keep on both sides; at least one.
            min_score: of the predictions to keep; ``None`` for all.

        Returns:
            The ledger; ``None`` when a new match is needed.
        """
        return ledger if labels.all() and min_score is None else None


class SharesOfDatums:
    """Metrics such as accuracy, for which exact intervals and tests are known."""

    def outcomes(
        self, ledger: Ledger, metric: str, label: Label | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """Return the datums that a metric is a share of: the correct ones, and all that count.

        Args:
            ledger: as :meth:`Evaluator.match` made it.
            metric: name of a metric.
            label: the class that it is about; ``None`` for a headline metric.

        Returns:
            Both ``(datums,)``: those that are correct, and those that count at all, which the
            predictions do not change; ``None`` where a metric is no share of datums.
        """
        return None


def _each_once(positions: NDArray[Any]) -> NDArray[np.intp]:
    """Sorted unique values; ``np.unique`` would import ``numpy.ma``."""
    rising = np.sort(positions)
    once: NDArray[np.intp] = rising[np.diff(rising, prepend=-1) != 0]
    return once
