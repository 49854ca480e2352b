"""A classifier's predictions of rows or images, as a Velour dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import velour_plugin as velour
from velour_integrations.autologging.recording import dataset_name
from velour_integrations.mlflow.datasets.columns import index_table, labels_table, scores_table
from velour_plugin.plugin import DEFAULT_KEY, class_names

MOST_SCORES = 5_000_000
"""Of more, only the label that was decided for is kept."""

MOST_CELLS = 200_000
"""Of a larger frame, columns do not become metadata: making them would be felt."""


def classified(
    name: str | None,
    classes: Sequence[Any],
    truth: NDArray[Any],
    predictions: NDArray[Any],
    metadata: Sequence[Mapping[str, Any]] | None = None,
) -> velour.Dataset:
    """Make a dataset of the true and predicted classes of rows, which are named by number.

    Args:
        name: what the library calls the data, if it does.
        classes: that can be predicted, as the library writes them.
        truth: ``(rows,)`` classes, or ``(rows, classes)`` bool.
        predictions: ``(rows,)`` classes, or ``(rows, classes)`` scores in [0, 1].
        metadata: of the rows.
    """
    places = np.arange(len(truth), dtype=np.int32)
    labels = class_names(classes, DEFAULT_KEY)
    if truth.ndim == 2:
        true = index_table([value for _, value in labels], places, *np.nonzero(truth))
    else:
        true = labels_table(truth, places, labels)
        if predictions.ndim == 2 and predictions.size > MOST_SCORES:
            predictions = np.asarray(classes)[predictions.argmax(axis=1)]
    table = (
        scores_table(predictions, classes, places)
        if predictions.ndim == 2
        else labels_table(predictions, places, true.labels)
    )
    facts = [{}] * len(truth) if metadata is None else metadata
    datums = [velour.Datum(str(row), fact) for row, fact in enumerate(facts)]
    dataset = velour.Dataset.from_table("autologged", datums, true)
    known = dataset_name(name, dataset)
    return velour.Dataset.from_table(known, datums, true).with_predictions(table, "autologged")


def facts_of(features: Any) -> list[dict[str, Any]] | None:
    """Return plain values of a frame's columns, a mapping a row; ``None`` if it has no columns."""
    if not hasattr(features, "columns") or features.size > MOST_CELLS:
        return None
    return [
        {str(column): value for column, value in row.items() if _is_plain(value)}
        for row in features.to_dict("records")
    ]


def distinct(names: Sequence[str]) -> list[str]:
    """Return names of classes by their numbers, which are added where two have the same name."""
    twice = len(set(names)) < len(names)
    return [f"{name} ({number})" if twice else name for number, name in enumerate(names)]


def softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """Convert logits to ``(rows, classes)`` shares that add up to 1."""
    shifted = np.asarray(logits, np.float64)
    shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return shares


def _is_plain(value: Any) -> bool:
    """Whether a value is plain and not empty (None, NaN or NaT)."""
    return isinstance(value, (str, bool, int, float)) and value == value
