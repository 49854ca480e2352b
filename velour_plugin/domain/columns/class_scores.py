"""Scores of classifiers: probabilities as they are, decision values as scores that only rank."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from velour_plugin.domain.inputs.cell_values import ROUNDING
from velour_plugin.domain.inputs.reading import note_repaired
from velour_plugin.errors import BadDataset

ONE_SCORE_OF_MANY = (
    "predictions are one fraction a row, and a row may have many classes: expected a score for "
    "each of them."
)


def checked_scores(scores: Any) -> NDArray[np.float64]:
    """Return scores of classes in [0, 1].

    What is outside by rounding is clipped. Decision values, as those of a support vector machine,
    go to scores of the same order from 0.75 on: those of a row add up to more than 1, so that
    nothing takes them for probabilities. Both are counted aloud.

    Args:
        scores: ``(rows, classes)`` finite numbers, all rows there are.

    Raises:
        BadDataset: a score is no finite number, naming its row.

    >>> checked_scores([[-1.0, 1.0], [0.0, 3.0]])
    array([[0.75  , 0.875 ],
           [0.8125, 0.9375]])
    """
    numbers = _numbers(scores)
    if numbers.min(initial=0) >= 0 and numbers.max(initial=1) <= 1:
        return numbers
    inside = numbers.clip(0, 1)
    outside = np.abs(numbers - inside) > 0
    row = f"row {np.flatnonzero(outside.any(axis=1))[0]}"
    if np.abs(numbers - inside).max() <= ROUNDING:
        note_repaired("scores outside [0, 1] by rounding, clipped", row, int(outside.sum()))
        return inside
    note_repaired(
        "rows of scores outside [0, 1], read as decision values: they rank, and metrics of "
        "probabilities (log_loss, brier, ece) are undefined",
        row,
        len(numbers),
    )
    return ranking_scores(numbers)


def ranking_scores(values: NDArray[Any]) -> NDArray[np.float64]:
    """Map decision values to scores from 0.75 to 1 in their order; equal ones stay equal.

    Args:
        values: ``(rows, classes)`` finite numbers, all rows there are.
    """
    distinct, rank = np.unique(values, return_inverse=True)
    return 0.75 + rank.reshape(values.shape) / (4 * len(distinct))


def columns_of_one(scores: NDArray[Any], classes: Sequence[str]) -> NDArray[np.float64]:
    """Make scores of both classes from those of the second, as scikit-learn takes them.

    Args:
        scores: ``(rows,)`` probabilities in [0, 1], or decision values.
        classes: all of them.

    Returns:
        ``(rows, 2)``.

    Raises:
        BadDataset: there are not two classes.
    """
    if len(classes) != 2:
        raise BadDataset(
            f"predictions are one fraction a row, the probability of the second of two classes, "
            f"and there are {len(classes)} classes: {', '.join(classes[:5])}. Name both in "
            "labels=, or give one column for each class."
        )
    numbers = _numbers(scores)
    is_share = numbers.min(initial=0) >= -ROUNDING and numbers.max(initial=1) <= 1 + ROUNDING
    return np.stack([1 - numbers if is_share else -numbers, numbers], axis=1)


def _numbers(scores: Any) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(scores, np.float64)
    except (TypeError, ValueError) as error:
        raise BadDataset(f"scores: expected one number for each class: {error}.") from error
    finite = np.isfinite(numbers)
    if not finite.all():
        row = np.argwhere(~finite)[0]
        raise BadDataset(
            f"the score of row {row[0]} is {numbers[tuple(row)]}: expected a finite number; leave "
            "the row out, or give it scores."
        )
    return numbers
