"""What each datum costs a run, or each group: how much better its metric is without it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator, MetricKey, value_over
from velour_plugin.helpers.progress import track
from velour_plugin.ranking.uncertainty.units import Units

_AT_ONCE = 1000
"""Datums that are left out between two steps of the progress bar."""

_WEIGHTS = 1 << 21
"""Weights in memory at the same time: 16 MB."""


def datum_costs(
    evaluator: Evaluator,
    ledger: Ledger,
    key: MetricKey,
    selected: NDArray[np.bool_],
    omitted: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Measure how much a metric gains if each of some datums is left out.

    Args:
        evaluator: that wrote the ledger.
        ledger: of one run.
        key: a metric, and the class that it is about; ``None`` for all.
        selected: ``(datums,)`` bool, the datums that count.
        omitted: ``(n,)`` rising positions of the datums to leave out, one at a time.

    Returns:
        ``(n,)``, positive where the metric is better without the datum; 0 where it is undefined.
    """
    blocks = np.array_split(omitted, -(-len(omitted) // _AT_ONCE) or 1)
    without = [
        evaluator.leave_one_out(ledger, [key], selected, block)[:, 0]
        for block in track(blocks, len(blocks), f"leaving out datums, {key[0]}")
    ]
    return _gains(evaluator, ledger, key, selected, np.concatenate(without))


def group_costs(
    evaluator: Evaluator,
    ledger: Ledger,
    key: MetricKey,
    selected: NDArray[np.bool_],
    units: Units,
) -> NDArray[np.float64]:
    """Measure how much a metric gains if each group of datums is left out.

    Args:
        evaluator: that wrote the ledger.
        ledger: of one run.
        key: a metric, and the class that it is about; ``None`` for all.
        selected: ``(datums,)`` bool, the datums that count.
        units: their groups.

    Returns:
        ``(groups,)``, positive where the metric is better without the group; 0 where it is
        undefined.
    """
    step = max(1, _WEIGHTS // len(selected))
    starts = range(0, units.count, step)
    without = []
    for start in track(starts, len(starts), f"leaving out groups, {key[0]}"):
        groups = np.arange(start, min(start + step, units.count))
        weights = np.zeros((len(groups), len(selected)), np.int64)
        weights[:, selected] = units.of_datum != groups[:, None]
        without.append(evaluator.values(ledger, [key], weights)[:, 0])
    return _gains(evaluator, ledger, key, selected, np.concatenate(without))


def _gains(
    evaluator: Evaluator,
    ledger: Ledger,
    key: MetricKey,
    selected: NDArray[np.bool_],
    without: NDArray[np.float64],
) -> NDArray[np.float64]:
    """How much better values are than that over all selected datums; 0 where one is undefined."""
    whole = value_over(evaluator, ledger, *key, selected)
    sign = -1.0 if evaluator.prefers_lower(key[0]) else 1.0
    return np.nan_to_num(sign * (without - (np.nan if whole is None else whole)))
