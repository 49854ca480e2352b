"""Run the compiled kernel where there is one, numpy otherwise; both give the same bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels import class_scores as numpy_scores
from velour_evaluators.classification.kernels import ranking_order
from velour_evaluators.classification.kernels.class_scores import ClassScores, Decisions
from velour_evaluators.classification.kernels.ranking_order import RankedScores, RankedTruths
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import scores as compiled


def decisions(predictions: ClassScores, truth: NDArray[np.integer]) -> Decisions:
    """Compare predicted with true labels, one a datum, by C or ``kernels/class_scores.py``."""
    decide = compiled.decisions if library.available() else numpy_scores.decisions
    return decide(predictions, truth)


def rank(
    predictions: ClassScores,
    datum: NDArray[np.int32],
    truth_row: NDArray[np.int32],
    truth_label: NDArray[np.int32],
) -> tuple[RankedScores, RankedTruths]:
    """Rank class scores label by label, by C or ``kernels/ranking_order.py``."""
    ranked = compiled.rank if library.available() else ranking_order.rank
    return ranked(predictions, datum, truth_row, truth_label)
