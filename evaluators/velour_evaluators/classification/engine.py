"""Which arithmetic runs: the compiled kernel where there is one, numpy otherwise; the same bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.kernels import class_scores as numpy_answers
from velour_evaluators.classification.kernels import ranking_order
from velour_evaluators.classification.kernels.class_scores import Answers, Decisions
from velour_evaluators.classification.kernels.ranking_order import RankedScores, RankedTruths
from velour_evaluators.kernels.native import library
from velour_evaluators.kernels.native import scores as compiled


def decisions(answers: Answers, truth: NDArray[np.integer]) -> Decisions:
    """Compare predicted with true labels, one a datum: ``kernels/class_scores.py``."""
    decide = compiled.decisions if library.available() else numpy_answers.decisions
    return decide(answers, truth)


def rank(
    answers: Answers,
    datum: NDArray[np.int32],
    truth_row: NDArray[np.int32],
    truth_label: NDArray[np.int32],
) -> tuple[RankedScores, RankedTruths]:
    """Rank scores label by label: ``kernels/ranking_order.py``."""
    ranked = compiled.rank if library.available() else ranking_order.rank
    return ranked(answers, datum, truth_row, truth_label)
