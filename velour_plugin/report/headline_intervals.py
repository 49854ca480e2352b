"""Confidence intervals of an evaluation's headline metrics, where they are quick to compute."""

from __future__ import annotations

import numpy as np

from velour_plugin.domain.evaluation import Evaluation
from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator
from velour_plugin.ranking.uncertainty.bootstrap import measure_together
from velour_plugin.ranking.uncertainty.label_support import FEW
from velour_plugin.ranking.uncertainty.units import Units

CONFIDENCE, RESAMPLES, SEED = 0.95, 1000, 0
"""The defaults of ``velour rank``, so that both show the same intervals."""

ROWS = 20_000
"""Rows of a ledger, at most, that are resampled for a report: about a second."""

_AT_ONCE = 250


def ledger_rows(ledger: Ledger) -> int:
    """Count the rows of the longest table that is computed: resampling takes time in proportion."""
    waiting = set(ledger.waiting)
    tables = (ledger.tables[name] for name in ledger.tables if name not in waiting)
    columns = (column for table in tables for column in table.values())
    return max((len(column) for column in columns), default=0)


def headline_intervals(
    evaluation: Evaluation, evaluator: Evaluator
) -> dict[str, tuple[float, float]]:
    """Compute the confidence intervals of the headline metrics that have one, by name.

    They are empty where fewer than five datums were evaluated, or more than :data:`ROWS` rows
    would have to be resampled.
    """
    ledger, count = evaluation.ledger, len(evaluation.ledger.datums)
    keys = [(name, None) for name, value in evaluation.headline.items() if value is not None]
    if count < FEW or ledger_rows(ledger) > ROWS or not keys:
        return {}
    units = Units.of_datums(count)
    weights = np.split(units.weights(RESAMPLES, SEED), range(_AT_ONCE, RESAMPLES, _AT_ONCE))
    subject = (evaluator, ledger, np.ones(count, bool))
    measured = measure_together(subject, keys, weights=weights, units=units)
    intervals = {
        name: each.interval(CONFIDENCE, evaluator.bounds(name))
        for (name, _), each in zip(keys, measured, strict=True)
    }
    return {name: each.ends for name, each in intervals.items() if each is not None}
