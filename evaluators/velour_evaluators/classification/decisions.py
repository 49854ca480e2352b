"""What is decided for each datum of a label key: by scores, or the label that was chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from velour_evaluators.classification.axis import Axis
from velour_evaluators.classification.kernels.class_counts import MISSING
from velour_evaluators.classification.kernels.decision_reasons import NEVER, Decidable, LabelScores


def scored_decisions(axis: Axis) -> Decidable:
    """Return every label that scores, to be decided by a threshold."""
    datums = len(axis.ledger.datums)
    truths, scores = (
        LabelScores(table["label"].astype(np.int64), table["datum"], table["score"])
        for table in (axis.truths, axis.scores)
    )
    true, predicted = (rows.label * datums + rows.datum for rows in (truths, scores))
    others = scores.where(~np.isin(predicted, true))
    return Decidable(len(axis.labels), _weight(axis), truths, others)


def chosen_labels(axis: Axis) -> Decidable:
    """Return the label chosen for each datum, which scores 1; all others are never decided."""
    datum, truth, predicted = (axis.answers[name] for name in ("datum", "truth", "predicted"))
    right = np.where(predicted == truth, 1.0, NEVER)
    wrong = np.flatnonzero((predicted != truth) & (predicted != MISSING))
    others = LabelScores(predicted[wrong], datum[wrong], np.ones(len(wrong)))
    truths = LabelScores(truth, datum, right)
    return Decidable(len(axis.labels), _weight(axis), truths, others)


def _weight(axis: Axis) -> NDArray[np.int64]:
    """``(datums,)`` how often each counts: not at all without a true label under this key."""
    weight = np.zeros(len(axis.ledger.datums), np.int64)
    counts = axis.answer_weights
    weight[axis.answers["datum"]] = 1 if counts is None else counts
    return weight
