"""Merge sorted runs of rows by the compiled kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.detection.kernels.sorted_runs import Runs
from velour_evaluators.kernels.native import library
from velour_plugin.plugin import column, threads_for


def merged_runs(
    runs: Runs, score: NDArray[np.float64], datum: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Return the order of all rows, as ``merged_runs`` of ``detection/kernels/sorted_runs.py``.

    Raises:
        ValueError: columns of different lengths, or runs that do not cover as many rows.
    """
    merged = library.functions.merge_runs(
        group=column("group", runs.group, np.int64),
        begin=column("begin", runs.begin, np.int64),
        end=column("end", runs.end, np.int64),
        score=column("score", score, np.float64),
        datum=column("datum", datum, np.int32),
        threads=threads_for(len(score)),
    )
    order: NDArray[np.int64] = merged["order"]
    return order
