"""Class scores by the compiled kernel: decisions of datums, and each label's scores ranked.

The same bits as :mod:`velour_evaluators.classification.kernels.class_scores` and
:mod:`velour_evaluators.classification.kernels.ranking_order`. Check ``library.available()`` first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels.calibration import SUMS_TO_ONE, surprise
from velour_evaluators.classification.kernels.class_scores import ClassScores, Decisions
from velour_evaluators.classification.kernels.ranking_order import RankedScores, RankedTruths
from velour_evaluators.kernels.native import library
from velour_plugin.plugin import column, threads_for


def decisions(predictions: ClassScores, truth: NDArray[np.integer]) -> Decisions:
    """Compare predicted with true labels, one a datum: ``classification/kernels/class_scores.py``.

    Args:
        predictions: of all rows.
        truth: ``(rows,)`` true label of each.

    Raises:
        ValueError: class scores are not sorted, or a row or label is out of bounds.
    """
    decided = library.functions.decide_by_scores(
        **_scores(predictions),
        tolerance=SUMS_TO_ONE,
        truth=column("truth", truth, np.int32),
    )
    log_loss = surprise(decided["chance"])  # by numpy, whose logarithm is the same everywhere here
    return Decisions(
        decided["predicted"], decided["confidence"], decided["rank"], log_loss, decided["brier"]
    )


def rank(
    predictions: ClassScores,
    datum: NDArray[np.int32],
    truth_row: NDArray[np.int32],
    truth_label: NDArray[np.int32],
) -> tuple[RankedScores, RankedTruths]:
    """Rank scores label by label: ``classification/kernels/ranking_order.py``.

    Raises:
        ValueError: a score is outside [0, 1], or a row or label is out of bounds.
    """
    ranked = library.functions.rank_scores(
        **_scores(predictions),
        datum=column("datum", datum, np.int32),
        truth_row=column("truth_row", truth_row, np.int32),
        truth_label=column("truth_label", truth_label, np.int32),
    )
    names = ("found_label", "found_datum", "found_score", "first", "last")
    return (
        RankedScores(ranked["bounds"], ranked["ranked_datum"], ranked["ranked_score"]),
        RankedTruths(*(ranked[name] for name in names)),
    )


def _scores(predictions: ClassScores) -> dict[str, Any]:
    pairs: dict[str, Any] = {"row": None, "label": None}
    if not predictions.is_matrix:
        pairs = {name: column(name, getattr(predictions, name), np.int32) for name in pairs}
    return {
        **pairs,
        "rows": predictions.rows,
        "labels": predictions.labels,
        "score": column("score", predictions.score, np.float64),
        "threads": threads_for(len(predictions.score)),
    }
