"""Confidence intervals for a report, from as many resamples as fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.datasets import Dataset
from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import MetricKey
from velour_plugin.plugins.installed import installed
from velour_plugin.ranking.grouping import Grouping
from velour_plugin.ranking.uncertainty.bootstrap import measure_together
from velour_plugin.ranking.uncertainty.half_samples import HALVES
from velour_plugin.ranking.uncertainty.intervals import ConfidenceInterval
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.units import MOST_LEFT_OUT, Units

CONFIDENCE, RESAMPLES, SEED = 0.95, 1000, 0
"""The defaults of ``velour rank``, so that both show the same intervals."""

LEAST = 200
"""Resamples, at least: fewer show a spread, and hardly its ends."""

ROWS = 20_000
"""Rows of a ledger, at most, that are resampled as often as in a ranking; of longer ones there
are fewer resamples, so that intervals take a small part of a whole evaluation."""

FURTHER = 5
"""How many times these rows are resampled for slices or other models, at most."""

_AT_ONCE = 250


def ledger_rows(ledger: Ledger) -> int:
    """Count the rows of the longest table that is computed: resampling takes time in proportion."""
    waiting = set(ledger.waiting)
    tables = (ledger.tables[name] for name in ledger.tables if name not in waiting)
    columns = (column for table in tables for column in table.values())
    return max((len(column) for column in columns), default=0)


class Resampling:
    """What is drawn of an evaluation for the intervals of a report, and how often.

    Whole groups are drawn where the dataset declares which datums belong together.

    Args:
        evaluation: of ``dataset``.
        dataset: that was evaluated.
    """

    def __init__(self, evaluation: Evaluation, dataset: Dataset) -> None:
        self.evaluation = evaluation
        self.evaluator = installed().evaluator(evaluation.task)
        self.units = _units(evaluation.ledger, dataset)
        self.rows = max(1, ledger_rows(evaluation.ledger))
        fitting = min(RESAMPLES, max(LEAST, RESAMPLES * ROWS // self.rows))
        self.blocks = fitting * MOST_LEFT_OUT // RESAMPLES
        methods = {self.evaluator.interval_method(name) for name in evaluation.headline}
        self.takes_halves = methods == {"half-samples"}  # which are resamples themselves
        self.resamples = HALVES if self.takes_halves else fitting

    def headline(self) -> dict[str, ConfidenceInterval]:
        """Compute the intervals of the headline metrics that have one, by name.

        They are empty where fewer than five datums or groups were evaluated.
        """
        values = self.evaluation.headline
        keys: list[MetricKey] = [(name, None) for name in values if values[name] is not None]
        every = np.ones(len(self.evaluation.ledger.datums), bool)
        intervals = zip(keys, self._intervals(keys, every), strict=True)
        return {name: interval for (name, _), interval in intervals if interval is not None}

    def slices(
        self, metric: str, masks: Sequence[NDArray[np.bool_]]
    ) -> list[ConfidenceInterval | None]:
        """Compute the interval of a metric over each of some slices; none where it takes long."""
        shares = sum(mask.mean() for mask in masks)
        if shares * self.rows > FURTHER * ROWS:
            return [None] * len(masks)
        return [self._intervals([(metric, None)], mask)[0] for mask in masks]

    def _intervals(
        self, keys: Sequence[MetricKey], selected: NDArray[np.bool_]
    ) -> list[ConfidenceInterval | None]:
        units = self.units.among(selected)
        if units.count < FEW or not keys:
            return [None] * len(keys)
        drawn = units.weights(0 if self.takes_halves else self.resamples, SEED)
        weights = [drawn[start : start + _AT_ONCE] for start in range(0, len(drawn), _AT_ONCE)]
        subject = (self.evaluator, self.evaluation.ledger, selected)
        measured = measure_together(subject, keys, weights=weights, units=units, blocks=self.blocks)
        return [
            each.interval(CONFIDENCE, self.evaluator.bounds(name))
            for (name, _), each in zip(keys, measured, strict=True)
        ]


def _units(ledger: Ledger, dataset: Dataset) -> Units:
    """What resamples draw: the groups that a dataset declares, or else datums."""
    if not dataset.groups:
        return Units.of_datums(len(ledger.datums))
    grouping = Grouping.of(dataset.datums, dataset.groups, dataset.name)
    return Units.of_groups(grouping.numbers(ledger.datums))
