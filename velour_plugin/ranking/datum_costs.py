"""What each datum costs a run: how much better its metric is without it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.ledger import Ledger
from velour_plugin.evaluator import Evaluator, MetricKey, value_over
from velour_plugin.helpers.progress import track

_AT_ONCE = 1000
"""Datums that are left out between two steps of the progress bar."""


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
    whole = value_over(evaluator, ledger, *key, selected)
    sign = -1.0 if evaluator.prefers_lower(key[0]) else 1.0
    blocks = np.array_split(omitted, -(-len(omitted) // _AT_ONCE) or 1)
    without = [
        evaluator.leave_one_out(ledger, [key], selected, block)[:, 0]
        for block in track(blocks, len(blocks), f"leaving out datums, {key[0]}")
    ]
    known = np.nan if whole is None else whole
    return np.nan_to_num(sign * (np.concatenate(without) - known))
